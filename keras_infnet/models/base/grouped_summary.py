"""Summary of a model with one line per kind of layer."""

import math
from typing import Any

import keras

from keras_infnet.utils.tables import aligned_table

__all__ = ["summary"]

_MAX_NAMES = 3


def summary(  # noqa: D417 (`self` is the model)
    self: Any, *args: Any, expand: bool = False, **kwargs: Any
) -> None:
    """Prints the layers of the model, one line per class of layers.

    Args:
        *args: Arguments of `keras.Model.summary`, which print its table of
            all layers.
        expand: boolean. Whether to print one line per layer, as Keras does.
            Defaults to `False`.
        **kwargs: Further arguments of `keras.Model.summary`. `print_fn` alone
            keeps one line per class.
    """
    if expand or args or set(kwargs) - {"print_fn"}:
        keras.Model.summary(self, *args, **kwargs)
    else:
        (kwargs.get("print_fn") or print)(_grouped(self))


def _grouped(model: Any) -> str:
    """Formats the layers by class: names, output shapes and weights."""
    groups: dict[str, list[Any]] = {}
    for layer in model.layers:
        groups.setdefault(type(layer).__name__, []).append(layer)
    lines = [["type", "layers", "output shape", "params"]]
    for kind, layers in groups.items():
        names = ", ".join(layer.name for layer in layers[:_MAX_NAMES])
        if len(layers) > _MAX_NAMES:
            names = f"{len(layers)}: {names}, ..."
        shapes = dict.fromkeys(map(_output_shape, layers))
        shape = next(iter(shapes)) if len(shapes) == 1 else "several"
        params = sum(layer.count_params() for layer in layers)
        lines.append([kind, names, shape, f"{params:,}"])
    counts = {
        "Total params": model.weights,
        "Trainable params": model.trainable_weights,
        "Non-trainable params": model.non_trainable_weights,
    }
    totals = [
        f"{title}: {sum(math.prod(w.shape) for w in weights):,}"
        for title, weights in counts.items()
    ]
    table = aligned_table(lines, left=(0, 1, 2))
    return "\n".join([f'Model: "{model.name}"', "", table, "", *totals])


def _output_shape(layer: Any) -> str:
    shapes = {str(x.shape) for x in keras.tree.flatten(layer.output)}
    return shapes.pop() if len(shapes) == 1 else "several"
