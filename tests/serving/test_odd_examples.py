"""Thousands of serialised examples, none of which may end a server."""

import numpy as np
import pytest
from odd_examples import OddExamples
from odd_requests import check_statuses
from serving_examples import on_tensorflow

from keras_infnet.data.encoding.encoder import Encoder

pytestmark = [pytest.mark.serving, pytest.mark.long, on_tensorflow]

# Of every model.
_ANSWERED, _REFUSED, _FLIPPED, _COMPARED = 600, 1000, 300, 300


@pytest.mark.parametrize("label", ["sums", "INFNet"])
def test_odd_examples(label, exported, table, program, served):
    model, folder = served
    # A copy, for an encoder counts the odd histories that it saw.
    draw = OddExamples(Encoder.load(exported), table, seed=5)
    compared = [
        *(draw.answered() for _ in range(_COMPARED)),
        *(draw.answered("no rows") for _ in range(3)),
        *(draw.answered("many rows") for _ in range(1)),
        *(draw.answered("long history") for _ in range(3)),
    ]
    odds = [
        *compared,
        *(draw.answered() for _ in range(_ANSWERED - _COMPARED)),
        *(draw.refused() for _ in range(_REFUSED)),
    ]
    flipped = [draw.flipped() for _ in range(_FLIPPED)]
    draw.rng.shuffle(odds)
    answers = program.run(
        folder, [("serve_examples", odd.inputs) for odd in odds + flipped]
    )
    rest = answers[len(odds) :]
    check_statuses(odds, answers[: len(odds)])
    assert {answer.code for answer in rest} == {"OK", "INVALID_ARGUMENT"}
    for odd, answer in zip(flipped, rest, strict=True):
        if answer.code == "OK":
            check_statuses([odd], [answer])

    tasks = model.output.keys()
    predicted = model.predict(
        draw.inputs_of(compared), batch_size=1024, verbose=0
    )
    found = {id(odd): a.outputs for odd, a in zip(odds, answers, strict=False)}
    outputs = [found[id(odd)] for odd in compared]
    scores = np.concatenate([output["scores"] for output in outputs])
    for column, task in enumerate(draw.encoder.schema.task_names):
        assert np.ptp(predicted[task]) > 0.1, task
        np.testing.assert_allclose(
            scores[:, [column]], predicted[task], atol=1e-5, err_msg=task
        )
    for output in outputs:
        assert all(
            row == [task.encode() for task in tasks]
            for row in output["classes"].tolist()
        )


def feature_lists(**lists):
    import tensorflow as tf

    features = {
        "item": [1_000_003],
        "city": [b"Paris"],
        "user": [7],
        "query": [b"q1"],
        **lists,
    }
    example = tf.train.Example()
    for name, values in features.items():
        feature = example.features.feature[name]
        kind = feature.bytes_list if name in ("city", "query") else None
        (kind or feature.int64_list).value.extend(values)
    return example.SerializeToString()


def test_few_bytes_do_not_fill_the_memory(program, exported):
    long = feature_lists(seen_item=np.arange(20_000))
    wide = feature_lists(
        # One event of many values and many of none, in twenty kilobytes.
        seen_tags=np.zeros(20_000, np.int64),
        seen_tags_lengths=[20_000] + [0] * 20_000,
    )
    few = feature_lists(seen_item=[1])
    requests = [[long], [wide], [few, long], [few] * 7000 + [long], [few]]
    answers = program.run(
        exported,
        [
            ("serve_examples", {"inputs": np.array(texts, object)})
            for texts in requests
        ],
    )
    refused = answers.pop(1), answers.pop(2)
    for answer, name in zip(refused, ("seen_tags", "seen_item"), strict=True):
        assert answer.code == "INVALID_ARGUMENT"
        assert f"the lists of {name} are too long" in answer.message
    assert [answer.code for answer in answers] == ["OK"] * 3
    alone, both, first = (answer.outputs["scores"] for answer in answers)
    np.testing.assert_allclose(both, np.concatenate([first, alone]), atol=1e-6)


def test_empty_tensors_do_not_fill_the_memory(program, exported):
    right = {
        "item": np.array([1_000_003] * 20_000),
        "city": np.array([b"Paris"], object),
        "user": np.array([7]),
        "query": np.array([b"q1"], object),
        "seen_item": np.arange(200_000)[None] * 1_000_003,
    }
    # An event of many values beside many events of one.
    wide = np.zeros((1, 1, 200_000), np.int64)
    # No value, in any number of events and of rows.
    events = np.zeros((1, 2**30, 0), np.int64)
    rows = np.zeros((2**36, 1, 0), np.int64)
    none = np.zeros((2**36, 0), np.int64)
    requests = [
        right,
        {**right, "seen_tags": wide},
        {**right, "seen_tags": events},
        {**right, "seen_tags": rows},
        {**right, "tags": none},
    ]
    answers = program.run(
        exported,
        [(name, r) for name in ("serve_raw", "rank") for r in requests],
    )
    for signature in (answers[:5], answers[5:]):
        assert [a.code for a in signature[:3]] == ["OK"] * 3
        plain = signature[0].outputs["click"]
        assert len(plain) == 20_000
        np.testing.assert_array_equal(signature[2].outputs["click"], plain)
        for answer, name in zip(
            signature[3:], ("seen_tags", "tags"), strict=True
        ):
            assert answer.code == "INVALID_ARGUMENT"
            assert "equally many rows" in answer.message
            assert name in answer.message
