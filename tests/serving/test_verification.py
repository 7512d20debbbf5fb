"""What makes an export refused."""

import copy
import shutil
import subprocess
import sys

import numpy as np
import pytest

from keras_infnet.schema import Categorical, Numeric, Schema, Task
from keras_infnet.serving import Calibration, Isotonic, TaskCalibration
from keras_infnet.serving.exporting import run_export
from keras_infnet.serving.exporting.parity_check import (
    BestCase,
    Case,
    check_signatures,
    compare,
    run_isolated,
    widened,
)

METHOD = "tensorflow/serving/predict"


def column(*values):
    return np.array(values, np.float32)[:, None]


def case(**expected):
    return Case("all rows", "serve_raw", {}, expected)


def test_compare_reports_the_largest_difference():
    cases = [case(a=column(0.5, 0.25)), case(a=column(1.0, np.nan))]
    results = [{"a": column(0.5, 0.5)}, {"a": column(0.875, np.nan)}]
    assert compare(cases, results, 0.25) == {"serve_raw": {"a": 0.25}}


def test_large_values_are_compared_by_their_digits():
    cases = [case(a=column(-12_800.0, 0.5))]
    found = [{"a": column(-12_800.001, 0.5)}]
    (worst,) = compare(cases, found, 1e-5)["serve_raw"].values()
    assert worst == pytest.approx(0.000977 / 12_800, rel=0.01)
    with pytest.raises(ValueError, match="task '"):
        compare(cases, [{"a": column(-12_801.0, 0.5)}], 1e-5)


def test_compare_names_task_signature_and_difference():
    cases = [case(a=column(0.5), b=column(0.5))]
    with pytest.raises(ValueError, match="'b'") as caught:
        compare(cases, [{"a": column(0.5), "b": column(0.75)}], 1e-5)
    message = str(caught.value)
    assert "task 'b', signature 'serve_raw', all rows: 0.25" in message
    assert "task 'a'" not in message


@pytest.mark.parametrize(
    "found, expected", [(np.nan, 0.5), (0.5, np.nan), (np.inf, 0.5)]
)
def test_compare_refuses_what_is_finite_on_one_side(found, expected):
    with pytest.raises(ValueError, match="inf"):
        compare([case(a=column(expected))], [{"a": column(found)}], 1.0)


def test_compare_refuses_another_shape():
    with pytest.raises(ValueError, match=r"\(2, 1\).*\(1, 1\)"):
        compare([case(a=column(1.0))], [{"a": column(1.0, 1.0)}], 1.0)


SCHEMA = Schema(
    [Categorical("item", hash_buckets=3), Numeric("price")], [Task("buy")]
)


def tensors(*names, shape=(-1,)):
    return {name: [*shape] for name in names}


def described():
    outputs = tensors("buy", shape=(-1, 1))
    inputs = tensors("item", "price")
    return {
        "serving_default": {
            "method": METHOD,
            "inputs": inputs,
            "outputs": outputs,
            "defaults": [],
        },
        "serve_raw": {
            "method": METHOD,
            "inputs": inputs,
            "outputs": outputs,
            "defaults": ["price"],
        },
        "serve_examples": {
            "method": METHOD,
            "inputs": tensors("inputs"),
            "outputs": tensors("classes", "scores", shape=(-1, 1)),
            "defaults": [],
        },
    }


def test_signatures_of_the_schema_pass():
    signatures = described()
    check_signatures(signatures, SCHEMA, raw=True)
    del signatures["serve_raw"], signatures["serve_examples"]
    check_signatures(signatures, SCHEMA, raw=False)


@pytest.mark.parametrize(
    "path, value, message",
    [
        (("serving_default", "inputs", "item"), [1], r"'item'.*\[1\]"),
        (("serve_raw", "outputs", "buy"), [1, 1], r"'buy'.*\[1, 1\]"),
        (("serve_raw", "defaults"), [], "defaults of serve_raw"),
        (("serve_raw", "inputs"), {}, "inputs of serve_raw"),
        (("serve_raw", "outputs"), {}, "outputs of serve_raw"),
        (("serve_raw", "method"), "other", "method of serve_raw"),
        (("more",), {}, "signatures"),
    ],
)
def test_other_signatures_are_refused(path, value, message):
    signatures = copy.deepcopy(described())
    inner = signatures
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(ValueError, match=message):
        check_signatures(signatures, SCHEMA, raw=True)


def test_the_package_cannot_be_imported_there(tmp_path):
    shutil.copy(run_export.__file__, tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "import run_export; run_export._hide_package()\n"
        "try:\n    import keras_infnet.schema\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "keras_infnet is hidden"


@pytest.mark.serving
def test_a_graph_that_calls_python_fails(tmp_path):
    import tensorflow as tf

    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, "x")])
    def double(x):
        y = tf.py_function(lambda v: 2 * v, [x], tf.float32)
        return {"y": tf.ensure_shape(y, [None, 1])}

    module.double = double
    folder = tmp_path / "model"
    signatures = {"serving_default": double}
    tf.saved_model.save(module, str(folder), signatures=signatures)
    call = Case(
        "all rows", "serving_default", {"x": column(1.0)}, {"y": column(2.0)}
    )
    with pytest.raises(RuntimeError, match="(?s)pyfunc"):
        run_isolated(folder, [call])


def best_case(scores, k, **tasks):
    expected = {name: np.float32(values) for name, values in tasks.items()}
    expected["score"] = np.float32(scores)
    return BestCase("best", "rank_top_k", {"k": np.int32(k)}, expected)


def best(index, score, **tasks):
    arrays = {name: np.float32(values) for name, values in tasks.items()}
    return {"index": np.int32(index), "score": np.float32(score), **arrays}


def test_best_candidates_may_swap_where_they_are_level():
    scores, a = [0.5, 0.1, 0.5, 0.7], [1, 2, 3, 4]
    cases = [best_case(scores, 2, a=a)] * 2
    found = [
        best([3, 2], [0.7, 0.5], a=[4, 3]),
        best([3, 0], [0.7, 0.5], a=[4, 1]),
    ]
    assert compare(cases, found, 0.0) == {
        "rank_top_k": {"a": 0.0, "score": 0.0}
    }


@pytest.mark.parametrize(
    "found, output",
    [
        (best([0, 3], [0.5, 0.7], a=[1, 4]), "score"),
        (best([3, 1], [0.7, 0.1], a=[4, 2]), "score"),
        (best([3, 2], [0.7, 0.5], a=[4, 1]), "a"),
        (best([3, 3], [0.7, 0.7], a=[4, 4]), "index"),
        (best([3, 4], [0.7, 0.5], a=[4, 1]), "index"),
        (best([3], [0.7], a=[4]), "index"),
    ],
)
def test_other_candidates_than_the_best_are_refused(found, output):
    case = best_case([0.5, 0.1, 0.5, 0.7], 2, a=[1, 2, 3, 4])
    with pytest.raises(ValueError, match=f"task '{output}'"):
        compare([case], [found], 1e-3)


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
        with pytest.raises(ValueError, match="task '"):
            compare([best], [wrong], 1e-5)
