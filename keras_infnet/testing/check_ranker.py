"""Checks of the properties of a ranking model."""

import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_infnet.losses import task_losses
from keras_infnet.schema import Schema
from keras_infnet.testing.random_data import (
    random_batch,
    random_labels,
    randomize,
)

__all__ = ["assert_same_predictions", "check_ranker", "predictions"]

# Tolerance of half precision, relative to the largest output.
_NEAR = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01}
_ROWS = 5
_PADDING = 5


def check_ranker(
    model_fn: Callable[..., keras.Model],
    schema: Schema,
    directory: str | os.PathLike[str] | None = None,
    precisions: Iterable[str] = ("mixed_bfloat16", "mixed_float16"),
    quick: bool = False,
) -> None:
    """Checks a ranking model on random weights and random batches.

    Every model of the package passes these checks on TensorFlow, JAX and
    PyTorch. Run them in the tests of a custom model class:

    - Inputs are those of `schema.inputs`; the output is a dict of one finite
      `(batch, 1)` float32 tensor per task, between 0 and 1 if it is binary.
    - A missing or unknown input raises a `ValueError` with its name.
    - A prediction depends only on its row: not on the batch size, other
      rows, the length of the padding or the ids at padding.
    - Rows without any event have finite predictions.
    - A few steps of `train_on_batch` change every trainable weight and lower
      the loss, and a NaN label acts as a sample weight of 0.
    - The compiled model gives the same predictions.
    - Half precision agrees with float32 within 0.06 (`mixed_bfloat16`) or
      0.01 (`mixed_float16`) of the largest output.
    - `get_config` is plain data from which `from_config` creates the same
      model, and a saved `.keras` file loads with the same predictions.

    Args:
        model_fn: function of keyword arguments (`dtype`) that returns a new
            model. Small widths keep the checks fast. The checks of gradients
            and losses need an activation without dead units, such as
            `"silu"`, and no dropout.
        schema: `Schema`, fitted, of the model.
        directory: string or path. Where to save models; `None` is a temporary
            directory that is removed. Defaults to `None`.
        precisions: list of strings. Dtype policies of half precision to
            check. Defaults to `("mixed_bfloat16", "mixed_float16")`.
        quick: boolean. Whether to skip compiled functions, half precision and
            files, which take most of the time. Defaults to `False`.

    Raises:
        AssertionError: If a check fails. The message names the model, the
            property, and the numbers that differ.

    Example:

    >>> from keras_infnet import Categorical, Schema, Task
    >>> from keras_infnet.models import FM
    >>> schema = Schema(
    ...     [Categorical("user"), Categorical("item")],
    ...     [Task("click"), Task("seconds", kind="regression")],
    ...     table_sizes={"user": 7, "item": 9},
    ... )
    >>> check_ranker(lambda **kwargs: FM(schema, **kwargs), schema, quick=True)
    """
    model = randomize(model_fn())
    short = random_batch(schema, _ROWS, _lengths(schema))
    # Batches of one shape: compiling is most of the work on JAX.
    batch = _padded(schema, short, 0)
    expected = predictions(model, batch)
    _check_outputs(model, schema, expected)
    _check_names(model, batch)
    _check_rows(model, schema, batch, short, expected)
    if not quick:
        compiled = model.predict(batch, verbose=0)
        _assert_same(model, "compiled predictions", compiled, expected)
        for policy in precisions:
            _check_precision(model_fn, model, batch, expected, policy)
        if directory is None:
            with tempfile.TemporaryDirectory() as temporary:
                _check_files(model, batch, expected, temporary)
        else:
            _check_files(model, batch, expected, directory)
    _check_training(model, schema, batch)


def predictions(model: keras.Model, batch: Mapping[str, Any]) -> dict[str, Any]:
    """Returns outputs by task as NumPy arrays, compiled only on JAX.

    There, eager operations are compiled one by one, which takes far longer.
    """
    if keras.backend.backend() == "jax":
        return dict(model.predict_on_batch(batch))
    outputs = model(batch, training=False)
    return {task: ops.convert_to_numpy(y) for task, y in outputs.items()}


def assert_same_predictions(
    got: Mapping[str, Any],
    expected: Mapping[str, Any],
    what: str = "predictions",
    tolerance: float = 1e-5,
) -> None:
    """Compares outputs by task."""
    _require(set(got) == set(expected), f"{what}: tasks {sorted(got)}")
    for task, y in expected.items():
        np.testing.assert_allclose(
            got[task],
            y,
            rtol=tolerance,
            atol=tolerance,
            err_msg=f"{what} of task {task!r}",
        )


