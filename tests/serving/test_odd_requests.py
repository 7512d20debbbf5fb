"""Ten thousand requests, none of which may end a server."""

import numpy as np
import pytest
from odd_requests import OddRequests, check_statuses
from serving_examples import on_tensorflow

from keras_infnet.data.encoding.encoder import Encoder

pytestmark = [pytest.mark.serving, pytest.mark.long, on_tensorflow]

# Of every model and signature.
_ANSWERED, _REFUSED, _COMPARED = 1300, 1300, 300


@pytest.fixture(scope="module", params=["serving_default", "serve_raw"])
def drawn(request, encoder, exported, table):
    """A signature, its requests, some of them, and their encoded form."""
    # A copy, for an encoder counts the odd histories that it saw.
    draw = OddRequests(
        Encoder.load(exported), request.param == "serve_raw", table, seed=11
    )
    odds, compared = draw.many(_ANSWERED, _REFUSED, _COMPARED)
    return request.param, odds, compared, draw.inputs_of(compared)


@pytest.mark.parametrize("label", ["sums", "INFNet"])
def test_odd_requests(label, drawn, program, served):
    signature, odds, compared, inputs = drawn
    model, folder = served
    answers = program.run(folder, [(signature, odd.inputs) for odd in odds])

    check_statuses(odds, answers)
    predicted = model.predict(inputs, batch_size=1024, verbose=0)
    found = {id(odd): a for odd, a in zip(odds, answers, strict=True)}
    for task, expected in predicted.items():
        assert np.ptp(expected) > 0.1
        outputs = [found[id(odd)].outputs[task] for odd in compared]
        np.testing.assert_allclose(
            np.concatenate(outputs), expected, atol=1e-5, err_msg=task
        )
