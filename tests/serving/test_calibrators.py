"""Calibrators by hand, in a graph, and as plain data."""

import json
import math

import numpy as np
import pytest

from keras_infnet.schema import Categorical, Schema, Task
from keras_infnet.serving import (
    Calibration,
    CalibrationFigures,
    Isotonic,
    Platt,
    TaskCalibration,
    Temperature,
    format_calibration,
)

# 0 and 1, the smallest and largest float32 between them, and many others.
CORNERS = [0.0, 1e-45, 1e-38, 1e-12, 4e-8, 0.5, 1 - 2**-24, 1.0, np.nan]
STEEP = Isotonic((0.0, 0.3, 0.3 + 1e-6, 0.31, 0.9), (0.0, 0.0, 0.25, 0.25, 1.0))
CALIBRATORS = [
    Temperature(0.01),
    Temperature(2.5),
    Platt(0.8, -1.5),
    Platt(100.0, 3.0),
    STEEP,
    Isotonic((0.4,), (0.125,)),
    None,
]
SCHEMA = Schema(
    [Categorical("item")],
    [
        Task("click"),
        Task("like"),
        Task("buy", given="click"),
        Task("stay", kind="regression"),
    ],
)


def inputs():
    drawn = np.random.default_rng(0).random(5_000)
    return np.concatenate([CORNERS, drawn]).astype(np.float32)


@pytest.mark.parametrize("rate", [None, 0.01, 1.0])
@pytest.mark.parametrize("calibrator", CALIBRATORS, ids=repr)
def test_a_graph_equals_numpy(calibrator, rate):
    import tensorflow as tf

    task = TaskCalibration("click", rate, calibrator)
    values = inputs()
    expected = task.apply(values)
    found = tf.function(task.apply_tensor)(values).numpy()
    assert found.dtype == expected.dtype == np.float32
    # TensorFlow makes 0 of the smallest numbers, below 1.2e-38.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-37)
    assert np.isnan(expected[len(CORNERS) - 1])
    finite = expected[~np.isnan(values)]
    assert finite.min() >= 0 and finite.max() <= 1
    # Rows never change places.
    assert (np.diff(finite[np.argsort(values[~np.isnan(values)])]) >= 0).all()


@pytest.mark.parametrize("shape", [(0, 1), (6,), (6, 1), (2, 3), ()])
def test_shapes_stay(shape):
    import tensorflow as tf

    calibration = Calibration([TaskCalibration("click", 0.5, STEEP)])
    values = {"click": np.full(shape, 0.31, np.float32), "stay": np.ones(3)}
    found = calibration.apply(values)
    assert found["click"].shape == shape and found["click"].dtype == "float32"
    np.testing.assert_array_equal(found["stay"], np.ones(3))
    tensors = {name: tf.constant(array) for name, array in values.items()}
    out = calibration.apply_tensors(tensors)
    assert out["click"].shape == shape and out["stay"] is tensors["stay"]
    np.testing.assert_array_equal(out["click"].numpy(), found["click"])


def test_a_graph_of_any_number_of_rows():
    import tensorflow as tf

    calibration = Calibration([TaskCalibration("click", 0.5, STEEP)])
    function = tf.function(
        calibration.apply_tensors,
        input_signature=[{"click": tf.TensorSpec([None, 1], tf.float32)}],
    )
    assert function.get_concrete_function().output_shapes["click"][1] == 1
    assert function({"click": np.ones((4, 1), "float32")})["click"][3, 0] == 1


def test_values_by_hand():
    def one(value, **steps):
        return float(TaskCalibration("click", **steps).apply([value])[0])

    # Odds of 1/4, a tenth of the negatives: odds of 1/40.
    assert one(0.2, negative_rate=0.1) == pytest.approx(1 / 41)
    # Odds of 9, their square root: 3.
    assert one(0.9, calibrator=Temperature(2.0)) == pytest.approx(0.75)
    # Odds of 1/4, squared, times e.
    odds = math.e / 16
    platt = Platt(2.0, 1.0)
    assert one(0.2, calibrator=platt) == pytest.approx(odds / (1 + odds))
    # Sampling first: odds of 1/40, squared, times e.
    odds = math.e / 1600
    found = one(0.2, negative_rate=0.1, calibrator=platt)
    assert found == pytest.approx(odds / (1 + odds))
    # 0 and 1 count as logits of -17 and 17.
    for end, sign in ((0.0, -1), (1.0, 1)):
        found = one(end, calibrator=Temperature(2.0))
        assert found == pytest.approx(1 / (1 + math.exp(-sign * 8.5)))
    assert one(0.5, calibrator=Isotonic((0.4, 0.6), (0.1, 0.2))) == (
        pytest.approx(0.15)
    )


def test_all_that_float32_tells_apart_near_1_stays_apart():
    steps = 1 - np.arange(3, dtype=np.float32) * np.float32(2**-24)
    found = TaskCalibration("click", calibrator=Temperature(3.0)).apply(steps)
    assert (np.diff(found) < 0).all()


def test_sampling_undoes_what_sampling_does():
    # Of q positives and 1 - q negatives, (1 - q) * w negatives stay.
    q, w = np.linspace(0.001, 0.999, 99), 0.05
    sampled = q / (q + (1 - q) * w)
    calibration = Calibration.for_sampling(SCHEMA, {"click": w})
    found = calibration.apply({"click": sampled})["click"]
    np.testing.assert_allclose(found, q, rtol=1e-5)