def _assert_same(model: Any, what: str, got: Any, expected: Any) -> None:
    assert_same_predictions(got, expected, f"{type(model).__name__}: {what}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _lengths(schema: Schema) -> dict[str, int]:
    """Returns padded lengths, more than the maximum in one behavior."""
    return {
        behavior.name: behavior.max_length + (2 if i == 0 else 0)
        for i, behavior in enumerate(schema.behaviors)
    }


def _padded(schema: Schema, batch: Any, front: int) -> Any:
    """Adds padding, of length `front` before the events."""
    padded = dict(batch)
    for behavior in schema.behaviors:
        for name in behavior.inputs:
            axes = [(0, 0)] * (batch[name].ndim - 2)
            width = [(0, 0), (front, _PADDING - front), *axes]
            padded[name] = np.pad(batch[name], width)
    return padded


def _check_outputs(model: Any, schema: Schema, expected: Any) -> None:
    name = type(model).__name__
    for what, got, wanted in (
        ("inputs", set(model.input), set(schema.inputs)),
        ("outputs", set(model.output), set(schema.task_names)),
        ("predictions", set(expected), set(schema.task_names)),
    ):
        _require(got == wanted, f"{name}: {what} {got}, expected {wanted}")
    for task in schema.tasks:
        symbol, y = model.output[task.name], expected[task.name]
        where = f"{name}: task {task.name!r}"
        for shape, dtype, rows in (
            (tuple(symbol.shape), symbol.dtype, None),
            (y.shape, y.dtype.name, _ROWS),
        ):
            _require(
                shape == (rows, 1) and dtype == "float32",
                f"{where}: shape {shape} of {dtype}, expected {(rows, 1)} "
                "of float32",
            )
        _require(bool(np.isfinite(y).all()), f"{where}: not finite: {y}")
        _require(y.std() > 0, f"{where}: the same for every row: {y[0]}")
        if task.kind == "binary":
            inside = bool((y > 0).all() and (y < 1).all())
            _require(inside, f"{where}: not between 0 and 1: {y.ravel()}")


def _check_names(model: Any, batch: Any) -> None:
    name = next(iter(batch))
    missing = {key: x for key, x in batch.items() if key != name}
    for inputs, key in (
        ({**batch, "surplus": batch[name]}, "surplus"),
        (missing, name),
    ):
        for use in (model, lambda x: model.predict(x, verbose=0)):
            where = f"{type(model).__name__}: wrong input {key!r}"
            try:
                use(inputs)
            except ValueError as error:
                _require(key in str(error), f"{where} is not named: {error}")
            else:
                raise AssertionError(f"{where} is accepted")


def _check_rows(
    model: Any, schema: Schema, batch: Any, short: Any, expected: Any
) -> None:
    """Checks invariances of the predictions, and rows without events.

    Predictions must not depend on the other rows of the batch, on padding, or
    on the ids at padding. Predictions without events must be finite.
    """
    one = predictions(model, {name: x[:1] for name, x in short.items()})
    first = {task: y[:1] for task, y in expected.items()}
    _assert_same(model, "a batch of one row without padding", one, first)

    other = dict(short)
    masks = [behavior.mask_input for behavior in schema.behaviors]
    for behavior in schema.behaviors:
        for name in set(behavior.inputs) - set(masks):
            x, valid = short[name], short[behavior.mask_input]
            valid = valid.reshape(*valid.shape, *(1,) * (x.ndim - 2))
            other[name] = np.where(valid, x, x[::-1, ::-1])
    other = _padded(schema, other, 2)
    other = {name: x[::-1].copy() for name, x in other.items()}
    turned = {task: y[::-1] for task, y in expected.items()}
    got = predictions(model, other)
    _assert_same(model, "rows in another order, other padding", got, turned)

    empty = {**batch, **{mask: np.zeros_like(batch[mask]) for mask in masks}}
    for task, y in predictions(model, empty).items():
        where = f"{type(model).__name__}: task {task!r} without events"
        _require(bool(np.isfinite(y).all()), f"{where}: not finite: {y}")


def _check_precision(
    model_fn: Any, model: Any, batch: Any, expected: Any, policy: str
) -> None:
    half = model_fn(dtype=policy)
    name = f"{type(half).__name__} in {policy}"
    again = type(half).from_config(half.get_config())
    for made in (half, again):
        _require(
            made.dtype_policy.name == policy,
            f"{name}: the policy is {made.dtype_policy.name}",
        )
        # Operations of the functional graph have the global policy.
        for layer in made.layers:
            _require(
                layer.dtype_policy.name in (policy, "float32"),
                f"{name}: layer {layer.name} in {layer.dtype_policy.name}",
            )
    half.set_weights(model.get_weights())
    for weight in half.weights:
        _require(weight.dtype == "float32", f"{name}: {weight.path} is half")
    for task, y in predictions(half, batch).items():
        _require(y.dtype == np.float32, f"{name}: {task!r} in {y.dtype}")
        limit = _NEAR[policy] * max(1.0, np.abs(expected[task]).max())
        np.testing.assert_allclose(
            y, expected[task], rtol=0, atol=limit, err_msg=f"{name}: {task!r}"
        )


def _check_files(
    model: Any, batch: Any, expected: Any, directory: str | os.PathLike[str]
) -> None:
    name = type(model).__name__
    config = model.get_config()
    again = type(model).from_config(json.loads(json.dumps(config)))
    for what, got, wanted in (
        ("config", json.dumps(again.get_config()), json.dumps(config)),
        ("weights", _paths(again.weights), _paths(model.weights)),
    ):
        _require(
            got == wanted,
            f"{name}: {what} of `from_config` {got}, expected {wanted}",
        )
    path = pathlib.Path(directory) / f"{name}.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    _require(
        type(loaded) is type(model),
        f"{name}: loaded as {type(loaded)}",
    )
    for mine, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(theirs),
            ops.convert_to_numpy(mine),
            err_msg=f"{name}: {mine.path} of the loaded file",
        )
    outputs = predictions(loaded, batch)
    _assert_same(model, "predictions of the loaded file", outputs, expected)


