"""Every token reads every token: the quadratic comparison to hubs."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.dense.token_normalization import TokenNormalization
from keras_infnet.layers.infnet.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.infnet.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.infnet.token_groups import GROUPS, check_groups
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["AllToAllBlock"]


@export("keras_infnet.layers.AllToAllBlock")
class AllToAllBlock(keras.layers.Layer):
    """Self-attention over the tokens of all groups, without hubs.

    ```
    X  = [C ; S ; T]
    X^ = norm(X + softmax((X W_Q)(X W_K)^T / sqrt(d_k)) (X W_V))
    X_g' = unit(X^_g, mean(X^_g))
    ```

    `norm` and `unit` are those of the variant that the block stands in for:
    `"hub"` normalises and uses `BroadcastGatedUnit`, `"proxy"` does not
    normalise and uses `ProxyGatedUnit`. Time and memory grow with the square
    of the number of tokens; the block exists to measure what hubs save.

    Masking: padding is not read, and stays zero.

    Args:
        variant: `"hub"` or `"proxy"`. Defaults to `"hub"`.
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose tokens are updated. Defaults to all three.
        broadcasts: sequence of groups that pass through a unit; they must be
            among `updates`. Defaults to all three.
        num_heads: integer. Heads of the attention. Defaults to `1`.
        expansion: integer. Width of the hidden layers, in tokens. Defaults to
            `4`.
        activation: string or callable. Activation of the hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind the hidden layers. Defaults to
            `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        state: dict. Tokens of the groups that exist, under `"categorical"`,
            `"sequence"` and `"task"`, each of shape `(batch, tokens, dim)`,
            and with a sequence `"sequence_mask"`.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with the groups that changed.

    Raises:
        ValueError: If an argument is not known, or a size is not a positive
            integer.

    Example:

    >>> import numpy as np
    >>> token = np.ones((2, 3, 8), "float32")
    >>> block = AllToAllBlock(updates=["task"], broadcasts=["task"])
    >>> sorted(block({"categorical": token, "task": token}))
    ['task']

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), ablation "without hubs"
    """

    def __init__(
        self,
        variant: str = "hub",
        updates: Sequence[str] = GROUPS,
        broadcasts: Sequence[str] = GROUPS,
        num_heads: int = 1,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if variant not in ("hub", "proxy"):
            raise ValueError(
                f"`variant` must be 'hub' or 'proxy'. Received: {variant!r}."
            )
        check_groups(updates, broadcasts)
        check_positive(num_heads=num_heads, expansion=expansion)
        self.variant = variant
        self.updates = tuple(updates)
        self.broadcasts = tuple(broadcasts)
        self.num_heads = num_heads
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout

    def build(self, state_shape: Any) -> None:
        shapes = dict(state_shape)
        self.sources = [group for group in GROUPS if group in shapes]
        dim = shapes[self.sources[0]][-1]
        self.attention = CrossAttention(
            dim,
            num_heads=self.num_heads,
            fold=False,
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build((None, None, dim), (None, None, dim))
        self.normalizations, self.units = {}, {}
        for group in self.updates:
            if self.variant == "hub":
                norm = TokenNormalization(
                    dtype=self.dtype_policy, name=f"{group}_normalization"
                )
                norm.build(shapes[group])
                self.normalizations[group] = norm
            if group in self.broadcasts:
                unit = self._unit(group)
                unit.build(shapes[group], (None, 1, dim))
                self.units[group] = unit
        self.built = True

    def _unit(self, group: str) -> Any:
        units = {"hub": BroadcastGatedUnit, "proxy": ProxyGatedUnit}
        return units[self.variant](
            expansion=self.expansion,
            activation=self.activation,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name=f"{group}_unit",
        )

    def call(self, state: Any, training: bool | None = None) -> Any:
        masks = {"sequence": state.get("sequence_mask")}
        tokens = ops.concatenate([state[g] for g in self.sources], axis=1)
        mask = None
        if masks["sequence"] is not None:
            mask = ops.concatenate(
                [
                    ops.cast(masks["sequence"], "bool")
                    if group == "sequence"
                    else ops.ones_like(state[group][..., 0], dtype="bool")
                    for group in self.sources
                ],
                axis=1,
            )
        changed = {}
        for group in self.updates:
            part = state[group] + self.attention(state[group], tokens, mask)
            part_mask = masks.get(group)
            if self.variant == "hub":
                part = self.normalizations[group](part, part_mask)
            elif part_mask is not None:
                part = part * ops.cast(
                    ops.expand_dims(part_mask, -1), part.dtype
                )
            if group in self.broadcasts:
                pooled = _masked_mean(part, part_mask)
                options = {}
                if self.variant == "hub":
                    options["valid"] = part_mask
                part = self.units[group](
                    part, pooled, training=training, **options
                )
            changed[group] = part
        return changed

    def compute_output_shape(self, state_shape: Any) -> Any:
        return {group: state_shape[group] for group in self.updates}

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            variant=self.variant,
            updates=self.updates,
            broadcasts=self.broadcasts,
            num_heads=self.num_heads,
            expansion=self.expansion,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
        )
        return config


def _masked_mean(tokens: Any, mask: Any) -> Any:
    if mask is None:
        return ops.mean(tokens, axis=1, keepdims=True)
    weights = ops.cast(ops.expand_dims(mask, -1), "float32")
    total = ops.sum(
        ops.cast(tokens, "float32") * weights, axis=1, keepdims=True
    )
    count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    return ops.cast(total / count, tokens.dtype)
