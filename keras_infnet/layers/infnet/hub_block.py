"""Block of INFNet, version 2: aggregation to hubs and broadcast."""

from collections.abc import Collection, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.infnet.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.infnet.token_groups import (
    GROUPS,
    TokenGroupBlock,
    given,
)

__all__ = ["HubBlock"]


@export("keras_infnet.layers.HubBlock")
class HubBlock(TokenGroupBlock):
    """Hubs aggregate the tokens of all groups and broadcast to their own.

    With token groups `X_s` and hubs `H_g`:

    ```
    Z_s = softmax((H_g W_Q,g)(X_s W_K,s)^T / sqrt(d_k)) (X_s W_V,s)
    H_g' = LN(H_g + [Z_C ; Z_S ; Z_T] W_F,g)
    X_g' = LN(X_g + X_g * sigmoid(a_g) + b_g),  [a_g ; b_g] = MLP_g(H_g')
    ```

    The hubs of all groups share the keys and values of a source, so that one
    attention per source serves all hubs. A source of a single token has no
    `W_K`, and without a longer source there is no `W_Q`.

    Args:
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose hubs are updated. Defaults to all three.
        broadcasts: sequence of groups whose tokens are updated, a subset of
            `updates`. Defaults to all three.
        num_heads: integer. Number of attention heads. Defaults to `1`.
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        fold: boolean or `None`. See `CrossAttention`. Defaults to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence, categorical, task: tensors of shape `(batch, tokens, dim)`,
            the tokens of each group; at least those in `updates`.
        sequence_hubs, categorical_hubs, task_hubs: tensors of shape
            `(batch, hubs, dim)`, the hubs of the groups in `updates`.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of the updated tensors, by the names of the call arguments.

    Raises:
        ValueError: If a group is unknown, missing, or broadcast but not
            updated, or a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> token = np.ones((2, 3, 8), "float32")
    >>> block = HubBlock(updates=["task"], broadcasts=["task"])
    >>> sorted(block(categorical=token, task=token, task_hubs=token))
    ['task', 'task_hubs']

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 2, aggregate and
      broadcast
    """

    suffix = "hubs"

    def __init__(
        self,
        updates: Sequence[str] = GROUPS,
        broadcasts: Sequence[str] = GROUPS,
        num_heads: int = 1,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        fold: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(
        self,
        sequence_shape: Any = None,
        categorical_shape: Any = None,
        task_shape: Any = None,
        sequence_hubs_shape: Any = None,
        categorical_hubs_shape: Any = None,
        task_hubs_shape: Any = None,
    ) -> None:
        shapes = given(
            categorical=categorical_shape,
            sequence=sequence_shape,
            task=task_shape,
            categorical_hubs=categorical_hubs_shape,
            sequence_hubs=sequence_hubs_shape,
            task_hubs=task_hubs_shape,
        )
        sources, dim = self._checked(shapes)
        hubs = {group: shapes[f"{group}_hubs"] for group in self.updates}
        count = sum(shape[1] for shape in hubs.values())
        self.attentions = {
            source: self._part(
                CrossAttention,
                f"attend_to_{source}",
                (None, count, dim),
                shapes[source],
                dim=dim,
                num_heads=self.num_heads,
                project_query=False,
                fold=self.fold,
            )
            for source in sources
        }
        # Sources of a single token need no queries.
        scored = any(layer.scored for layer in self.attentions.values())
        self.query_kernels, self.output_kernels = {}, {}
        self.hub_normalizations, self.units = {}, {}
        for group, shape in hubs.items():
            if scored:
                self.query_kernels[group] = self._weight(
                    f"{group}_query_kernel", dim, dim
                )
            self.output_kernels[group] = self._weight(
                f"{group}_output_kernel", len(sources) * dim, dim
            )
            self.hub_normalizations[group] = self._layer_norm(
                f"{group}_hub_normalization", shape
            )
        for group in self.broadcasts:
            self.units[group] = self._unit(
                BroadcastGatedUnit, group, shapes, hubs[group]
            )

    def call(
        self,
        sequence: Any = None,
        categorical: Any = None,
        task: Any = None,
        sequence_hubs: Any = None,
        categorical_hubs: Any = None,
        task_hubs: Any = None,
        sequence_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        tokens = dict(zip(GROUPS, (categorical, sequence, task), strict=True))
        compact = categorical_hubs, sequence_hubs, task_hubs
        hubs = dict(zip(GROUPS, compact, strict=True))
        masks = {"sequence": sequence_mask}
        queries = ops.concatenate(
            [self._query(group, hubs[group]) for group in self.updates], axis=1
        )
        views = ops.concatenate(
            [
                attention(
                    queries, tokens[source], source_mask=masks.get(source)
                )
                for source, attention in self.attentions.items()
            ],
            axis=-1,
        )  # (batch, all hubs, sources * dim)
        changed: dict[str, Any] = {}
        counts = [hubs[group].shape[1] for group in self.updates]
        ends = [sum(counts[:i]) for i in range(1, len(counts))]
        pieces = ops.split(views, ends, axis=1) if ends else [views]
        for group, piece in zip(self.updates, pieces, strict=True):
            hub = hubs[group] + ops.matmul(piece, self.output_kernels[group])
            hub = self.hub_normalizations[group](hub)
            changed[f"{group}_hubs"] = hub
            if group in self.broadcasts:
                changed[group] = self.units[group](
                    tokens[group],
                    hub,
                    tokens_mask=masks.get(group),
                    training=training,
                )
        return changed

    def _query(self, group: str, hubs: Any) -> Any:
        if group not in self.query_kernels:
            return hubs
        return ops.matmul(hubs, self.query_kernels[group])

    def shared_rows(self, names: Collection[str]) -> tuple[set[str], set[str]]:
        """Tells which call arguments of one row need not be repeated.

        Returns those among `names`, and an empty set, because every output
        has as many rows as the other arguments.
        """
        return set(names) & {"sequence", "sequence_mask", "task"}, set()
