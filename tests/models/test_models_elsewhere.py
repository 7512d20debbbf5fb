"""Saved models in another process, on this backend and on the others."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import predict_elsewhere
import pytest
from other_processes import environment_of
from ranker_battery import assert_same, predictions
from small_models import SETTINGS, small_model
from tiny import SMALL, plain_schema, random_batch, randomize, rich_schema

from keras_infnet.models import INFNet

HERE = keras.backend.backend()
CASES = {
    "hub_folded": (rich_schema, {"fold": True, "num_heads": 2}),
    "proxy": (rich_schema, {"variant": "proxy"}),
    "proxy_plain": (rich_schema, {"variant": "proxy", "fold": False}),
    "uncertainty": (plain_schema, {"loss_weighting": "uncertainty"}),
    "all_to_all": (plain_schema, {"ablate": "hubs", "activation": "gelu"}),
}


@pytest.mark.parametrize(
    "backend",
    [
        pytest.param(name, marks=() if name == HERE else pytest.mark.slow)
        for name in ("tensorflow", "jax", "torch")
    ],
)
def test_predictions_are_the_same_elsewhere(backend, tmp_path):
    if backend != HERE != "tensorflow":
        pytest.skip("the backends are compared once, from TensorFlow")
    makers = {
        **{label: (rich_schema, label) for label in SETTINGS},
        **CASES,
    }
    expected = {}
    for seed, (name, (make_schema, settings)) in enumerate(makers.items()):
        schema = make_schema()
        if isinstance(settings, str):
            model = small_model(settings, schema)
        else:
            model = INFNet(schema, **{**SMALL, **settings})
        randomize(model, seed)
        batch = random_batch(schema, seed=seed)
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", **batch)
        expected[name] = predictions(model, batch)
    done = subprocess.run(
        [sys.executable, predict_elsewhere.__file__, str(tmp_path)],
        env=environment_of(backend, PYTHONPATH=os.pathsep.join(sys.path)),
        cwd=pathlib.Path(predict_elsewhere.__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, outputs in expected.items():
        with np.load(tmp_path / f"{name}.{backend}.npz") as got:
            assert_same(dict(got), outputs)
