"""Multiply-adds of a prediction, counted in the trace of the backend."""

import math
from typing import Any

import keras

from keras_infnet.evaluation.tensorflow_multiply_adds import (
    UncountedError,
    graph_multiply_adds,
)

__all__ = ["multiply_adds"]

# Kernels of JAX and PyTorch with matrix products inside.
_OPAQUE_PRIMITIVES = (
    "cudnn",
    "dot_product_attention",
    "ffi_call",
    "pallas_call",
    "pure_callback",
    "ragged_dot",
    "rnn",
    "scaled_matmul",
)
_OPAQUE_ATEN = (
    "_cudnn_rnn",
    "_thnn_fused_gru_cell",
    "_thnn_fused_lstm_cell",
    "miopen_rnn",
    "mkldnn_rnn_layer",
)


def multiply_adds(model: Any, batch_size: int = 2) -> int:
    """Counts the multiply-adds of matrix products to predict one row.

    The model is traced on the current backend, and all matrix products of the
    trace are counted: dense layers, attention, einsums and convolutions, those
    in loops once per step. The trace is a graph on TensorFlow and a jaxpr on
    JAX, both without operations that no output needs. On PyTorch it is an eager
    prediction of zeros, where Keras runs the first step of a recurrent layer
    twice.

    The result is the difference between two batch sizes, which excludes
    products that do not depend on the rows, such as weights times weights.
    Histories have their full length, `max_length`.

    Lookups, element-wise products (gates, pairs of factorization machines),
    norms, activations and softmax are not counted. The most expensive branch of
    a condition counts.

    Args:
        model: a model of `keras_infnet.models`, or a functional Keras model
            whose inputs have known shapes except for the batch axis.
        batch_size: integer. Rows of the smaller batch. Defaults to `2`.

    Returns:
        Integer. Multiply-adds per additional row, half the number of floating
        point operations.

    Raises:
        ValueError: If an axis of an input is unknown.
        UncountedError: If the trace has a loop whose length depends on the
            data, or a fused kernel; a subclass of `ValueError`.

    Example:

    >>> rows = keras.Input((3,))
    >>> model = keras.Model(rows, keras.layers.Dense(5)(rows))
    >>> multiply_adds(model)
    15
    """
    if batch_size < 1:
        raise ValueError(
            "`batch_size` must be at least 1. "
            f"Received: batch_size={batch_size}."
        )
    count = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}.get(
        keras.backend.backend()
    )
    if count is None:
        raise UncountedError(
            "multiply-adds are counted on TensorFlow, JAX and PyTorch. "
            f"Received: backend={keras.backend.backend()!r}."
        )
    few, many = (
        count(model, _inputs(model, rows))
        for rows in (batch_size, 2 * batch_size)
    )
    return (many - few) // batch_size


def _inputs(model: Any, rows: int) -> Any:
    """Returns symbolic inputs of known shape, in the model's structure."""
    if isinstance(model, keras.Sequential):
        inputs = model.inputs[0]
    else:
        inputs = getattr(model, "input", None)
    if inputs is None:
        raise ValueError(
            "multiply-adds are counted for functional models only. "
            f"Received: {type(model).__name__}."
        )
    schema: Any = getattr(model, "schema", None)
    lengths = {
        name: behavior.max_length
        for behavior in (schema.behaviors if schema is not None else ())
        for name in behavior.inputs
    }

    def known(tensor: Any) -> Any:
        shape = [
            lengths.get(tensor.name) if size is None else size
            for size in tensor.shape[1:]
        ]
        if None in shape:
            raise ValueError(
                "to count multiply-adds, all input axes except the batch axis "
                f"must be known. Received: input {tensor.name!r} with shape "
                f"{tuple(tensor.shape)}."
            )
        return keras.KerasTensor((rows, *shape), tensor.dtype)

    return keras.tree.map_structure(known, inputs)


