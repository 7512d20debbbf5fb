"""Self-attention over all tokens, the quadratic alternative to hubs."""

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

    `norm` and `unit` are those of the block that this one replaces: `"hub"`
    normalizes and uses `BroadcastGatedUnit`, `"proxy"` does not normalize and
    uses `ProxyGatedUnit`. Time and memory grow with the square of the number
    of tokens; the block exists to measure what hubs save.

    Masking: padding is not attended to, and stays zero.

    Args:
        variant: `"hub"` or `"proxy"`. Defaults to `"hub"`.
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose tokens are updated. Defaults to all three.
        broadcasts: sequence of groups that pass through a unit, a subset of
            `updates`. Defaults to all three.

    The other arguments and errors are those of `keras_infnet.layers.HubBlock`.

    Call arguments:
        sequence, categorical, task: tensors of shape `(batch, tokens, dim)`,
            the tokens of each group; at least those in `updates`.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with the groups in `updates`.

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
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("variant", variant, ("hub", "proxy"))

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
        tokens = dict(zip(GROUPS, (categorical, sequence, task), strict=True))
        # Keras passes `mask` if the sequence is the only tensor.
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
