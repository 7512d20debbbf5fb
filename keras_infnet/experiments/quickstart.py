"""Settings and words of the first run."""

from typing import Any

__all__ = ["quickstart_settings"]


def quickstart_settings(rows: int, seed: int) -> dict[str, Any]:
    """Returns the settings of `keras-infnet quickstart`.

    A small INFNet on the synthetic data, sized for two cores.

    Args:
        rows: integer. Rows of the synthetic data.
        seed: integer. Seed of data and training.

    Returns:
        Plain data, for `ExperimentSettings.from_dict`.
    """
    return {
        "data": {
            "dataset": "synthetic",
            "options": {"num_rows": rows, "seed": seed},
        },
        "model": {"name": "INFNet", "preset": "small"},
        "training": {
            "batch_size": 256,
            "epochs": 4,
            "seeds": [seed],
            "learning_rate": 0.002,
            "embedding_learning_rate": 0.1,
            "warmup_steps": 50,
            "ema_momentum": 0.98,
        },
        "evaluation": {
            "baselines": ["logistic_regression", "gradient_boosting"]
        },
        "directory": "runs/quickstart",
    }
