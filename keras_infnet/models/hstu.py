"""Hierarchical sequential transduction units (HSTU) for ranking."""

import collections
import dataclasses
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import HSTULayer, LearnedTokens
from keras_infnet.layers.sequence.positions import event_ranks
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import (
    Features,
    TargetView,
    field_places,
    flatten,
)
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import GAP_BUCKETS, Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["HSTU"]


@export("keras_infnet.models.HSTU")
class HSTU(TrunkRanker):
    """Applies gated attention to a sequence of past events and the candidate.

    The tokens of the sequence are a context token of all fields that do not
    describe the candidate, one token per event, and last the candidate. Events
    and candidate share a dense layer on their fields; an event adds a learned
    vector of its behavior. Attributes without a field are averaged over the
    events and belong to the context token.

    If all behaviors are timed, their events are merged by time: by the bucket
    of the gap to the request, events of unknown time first, and in the order
    of the schema within a bucket. Otherwise behaviors follow one another. The
    towers read the candidate's token after the last layer (see
    `keras_infnet.layers.HSTULayer`). Attention uses times if any behavior has
    them.

    Args:
        token_dim: integer. Width of a token. Defaults to `256`.
        num_layers: integer. Defaults to `3`.
        num_heads: integer. Must divide `token_dim`. Defaults to `2`.
        activation: string or callable. Activation of the hidden layers of the
            towers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate in attention layers and after hidden
            layers. Defaults to `0.0`.

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
        """Returns the candidate's token after the last layer."""
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
                # The other tokens of the last layer are not used.
                last_only=i == settings["num_layers"] - 1,
                dropout=settings["dropout"],
                dtype=features.dtype,
                name=f"layer_{i}",
            )(tokens, sequence.position, sequence.valid, sequence.gap)
        return tokens[:, 0]


@dataclasses.dataclass(frozen=True)
class _Sequence:
    """Tokens in any order, and their positions.

    `gap` is the bucket of the time between token and request, or `None`
    without times; `max_length` is the largest number of valid tokens.
    """

    tokens: Any  # (batch, tokens, dim)
    position: Any  # (batch, tokens)
    valid: Any  # (batch, tokens)
    gap: Any  # (batch, tokens)
    max_length: int


def _sequence(features: Features, dim: int, model: str) -> _Sequence:
    """Builds the sequence of context, events and candidate."""
    all_views = features.targets(model)
    views = [view for view in all_views if view.query is not None]
    slots = _Slots(features.schema)
    project = keras.layers.Dense(
        dim, dtype=features.dtype, name="item_projection"
    )
    valid = _join([view.mask for view in views])
    gap, timed, merged = _gaps(features, views)
    count = ops.sum(ops.cast(valid, "int32"), axis=1, keepdims=True)
    zero, one = ops.zeros_like(count), ops.ones_like(count)
    always = ops.cast(one, "bool")
    # Token, position, mask and gap; the candidate has gap bucket 1: now.
    events = _event_tokens(features, views, slots, project)
    rank = event_ranks(valid, gap if merged else None)
    candidate = project(slots.of_candidate(features.fields))
    parts = [
        (events, rank + 1, valid, gap),
        (candidate, count + 1, always, one),
    ]
    context = _context(features, slots, all_views)
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
    """The fields that events and the candidate share, in one order.

    A slot is a pair: the position of a field, and a count that distinguishes
    attributes of one behavior with the same table.
    """

    def __init__(self, schema: Schema) -> None:
        places = field_places(schema)
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
        """Concatenates the fields of all slots, as one event."""
        target = flatten(ops.take(fields, [p for p, _ in self.all], axis=1))
        return ops.expand_dims(target, 1)

    def of_events(self, view: TargetView) -> Any:
        """Concatenates the attributes of all slots, zero where missing."""
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
    """Returns projected items plus the learned vectors of behaviors."""
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
    """Returns gap buckets, and whether any and all behaviors are timed."""
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
    """Concatenates fields and means that no event or candidate holds."""
    target = {place for place, _ in slots.all}
    others = [i for i in range(features.fields.shape[1]) if i not in target]
    parts = []
    if others:
        parts.append(flatten(ops.take(features.fields, others, axis=1)))
    parts += [flatten(v.others) for v in views if v.others is not None]
    return _join(parts) if parts else None


def _join(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)
