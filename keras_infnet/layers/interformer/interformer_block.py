"""One block of InterFormer."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.interformer.cross_arch import CrossArch, known_with_cls
from keras_infnet.layers.interformer.interaction_arch import InteractionArch
from keras_infnet.layers.interformer.sequence_arch import SequenceArch
from keras_infnet.utils.argument_checks import check_choice, check_positive

__all__ = ["InterFormerBlock"]

# What the cross arch sums up, where each mode reads the other or not.
_SUMS = {"both": "both", "n2s": "tokens", "s2n": "sequence", "none": None}


@export("keras_infnet.layers.InterFormerBlock")
class InterFormerBlock(keras.layers.Layer):
    """Fields and events, each changed by itself and by a summary of the other.

    ```
    X_sum, S_sum = CrossArch(X, S)
    X' = InteractionArch(X, S_sum)
    S' = SequenceArch(S, X_sum)
    ```

    where the stream `S` is the CLS tokens followed by the events. Each part is
    a layer of its name. With `exchange="n2s"` the events read the fields but
    not the reverse, with `"s2n"` the fields read the events only, and with
    `"none"` neither does; summaries that nobody reads are not built.

    Masking: padding is never read, and is zero in the result.

    Args:
        num_heads: integer. Heads of every attention. Defaults to `4`.
        num_summary_tokens: integer. Tokens of `X_sum`. Defaults to `4`.
        num_pma_tokens: integer. Learned queries on the stream. Defaults to
            `2`.
        num_recent_tokens: integer. Newest events in `S_sum`, all behaviours
            together. Defaults to `2`.
        interaction: `"dot"`, `"dcnv2"` or `"dhen"`, see `InteractionArch`.
            Defaults to `"dhen"`.
        num_interaction_layers: integer. Defaults to `1`.
        cross_rank: integer. Rank of the crosses. Defaults to `32`.
        pffn: `"lowrank"`, `"hyper"` or `"twolayer"`, see `PersonalizedFFN`.
            Defaults to `"hyper"`.
        pffn_hidden_dim: integer or `None`. Inner width of `"twolayer"`.
            Defaults to `None`.
        gate: `"self"` or `"paper"`, see `SelfGate`. Defaults to `"self"`.
        gate_activation: string or callable. Used by `gate="paper"`. Defaults
            to `"sigmoid"`.
        residual: boolean. Whether both archs have residuals and norms.
            Defaults to `True`.
        exchange: `"both"`, `"n2s"`, `"s2n"` or `"none"`. Defaults to
            `"both"`.
        activation: string or callable. Activation of the hidden layers.
            Defaults to `"silu"`.
        dropout: float in `[0, 1)`. Rate behind the attention of the stream.
            Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        state: dict. `"tokens"`, the fields, `(batch, tokens, dim)`;
            `"events"`, `(batch, events, dim)`; `"valid"`, booleans,
            `(batch, events)`; `"positions"` and `"recent"`, integers, see
            `EventStream`. `"cls"`, the CLS tokens, `(batch, num_cls, dim)`:
            without them the summary of the fields stands in, as in the first
            block. `"summary"`, with `"s2n"` and `"none"` only: what the
            events read in place of the fields, of the shape of `X_sum`.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with new `"tokens"`, `"events"` and `"cls"`.

    Raises:
        ValueError: If a size is not a positive integer or does not fit, a
            choice is not known, or `"summary"` is missing or of no use.

    Example:

    >>> import numpy as np
    >>> state = {
    ...     "tokens": np.ones((2, 3, 8), "float32"),
    ...     "events": np.ones((2, 5, 8), "float32"),
    ...     "valid": np.ones((2, 5), bool),
    ...     "positions": np.array([[5, 4, 3, 2, 1]] * 2),
    ...     "recent": np.array([[0, 0, 0, 1, 2]] * 2),
    ... }
    >>> block = InterFormerBlock(num_heads=2, cross_rank=4)
    >>> {name: tuple(x.shape) for name, x in sorted(block(state).items())}
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
        check_choice("exchange", exchange, tuple(_SUMS))
        check_positive(
            num_summary_tokens=num_summary_tokens,
            num_pma_tokens=num_pma_tokens,
            num_recent_tokens=num_recent_tokens,
        )
        self.num_heads = num_heads
        self.num_summary_tokens = num_summary_tokens
        self.num_pma_tokens = num_pma_tokens
        self.num_recent_tokens = num_recent_tokens
        self.interaction = interaction
        self.num_interaction_layers = num_interaction_layers
        self.cross_rank = cross_rank
        self.pffn = pffn
        self.pffn_hidden_dim = pffn_hidden_dim
        self.gate = gate
        self.gate_activation = keras.activations.get(gate_activation)
        self.residual = residual
        self.exchange = exchange
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self._make_archs()

    def _make_archs(self) -> None:
        """Makes the parts, which check the arguments."""
        self.cross_arch = None
        summarize = _SUMS[self.exchange]
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

    def build(self, state_shape: Any) -> None:
        shapes = dict(state_shape)
        given = "summary" in shapes
        if given == (self.exchange in ("both", "n2s")):
            raise ValueError(
                "the events read `summary` with exchange='s2n' and 'none', "
                "and the fields otherwise. Received: "
                f"exchange={self.exchange!r}, "
                f"a state {'with' if given else 'without'} `summary`."
            )
        tokens, events = shapes["tokens"], shapes["events"]
        batch, _, dim = events
        summary = shapes.get("summary", (batch, self.num_summary_tokens, dim))
        cls = shapes.get("cls", summary)
        seen = None
        if self.cross_arch is not None:
            self.cross_arch.build(
                tokens, events, shapes["valid"], shapes["recent"], cls
            )
            if self.cross_arch.summarize != "tokens":
                extra = self.num_pma_tokens + self.num_recent_tokens
                seen = (batch, cls[1] + extra, dim)
        self.interaction_arch.build(tokens, seen)
        flat = (batch, None)
        self.sequence_arch.build((batch, None, dim), summary, flat, flat)
        self.built = True

    def call(self, state: Any, training: bool | None = None) -> Any:
        tokens, events, valid = (
            state[name] for name in ("tokens", "events", "valid")
        )
        summary, seen = state.get("summary"), None
        cls = state.get("cls", summary)
        if self.cross_arch is not None:
            sums = self.cross_arch(tokens, events, valid, state["recent"], cls)
            summary = sums.get("tokens", summary)
            seen = sums.get("sequence")
        cls = summary if cls is None else cls
        _, count, dim = cls.shape
        nowhere = ops.zeros_like(cls[..., 0], dtype="int32")
        positions = ops.cast(state["positions"], "int32")
        stream = self.sequence_arch(
            ops.concatenate([cls, events], axis=1),
            summary,
            known_with_cls(cls, valid),
            ops.concatenate([nowhere, positions], axis=1),
            training=training,
        )
        return {
            "tokens": self.interaction_arch(tokens, seen),
            "events": stream[:, count:],
            # TensorFlow forgets how many they are where the length is unknown.
            "cls": ops.reshape(stream[:, :count], (-1, count, dim)),
        }

    def compute_output_shape(self, state_shape: Any) -> Any:
        events = state_shape["events"]
        cls = (events[0], self.num_summary_tokens, events[2])
        return {
            "tokens": state_shape["tokens"],
            "events": events,
            "cls": state_shape.get("cls", state_shape.get("summary", cls)),
        }

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            num_heads=self.num_heads,
            num_summary_tokens=self.num_summary_tokens,
            num_pma_tokens=self.num_pma_tokens,
            num_recent_tokens=self.num_recent_tokens,
            interaction=self.interaction,
            num_interaction_layers=self.num_interaction_layers,
            cross_rank=self.cross_rank,
            pffn=self.pffn,
            pffn_hidden_dim=self.pffn_hidden_dim,
            gate=self.gate,
            gate_activation=keras.activations.serialize(self.gate_activation),
            residual=self.residual,
            exchange=self.exchange,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config
