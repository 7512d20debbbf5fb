"""What the calls of a calibrated export must answer."""

import numpy as np
import pytest
from serving_examples import make_model

from keras_infnet.serving import Calibration, Isotonic, TaskCalibration
from keras_infnet.serving.exporting.parity_cases import CaseBook
from keras_infnet.serving.exporting.parity_check import (
    BestCase,
    Case,
    compare,
    widened,
)
from keras_infnet.serving.exporting.sample_rows import example_inputs
from keras_infnet.serving.graph.fusion import Fusion


def column(*values):
    return np.array(values, np.float32)[:, None]


def case(**expected):
    return Case("all rows", "serve_raw", {}, expected)


def book_of(schema):
    book = CaseBook(schema, Fusion("2 * click + like", schema.task_names))
    book.add_encoded("drawn", example_inputs(schema, rows=6))
    return book


def test_expected_is_the_prediction_calibrated(model, encoder):
    schema = encoder.schema.with_candidates(["item", "price"])
    own = make_model(schema)
    own.set_weights(model.get_weights())
    # Odds a quarter as high.
    calibration = Calibration([TaskCalibration("click", 0.25)])
    book = book_of(schema)
    for plain, found in zip(
        book.predict(own),
        book.predict(own, calibration, 1e-5),
        strict=True,
    ):
        click = np.float64(plain.expected["click"])
        wanted = click / (click + 4 * (1 - click))
        np.testing.assert_allclose(found.expected["click"], wanted, rtol=1e-5)
        np.testing.assert_array_equal(
            found.expected["like"], plain.expected["like"]
        )
        if "score" in found.expected:
            # Scores are made of what is calibrated.
            score = 2 * wanted + plain.expected["like"]
            np.testing.assert_allclose(
                found.expected["score"], score, rtol=1e-5
            )
            np.testing.assert_allclose(
                found.slack["score"], 2 * found.slack["click"], atol=1e-6
            )
        assert not plain.slack
        assert not found.slack["like"].any()
        # Down and up, by the slope of the closed form; it is at most 4.
        slope = 4 / (click + 4 * (1 - click)) ** 2
        np.testing.assert_allclose(
            found.slack["click"], 2e-5 * slope, atol=1e-6
        )


# From 0 to 1 within a millionth.
JUMP = Calibration(
    [TaskCalibration("a", None, Isotonic((0.5, 0.500001), (0.0, 1.0)))]
)


def steep(tolerance):
    """A row on the jump, one on flat ground and one that is missing."""
    predictions = {"a": column(0.5, 0.4, np.nan)}
    nearby = JUMP.apply_nearby(predictions, tolerance)
    return widened(
        [case(**JUMP.apply(predictions))],
        [[case(**expected)] for expected in nearby],
    )


def test_steep_calibrations_may_answer_what_is_near_in_the_model():
    found = [{"a": column(0.75, 0.0, np.nan)}]
    (worst,) = compare(steep(1e-5), found, 1e-5).values()
    assert worst["a"] == pytest.approx(0.75, abs=0.1)
    # On flat ground it makes no difference, and numbers are not missing.
    for values in ((0.75, 0.1, np.nan), (0.75, 0.0, 0.0)):
        with pytest.raises(ValueError, match="task 'a'"):
            compare(steep(1e-5), [{"a": column(*values)}], 1e-5)
    # Without any tolerance for the prediction, there is none behind it.
    with pytest.raises(ValueError, match="task 'a'"):
        compare(steep(0.0), found, 1e-5)


def test_best_candidates_may_swap_within_their_slack():
    expected = {
        "a": np.float32([0.1, 0.5, 0.9]),
        "score": np.float32([0.1, 0.5, 0.9]),
    }
    slack = {name: np.float32([0, 0.5, 0]) for name in expected}
    best = BestCase("best", "top", {"k": np.int32(2)}, expected, slack)

    def answer(index, a, score):
        values = {"a": np.float32(a), "score": np.float32(score)}
        return {"index": np.int32(index), **values}

    for swapped in (
        answer([2, 1], [0.9, 0.5], [0.9, 0.5]),
        answer([1, 2], [0.95, 0.9], [0.95, 0.9]),
    ):
        compare([best], [swapped], 1e-5)
    for wrong in (
        answer([2, 1], [0.7, 0.5], [0.9, 0.5]),
        answer([2, 2], [0.9, 0.9], [0.9, 0.9]),
        answer([2, 7], [0.9, 0.5], [0.9, 0.5]),
    ):
        with pytest.raises(ValueError, match="does not answer"):
            compare([best], [wrong], 1e-5)
