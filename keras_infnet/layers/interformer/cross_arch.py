"""Cross arch of InterFormer: summaries of fields and of events."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.rotary_attention import RotaryAttention
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.embedding.learned_tokens import LearnedTokens
from keras_infnet.layers.interformer.self_gate import SelfGate
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import count_back
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["CrossArch", "mask_with_cls"]


@export("keras_infnet.layers.CrossArch")
class CrossArch(BaseLayer):
    """Summarizes the fields for the events, and the events for the fields.

    With the fields `X` and the stream `S = [cls ; events]`:

    ```
    X_sum = Gate(W^T X)
    S_sum = Gate([cls ; MHA(Q, S) ; recent])
    ```

    `W` maps the axis of tokens, `Q` are learned queries, and `recent` are the
    newest events, or zeros in a row with fewer events. Each summary has its
    own `keras_infnet.layers.SelfGate`.

    Masking: padding is not attended to. The summaries have no mask.

    Args:
        num_summary_tokens: integer. Number of tokens of `X_sum`. Defaults to
            `4`.
        num_pma_tokens: integer. Number of learned queries. Defaults to `2`.
        num_recent_tokens: integer. Number of newest events in `S_sum`, over
            all behaviors. Defaults to `2`.
        num_heads: integer. Number of attention heads. Defaults to `4`.
        summarize: `"both"`, `"tokens"` for `X_sum` alone or `"sequence"` for
            `S_sum` alone. Defaults to `"both"`.
        gate: `"self"` or `"paper"`, see `SelfGate`. Defaults to `"self"`.
        gate_activation: string or callable. See `SelfGate`. Defaults to
            `"sigmoid"`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`, the fields.
        events: tensor of shape `(batch, events, dim)`.
        events_mask: boolean tensor of shape `(batch, events)`. Optional.
        recent: integer tensor of shape `(batch, events)`. Number of an event
            among the `num_recent_tokens`, from 1; 0 for all others. `None`
            takes the last valid events. Defaults to `None`.
        cls: tensor of shape `(batch, num_cls, dim)`. `None` uses `X_sum`, as
            in the first block. Defaults to `None`.

    Returns:
        Dict: `"tokens"`, `X_sum` of shape `(batch, num_summary_tokens, dim)`;
        and `"sequence"`, `S_sum` of shape
        `(batch, num_cls + num_pma_tokens + num_recent_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, a choice is
            unknown, or `cls` is missing if there is no `X_sum`.

    Example:

    >>> import numpy as np
    >>> fields, events = np.ones((2, 3, 8)), np.ones((2, 5, 8))
    >>> summaries = CrossArch()(fields, events)
    >>> tuple(summaries["tokens"].shape), tuple(summaries["sequence"].shape)
    ((2, 4, 8), (2, 8, 8))

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), equations 10 and 11
    """

    def __init__(
        self,
        num_summary_tokens: int = 4,
        num_pma_tokens: int = 2,
        num_recent_tokens: int = 2,
        num_heads: int = 4,
        summarize: str = "both",
        gate: str = "self",
        gate_activation: Any = "sigmoid",
        activation: Any = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("summarize", summarize, ("both", "tokens", "sequence"))
        check_choice("gate", gate, ("self", "paper"))

    def build(
        self, tokens_shape: Any, events_shape: Any, cls_shape: Any = None
    ) -> None:
        dim = events_shape[-1]
        if self.summarize != "sequence":
            self.kernel = self._weight(
                "kernel", tokens_shape[1], self.num_summary_tokens
            )
            self.token_gate = self._gate("token_gate", dim)
        elif cls_shape is None:
            raise ValueError(
                "`cls` must be given if the fields are not summarized. "
                "Received: summarize='sequence', cls=None."
            )
        if self.summarize != "tokens":
            stream = (None, None, dim)
            self.queries = self._part(
                LearnedTokens,
                "queries",
                stream,
                num_tokens=self.num_pma_tokens,
                dim=dim,
            )
            self.attention = self._part(
                RotaryAttention,
                "attention",
                (None, self.num_pma_tokens, dim),
                stream,
                num_heads=self.num_heads,
            )
            self.sequence_gate = self._gate("sequence_gate", dim)

    def _gate(self, name: str, dim: int) -> SelfGate:
        return self._part(
            SelfGate,
            name,
            (None, None, dim),
            gate=self.gate,
            gate_activation=self.gate_activation,
            activation=self.activation,
        )

    def call(
        self,
        tokens: Any,
        events: Any,
        events_mask: Any = None,
        recent: Any = None,
        cls: Any = None,
    ) -> Any:
        summaries = {}
        if self.summarize != "sequence":
            mixed = ops.einsum("btd,ts->bsd", tokens, self.kernel)
            summaries["tokens"] = self.token_gate(mixed)
        if self.summarize != "tokens":
            cls = summaries["tokens"] if cls is None else cls
            mask = event_mask(events, events_mask)
            summaries["sequence"] = self._summary(cls, events, mask, recent)
        return summaries

    def _summary(self, cls: Any, events: Any, mask: Any, recent: Any) -> Any:
        if recent is None:
            back = count_back(mask)
            recent = ops.where(
                ops.logical_and(back > 0, back <= self.num_recent_tokens),
                self.num_recent_tokens + 1 - back,
                0,
            )
        stream = ops.concatenate([cls, events], axis=1)
        read = self.attention(
            self.queries(stream), stream, mask_with_cls(cls, mask)
        )
        numbers = ops.arange(1, self.num_recent_tokens + 1, dtype="int32")
        chosen = ops.logical_and(
            ops.expand_dims(ops.cast(recent, "int32"), 1)
            == ops.expand_dims(numbers, -1),
            ops.expand_dims(mask, 1),
        )  # (batch, recent, events), one event at most per number
        newest = ops.matmul(ops.cast(chosen, events.dtype), events)
        gated = self.sequence_gate(ops.concatenate([cls, read, newest], axis=1))
        if self.gate == "self":
            return gated  # zero without an event
        exists = ops.cast(ops.any(chosen, -1, keepdims=True), gated.dtype)
        others = ops.ones_like(gated[:, : -self.num_recent_tokens, :1])
        return gated * ops.concatenate([others, exists], axis=1)

    def compute_output_shape(
        self, tokens_shape: Any, events_shape: Any, cls_shape: Any = None
    ) -> Any:
        batch, _, dim = events_shape
        shapes, count = {}, self.num_summary_tokens
        if self.summarize != "sequence":
            shapes["tokens"] = (batch, count, dim)
        if self.summarize != "tokens":
            count = count if cls_shape is None else cls_shape[1]
            count += self.num_pma_tokens + self.num_recent_tokens
            shapes["sequence"] = (batch, count, dim)
        return shapes

    def compute_mask(self, tokens: Any, previous_mask: Any) -> Any:
        return None


def mask_with_cls(cls: Any, mask: Any) -> Any:
    """The mask of the CLS tokens, all valid, followed by that of events."""
    valid = ops.ones_like(cls[..., 0], dtype="bool")
    return ops.concatenate([valid, ops.cast(mask, "bool")], axis=1)
