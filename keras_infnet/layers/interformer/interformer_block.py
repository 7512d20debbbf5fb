"""Block of InterFormer."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.interformer.cross_arch import CrossArch, mask_with_cls
from keras_infnet.layers.interformer.interaction_arch import InteractionArch
from keras_infnet.layers.interformer.sequence_arch import SequenceArch
from keras_infnet.layers.masking import event_mask
from keras_infnet.layers.sequence.positions import count_back
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["InterFormerBlock"]

# What the cross arch must summarize for each `exchange`.
_SUMMARIES = {"both": "both", "n2s": "tokens", "s2n": "sequence", "none": None}


@export("keras_infnet.layers.InterFormerBlock")
class InterFormerBlock(BaseLayer):
    """Block that updates fields and events, each from a summary of the other.

    ```
    X_sum, S_sum = CrossArch(X, S)
    X' = InteractionArch(X, S_sum)
    S' = SequenceArch(S, X_sum)
    ```

    where the stream `S` is the CLS tokens followed by the events. Each arch is
    the layer of that name. With `exchange="n2s"` only the events read the
    other summary, with `"s2n"` only the fields, and with `"none"` neither;
    summaries that are not read are not built.

    Masking: padding is not attended to, and is zero in the output. The mask is
    passed on to the new events.

    Args:
        num_heads: integer. Number of heads of every attention. Defaults to
            `4`.
        num_summary_tokens: integer. Number of tokens of `X_sum`. Defaults to
            `4`.
        num_pma_tokens: integer. Number of learned queries on the stream.
            Defaults to `2`.
        num_recent_tokens: integer. Number of newest events in `S_sum`, over
            all behaviors. Defaults to `2`.
        interaction: `"dot"`, `"dcnv2"` or `"dhen"`, see `InteractionArch`.
            Defaults to `"dhen"`.
        num_interaction_layers: integer. See `num_layers` of `InteractionArch`.
            Defaults to `1`.
        cross_rank: integer. Rank of the crosses. Defaults to `32`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`, see `PersonalizedFFN`.
            Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`.
            Defaults to `None`.
        gate: `"self"` or `"paper"`, see `SelfGate`. Defaults to `"self"`.
        gate_activation: string or callable. Used by `gate="paper"`. Defaults
            to `"sigmoid"`.
        residual: boolean. Whether both archs have residuals and normalization.
            Defaults to `True`.
        exchange: `"both"`, `"n2s"`, `"s2n"` or `"none"`. Defaults to
            `"both"`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate after the attention of the stream.
            Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        events: tensor of shape `(batch, events, dim)`.
        tokens: tensor of shape `(batch, tokens, dim)`, the fields.
        events_mask: boolean tensor of shape `(batch, events)`. Optional.
        positions: integer tensor of shape `(batch, events)`, see
            `EventStream`. `None` counts the valid events back from the last,
            which has position 1. Defaults to `None`.
        recent: integer tensor of shape `(batch, events)`, see `CrossArch`.
            `None` takes the last valid events. Defaults to `None`.
        cls: tensor of shape `(batch, num_cls, dim)`, the CLS tokens. `None`
            uses the summary of the fields, as in the first block. Defaults to
            `None`.
        summary: tensor of the shape of `X_sum`. Required with `"s2n"` and
            `"none"`, where the events read it instead of the fields.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with new `"tokens"`, `"events"` and `"cls"`.

    Raises:
        ValueError: If a size is not a positive integer or does not fit, a
            choice is unknown, or `summary` is missing or unused.

    Example:

    >>> import numpy as np
    >>> events = np.ones((2, 5, 8), "float32")
    >>> fields = np.ones((2, 3, 8), "float32")
    >>> block = InterFormerBlock(num_heads=2, cross_rank=4)
    >>> changed = block(events, fields)
    >>> {name: tuple(x.shape) for name, x in sorted(changed.items())}
    {'cls': (2, 4, 8), 'events': (2, 5, 8), 'tokens': (2, 3, 8)}

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), algorithm 1
    """

    def __init__(
        self,
        num_heads: int = 4,
        num_summary_tokens: int = 4,
        num_pma_tokens: int = 2,
        num_recent_tokens: int = 2,
        interaction: str = "dhen",
        num_interaction_layers: int = 1,
        cross_rank: int = 32,
        pffn: str = "hyper",
        pffn_hidden_dim: int | None = None,
        gate: str = "self",
        gate_activation: Any = "sigmoid",
        residual: bool = True,
        exchange: str = "both",
        activation: Any = "silu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("exchange", exchange, tuple(_SUMMARIES))
        # The archs check the other arguments.
        self.cross_arch = None
        summarize = _SUMMARIES[self.exchange]
        if summarize is not None:
            self.cross_arch = CrossArch(
                self.num_summary_tokens,
                self.num_pma_tokens,
                self.num_recent_tokens,
                num_heads=self.num_heads,
                summarize=summarize,
                gate=self.gate,
                gate_activation=self.gate_activation,
                activation=self.activation,
                dtype=self.dtype_policy,
                name="cross_arch",
            )
        self.interaction_arch = InteractionArch(
            self.interaction,
            self.num_interaction_layers,
            self.cross_rank,
            self.residual,
            dtype=self.dtype_policy,
            name="interaction_arch",
        )
        self.sequence_arch = SequenceArch(
            self.num_heads,
            self.pffn,
            self.pffn_hidden_dim,
            self.residual,
            self.activation,
            self.dropout,
            dtype=self.dtype_policy,
            name="sequence_arch",
        )

    def build(
        self,
        events_shape: Any,
        tokens_shape: Any,
        cls_shape: Any = None,
        summary_shape: Any = None,
    ) -> None:
        missing = summary_shape is None
        if missing != (self.exchange in ("both", "n2s")):
            raise ValueError(
                "`summary` must be given with exchange='s2n' and 'none' only, "
                "where the events read it instead of the fields. Received: "
                f"exchange={self.exchange!r}, and summary is "
                f"{'missing' if missing else 'given'}."
            )
        batch, _, dim = events_shape
        summary = summary_shape or (batch, self.num_summary_tokens, dim)
        cls = cls_shape or summary
        of_events = None
        if self.cross_arch is not None:
            self.cross_arch.build(tokens_shape, events_shape, cls)
            if self.cross_arch.summarize != "tokens":
                extra = self.num_pma_tokens + self.num_recent_tokens
                of_events = (batch, cls[1] + extra, dim)
        self.interaction_arch.build(tokens_shape, of_events)
        self.sequence_arch.build((batch, None, dim), summary)

    def call(
        self,
        events: Any,
        tokens: Any,
        events_mask: Any = None,
        positions: Any = None,
        recent: Any = None,
        cls: Any = None,
        summary: Any = None,
        training: bool | None = None,
    ) -> Any:
        mask, of_events = event_mask(events, events_mask), None
        if positions is None:
            positions = count_back(mask)
        cls = summary if cls is None else cls
        if self.cross_arch is not None:
            summaries = self.cross_arch(tokens, events, mask, recent, cls)
            summary = summaries.get("tokens", summary)
            of_events = summaries.get("sequence")
        cls = summary if cls is None else cls
        _, count, dim = cls.shape
        cls_positions = ops.zeros_like(cls[..., 0], dtype="int32")
        positions = ops.cast(positions, "int32")
        stream = self.sequence_arch(
            ops.concatenate([cls, events], axis=1),
            summary,
            mask_with_cls(cls, mask),
            ops.concatenate([cls_positions, positions], axis=1),
            training=training,
        )
        return {
            "tokens": self.interaction_arch(tokens, of_events),
            "events": stream[:, count:],
            # TensorFlow loses their number if the length is unknown.
            "cls": ops.reshape(stream[:, :count], (-1, count, dim)),
        }

    def compute_output_shape(
        self,
        events_shape: Any,
        tokens_shape: Any,
        cls_shape: Any = None,
        summary_shape: Any = None,
    ) -> Any:
        batch, _, dim = events_shape
        cls = cls_shape or summary_shape
        return {
            "tokens": tokens_shape,
            "events": events_shape,
            "cls": cls or (batch, self.num_summary_tokens, dim),
        }

    def compute_mask(self, events: Any, previous_mask: Any) -> Any:
        return {"tokens": None, "events": previous_mask, "cls": None}
