"""Symbolic inputs and embeddings of a schema."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
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
    "field_places",
    "flatten",
    "join_behaviors",
    "mean_over_events",
]


@dataclasses.dataclass(frozen=True)
class TargetView:
    """A behavior paired with the fields that share its embedding tables.

    `query` holds these fields and `events` the attributes paired with them;
    both are `None` without pairs. `others` holds the means over the events of
    the remaining attributes, or is `None`.
    """

    name: str
    max_length: int
    mask: Any  # (batch, events), boolean
    query: Any  # (batch, pairs, dim)
    events: Any  # (batch, events, pairs, dim)
    others: Any  # (batch, attributes, dim)


class Features:
    """The embedded fields and behaviors of a schema.

    A model reads the whole row as `tokens()` or `vector()` and returns
    `towers(...)`. The parts are `fields`, `(batch, fields,
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
        self.inputs: Mapping[str, Any] = {
            name: keras.Input(shape=spec.shape, dtype=spec.dtype, name=name)
            for name, spec in schema.inputs.items()
        }
        self.fields, self.events = self._embed(
            embedding_dim, initializer, "embedding"
        )

    def tokens(self) -> Any:
        """Returns one token per field and per attribute of a behavior.

        Returns:
            Tensor of shape `(batch, fields + attributes, embedding_dim)`.
            Attributes are averaged over events; without events they are zero.
        """
        return self._with_means(self.fields, self.events)

    def vector(self) -> Any:
        """Returns `tokens()` concatenated, `(batch, features)`."""
        return flatten(self.tokens())

    def apart(self, dim: int, name: str) -> Any:
        """Returns tokens like `tokens()`, from separate embedding tables.

        Args:
            dim: integer. Width of an embedding.
            name: string. Name of the embedding layer.

        Returns:
            Tensor of shape `(batch, fields + attributes, dim)`.
        """
        return self._with_means(
            *self._embed(dim, self.initializer.clone(), name)
        )

    def towers(
        self, vectors: Any, settings: Settings, offsets: Any = None
    ) -> dict[str, Any]:
        """Applies the tower of every task.

        Args:
            vectors: tensor of shape `(batch, width)` for the towers of all
                tasks, or a list of such tensors, one per task.
            settings: with `tower_dims`, `activation`, `dropout` and `tower`,
                as `keras_infnet.models.FeatureRanker` describes them.
            offsets: tensor of shape `(batch, tasks)`, added to the logits, or
                `None`. Defaults to `None`.

        Returns:
            Dict of tensors of shape `(batch, 1)`, one per task.
        """
        return predict_tasks(
            self.schema, vectors, settings, self.dtype, offsets
        )

    def linear(self, num_outputs: int) -> Any:
        """Returns linear terms: `num_outputs` weights per id.

        Args:
            num_outputs: integer.

        Returns:
            Tensor of shape `(batch, fields + attributes, num_outputs)`.
        """
        return self.apart(num_outputs, "linear_embedding")

    def scenarios(self, model: str) -> Any:
        """Returns the one-hot scenario of every row.

        Args:
            model: string. Name of the model, for the error.

        Returns:
            Tensor of shape `(batch, scenarios)`, all zero where the scenario
            is missing or unknown.

        Raises:
            ValueError: If the schema has no scenario, or one without values.
        """
        name = self.schema.scenario
        if name is None:
            raise ValueError(
                f"{model} needs a schema with a scenario. Give "
                "`Schema(scenario=...)` the name of a Categorical, such as a "
                "tab or page, or use a model without scenarios: "
                "SharedBottom, MMoE, PLE or INFNet."
            )
        size = self.schema.table_size(self.schema.field(name).table_name)
        if size < 2:
            raise ValueError(
                f"{model} needs scenarios, and no row that the encoder was "
                f"fitted on has a value of {name!r}. Check that column, or "
                "name another one as `Schema(scenario=...)`."
            )
        return ops.one_hot(self.inputs[name], size)[:, 1:]

    def check_behaviors(self, model: str) -> None:
        """Raises if the schema has no behaviors.

        Args:
            model: string. Name of the model, for the error.

        Raises:
            ValueError: If the schema has no behaviors.
        """
        if not self.schema.behaviors:
            raise ValueError(
                f"{model} needs a schema with `behaviors`. Add one, or use a "
                "model of fields alone: DCNv2, GDCN, AutoInt, WuKong, "
                "SharedBottom or INFNet."
            )

    def targets(self, model: str) -> list[TargetView]:
        """Pairs every behavior with the fields that share its tables.

        Args:
            model: string. Name of the model, for the error.

        Returns:
            List of `TargetView`, one per behavior.

        Raises:
            ValueError: If there is no behavior, or none that shares a table
                with a field.
        """
        schema = self.schema
        self.check_behaviors(model)
        places = field_places(schema)
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
                    _select(self.fields, fields, axis=1),
                    _select(events, paired, axis=2),
                    mean_over_events(_select(events, others, axis=2), mask)
                    if others
                    else None,
                )
            )
        if all(view.query is None for view in views):
            names = ", ".join(repr(view.name) for view in views)
            raise ValueError(
                f"{model} compares past events with the candidate, but no "
                f"attribute of the behaviors ({names}) shares a table with a "
                "field. Name a field, such as the item's id, among the "
                "attributes of at least one of them."
            )
        return views

    def _embed(
        self, dim: int, initializer: Any, name: str
    ) -> tuple[Any, dict[str, Any]]:
        """Embeds all ids from one stacked table: the fields, the events."""
        schema = self.schema
        members = {"fields": [(part.name, part) for part in schema.fields]}
        for behavior in schema.behaviors:
            # The prefix avoids a clash with a behavior called "fields".
            members[f"behavior:{behavior.name}"] = list(
                zip(behavior.columns, schema.attributes(behavior), strict=True)
            )
        parts = [pair for group in members.values() for pair in group]
        layer = StackedEmbedding(
            table_sizes={
                name: schema.table_size(name) for name in schema.tables
            },
            groups={
                group: [(name, part.table_name) for name, part in pairs]
                for group, pairs in members.items()
            },
            multivalued=[
                name
                for name, part in parts
                if isinstance(part, Categorical) and part.multivalued
            ],
            dim=dim,
            embeddings_initializer=initializer,
            dtype=self.dtype,
            name=name,
        )
        outputs = layer({name: self.inputs[name] for name, _ in parts})
        return outputs["fields"], {
            behavior.name: outputs[f"behavior:{behavior.name}"]
            for behavior in schema.behaviors
        }

    def _with_means(self, fields: Any, events: Mapping[str, Any]) -> Any:
        parts = [fields]
        for behavior in self.schema.behaviors:
            mask = self.inputs[behavior.mask_input]
            parts.append(mean_over_events(events[behavior.name], mask))
        return ops.concatenate(parts, axis=1) if parts[1:] else fields


def field_places(schema: Schema) -> dict[str, int]:
    """Returns the position of the first field of every table."""
    places: dict[str, int] = {}
    for place, part in enumerate(schema.fields):
        places.setdefault(part.table_name, place)
    return places


def join_behaviors(
    features: Features,
    views: Iterable[TargetView],
    pool: Callable[[TargetView], Any],
) -> Any:
    """Concatenates all fields with the pooled behaviors of a row.

    `pool` maps a behavior paired with fields to `(batch, width)`; attributes
    that are not paired are averaged.
    """
    parts = [flatten(features.fields)]
    for view in views:
        if view.query is not None:
            parts.append(pool(view))
        if view.others is not None:
            parts.append(flatten(view.others))
    return ops.concatenate(parts, axis=-1) if parts[1:] else parts[0]


def flatten(tokens: Any) -> Any:
    """Concatenates the tokens of a row: `(batch, tokens * dim)`."""
    return ops.reshape(tokens, (-1, tokens.shape[1] * tokens.shape[2]))


def mean_over_events(events: Any, mask: Any) -> Any:
    """Averages `(batch, events, attributes, dim)` over the valid events.

    The mean of no events is zero.
    """
    valid = ops.cast(mask, "float32")
    count = ops.maximum(ops.sum(valid, axis=1, keepdims=True), 1.0)
    pooled = ops.einsum(
        "bl,blad->bad", valid / count, ops.cast(events, "float32")
    )
    return ops.cast(pooled, events.dtype)


def _select(tensor: Any, places: list[int], axis: int) -> Any:
    """Returns the entries of an axis at `places`; `None` without places."""
    if not places:
        return None
    if places == list(range(tensor.shape[axis])):
        return tensor
    return ops.take(tensor, places, axis=axis)
