"""What a row holds, as symbolic inputs, and embedded."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_infnet.layers import StackedEmbedding
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.task_towers import predict_tasks
from keras_infnet.schema import Categorical, Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = [
    "Features",
    "TargetView",
    "embed",
    "flatten",
    "make_inputs",
    "mean_over_events",
]


@dataclasses.dataclass(frozen=True)
class TargetView:
    """A behavior beside the fields of the row that it shares tables with.

    Args:
        name: string. Name of the behavior.
        max_length: integer. Its longest history.
        mask: boolean tensor of shape `(batch, events)`.
        query: tensor of shape `(batch, pairs, dim)`: the fields, or `None`
            where no attribute has one.
        events: tensor of shape `(batch, events, pairs, dim)`: the attributes
            that have a field, or `None`.
        others: tensor of shape `(batch, attributes, dim)`: means over the
            events of the attributes that have none, or `None`.
    """

    name: str
    max_length: int
    mask: Any
    query: Any
    events: Any
    others: Any


class Features:
    """The embedded fields and behaviors of a schema.

    A model reads `tokens()` or `vector()`, everything that a row holds, and
    returns `towers(...)`. The parts are `fields`, `(batch, fields,
    embedding_dim)`; `events`, a dict with a tensor `(batch, events,
    attributes, embedding_dim)` for each behavior; and `inputs`, the symbolic
    inputs by name, masks `"NAME_mask"` among them.

    Args:
        schema: `Schema`, fitted.
        embedding_dim: integer. Width of an embedding.
        initializer: initializer of the embedding tables.
        dtype: dtype policy of the layers. Defaults to `None`.

    Raises:
        ValueError: If `embedding_dim` is not a positive integer, or the schema
            is not fitted.
    """

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int,
        initializer: Any,
        dtype: Any = None,
    ) -> None:
        check_positive(embedding_dim=embedding_dim)
        self.schema = schema
        self.initializer = initializer
        self.dtype = dtype
        self.inputs: Mapping[str, Any] = make_inputs(schema)
        self.fields, self.events = embed(
            schema, self.inputs, embedding_dim, initializer, dtype
        )

    def tokens(self) -> Any:
        """Returns all fields, and behaviors as fields: means over events.

        Returns:
            Tensor of shape `(batch, fields + attributes, embedding_dim)`. An
            attribute of a behavior without events is zero.
        """
        return self._with_means(self.fields, self.events)

    def vector(self) -> Any:
        """Returns the same side by side, `(batch, features)`."""
        return flatten(self.tokens())

    def apart(self, dim: int, name: str) -> Any:
        """Returns what `tokens` does, read from tables of their own.

        Args:
            dim: integer. Width of an embedding.
            name: string. Name of the layer.

        Returns:
            Tensor of shape `(batch, fields + attributes, dim)`.
        """
        fields, events = embed(
            self.schema,
            self.inputs,
            dim,
            self.initializer.clone(),
            self.dtype,
            name=name,
        )
        return self._with_means(fields, events)

    def towers(
        self, vectors: Any, settings: Settings, offsets: Any = None
    ) -> dict[str, Any]:
        """Puts a tower on the vector of every task.

        Args:
            vectors: tensor of shape `(batch, width)`, read by the towers of
                all tasks; or a list of such tensors, one a task.
            settings: with `tower_dims`, `activation`, `dropout` and `tower`,
                as `keras_infnet.models.FeatureRanker` describes them.
            offsets: tensor of shape `(batch, tasks)`, added to the logits, or
                `None`. Defaults to `None`.

        Returns:
            Dict of tensors of shape `(batch, 1)`, one a task.
        """
        return predict_tasks(
            self.schema, vectors, settings, self.dtype, offsets
        )

    def linear(self, num_outputs: int) -> Any:
        """Returns a few numbers an id, from tables of their own.

        Args:
            num_outputs: integer.

        Returns:
            Tensor of shape `(batch, fields + attributes, num_outputs)`.
        """
        return self.apart(num_outputs, "linear_embedding")

    def scenarios(self, model: str) -> Any:
        """Tells the scenario of a row, 1 at its place and 0 elsewhere.

        Args:
            model: string. Name of the model that asks.

        Returns:
            Tensor of shape `(batch, scenarios)`. All 0 where the scenario is
            missing or was not seen in training.

        Raises:
            ValueError: If the schema names no scenario, or one without values.
        """
        name = self.schema.scenario
        if name is None:
            raise ValueError(
                f"{model} treats scenarios apart, and the schema names none. "
                "Give `Schema(scenario=...)` the name of the Categorical "
                "that tells them, such as a tab or page, or use a model "
                "without scenarios: SharedBottom, MMoE, PLE or INFNet."
            )
        size = self.schema.table_size(self.schema.field(name).table_name)
        if size < 2:
            raise ValueError(
                f"{model} treats scenarios apart, and no row that the encoder "
                f"was fitted on has a value of {name!r}. Look at that column, "
                "or name another one as `Schema(scenario=...)`."
            )
        return ops.one_hot(self.inputs[name], size)[:, 1:]

    def check_behaviors(self, model: str) -> None:
        """Raises where there is no behavior to read.

        Args:
            model: string. Name of the model that asks.

        Raises:
            ValueError: If the schema has no behavior.
        """
        if not self.schema.behaviors:
            raise ValueError(
                f"{model} reads past behavior, and the schema has no "
                "`behaviors`. Add one, or use a model of fields alone: "
                "DCNv2, GDCN, AutoInt, WuKong, SharedBottom or INFNet."
            )

    def targets(self, model: str) -> list[TargetView]:
        """Puts every behavior beside the fields that it shares tables with.

        Args:
            model: string. Name of the model that asks.

        Returns:
            List of `TargetView`, one a behavior.

        Raises:
            ValueError: If there is no behavior, or none that shares a table
                with a field.
        """
        schema = self.schema
        self.check_behaviors(model)
        places: dict[str, int] = {}
        for place, part in enumerate(schema.fields):
            places.setdefault(part.table_name, place)
        views = []
        for behavior in schema.behaviors:
            parts = schema.attributes(behavior)
            paired = [
                i for i, part in enumerate(parts) if part.table_name in places
            ]
            others = [i for i in range(len(parts)) if i not in paired]
            events = self.events[behavior.name]
            mask = self.inputs[behavior.mask_input]
            fields = [places[parts[i].table_name] for i in paired]
            views.append(
                TargetView(
                    behavior.name,
                    behavior.max_length,
                    mask,
                    _some(self.fields, fields, axis=1),
                    _some(events, paired, axis=2),
                    mean_over_events(_some(events, others, axis=2), mask)
                    if others
                    else None,
                )
            )
        if all(view.query is None for view in views):
            names = ", ".join(repr(view.name) for view in views)
            raise ValueError(
                f"{model} compares past events with what is on offer now, but "
                f"no attribute of the behaviors ({names}) shares a table "
                "with a field. Name a field, such as the item's id, among the "
                "attributes of at least one of them."
            )
        return views

    def _with_means(self, fields: Any, events: Mapping[str, Any]) -> Any:
        parts = [fields]
        for behavior in self.schema.behaviors:
            mask = self.inputs[behavior.mask_input]
            parts.append(mean_over_events(events[behavior.name], mask))
        return ops.concatenate(parts, axis=1) if parts[1:] else fields


def flatten(tokens: Any) -> Any:
    """Puts the tokens of a row side by side.

    Args:
        tokens: tensor of shape `(batch, tokens, dim)`.

    Returns:
        Tensor of shape `(batch, tokens * dim)`.
    """
    return ops.reshape(tokens, (-1, tokens.shape[1] * tokens.shape[2]))


def _some(tensor: Any, places: list[int], axis: int) -> Any:
    """Some entries of an axis; `None` where there are none."""
    if not places:
        return None
    if places == list(range(tensor.shape[axis])):
        return tensor
    return ops.take(tensor, places, axis=axis)


def mean_over_events(events: Any, mask: Any) -> Any:
    """Averages over the valid events; without any the mean is zero.

    Args:
        events: tensor of shape `(batch, events, attributes, dim)`.
        mask: boolean tensor of shape `(batch, events)`.

    Returns:
        Tensor of shape `(batch, attributes, dim)`.
    """
    valid = ops.cast(mask, "float32")
    count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
    pooled = ops.einsum(
        "bl,blad->bad", valid / count, ops.cast(events, "float32")
    )
    return ops.cast(pooled, events.dtype)


def make_inputs(schema: Schema) -> dict[str, Any]:
    """Makes one `keras.Input` for every input of a schema.

    Args:
        schema: `Schema`.

    Returns:
        Dict of symbolic tensors by name.
    """
    return {
        name: keras.Input(shape=spec.shape, dtype=spec.dtype, name=name)
        for name, spec in schema.inputs.items()
    }


def embed(
    schema: Schema,
    inputs: Mapping[str, Any],
    dim: int,
    initializer: Any,
    dtype: Any = None,
    name: str = "embedding",
) -> tuple[Any, dict[str, Any]]:
    """Embeds all ids of a row from one stacked table.

    Args:
        schema: `Schema`, fitted.
        inputs: dict of symbolic tensors, as `make_inputs` returns.
        dim: integer. Width of an embedding.
        initializer: initializer of the table.
        dtype: dtype policy of the layer. Defaults to `None`.
        name: string. Name of the layer. Defaults to `"embedding"`.

    Returns:
        The field tokens, `(batch, fields, dim)`, and a dict with one entry a
        behavior, `(batch, events, attributes, dim)`.
    """
    groups = {
        "fields": [(part.name, part.table_name) for part in schema.fields]
    }
    multivalued = [
        part.name
        for part in schema.fields
        if isinstance(part, Categorical) and part.multivalued
    ]
    for behavior in schema.behaviors:
        parts = schema.attributes(behavior)
        names = behavior.columns
        # The prefix keeps a behavior called "fields" apart.
        groups[f"behavior:{behavior.name}"] = [
            (name, part.table_name)
            for name, part in zip(names, parts, strict=True)
        ]
        multivalued += [
            name
            for name, part in zip(names, parts, strict=True)
            if isinstance(part, Categorical) and part.multivalued
        ]
    layer = StackedEmbedding(
        table_sizes={name: schema.table_size(name) for name in schema.tables},
        groups=groups,
        multivalued=multivalued,
        dim=dim,
        embeddings_initializer=initializer,
        dtype=dtype,
        name=name,
    )
    members = [name for group in groups.values() for name, _ in group]
    outputs = layer({name: inputs[name] for name in members})
    return outputs["fields"], {
        behavior.name: outputs[f"behavior:{behavior.name}"]
        for behavior in schema.behaviors
    }