def _paths(weights: Any) -> list[str]:
    return [weight.path for weight in weights]


def _check_training(model: Any, schema: Schema, batch: Any) -> None:
    """Checks gradients of every weight, a falling loss and NaN labels."""
    name = type(model).__name__
    model.compile(
        keras.optimizers.Adam(0.005),
        loss=task_losses(schema),
        # Tracing is slow on TensorFlow, eager steps are slow on JAX.
        run_eagerly=keras.backend.backend() != "jax",
    )
    labels = random_labels(schema, _ROWS)
    known = {task: np.ones(_ROWS, "float32") for task in labels}
    gone = {task: np.ones(_ROWS, "float32") for task in labels}
    unknown = {task: y.copy() for task, y in labels.items()}
    for task in labels:
        unknown[task][0], gone[task][0] = np.nan, 0.0

    def step(labels: Any, weights: Any) -> float:
        model.reset_metrics()
        with warnings.catch_warnings():
            # A warning of Keras; the check below covers every backend.
            warnings.filterwarnings("ignore", "Gradients do not exist")
            logs = model.train_on_batch(
                batch, labels, weights, return_dict=True
            )
        return float(logs["loss"])

    seeds = [v for v in model.variables if "seed_generator" in v.path]
    first_seeds = [ops.convert_to_numpy(seed).copy() for seed in seeds]
    before = [ops.convert_to_numpy(w).copy() for w in model.trainable_weights]
    losses = [step(labels, gone)]
    unmoved = [
        weight.path
        for weight, old in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(ops.convert_to_numpy(weight), old)
    ]
    _require(not unmoved, f"{name}: no gradient reaches {unmoved}")

    # Includes the states of random generators, so that dropout repeats.
    state = [*model.variables, *model.optimizer.variables]
    start = [ops.convert_to_numpy(v).copy() for v in state]
    losses.append(step(labels, gone))
    expected = predictions(model, batch)
    for variable, value in zip(state, start, strict=True):
        variable.assign(value)
    losses.append(step(unknown, known))
    got = predictions(model, batch)
    what = "predictions after a step with NaN labels, not weights of 0"
    assert_same_predictions(got, expected, f"{name}: {what}", 1e-4)
    # With the dropout of the first step, so that only weights differ.
    for seed, value in zip(seeds, first_seeds, strict=True):
        seed.assign(value)
    losses.append(step(labels, gone))
    fell = bool(np.isfinite(losses).all()) and losses[-1] < losses[0]
    _require(fell, f"{name}: losses of four steps on one batch {losses}")
