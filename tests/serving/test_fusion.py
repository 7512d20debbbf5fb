"""Expressions over tasks."""

import numpy as np
import pytest

from keras_infnet.serving.graph.fusion import (
    Fusion,
    product_of_powers,
    weighted_sum,
)

TASKS = ("click", "like", "stay")
VALUES = {
    "click": np.float32([0.5, 0.25, 0.0]),
    "like": np.float32([0.1, 0.0, 1.0]),
    "stay": np.float32([2.0, 8.0, 1.0]),
}


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("click", [0.5, 0.25, 0.0]),
        ("2*click + 10*like", [2.0, 0.5, 10.0]),
        ("click * (1 + 10 * like) ** 2", [2.0, 0.25, 0.0]),
        ("-stay + +click", [-1.5, -7.75, -1.0]),
        ("stay / 4 - 1e-1", [0.4, 1.9, 0.15]),
        ("log(stay) / log(2)", [1.0, 3.0, 0.0]),
        ("sqrt(stay * 2)", [2.0, 4.0, 2**0.5]),
        ("max(click, like) + min(click, stay)", [1.0, 0.5, 1.0]),
        ("abs(like - click) + exp(0)", [1.4, 1.25, 2.0]),
    ],
)
def test_numpy_and_graph_compute_the_expression(expression, expected):
    fusion = Fusion(expression, TASKS)
    found = fusion.apply(VALUES)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    tf = pytest.importorskip("tensorflow")
    tensors = {name: tf.constant(array) for name, array in VALUES.items()}
    graph = tf.function(fusion.in_graph, autograph=False)(tensors)
    np.testing.assert_allclose(graph.numpy(), expected, rtol=1e-6)


def test_what_is_no_number_comes_last():
    fusion = Fusion("log(like) + 1 / click", TASKS)
    lowest = np.finfo(np.float32).min
    expected = [np.log(0.1) + 2, lowest, lowest]
    np.testing.assert_allclose(fusion.apply(VALUES), expected, rtol=1e-6)
    tf = pytest.importorskip("tensorflow")
    tensors = {name: tf.constant(array) for name, array in VALUES.items()}
    found = fusion.in_graph(tensors).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_weights_and_powers_are_expressions():
    sum_ = Fusion(weighted_sum({"click": 1, "stay": -0.25}), TASKS)
    np.testing.assert_allclose(sum_.apply(VALUES), [0.0, -1.75, -0.25])
    assert sum_.tasks == ("click", "stay")
    powers = product_of_powers({"stay": 2, "click": 0.5, "like": -1})
    found = Fusion(powers, TASKS).apply(VALUES)
    np.testing.assert_allclose(found[0], 4 * 0.5**0.5 / 0.1, rtol=1e-6)
    assert found[1] == np.finfo(np.float32).min  # 1 / 0


@pytest.mark.parametrize(
    "expression, message",
    [
        ("clik", "'click'"),
        ("", "fusion ''"),
        ("1 + 2", "task"),
        ("click +", "SyntaxError"),
        ("click if like else stay", "'click if like else stay' is"),
        ("__import__('os')", "'__import__'"),
        ("log(click, 2)", "log takes 1"),
        ("click > like", "'click > like' is"),
        ("click * True", "True"),
        ("click * 1e999", "inf"),
        ("click * 'a'", "\"'a'\" is"),
        ("+" * 5000 + "click", "fusion"),
        ("(" * 5000 + "click" + ")" * 5000, "fusion"),
        ("[" + "-" * 800 + "click]", "---"),
        ("click" + " + click" * 1000, "nested"),
        (None, "Received: None"),
    ],
)
def test_anything_else_is_refused(expression, message):
    with pytest.raises(ValueError, match=message) as caught:
        Fusion(expression, TASKS)
    # Long text is not repeated.
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "numbers", [{}, {"click": float("nan")}, {"click": "1"}, {"click": True}]
)
def test_weights_must_be_numbers(numbers):
    for make in (weighted_sum, product_of_powers):
        with pytest.raises(ValueError, match="nan|True|'1'|{}"):
            make(numbers)


def test_goes_through_a_file(tmp_path):
    Fusion("click + like", TASKS).save(tmp_path / "fusion.json")
    again = Fusion.load(tmp_path / "fusion.json", TASKS)
    assert again.expression == "click + like"