def test_one_rate_is_that_of_binary_tasks_without_given():
    calibration = Calibration.for_sampling(SCHEMA, 0.5)
    assert calibration.task_names == ("click", "like")
    named = Calibration.for_sampling(SCHEMA, {"buy": 0.25, "click": 1})
    assert named.task("buy").negative_rate == 0.25
    assert named.task("click").negative_rate == 1.0
    with pytest.raises(ValueError, match="'click'"):
        named.task("clik")
    alone = Schema([Categorical("item")], [Task("stay", kind="regression")])
    with pytest.raises(ValueError, match="`given`"):
        Calibration.for_sampling(alone, 0.5)


@pytest.mark.parametrize(
    "rate, message",
    [
        (0, "Received: 0"),
        (1.5, "1.5"),
        ({"click": float("nan")}, "Received: nan"),
        ({"click": "0.1"}, "Received: '0.1'"),
        ({"clik": 0.1}, "'click'"),
        ({"stay": 0.1}, "'stay'"),
    ],
)
def test_rates_that_are_none(rate, message):
    with pytest.raises(ValueError, match=message):
        Calibration.for_sampling(SCHEMA, rate)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Temperature(0.0), "`temperature`"),
        (lambda: Platt(-1.0, 0.0), "`slope`"),
        (lambda: Platt(1.0, math.inf), "`intercept`"),
        (lambda: Isotonic((), ()), "`thresholds`"),
        (lambda: Isotonic((0.1,), (0.1, 0.2)), "`values`"),
        (lambda: Isotonic((0.2, 0.2), (0.1, 0.2)), "`thresholds`"),
        (lambda: Isotonic((0.1, 0.2), (0.2, 0.1)), "`values`"),
        (lambda: Isotonic((0.1,), (1.1,)), r"in \[0, 1\]"),
        (lambda: Isotonic(0.1, 0.2), "Received: 0.1"),
        (lambda: Isotonic(("a",), (0.1,)), "Received: 'a'"),
        (lambda: Calibration(2 * [TaskCalibration("a")]), "a, a"),
    ],
)
def test_numbers_that_calibrate_nothing(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_predictions_that_are_no_probabilities():
    calibration = Calibration([TaskCalibration("click", 0.5)])
    with pytest.raises(ValueError, match="-2.*0.5"):
        calibration.apply({"click": [0.5, -2.0]})
    for apply in (calibration.apply, calibration.apply_tensors):
        with pytest.raises(ValueError, match="'click'"):
            apply({"like": [0.5]})


FIGURES = CalibrationFigures(100.0, 0.1, 1.5, 0.05, 0.4, float("nan"))
FULL = Calibration(
    [
        TaskCalibration("click", 0.1, Platt(1 / 3, -0.1), FIGURES, FIGURES),
        TaskCalibration("like", None, STEEP),
        TaskCalibration("buy", None, Temperature(1.7)),
        TaskCalibration("other", 0.5),
    ]
)


def test_json_keeps_every_digit(tmp_path):
    path = tmp_path / "calibration.json"
    FULL.save(path)
    found = Calibration.load(path)
    assert found.to_dict() == FULL.to_dict()
    assert found.tasks[1:] == FULL.tasks[1:]
    assert found.tasks[0].calibrator == FULL.tasks[0].calibrator
    # JSON has no NaN.
    assert math.isnan(found.tasks[0].after.normalized_entropy)
    assert found.tasks[0].after[:5] == FIGURES[:5]
    values = {name: inputs() for name in FULL.task_names}
    for name, array in FULL.apply(values).items():
        np.testing.assert_array_equal(found.apply(values)[name], array)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.pop("format"), "format, tasks"),
        (lambda c: c.update(format=2), "Received: 2"),
        (lambda c: c.update(tasks=[]), "`tasks`"),
        (lambda c: c["tasks"].update(click=3), "'click'"),
        (
            lambda c: c["tasks"]["click"].update(method="plat"),
            "'platt'",
        ),
        (
            lambda c: c["tasks"]["click"]["parameters"].pop("slope"),
            "`parameters`",
        ),
        (
            lambda c: c["tasks"]["click"]["parameters"].update(slope="1"),
            "`slope`",
        ),
        (
            lambda c: c["tasks"]["click"]["before"].update(rate="1"),
            "`rate`",
        ),
    ],
)
def test_a_damaged_file(tmp_path, change, message):
    path = tmp_path / "calibration.json"
    config = FULL.to_dict()
    change(config)
    path.write_text(json.dumps(config), "utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        Calibration.load(path)
    assert str(path) in str(caught.value)
    path.write_text("{", "utf-8")
    with pytest.raises(ValueError, match="calibration.json"):
        Calibration.load(path)


def test_the_text_says_what_is_done():
    text = format_calibration(FULL).splitlines()
    assert text[0] == (
        "click: p / (p + (1 - p) / 0.1), then sigmoid(0.3333 * logit(p) - 0.1) "
        "(platt)"
    )
    assert text[1] == "like: linear between 5 thresholds (isotonic)"
    assert text[2] == "buy: sigmoid(logit(p) / 1.7) (temperature)"
    before = ["click", "before", "100", "0.1000", "1.500", "0.0500"]
    assert [line.split()[:6] for line in text].count(before) == 1
