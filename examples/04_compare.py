"""Which model is worth its cost on my data?

Several models are trained on the same rows, with the same recipe, the same
number of search trials and the same seeds. The result shows their quality,
confidence intervals of the differences, and their costs.
`keras-infnet compare --config FILE` does the same from a settings file.

    python examples/04_compare.py [--fast]
"""

import argparse

from keras_infnet import experiments

parser = argparse.ArgumentParser()
parser.add_argument("--fast", action="store_true", help="few rows")
options = parser.parse_args()

"""
The first trial of every model uses the recipe unchanged; the other trials draw
their values, identically for all models. The validation rows select the best
trial. The test rows are evaluated once, with its recipe.
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
Open comparison.html for learning curves, quality against cost and calibration.
"""

for path in experiments.write_comparison(comparison, rows):
    print(f"Wrote {path}.")

"""
What to look at: the intervals of the differences. Where an interval contains
zero, choose the cheaper model. A second run reuses all finished runs.
`settings.ablate("INFNet")` returns the settings of an ablation study, see
07_ablations.py.
"""
