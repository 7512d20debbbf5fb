"""Merging of the events of all behaviors into one sequence."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interformer.mask_net import MaskNet
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import count_back
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["EventStream"]


@export("keras_infnet.layers.EventStream")
class EventStream(BaseLayer):
    """Merges the events of all behaviors into one sequence of tokens.

    `merge="feature"`: a `keras_infnet.layers.MaskNet` merges the newest events
    of all behaviors into one token, the second newest into the next, and so
    on. Shorter behaviors are filled up with zeros, and a token is valid if any
    behavior has an event there. `merge="time"`: each behavior has its own
    MaskNet for its attributes, and the resulting sequences are concatenated.

    Masking: padding is zero, and the tokens carry the mask.

    The position of an event is the number of valid events of the behavior at
    or after it: the newest event has position 1. Padding is not counted.

    Args:
        behaviors: sequence of strings. Names of the behaviors, in order.
        dim: integer. Width of a token. Defaults to `64`.
        num_recent_tokens: integer. Number of newest events that `"recent"`
            numbers; per behavior with `merge="time"`. Defaults to `2`.
        merge: `"feature"` or `"time"`. Defaults to `"feature"`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        events: dict of behavior name to tensor of shape `(batch, events,
            attributes, width)`.
        mask: dict of behavior name to boolean tensor of shape `(batch,
            events)`, or `(batch, events, attributes)`: an event is valid if
            any attribute is. Without a mask all events are valid. Optional.

    Returns:
        Dict: `"tokens"` of shape `(batch, events, dim)`, zero at padding;
        boolean `"mask"` of shape `(batch, events)`; integer `"positions"` of
        the same shape, 0 at padding; and integer `"recent"` of the same shape,
        which numbers the newest events from 1, oldest first, and is 0
        elsewhere.

    Raises:
        ValueError: If a size is not a positive integer, `merge` is unknown,
            `behaviors` is empty, or `events` or `mask` has other keys.

    Example:

    >>> import numpy as np
    >>> stream = EventStream(["clicks", "likes"], dim=8)
    >>> outputs = stream({
    ...     "clicks": np.ones((2, 5, 3, 4), "float32"),
    ...     "likes": np.ones((2, 2, 1, 4), "float32"),
    ... })
    >>> tuple(outputs["tokens"].shape)
    (2, 5, 8)
    >>> keras.ops.convert_to_numpy(outputs["positions"])[0].tolist()
    [5, 4, 3, 2, 1]

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equation 6
    """

    def __init__(
        self,
        behaviors: Sequence[str],
        dim: int = 64,
        num_recent_tokens: int = 2,
        merge: str = "feature",
        activation: Any = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("merge", merge, ("feature", "time"))
        if not self.behaviors:
            raise ValueError(
                "`behaviors` must name at least one behavior. "
                "Received: behaviors=()."
            )

    def build(self, events_shape: Any) -> None:
        self._check_behaviors("events", events_shape)
        widths = {}
        for name in self.behaviors:
            _, _, attributes, width = events_shape[name]
            widths[name] = attributes * width
        if self.merge == "feature":
            widths = {"merged": sum(widths.values())}
        self.mask_nets = {
            name: self._part(
                MaskNet,
                f"{name}_mask_net",
                (None, None, width),
                dim=self.dim,
                activation=self.activation,
            )
            for name, width in widths.items()
        }

    def _check_behaviors(self, argument: str, values: Any) -> None:
        if set(values) != set(self.behaviors):
            raise ValueError(
                f"`{argument}` must have `behaviors` as its keys. Received: "
                f"{argument} of {sorted(values)}, "
                f"behaviors={self.behaviors}."
            )

    def call(self, events: Any, mask: Any = None) -> Any:
        flat = []
        for name in self.behaviors:
            x = events[name]
            width = x.shape[-2] * x.shape[-1]
            flat.append(ops.reshape(x, (-1, ops.shape(x)[1], width)))
        positions = self._positions(events, mask)
        if self.merge == "feature":
            return self._by_feature(flat, positions)
        return self._by_time(flat, positions)

    def _positions(self, events: Any, mask: Any) -> list[Any]:
        if mask is None:
            mask = dict.fromkeys(self.behaviors)
        self._check_behaviors("mask", mask)
        return [
            count_back(event_mask(events[name], mask[name]))
            for name in self.behaviors
        ]

    def compute_mask(self, events: Any, previous_mask: Any) -> Any:
        if keras.utils.is_keras_tensor(events[self.behaviors[0]]):
            # The mask itself is computed when the graph runs.
            mask = self.compute_output_spec(events)["mask"]
        else:
            positions = self._positions(events, previous_mask)
            if self.merge == "time":
                mask = ops.concatenate(positions, axis=1) > 0
            else:
                mask = _merged_positions(positions) > 0
        outputs = dict.fromkeys(("tokens", "mask", "positions", "recent"))
        return {**outputs, "tokens": mask}

    def _by_feature(self, events: list[Any], positions: list[Any]) -> Any:
        merged, position = events[0], positions[0]
        if len(events) > 1:
            slots = _slots(positions)
            parts = []
            for x, own in zip(events, positions, strict=True):
                # (batch, slots, events), one event at most per slot
                chosen = ops.expand_dims(own, 1) == slots
                weights = ops.cast(chosen, x.dtype)
                parts.append(ops.einsum("bst,btw->bsw", weights, x))
            merged = ops.concatenate(parts, axis=-1)
            position = _merged_positions(positions)
        mask = position > 0
        return {
            "tokens": self.mask_nets["merged"](merged, mask=mask),
            "mask": mask,
            "positions": position,
            "recent": self._recent(position, 0),
        }

    def _by_time(self, events: list[Any], positions: list[Any]) -> Any:
        tokens = [
            self.mask_nets[name](x, mask=position > 0)
            for name, x, position in zip(
                self.behaviors, events, positions, strict=True
            )
        ]
        recent = [self._recent(p, i) for i, p in enumerate(positions)]
        position = ops.concatenate(positions, axis=1)
        return {
            "tokens": ops.concatenate(tokens, axis=1),
            "mask": position > 0,
            "positions": position,
            "recent": ops.concatenate(recent, axis=1),
        }

    def _recent(self, positions: Any, behavior: int) -> Any:
        """Numbers the newest events of a behavior, oldest first."""
        count = self.num_recent_tokens
        taken = ops.logical_and(positions > 0, positions <= count)
        number = (behavior + 1) * count + 1 - positions
        return ops.cast(taken, "int32") * number

    def compute_output_spec(self, events: Any, mask: Any = None) -> Any:
        shapes = [events[name].shape for name in self.behaviors]
        batch, lengths = shapes[0][0], [shape[1] for shape in shapes]
        combine = max if self.merge == "feature" else sum
        length = None if None in lengths else combine(lengths)
        flat = (batch, length)
        return {
            "tokens": keras.KerasTensor((*flat, self.dim), self.compute_dtype),
            "mask": keras.KerasTensor(flat, "bool"),
            "positions": keras.KerasTensor(flat, "int32"),
            "recent": keras.KerasTensor(flat, "int32"),
        }


def _merged_positions(positions: list[Any]) -> Any:
    """Positions of merged tokens, 0 where no behavior has an event."""
    if len(positions) == 1:
        return positions[0]
    slots = _slots(positions)
    every = ops.concatenate(positions, axis=1)
    known = ops.any(ops.expand_dims(every, 1) == slots, axis=-1)
    return ops.cast(known, "int32") * slots[:, 0]


def _slots(positions: list[Any]) -> Any:
    """Positions of the longest behavior, oldest first, `(slots, 1)`."""
    longest = ops.shape(positions[0])[1]
    for other in positions[1:]:
        length = ops.shape(other)[1]
        if isinstance(longest, int) and isinstance(length, int):
            longest = max(longest, length)
        else:  # only known when TensorFlow runs the graph
            longest = ops.maximum(longest, length)
    return ops.expand_dims(ops.arange(longest, 0, -1, dtype="int32"), -1)
