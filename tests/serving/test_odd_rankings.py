"""Thousands of rankings, none of which may end a server."""

import numpy as np
import pytest
from odd_rankings import OddRankings, check_ranking
from odd_requests import check_statuses
from serving_examples import (
    as_candidates,
    on_tensorflow,
    predict,
    ranking_inputs,
)

from keras_infnet.data.encoding.encoder import Encoder

pytestmark = [pytest.mark.serving, pytest.mark.long, on_tensorflow]

# Of every model and signature.
_ANSWERED, _REFUSED, _COMPARED = 600, 600, 300


@pytest.mark.parametrize("signature", ["rank", "rank_top_k"])
@pytest.mark.parametrize("label", ["sums", "ids", "INFNet"])
def test_odd_rankings(label, signature, exported, table, program, served):
    model, folder = served
    draw = OddRankings(
        # A copy, for an encoder counts the odd histories that it saw.
        Encoder.load(exported),
        raw=label != "ids",
        table=table,
        seed=7,
        best=signature == "rank_top_k",
    )
    odds, compared = draw.many(_ANSWERED, _REFUSED, _COMPARED)

    answers = program.run(folder, [(signature, odd.inputs) for odd in odds])
    check_statuses(odds, answers)
    predicted = model.predict(
        draw.inputs_of(compared), batch_size=1024, verbose=0
    )
    ends = np.cumsum([len(odd.inputs["item"]) for odd in compared])
    found = {id(odd): a for odd, a in zip(odds, answers, strict=True)}
    for task, values in predicted.items():
        assert np.ptp(values) > 0.1, task
    for odd, start, end in zip(compared, [0, *ends], ends, strict=False):
        own = {task: y[start:end, 0] for task, y in predicted.items()}
        check_ranking(odd, found[id(odd)].outputs, own)


@pytest.mark.parametrize("label", ["sums", "INFNet"])
def test_a_hundred_thousand_candidates(
    label, exported, table, encoder, program, served
):
    model, folder = served
    few, count = len(table), 100_000
    tiled = as_candidates(table, encoder.schema)
    predicted = {
        task: np.resize(y[:, 0], count)
        for task, y in predict(model, encoder, tiled).items()
    }
    inputs = ranking_inputs(table.slice(0, 1), table, encoder.schema)
    inputs = {
        name: np.resize(a, (count if len(a) > 1 else 1, *a.shape[1:]))
        for name, a in inputs.items()
    }
    ranked, best = program.run(
        folder,
        [
            ("rank", inputs),
            ("rank_top_k", {**inputs, "k": np.int32(500)}),
        ],
    )
    assert (ranked.code, best.code) == ("OK", "OK")
    scores = np.sum([*predicted.values()], axis=0)
    for name, values in {**predicted, "score": scores}.items():
        np.testing.assert_allclose(ranked.outputs[name], values, atol=3e-5)
    # Every one of the few comes back 333 times or more often.
    assert len({*(best.outputs["index"] % few).tolist()}) <= 2
    np.testing.assert_allclose(
        best.outputs["score"], np.sort(scores)[::-1][:500], atol=3e-5
    )
    # The first of equals comes first.
    assert (np.diff(best.outputs["index"][:300]) == few).all()