def _tensorflow(model: Any, inputs: Any) -> int:
    import tensorflow as tf

    specs = keras.tree.map_structure(
        lambda x: tf.TensorSpec(x.shape, x.dtype), inputs
    )
    predict = tf.function(lambda x: model(x, training=False), autograph=False)
    return graph_multiply_adds(predict.get_concrete_function(specs).graph)


def _jax(model: Any, inputs: Any) -> int:
    import jax

    specs = keras.tree.map_structure(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), inputs
    )
    fixed = [
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    ]

    def predict(x: Any) -> Any:
        return model.stateless_call(*fixed, x, training=False)[0]

    return _in_jaxpr(jax.make_jaxpr(predict)(specs).jaxpr)


def _in_jaxpr(jaxpr: Any) -> int:
    """Counts the equations that the results of a jaxpr need."""
    needed = {id(variable) for variable in jaxpr.outvars}
    total = 0
    for equation in reversed(jaxpr.eqns):
        results = {id(variable) for variable in equation.outvars}
        if equation.effects or needed & results:
            needed |= {id(variable) for variable in equation.invars}
            total += _of_equation(equation)
    return total


def _of_equation(equation: Any) -> int:
    kind, params = equation.primitive.name, equation.params
    if kind in ("dot_general", "conv_general_dilated"):
        result = math.prod(equation.outvars[0].aval.shape)
        left, right = (x.aval.shape for x in equation.invars)
        if kind == "dot_general":
            (axes, _), _ = params["dimension_numbers"]
            # A product without a contracted axis is element-wise.
            summed = [left[axis] for axis in axes] or [0]
        else:
            outputs = params["dimension_numbers"].rhs_spec[0]
            summed = [n for i, n in enumerate(right) if i != outputs]
        return result * math.prod(summed)
    if kind.startswith(_OPAQUE_PRIMITIVES):
        raise UncountedError(f"the primitive {kind} hides its products.")
    counts = {name: _in_parameter(value) for name, value in params.items()}
    if kind == "cond":
        return max(counts["branches"])
    total = sum(map(sum, counts.values()))
    if kind == "while" and total:
        raise UncountedError("the length of a `while` depends on the data.")
    return total * params["length"] if kind == "scan" else total


def _in_parameter(value: Any) -> list[int]:
    """Counts each jaxpr in a parameter."""
    if isinstance(value, (list, tuple)):
        return [n for part in value for n in _in_parameter(part)]
    inner = getattr(value, "jaxpr", value)  # closed ones wrap theirs
    return [_in_jaxpr(inner)] if hasattr(inner, "eqns") else []


def _torch(model: Any, inputs: Any) -> int:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def refuse(*_: Any, **__: Any) -> int:
        raise UncountedError("a fused recurrent kernel hides its products.")

    def vectors(left: Any, *_: Any, **__: Any) -> int:
        return 2 * math.prod(left)

    def added(_: Any, left: Any, *__: Any, **___: Any) -> int:
        return 2 * math.prod(left)

    def attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
        pairs = math.prod(query[:-1]) * key[-2]
        return 2 * pairs * (query[-1] + value[-1])

    aten = torch.ops.aten
    # Missing in PyTorch's own formulas.
    formulas = {
        aten.mv: vectors,
        aten.dot: vectors,
        aten.vdot: vectors,
        aten.addmv: added,
        aten._scaled_dot_product_flash_attention_for_cpu: attention,
        **{
            getattr(aten, name): refuse
            for name in _OPAQUE_ATEN
            if hasattr(aten, name)
        },
    }
    zeros = keras.tree.map_structure(
        lambda x: keras.ops.zeros(x.shape, x.dtype), inputs
    )
    counter = FlopCounterMode(display=False, custom_mapping=formulas)
    # The counter tracks modules by gradients and fails without them.
    with torch.enable_grad(), counter:
        model(zeros, training=False)
    return int(counter.get_total_flops()) // 2
