"""Which part of INFNet is worth its cost?

As in the papers, INFNet is trained without task tokens, without stage 1
(compact tokens aggregate their groups), without stage 2 (compact tokens gate
their groups), with all-to-all attention, and with other numbers of compact
tokens, here on simulated data. `keras-infnet compare --config FILE --ablate
LABEL` does the same for your own table.

    python examples/07_ablations.py [--variant proxy] [--seeds 3] [--fast]

The towers of the papers read the task token only. With `--towers all` they read
the hubs or proxies too, as in the presets.
"""

import argparse
import dataclasses

import numpy as np

from keras_infnet import experiments

parser = argparse.ArgumentParser()
parser.add_argument("--variant", choices=("hub", "proxy"), default="hub")
parser.add_argument("--towers", choices=("task", "all"), default="task")
parser.add_argument("--seeds", type=int, default=1)
parser.add_argument("--fast", action="store_true", help="few rows and parts")
options = parser.parse_args()
if options.seeds < 1:
    parser.error("--seeds must be at least 1")

"""
Everything else is unchanged: rows and their order, the training recipe and the
towers. Finished runs are kept, so more seeds only train the missing ones.
"""

COMPLETE = "complete INFNet"
settings = experiments.ComparisonSettings.from_dict(
    {
        "directory": f"runs/ablations_{options.variant}_{options.towers}",
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": 4_000 if options.fast else 80_000},
        },
        "training": {
            "seeds": list(range(options.seeds)),
            "batch_size": 256,
            "epochs": 1 if options.fast else 4,
            "learning_rate": 2e-3,
            "embedding_learning_rate": 0.1,
            "warmup_steps": 50,
            "ema_momentum": 0.98,
        },
        "models": [
            {
                "label": COMPLETE,
                "name": "INFNet",
                "preset": "small",
                "variant": options.variant,
                "tower_inputs": options.towers,
            }
        ],
    }
).ablate(COMPLETE)
if options.fast:
    settings = dataclasses.replace(settings, models=settings.models[:2])
comparison = experiments.compare(settings)

tasks = list(comparison.labels)
print(f"\nmean AUC of {len(tasks)} tasks, variant {options.variant}")
for model in comparison.models:
    values = [
        np.mean([run["metrics"][task]["auc"] for task in tasks])
        for run in model.runs
        if run["metrics"]
    ]
    each = " ".join(f"{value:.4f}" for value in values)
    print(f"{model.label:<33} {np.mean(values):.4f}   by seed: {each}")

rows = experiments.comparison_rows(comparison)
print("\n" + experiments.format_comparison(comparison, rows, markdown=False))

"""
What to look at: the difference of each line to the first, whether it is larger
than the differences between seeds, and whether its interval excludes zero.
"""
