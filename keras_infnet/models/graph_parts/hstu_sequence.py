"""One sequence of fields, past events and a candidate."""

import collections
import dataclasses
from typing import Any

import keras
from keras import ops

from keras_infnet.layers import LearnedTokens
from keras_infnet.layers.sequence.positions import event_ranks
from keras_infnet.models.base.features import Features, TargetView, flatten
from keras_infnet.schema import Schema

__all__ = ["TokenSequence", "hstu_sequence"]


@dataclasses.dataclass(frozen=True)
class TokenSequence:
    """Tokens in any order, and where they belong.

    Args:
        tokens: tensor of shape `(batch, tokens, dim)`.
        position: integer tensor of shape `(batch, tokens)`.
        valid: boolean tensor of shape `(batch, tokens)`.
        gap: integer tensor of shape `(batch, tokens)`, bucket of the time
            between the token and the request; `None` where there are no times.
        max_length: integer. Tokens of the longest histories.
    """

    tokens: Any
    position: Any
    valid: Any
    gap: Any
    max_length: int


def hstu_sequence(features: Features, dim: int, model: str) -> TokenSequence:
    """Puts all that is known of a row into one sequence.

    Args:
        features: `Features`.
        dim: integer. Width of a token.
        model: string. Name of the model that asks.

    Returns:
        `TokenSequence`: a token of other fields where there are any, the
        events, and the candidate.

    Raises:
        ValueError: If no behaviour shares a table with a field.
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
    return TokenSequence(
        tokens,
        position,
        valid,
        gap if timed else None,
        sum(view.max_length for view in views) + len(parts) - 1,
    )


class _Slots:
    """What an event and the candidate have in common, in one order.

    A slot is a field and a number, which tells apart attributes of one
    behaviour that share the same table.
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
