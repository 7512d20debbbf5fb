"""Models saved on TensorFlow, read in processes of the other backends."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import predict_elsewhere
import pytest
from other_processes import environment_of
from small_models import SETTINGS, small_model
from tiny import (
    SMALL,
    assert_same_predictions,
    plain_schema,
    predictions,
    random_batch,
    randomize,
    rich_schema,
)

from keras_infnet.models import INFNet

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the backends are compared once, from TensorFlow",
)
CASES = {
    "hub_folded": (rich_schema, {"fold": True, "num_heads": 2}),
    "proxy": (rich_schema, {"variant": "proxy"}),
    "proxy_plain": (rich_schema, {"variant": "proxy", "fold": False}),
    "uncertainty": (plain_schema, {"loss_weighting": "uncertainty"}),
    "all_to_all": (plain_schema, {"ablate": "hubs", "activation": "gelu"}),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """The directory of the saved models, and their predictions by name."""
    makers = {
        **{label: (rich_schema, label) for label in SETTINGS},
        **CASES,
    }
    directory, expected = tmp_path_factory.mktemp("models"), {}
    for seed, (name, (make_schema, settings)) in enumerate(makers.items()):
        schema = make_schema()
        if isinstance(settings, str):
            model = small_model(settings, schema)
        else:
            model = INFNet(schema, **{**SMALL, **settings})
        randomize(model, seed)
        batch = random_batch(schema, seed=seed)
        model.save(directory / f"{name}.keras")
        np.savez(directory / f"{name}.npz", **batch)
        expected[name] = predictions(model, batch)
    return directory, expected


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_predictions_are_the_same_elsewhere(backend, expected):
    directory, expected = expected
    done = subprocess.run(
        [sys.executable, predict_elsewhere.__file__, str(directory)],
        env=environment_of(backend, PYTHONPATH=os.pathsep.join(sys.path)),
        cwd=pathlib.Path(predict_elsewhere.__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name, outputs in expected.items():
        with np.load(directory / f"{name}.{backend}.npz") as got:
            assert_same_predictions(dict(got), outputs, name)
