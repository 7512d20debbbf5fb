"""Checks of inputs, labels and outputs of a model."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_infnet.schema import Schema, nearest_name
from keras_infnet.schema.agreement import check_encoder_matches

__all__ = ["check_inputs", "check_outputs", "check_source", "check_tasks"]


def check_source(schema: Schema, x: Any) -> None:
    """Checks the data of `fit`, `evaluate` or `predict` before the loop."""
    own = getattr(x, "schema", None)
    if isinstance(own, Schema):
        check_encoder_matches(schema, own)
    if isinstance(x, keras.utils.PyDataset):
        # Batches of this encoder have its inputs: reading one can be slow.
        known = isinstance(own, Schema) or x.num_batches == 0
        batch = None if known else x[0]
    else:  # a `tf.data.Dataset` has a spec
        batch = getattr(x, "element_spec", x)
    if isinstance(batch, (tuple, list)) and batch:
        batch = batch[0]
    if isinstance(batch, Mapping):
        check_inputs(schema, batch)


def check_inputs(schema: Schema, inputs: Any) -> None:
    """Raises unless a batch has exactly the inputs of the schema."""
    if not isinstance(inputs, Mapping):
        raise ValueError(
            "the inputs must be a dict of tensors by name, as "
            f"`schema.inputs`. Received: {type(inputs).__name__}."
        )
    known = schema.inputs
    for name in inputs:
        if name not in known:
            raise ValueError(
                f"{nearest_name(name, known, 'input')} "
                "Remove the extra key from the batch."
            )
    missing = [name for name in known if name not in inputs]
    if missing:
        raise ValueError(
            f"inputs are missing: {', '.join(missing)}. "
            f"Received: {', '.join(inputs)}."
        )


def check_tasks(schema: Schema, values: Any, what: str) -> None:
    """Raises unless labels or weights are a dict with exactly the tasks."""
    if values is None:
        return
    tasks = schema.task_names
    received = (
        ", ".join(values)
        if isinstance(values, Mapping)
        else type(values).__name__
    )
    if not isinstance(values, Mapping) or set(values) != set(tasks):
        raise ValueError(
            f"the {what} must be a dict with every task and nothing "
            f"else: {', '.join(tasks)}. Received: {received}."
        )


def check_outputs(schema: Schema, outputs: Any, owner: str) -> None:
    """Raises unless every task has an output of shape `(batch, 1)`."""
    if not isinstance(outputs, Mapping):
        raise ValueError(
            f"the outputs of {owner} must be a dict of one tensor of shape "
            f"(batch, 1) per task: {', '.join(schema.task_names)}. Received: "
            f"{outputs!r}."
        )
    for task in schema.task_names:
        tensor: Any = outputs.get(task)
        if (
            not keras.utils.is_keras_tensor(tensor)
            or len(tensor.shape) != 2
            or tensor.shape[1] != 1
        ):
            raise ValueError(
                f"the outputs of {owner} must hold a tensor of shape "
                f"(batch, 1) for task {task!r}. Received: "
                f"{tensor!r}, and outputs for: "
                f"{', '.join(map(str, outputs)) or 'no task'}."
            )
