"""The settings of sweeps over a small model."""

import numpy as np

from keras_infnet.experiments import SweepSettings

RATE = "training.learning_rate"
TABLES = "training.embedding_learning_rate"


CONFIG = {
    "data": {
        "dataset": "synthetic",
        "options": {"num_users": 30, "num_items": 20, "num_rows": 400},
    },
    "model": {"name": "FM", "embedding_dim": 2},
    "training": {"batch_size": 128, "learning_rate": 0.004},
    "sweep": {
        "trials": 4,
        "space": {
            "training": {
                "learning_rate": {"low": 1e-3, "high": 0.1, "scale": "log"}
            },
            "model": {
                "dropout": {"low": 0, "high": 0.5},
                "tower_dims": {"values": [[], [4]]},
            },
        },
    },
}


def settings(
    folder, space=None, data=None, training=None, model=None, **changes
):
    """The settings above, with others in their place."""
    section = {**CONFIG["sweep"], **changes}
    if space is not None:
        section["space"] = space
    return SweepSettings.from_dict(
        {
            **CONFIG,
            "data": data or CONFIG["data"],
            "model": model or CONFIG["model"],
            "training": {**CONFIG["training"], **(training or {})},
            "directory": str(folder),
            "sweep": section,
        }
    )


def auc_of(experiment):
    return 1.0 - abs(np.log10(experiment.training.learning_rate) + 2) / 10


def silent(_):
    pass


def outcome(found):
    return [(t.number, t.changes, t.score, t.error) for t in found.trials]
