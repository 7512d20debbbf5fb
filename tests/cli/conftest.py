"""Tables, a drafted schema, settings and a model trained by commands."""

import json
import os
import pathlib

import pytest

from keras_infnet.cli import main
from keras_infnet.data import write_table
from keras_infnet.data.datasets import synthetic


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Tables, a drafted schema, settings and a model trained by commands."""
    folder = tmp_path_factory.mktemp("cli")
    data = synthetic.load(num_users=60, num_items=30, num_rows=1_200)
    for name in ("train", "validation", "test"):
        table = getattr(data, name)
        hidden = [c for c in table.columns if c.startswith("true_")]
        write_table(table.without(hidden), folder / f"{name}.parquet")
    here = pathlib.Path.cwd()
    os.chdir(folder)
    try:
        draft = ["schema", "train.parquet", "--label", "click"]
        draft += ["--label", "like", "--group", "user_id"]
        draft += ["--request-time", "time", "--exclude", "purchase"]
        assert main([*draft, "--output", "schema.json"]) == 0
        (folder / "settings.json").write_text(
            json.dumps(
                {
                    "data": {
                        "schema": "schema.json",
                        "train": "train.parquet",
                        "validation": "validation.parquet",
                        "test": "test.parquet",
                    },
                    "model": {
                        "preset": "small",
                        "token_dim": 4,
                        "num_blocks": 1,
                        "tower_dims": [4],
                    },
                    "training": {"batch_size": 128, "epochs": 2},
                    "evaluation": {"baselines": ["logistic_regression"]},
                    "directory": "runs/model",
                }
            )
        )
        assert main(["train", "--config", "settings.json", "--quiet"]) == 0
    finally:
        os.chdir(here)
    return folder
