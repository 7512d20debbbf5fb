"""Short summaries of both modes of InterFormer."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.rotary_attention import RotaryAttention
from keras_infnet.layers.embedding.learned_tokens import LearnedTokens
from keras_infnet.layers.interformer.self_gate import SelfGate
from keras_infnet.utils.argument_checks import check_choice, check_positive

__all__ = ["CrossArch", "known_with_cls"]


@export("keras_infnet.layers.CrossArch")
class CrossArch(keras.layers.Layer):
    """Sums up the fields for the events, and the events for the fields.

    With the fields `X` and the stream `S = [cls ; events]`:

    ```
    X_sum = Gate(W^T X)
    S_sum = Gate([cls ; MHA(Q, S) ; recent])
    ```

    `W` maps the axis of tokens, `Q` are learned queries, and `recent` are the
    newest events; one that does not exist is zero. `Gate` is
    `keras_infnet.layers.SelfGate`, one for each of the two.

    Masking: padding is never read.

    Args:
        num_summary_tokens: integer. Tokens of `X_sum`. Defaults to `4`.
        num_pma_tokens: integer. Learned queries. Defaults to `2`.
        num_recent_tokens: integer. Newest events in `S_sum`, all behaviours
            together. Defaults to `2`.
        num_heads: integer. Heads of the attention. Defaults to `4`.
        summarize: `"both"`, `"tokens"` for `X_sum` alone or `"sequence"` for
            `S_sum` alone. Defaults to `"both"`.
        gate: `"self"` or `"paper"`, see `SelfGate`. Defaults to `"self"`.
        gate_activation: string or callable. See `SelfGate`. Defaults to
            `"sigmoid"`.
        activation: string or callable. Activation of the hidden layers.
            Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`, the fields.
        events: tensor of shape `(batch, events, dim)`.
        valid: boolean tensor of shape `(batch, events)`.
        recent: integer tensor of shape `(batch, events)`. The place of an
            event among the `num_recent_tokens`, from 1; 0 for all others.
        cls: tensor of shape `(batch, num_cls, dim)`. Without it `X_sum`
            stands in, as in the first block. Optional.

    Returns:
        Dict: `"tokens"`, `X_sum` of shape `(batch, num_summary_tokens, dim)`;
        and `"sequence"`, `S_sum` of shape
        `(batch, num_cls + num_pma_tokens + num_recent_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, a choice is not
            known, or `cls` is missing where there is no `X_sum`.

    Example:

    >>> import numpy as np
    >>> fields, events = np.ones((2, 3, 8)), np.ones((2, 5, 8))
    >>> valid, recent = np.ones((2, 5), bool), np.array([[0, 0, 0, 1, 2]] * 2)
    >>> sums = CrossArch()(fields, events, valid, recent)
    >>> tuple(sums["tokens"].shape), tuple(sums["sequence"].shape)
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
        check_positive(
            num_summary_tokens=num_summary_tokens,
            num_pma_tokens=num_pma_tokens,
            num_recent_tokens=num_recent_tokens,
            num_heads=num_heads,
        )
        check_choice("summarize", summarize, ("both", "tokens", "sequence"))
        check_choice("gate", gate, ("self", "paper"))
        self.num_summary_tokens = num_summary_tokens
        self.num_pma_tokens = num_pma_tokens
        self.num_recent_tokens = num_recent_tokens
        self.num_heads = num_heads
        self.summarize = summarize
        self.gate = gate
        self.gate_activation = keras.activations.get(gate_activation)
        self.activation = keras.activations.get(activation)

    def build(
        self,
        tokens_shape: Any,
        events_shape: Any,
        valid_shape: Any,
        recent_shape: Any,
        cls_shape: Any = None,
    ) -> None:
        dim = events_shape[-1]
        if self.summarize != "sequence":
            self.kernel = self.add_weight(
                name="kernel",
                shape=(tokens_shape[1], self.num_summary_tokens),
                initializer="glorot_uniform",
            )
            self.token_gate = self._gate("token_gate", dim)
        elif cls_shape is None:
            raise ValueError(
                "`cls` must be given where the fields are not summed up. "
                "Received: summarize='sequence', cls=None."
            )
        if self.summarize != "tokens":
            stream = (None, None, dim)
            self.queries = LearnedTokens(
                self.num_pma_tokens,
                dim,
                dtype=self.dtype_policy,
                name="queries",
            )
            self.queries.build(stream)
            self.attention = RotaryAttention(
                self.num_heads, dtype=self.dtype_policy, name="attention"
            )
            self.attention.build((None, self.num_pma_tokens, dim), stream)
            self.sequence_gate = self._gate("sequence_gate", dim)
        self.built = True

    def _gate(self, name: str, dim: int) -> SelfGate:
        gate = SelfGate(
            self.gate,
            self.gate_activation,
            self.activation,
            dtype=self.dtype_policy,
            name=name,
        )
        gate.build((None, None, dim))
        return gate

    def call(
        self, tokens: Any, events: Any, valid: Any, recent: Any, cls: Any = None
    ) -> Any:
        sums = {}
        if self.summarize != "sequence":
            mixed = ops.einsum("btd,ts->bsd", tokens, self.kernel)
            sums["tokens"] = self.token_gate(mixed)
        if self.summarize != "tokens":
            cls = sums["tokens"] if cls is None else cls
            sums["sequence"] = self._sum_up(cls, events, valid, recent)
        return sums

    def _sum_up(self, cls: Any, events: Any, valid: Any, recent: Any) -> Any:
        stream = ops.concatenate([cls, events], axis=1)
        read = self.attention(
            self.queries(stream), stream, known_with_cls(cls, valid)
        )
        places = ops.arange(1, self.num_recent_tokens + 1, dtype="int32")
        chosen = ops.logical_and(
            ops.expand_dims(ops.cast(recent, "int32"), 1)
            == ops.expand_dims(places, -1),
            ops.expand_dims(valid, 1),
        )  # (batch, recent, events): a one, at most, a place
        newest = ops.matmul(ops.cast(chosen, events.dtype), events)
        gated = self.sequence_gate(ops.concatenate([cls, read, newest], axis=1))
        if self.gate == "self":
            return gated  # zero where no event is
        there = ops.cast(ops.any(chosen, -1, keepdims=True), gated.dtype)
        others = ops.ones_like(gated[:, : -self.num_recent_tokens, :1])
        return gated * ops.concatenate([others, there], axis=1)

    def compute_output_shape(
        self,
        tokens_shape: Any,
        events_shape: Any,
        valid_shape: Any,
        recent_shape: Any,
        cls_shape: Any = None,
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

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            num_summary_tokens=self.num_summary_tokens,
            num_pma_tokens=self.num_pma_tokens,
            num_recent_tokens=self.num_recent_tokens,
            num_heads=self.num_heads,
            summarize=self.summarize,
            gate=self.gate,
            gate_activation=keras.activations.serialize(self.gate_activation),
            activation=keras.activations.serialize(self.activation),
        )
        return config


def known_with_cls(cls: Any, valid: Any) -> Any:
    """The mask of events with the CLS tokens in front, which always count."""
    known = ops.ones_like(cls[..., 0], dtype="bool")
    return ops.concatenate([known, ops.cast(valid, "bool")], axis=1)
