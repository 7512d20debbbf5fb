"""Models that compute once what all candidates of a request share."""

from collections.abc import Collection, Mapping
from typing import Any

import keras
from keras import ops, tree

__all__ = ["share_inputs"]


def share_inputs(model: Any, shared: Collection[str]) -> Any:
    """Returns a model that takes one row of the inputs in `shared`.

    A ranking request is one user and many candidates. The part of the graph
    that depends on `shared` alone is computed for one row and repeated where
    it meets inputs with a row per candidate. Layers with a method
    `shared_rows` read the single row without repetition: the stacked
    embedding gathers a history once, and INFNet blocks attend to one sequence
    for all candidates.

    The model uses the layers of `model`, so no weights are copied, and its
    results are equal up to rounding.

    Inputs and outputs have the names of those of `model`; outputs have one
    row per candidate. Call the model with `training=False`.
    """
    inputs = model.input
    unknown = sorted(set(shared) - set(inputs))
    if unknown or set(shared) == set(inputs):
        raise ValueError(
            "`shared` must name inputs of the model, and not all of them. "
            f"Received: {sorted(shared)}; inputs: {sorted(inputs)}."
        )
    own = {
        name: keras.Input(
            batch_shape=(1 if name in shared else None, *tensor.shape[1:]),
            dtype=tensor.dtype,
            name=name,
        )
        for name, tensor in inputs.items()
    }
    calls = _Calls(own, [n for n in own if n not in shared])
    return keras.models.clone_model(
        model,
        input_tensors=own,
        clone_function=lambda layer: layer,
        call_function=calls,
    )


class _Calls:
    """Calls the operations of a graph and tracks the rows of each tensor.

    `many` names the inputs with one row per candidate.
    """

    def __init__(self, inputs: Mapping[str, Any], many: list[str]) -> None:
        # By id. Keeping the tensors alive prevents reuse of their ids.
        self._many = {id(inputs[name]): inputs[name] for name in many}
        self._one = next((t for n, t in inputs.items() if n not in many), None)

    def __call__(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(operation, "is_constant", False) and self._one is not None:
            # Its output depends only on the number of rows.
            return operation(self._one)
        given = tree.flatten((args, kwargs))
        like = next((t for t in given if id(t) in self._many), None)
        if like is None:
            return operation(*args, **kwargs)
        alone: Collection[str] = ()
        if hasattr(operation, "shared_rows"):
            # Names of tensors are keys of a dict or names of arguments.
            in_dict = bool(args) and isinstance(args[0], Mapping)
            named = args[0] if in_dict else kwargs
            names = {n for n, t in named.items() if id(t) not in self._many}
            kept, alone = operation.shared_rows(names)
            named = {
                n: _OneRow()(t) if n in kept else self._repeated(t, like)
                for n, t in named.items()
            }
            args, kwargs = ((named,), kwargs) if in_dict else (args, named)
        else:
            args, kwargs = tree.map_structure(
                lambda t: self._repeated(t, like), (args, kwargs)
            )
        outputs = operation(*args, **kwargs)
        named = outputs if isinstance(outputs, Mapping) else {"": outputs}
        for name, part in named.items():
            if name not in alone:
                self._many.update((id(t), t) for t in tree.flatten(part))
        return outputs

    def _repeated(self, value: Any, like: Any) -> Any:
        if not keras.utils.is_keras_tensor(value) or id(value) in self._many:
            return value
        return _RepeatedRows()([value, like])


class _RepeatedRows(keras.layers.Layer):
    """Repeats a tensor of one row to the number of rows of another."""

    def __init__(self) -> None:
        super().__init__(autocast=False, dtype="float32")
        self.built = True

    def call(self, tensors: Any) -> Any:
        tensor, like = tensors
        shape = ops.shape(tensor)
        return ops.broadcast_to(tensor, (ops.shape(like)[0], *shape[1:]))

    def compute_output_spec(self, tensors: Any) -> Any:
        tensor, like = tensors
        shape = (like.shape[0], *tensor.shape[1:])
        return keras.KerasTensor(shape, tensor.dtype)

    def compute_mask(self, tensors: Any, previous_mask: Any) -> Any:
        mask = previous_mask[0]
        if mask is None:
            return None
        both = [mask, tensors[1]]
        if keras.utils.is_keras_tensor(tensors[1]):
            # The graph computes the mask again when it runs.
            return self.compute_output_spec(both)
        return self.call(both)


class _OneRow(keras.layers.Layer):
    """Restores the static batch size of one.

    TensorFlow graphs lose it when a layer reshapes the tensor.
    """

    def __init__(self) -> None:
        super().__init__(autocast=False, dtype="float32")
        self.built = True
        self.supports_masking = True

    def call(self, tensor: Any) -> Any:
        return ops.reshape(tensor, (1, *ops.shape(tensor)[1:]))

    def compute_output_spec(self, tensor: Any) -> Any:
        return keras.KerasTensor((1, *tensor.shape[1:]), tensor.dtype)
