"""The settings of comparisons of two small models."""

from keras_infnet.experiments import ComparisonSettings

CONFIG = {
    "data": {
        "dataset": "synthetic",
        "options": {"num_users": 60, "num_items": 40, "num_rows": 900},
    },
    "training": {"seeds": [0, 1], "batch_size": 128},
    "evaluation": {"baselines": ["logistic_regression"]},
    "models": [
        {
            "label": "bottom",
            "name": "SharedBottom",
            "hidden_dims": [8],
            "tower_dims": [],
            "embedding_dim": 4,
        },
        {"name": "FM", "embedding_dim": 4},
    ],
    "resamples": 20,
}


def settings(tmp_path, **changes):
    config = {**CONFIG, "directory": str(tmp_path / "kept"), **changes}
    return ComparisonSettings.from_dict(config)
