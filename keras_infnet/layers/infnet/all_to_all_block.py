"""Every token reads every token: the quadratic comparison to hubs."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.dense.token_normalization import TokenNormalization
from keras_infnet.layers.infnet.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.infnet.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.infnet.token_groups import (
    GROUPS,
    TokenGroupBlock,
    given,
)
from keras_infnet.layers.masking import event_mask, zero_padding
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["AllToAllBlock"]


@export("keras_infnet.layers.AllToAllBlock")
class AllToAllBlock(TokenGroupBlock):
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
        expansion: integer. Width of hidden layers in tokens. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, behind hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence, categorical, task: tensors of shape `(batch, tokens, dim)`,
            the tokens of the groups that exist.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
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
    >>> sorted(block(categorical=token, task=token))
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
        super().__init__(
            updates,
            broadcasts,
            num_heads,
            expansion,
            activation,
            dropout,
            **kwargs,
        )
        check_choice("variant", variant, ("hub", "proxy"))
        self.variant = variant

    def build(
        self,
        sequence_shape: Any = None,
        categorical_shape: Any = None,
        task_shape: Any = None,
    ) -> None:
        shapes = given(
            categorical=categorical_shape,
            sequence=sequence_shape,
            task=task_shape,
        )
        self.sources, dim = self._checked(shapes)
        self.attention = self._part(
            CrossAttention,
            "attention",
            (None, None, dim),
            (None, None, dim),
            dim=dim,
            num_heads=self.num_heads,
            fold=False,
        )
        units = {"hub": BroadcastGatedUnit, "proxy": ProxyGatedUnit}
        self.normalizations, self.units = {}, {}
        for group in self.updates:
            if self.variant == "hub":
                self.normalizations[group] = self._part(
                    TokenNormalization, f"{group}_normalization", shapes[group]
                )
            if group in self.broadcasts:
                self.units[group] = self._unit(
                    units[self.variant], group, shapes, (None, 1, dim)
                )

    def call(
        self,
        sequence: Any = None,
        categorical: Any = None,
        task: Any = None,
        sequence_mask: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        tokens = {
            "categorical": categorical,
            "sequence": sequence,
            "task": task,
        }
        # Keras gives `mask` where the sequence comes alone.
        masks = {"sequence": mask if sequence_mask is None else sequence_mask}
        source = ops.concatenate([tokens[g] for g in self.sources], axis=1)
        source_mask = None
        if masks["sequence"] is not None:
            source_mask = ops.concatenate(
                [event_mask(tokens[g], masks.get(g)) for g in self.sources],
                axis=1,
            )
        changed = {}
        for group in self.updates:
            part_mask = masks.get(group)
            read = self.attention(
                tokens[group], source, source_mask=source_mask
            )
            part = tokens[group] + read
            if self.variant == "hub":
                part = self.normalizations[group](part, mask=part_mask)
            else:
                part = zero_padding(part, part_mask)
            if group in self.broadcasts:
                pooled = _masked_mean(part, part_mask)
                options = {}
                if self.variant == "hub":
                    options["tokens_mask"] = part_mask
                part = self.units[group](
                    part, pooled, training=training, **options
                )
            changed[group] = part
        return changed

    def _changed(self) -> list[str]:
        return list(self.updates)


def _masked_mean(tokens: Any, mask: Any) -> Any:
    if mask is None:
        return ops.mean(tokens, axis=1, keepdims=True)
    weights = ops.cast(ops.expand_dims(mask, -1), "float32")
    total = ops.sum(
        ops.cast(tokens, "float32") * weights, axis=1, keepdims=True
    )
    count = ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1.0)
    return ops.cast(total / count, tokens.dtype)
