"""Which model is worth its cost on my data?

Several models on the same rows, with the same recipe, the same number of
search trials and the same seeds; what they reach, how sure one can be of the
differences, and what they cost. `keras-infnet compare --config FILE` does it
from a settings file; here it is done from Python.

    python examples/04_compare.py [--fast]
"""

import argparse

from keras_infnet import experiments

parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
The first trial of every model is the recipe as it is, the others are draws
around it, the same for all. The validation rows choose; the test rows are
looked at once, with the recipe that was chosen.
"""

towers = {"tower_dims": [64]}
settings = experiments.ComparisonSettings.from_dict(
    {
        "directory": "runs/example_compare",
        "reference": "SharedBottom",
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": 4_000 if options.fast else 40_000},
        },
        "training": {
            "seeds": [0] if options.fast else [0, 1],
            "batch_size": 256,
            "epochs": 1 if options.fast else 4,
            "learning_rate": 2e-3,
            "embedding_learning_rate": 0.1,
            "warmup_steps": 50,
        },
        "search": {"trials": 1 if options.fast else 3},
        "evaluation": {"baselines": ["gradient_boosting"]},
        "models": [
            {"name": "SharedBottom", "preset": "small"},
            {"name": "INFNet", "preset": "small"},
            {"name": "DCNv2", "preset": "small", **towers},
            {
                "label": "MMoE on DIN",
                "name": "MMoE",
                "preset": "small",
                "trunk": {"name": "DIN", "hidden_dims": [64]},
            },
        ],
    }
)
comparison = experiments.compare(settings)
rows = experiments.comparison_rows(comparison)
print("\n" + experiments.format_comparison(comparison, rows, markdown=False))

"""
The same as a page, with learning curves, quality against cost and
calibration. Open comparison.html.
"""

for path in experiments.write_comparison(comparison, rows):
    print(f"Wrote {path}.")

"""
Look at: the interval of the differences. Where it holds zero, choose the
cheaper model. Run this again: nothing is trained twice. `settings.ablate(
"INFNet")` gives the settings of its ablations, see 07_ablations.py.
"""
