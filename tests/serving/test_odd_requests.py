"""Ten thousand requests, none of which may end a server."""

import keras
import numpy as np
import pytest
from odd_requests import OddRequests, check_statuses

from keras_infnet.data.encoding.encoder import Encoder

pytestmark = [
    pytest.mark.serving,
    pytest.mark.long,
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="what is exported is the same on every backend",
    ),
]

# Of every model and signature.
_ANSWERED, _REFUSED, _COMPARED = 1300, 1300, 300


@pytest.fixture(scope="module", params=["serving_default", "serve_raw"])
def drawn(request, encoder, exported, table):
    """A signature, its requests, some of them, and their encoded form."""
    # A copy, for an encoder counts the odd histories that it saw.
    draw = OddRequests(
        Encoder.load(exported), request.param == "serve_raw", table, seed=11
    )
    special = [
        *(draw.answered("no rows") for _ in range(30)),
        *(draw.answered("many rows") for _ in range(2)),
        *(draw.answered("long history") for _ in range(8)),
    ]
    odds = [draw.answered() for _ in range(_ANSWERED)]
    compared = [odd for odd in odds if odd.plain is not None][:_COMPARED]
    compared += [odd for odd in special if odd.plain is not None]
    odds += special + [draw.refused() for _ in range(_REFUSED)]
    draw.rng.shuffle(odds)
    return request.param, odds, compared, draw.inputs_of(compared)


@pytest.mark.parametrize("label", ["sums", "INFNet"])
def test_odd_requests(label, drawn, program, request):
    signature, odds, compared, inputs = drawn
    if label == "sums":
        # Adds embeddings up: hardly a shape is wrong for it by itself.
        folder = request.getfixturevalue("exported")
        model = request.getfixturevalue("model")
    else:
        model, folder = request.getfixturevalue("built")(label)
    answers = program.run(folder, [(signature, odd.inputs) for odd in odds])

    check_statuses(odds, answers)
    assert {odd.kind for odd in compared} == {
        *("odd", "no rows", "many rows", "long history")
    }
    predicted = model.predict(inputs, batch_size=1024, verbose=0)
    found = {id(odd): a for odd, a in zip(odds, answers, strict=True)}
    for task, expected in predicted.items():
        assert np.ptp(expected) > 0.1
        outputs = [found[id(odd)].outputs[task] for odd in compared]
        np.testing.assert_allclose(
            np.concatenate(outputs), expected, atol=1e-5, err_msg=task
        )
