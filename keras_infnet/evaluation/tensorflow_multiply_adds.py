"""Multiply-adds of the matrix products in a TensorFlow graph."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["UncountedError", "graph_multiply_adds"]

_OPAQUE_OPERATIONS = ("CudnnRNN", "XlaCallModule", "PyFunc", "EagerPyFunc")
_DEPTHWISE = ("DepthwiseConv2dNative",)


class UncountedError(ValueError):
    """Raised for operations whose products cannot be counted."""


def graph_multiply_adds(graph: Any) -> int:
    """Counts the multiply-adds for the outputs of a traced function."""
    roots = [tensor.op for tensor in graph.outputs]
    needed = _needed([*roots, *graph.control_outputs])
    return sum(_of_operation(operation, graph) for operation in needed)


def _needed(operations: Iterable[Any]) -> list[Any]:
    """Returns operations with all operations they depend on."""
    found: dict[int, Any] = {}
    pending = list(operations)
    while pending:
        operation = pending.pop()
        if id(operation) not in found:
            found[id(operation)] = operation
            pending += [tensor.op for tensor in operation.inputs]
            pending += operation.control_inputs
    return list(found.values())


def _of_operation(operation: Any, graph: Any) -> int:
    kind: str = operation.type
    if kind.startswith(_OPAQUE_OPERATIONS):
        raise UncountedError(f"{kind} of {operation.name} hides its products.")
    if kind == "MatMul" or kind.startswith("BatchMatMul"):
        turned = "transpose_a" if kind == "MatMul" else "adj_x"
        left = _shape(operation.inputs[0])
        summed = left[-2 if operation.get_attr(turned) else -1]
        return summed * _size(operation.outputs[0])
    if kind == "Einsum":
        equation = operation.get_attr("equation").decode()
        return _of_einsum(equation, [_shape(x) for x in operation.inputs])
    if kind in ("Conv", "Conv2D", "Conv3D", *_DEPTHWISE):
        kernel = _shape(operation.inputs[1])
        # Depthwise outputs read one input channel.
        read = kernel[:-2] if kind in _DEPTHWISE else kernel[:-1]
        return math.prod(read) * _size(operation.outputs[0])
    return _of_calls(operation, graph)


def _of_calls(operation: Any, graph: Any) -> int:
    """Counts the functions that an operation calls."""
    kind = operation.type
    counts = {
        attribute: [
            graph_multiply_adds(_function(graph, name)) for name in names
        ]
        for attribute, names in _functions(operation).items()
    }
    every = [count for values in counts.values() for count in values]
    if kind in ("While", "StatelessWhile") and any(every):
        steps = _steps(operation, graph)
        return steps * counts["body"][0] + (steps + 1) * counts["cond"][0]
    if kind in ("If", "StatelessIf", "Case", "StatelessCase"):
        return max(every)
    return sum(every)


def _shape(tensor: Any) -> tuple[int, ...]:
    if not tensor.shape.is_fully_defined():
        raise UncountedError(f"the shape of {tensor.name} is unknown.")
    return tuple(tensor.shape)


def _size(tensor: Any) -> int:
    return math.prod(_shape(tensor))


def _of_einsum(equation: str, shapes: list[tuple[int, ...]]) -> int:
    """Counts an einsum of one or two factors by the letters of its axes.

    Axes of a single factor are reduced before the product. A product without
    a contracted axis is element-wise.
    """
    left, result = equation.split("->")
    factors = left.split(",")
    if len(factors) < 2:
        return 0
    sizes: dict[str, int] = {}
    for letters, shape in zip(factors, shapes, strict=True):
        before, dots, behind = letters.partition("...")
        count = len(shape) - len(before) - len(behind) if dots else 0
        # Axes of "..." are numbered from the end; size 1 broadcasts.
        between = [f"...{i}" for i in range(count, 0, -1)]
        names = [*before, *between, *behind]
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(sizes.get(name, 1), size)
    summed = set(factors[0]) & set(factors[1]) - set(result)
    if not summed:
        return 0
    return math.prod(
        size
        for name, size in sizes.items()
        if name in summed or name[0] in result
    )


def _functions(operation: Any) -> Mapping[str, list[str]]:
    """Returns the names of called functions by attribute."""
    found = {}
    for name, value in operation.node_def.attr.items():
        called = [value.func, *value.list.func]
        names = [function.name for function in called if function.name]
        if names:
            found[name] = names
    return found


def _function(graph: Any, name: str) -> Any:
    return graph._get_function(name).graph


def _steps(loop: Any, graph: Any) -> int:
    """Counts the steps of a loop by running only its condition."""
    body = _function(graph, loop.get_attr("body").name)
    condition = _function(graph, loop.get_attr("cond").name)
    goes_on = _behind_identity(condition.outputs[0])
    # Positions of the loop variables that the condition depends on.
    places: list[int] = []
    results: list[Any] = []
    more = _places(condition, [goes_on])
    while more:
        places = sorted({*places, *more})
        results = [_behind_identity(body.outputs[place]) for place in places]
        more = _places(body, results) - set(places)
    starts = [loop.inputs[place] for place in places]
    if any(op.type == "Placeholder" for op in _needed(t.op for t in starts)):
        raise UncountedError(
            f"the length of the loop {loop.name} depends on the data."
        )
    with _session(graph) as session:
        values = session.run(starts)
    steps = 0
    with _session(condition) as asking, _session(body) as session:
        asked = [condition.inputs[place].name for place in places]
        fed = [body.inputs[place].name for place in places]
        while asking.run(goes_on, dict(zip(asked, values, strict=True))):
            steps += 1
            values = session.run(results, dict(zip(fed, values, strict=True)))
    return steps


def _behind_identity(tensor: Any) -> Any:
    """Skips identities, which wait for all reads of the body."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return tensor


def _places(function: Any, tensors: list[Any]) -> set[int]:
    """Returns the positions of the arguments that tensors depend on."""
    needed = {id(operation) for operation in _needed(t.op for t in tensors)}
    return {
        place
        for place, argument in enumerate(function.inputs)
        if id(argument.op) in needed
    }


def _session(graph: Any) -> Any:
    import tensorflow as tf

    # Loop counters are on the host.
    config = tf.compat.v1.ConfigProto(device_count={"GPU": 0})
    return tf.compat.v1.Session(graph=graph, config=config)
