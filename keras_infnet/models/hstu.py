"""Hierarchical sequential transduction units, for ranking."""

import collections
import dataclasses
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import HSTULayer, LearnedTokens
from keras_infnet.layers.sequence.positions import event_ranks
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features, TargetView, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import GAP_BUCKETS, Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["HSTU"]


@export("keras_infnet.models.HSTU")
class HSTU(TrunkRanker):
    """Predicts from one sequence of past events and the candidate.

    The tokens are one for all fields that are not the candidate's, one an event
    of every behavior, and last the candidate. An event is the fields that it
    shares tables with, passed through the same dense layer as those of the
    candidate, and a learned vector for its behavior; the candidate has none,
    because whether there was one is the question. Attributes without a field
    are averaged over the events and belong to the first token.

    Where all behaviors are timed, their events are merged by time: by the
    bucket of the gap to the request, those of unknown time first, and by order
    of the schema within a bucket. Otherwise one behavior comes after the
    other. Layers of gated attention follow (see
    `keras_infnet.layers.HSTULayer`); a tower a task reads the token of the
    candidate. Times count in the attention where any behavior has them.

    Args:
        token_dim: integer. Width of a token. Defaults to `256`.
        num_layers: integer. Defaults to `3`.
        num_heads: integer. Must divide `token_dim`. Defaults to `2`.
        activation: string or callable. Activation of the hidden layers of the
            towers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate in every layer of attention and behind
            every hidden layer. Defaults to `0.0`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or no behavior shares a table with a field.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = HSTU(schema, token_dim=8, num_layers=1)
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [HSTU](https://arxiv.org/abs/2402.17152)
    """

    presets = {
        "small": {"token_dim": 64, "num_layers": 2, "tower_dims": (64,)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        token_dim: int = 256,
        num_layers: int = 3,
        num_heads: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Reads the sequence; the token of the candidate is the vector."""
        check_positive(
            token_dim=settings["token_dim"], num_layers=settings["num_layers"]
        )
        sequence = _sequence(features, settings["token_dim"], cls.__name__)
        tokens = sequence.tokens
        for i in range(settings["num_layers"]):
            tokens = HSTULayer(
                settings["num_heads"],
                max_length=sequence.max_length,
                num_gaps=0 if sequence.gap is None else GAP_BUCKETS + 1,
                # Nobody reads the other tokens of the last layer.
                last_only=i == settings["num_layers"] - 1,
                dropout=settings["dropout"],
                dtype=features.dtype,
                name=f"layer_{i}",
            )(tokens, sequence.position, sequence.valid, sequence.gap)
        return tokens[:, 0]


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """Tokens in any order, and where they belong.

    `tokens` have shape `(batch, tokens, dim)`; `position`, `valid` and `gap`
    `(batch, tokens)`. `gap` is the bucket of the time between the token and
    the request, `None` where there are no times; `max_length` counts the
    tokens of the longest histories.
    """

    tokens: Any
    position: Any
    valid: Any
    gap: Any
    max_length: int


def _sequence(features: Features, dim: int, model: str) -> _Sequence:
    """Puts all that is known of a row into one sequence.

    A token of other fields where there are any, the events, the candidate.
    """
    every = features.targets(model)
    views = [view for view in every if view.query is not None]
    slots = _Slots(features.schema)
    project = keras.layers.Dense(
        dim, dtype=features.dtype, name="item_projection"
    )
    valid = _join([view.mask for view in views])
    gap, timed, merged = _gaps(features, views)
    count = ops.sum(ops.cast(valid, "int32"), axis=1, keepdims=True)
    zero, one = ops.zeros_like(count), ops.ones_like(count)
    always = ops.cast(one, "bool")
    # Token, position, mask and gap. The candidate is 0 seconds old.
    events = _event_tokens(features, views, slots, project)
    rank = event_ranks(valid, gap if merged else None)
    candidate = project(slots.of_candidate(features.fields))
    parts = [
        (events, rank + 1, valid, gap),
        (candidate, count + 1, always, one),
    ]
    context = _context(features, slots, every)
    if context is not None:
        token = keras.layers.Dense(
            dim, dtype=features.dtype, name="context_projection"
        )(context)
        parts.insert(0, (ops.expand_dims(token, 1), zero, always, zero))
    tokens, position, valid, gap = (
        _join(list(column)) for column in zip(*parts, strict=True)
    )
    return _Sequence(
        tokens,
        position,
        valid,
        gap if timed else None,
        sum(view.max_length for view in views) + len(parts) - 1,
    )


class _Slots:
    """What an event and the candidate have in common, in one order.

    A slot is a field and a number, which tells apart attributes of one
    behavior that share the same table.
    """

    def __init__(self, schema: Schema) -> None:
        places: dict[str, int] = {}
        for place, part in enumerate(schema.fields):
            places.setdefault(part.table_name, place)
        self.by_behavior: dict[str, list[tuple[int, int]]] = {}
        for behavior in schema.behaviors:
            seen: collections.Counter[int] = collections.Counter()
            slots = []
            for part in schema.attributes(behavior):
                if part.table_name in places:
                    place = places[part.table_name]
                    slots.append((place, seen[place]))
                    seen[place] += 1
            self.by_behavior[behavior.name] = slots
        self.all = sorted(
            {slot for slots in self.by_behavior.values() for slot in slots}
        )

    def of_candidate(self, fields: Any) -> Any:
        """The fields of all slots side by side, as one event."""
        target = flatten(ops.take(fields, [p for p, _ in self.all], axis=1))
        return ops.expand_dims(target, 1)

    def of_events(self, view: TargetView) -> Any:
        """The attributes of all slots side by side, zero where missing."""
        own = self.by_behavior[view.name]
        missing = ops.zeros_like(view.events[:, :, 0])
        return ops.concatenate(
            [
                view.events[:, :, own.index(slot)] if slot in own else missing
                for slot in self.all
            ],
            axis=-1,
        )


def _event_tokens(
    features: Features, views: list[TargetView], slots: _Slots, project: Any
) -> Any:
    """Items as the candidate is one, and what was done with them."""
    actions = LearnedTokens(
        len(views),
        project.units,
        dtype=features.dtype,
        name="behavior_actions",
    )(features.fields)
    return _join(
        [
            project(slots.of_events(view)) + actions[:, i : i + 1]
            for i, view in enumerate(views)
        ]
    )


def _gaps(
    features: Features, views: list[TargetView]
) -> tuple[Any, bool, bool]:
    """Gap buckets, unknown without times; whether any, and all, have them."""
    behaviors = [features.schema.behavior(view.name) for view in views]
    timed = [behavior.timed for behavior in behaviors]
    gaps = [
        features.inputs[behavior.gap_input]
        if behavior.timed
        else ops.zeros_like(view.mask, dtype="int32")
        for view, behavior in zip(views, behaviors, strict=True)
    ]
    return _join(gaps), any(timed), all(timed)


def _context(features: Features, slots: _Slots, views: list[TargetView]) -> Any:
    """What is neither the candidate's nor an event's, side by side."""
    target = {place for place, _ in slots.all}
    others = [i for i in range(features.fields.shape[1]) if i not in target]
    parts = []
    if others:
        parts.append(flatten(ops.take(features.fields, others, axis=1)))
    parts += [flatten(v.others) for v in views if v.others is not None]
    return _join(parts) if parts else None


def _join(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)
