"""Models that read once what candidates share, against the same rows tiled."""

import keras
import numpy as np
import pytest
from ranker_battery import assert_same, predictions
from small_models import SETTINGS, small_model
from tiny import SMALL, random_batch, randomize, rich_schema

from keras_infnet.models import INFNet
from keras_infnet.models.candidates import for_candidates

FORMS = {
    "hub": {},
    "hub_two_heads": {"num_heads": 2, "normalize_tokens": False},
    "hub_folded": {"fold": True, "num_heads": 2},
    "hub_plain": {"fold": False},
    "proxy_folded": {"variant": "proxy", "fold": True},
    "proxy_plain": {"variant": "proxy", "fold": False, "num_heads": 2},
    "proxy_all": {"variant": "proxy", "tower_inputs": "all"},
    "all_to_all": {"ablate": "hubs"},
    "without_stage_1": {"ablate": "aggregate"},
    "without_stage_2": {"ablate": "broadcast", "variant": "proxy"},
    "mean_hubs": {"hub_initialization": "mean"},
}


def one_request(schema, rows, seed=3):
    """Inputs of one user and many items, and the same tiled."""
    batch = random_batch(schema, rows, seed=seed)
    shared = schema.shared_inputs
    request = {
        name: array[:1] if name in shared else array
        for name, array in batch.items()
    }
    tiled = {
        name: np.repeat(array, rows, axis=0) if name in shared else array
        for name, array in request.items()
    }
    return shared, request, tiled


def called(model, request):
    outputs = model(
        {k: keras.ops.convert_to_tensor(v) for k, v in request.items()},
        training=False,
    )
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


@pytest.mark.parametrize("name", [*SETTINGS, *FORMS])
def test_answers_as_the_model_does_on_tiled_rows(name):
    schema = rich_schema()
    if name in FORMS:
        model = INFNet(schema, **{**SMALL, **FORMS[name]})
    else:
        model = small_model(name, schema)
    randomize(model, 5)
    shared, request, tiled = one_request(schema, 7)
    own = for_candidates(model, shared)
    assert_same(called(own, request), predictions(model, tiled))
    # One row after many: nothing is remembered.
    first = {k: v[:1] for k, v in request.items()}
    assert_same(
        called(own, first), {k: v[:1] for k, v in called(own, request).items()}
    )
