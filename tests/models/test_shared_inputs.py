"""Models that read once what candidates share, against the same rows tiled."""

import functools

import keras
import numpy as np
import pytest
from small_models import SETTINGS, small_model
from tiny import (
    SMALL,
    assert_same_predictions,
    predictions,
    random_batch,
    randomize,
    rich_schema,
)

from keras_infnet.layers import CrossAttention, EventTokenizer
from keras_infnet.models import INFNet
from keras_infnet.models.graph_rewrites.shared_inputs import share_inputs

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


# A server runs TensorFlow: the others look at layers that keep rows apart.
SERVED = keras.backend.backend() == "tensorflow"
CASES = [*FORMS, *SETTINGS] if SERVED else ["hub_folded", "proxy_plain"]


@pytest.mark.parametrize("name", CASES)
def test_answers_as_the_model_does_on_tiled_rows(name):
    schema = rich_schema()
    if name in FORMS:
        model = INFNet(schema, **{**SMALL, **FORMS[name]})
    else:
        model = small_model(name, schema)
    randomize(model, 5)
    shared, request, tiled = one_request(schema, 7)
    own = share_inputs(model, shared)
    assert_same_predictions(
        predictions(own, request), predictions(model, tiled)
    )
    # One row after many: nothing is remembered.
    first = {k: v[:1] for k, v in request.items()}
    assert_same_predictions(
        predictions(own, first),
        {k: v[:1] for k, v in predictions(own, request).items()},
    )


def test_one_request_reads_its_history_once(monkeypatch):
    """Neither tokens of events nor their projections are made again."""
    rows = {}

    def spy(cls, place):
        call = cls.call

        @functools.wraps(call)
        def seen(self, *args, **kwargs):
            shape = args[place].shape
            rows.setdefault(self.name, []).append(shape[0])
            return call(self, *args, **kwargs)

        monkeypatch.setattr(cls, "call", seen)

    spy(EventTokenizer, 0)
    spy(CrossAttention, 1)
    schema = rich_schema()
    for variant in ("hub", "proxy"):
        model = INFNet(schema, variant=variant, num_blocks=2, **SMALL)
        shared, request, _ = one_request(schema, 7)
        own = share_inputs(model, shared)
        rows.clear()
        predictions(own, request)
        assert set(rows["clicks_tokens"]) == {1}
        sequence = [n for n in rows if n.endswith("to_sequence")]
        assert sequence
        for name in sequence:
            # The second block of hubs reads events that differ by candidate.
            assert 1 in rows[name]
            assert variant == "hub" or set(rows[name]) == {1}


def test_wrong_names_are_refused():
    model = INFNet(rich_schema(), **SMALL)
    for names in (["itm"], list(model.input)):
        with pytest.raises(ValueError, match="`shared` must name inputs"):
            share_inputs(model, names)
