"""Aggregate and broadcast: one block of INFNet's second version."""

from collections.abc import Collection, Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.infnet.broadcast_gated_unit import BroadcastGatedUnit
from keras_infnet.layers.infnet.token_groups import GROUPS, check_groups
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["HubBlock"]


@export("keras_infnet.layers.HubBlock")
class HubBlock(keras.layers.Layer):
    """Every group's hubs read all groups, then change their own tokens.

    With token groups `X_s` and hubs `H_g`:

    ```
    Z_s = softmax((H_g W_Q,g)(X_s W_K,s)^T / sqrt(d_k)) (X_s W_V,s)
    H_g' = LN(H_g + [Z_C ; Z_S ; Z_T] W_F,g)
    X_g' = LN(X_g + X_g * sigmoid(a_g) + b_g),  [a_g ; b_g] = MLP_g(H_g')
    ```

    Keys and values of a source are shared by the hubs of all groups, so all
    hubs read a source in one attention. A source of a single token has no
    `W_K`, and without a longer source there is no `W_Q`.

    Args:
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose hubs are updated. Defaults to all three.
        broadcasts: sequence of groups whose tokens are updated; they must be
            among `updates`. Defaults to all three.
        num_heads: integer. Heads of every attention. Defaults to `1`.
        expansion: integer. Width of the hidden layers, in tokens. Defaults to
            `4`.
        activation: string or callable. Activation of the hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind the hidden layers. Defaults to
            `0.0`.
        fold: boolean or `None`. See `CrossAttention`. Defaults to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        state: dict. Tokens of the groups that exist, under `"categorical"`,
            `"sequence"` and `"task"`, each of shape `(batch, tokens, dim)`;
            the hubs of the groups updated, under `"categorical_hubs"` and so
            on; and with a sequence `"sequence_mask"`, a boolean tensor of
            shape `(batch, tokens)`.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with the tensors that changed.

    Raises:
        ValueError: If a group is not known, or broadcast without an update, or
            a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> token = np.ones((2, 3, 8), "float32")
    >>> state = {
    ...     "categorical": token, "task": token, "task_hubs": token,
    ... }
    >>> block = HubBlock(updates=["task"], broadcasts=["task"])
    >>> sorted(block(state))
    ['task', 'task_hubs']

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 2, aggregate and
      broadcast
    """

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
        check_groups(updates, broadcasts)
        check_positive(num_heads=num_heads, expansion=expansion)
        self.updates = tuple(updates)
        self.broadcasts = tuple(broadcasts)
        self.num_heads = num_heads
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self.fold = fold

    def build(self, state_shape: Any) -> None:
        shapes = dict(state_shape)
        sources = [group for group in GROUPS if group in shapes]
        dim = shapes[sources[0]][-1]
        hubs = {group: shapes[f"{group}_hubs"] for group in self.updates}
        count = sum(shape[1] for shape in hubs.values())
        self.attentions = {}
        for source in sources:
            attention = CrossAttention(
                dim,
                num_heads=self.num_heads,
                project_query=False,
                fold=self.fold,
                dtype=self.dtype_policy,
                name=f"attend_to_{source}",
            )
            attention.build((None, count, dim), shapes[source])
            self.attentions[source] = attention
        # Sources of one token each are read without queries.
        scored = any(layer.scored for layer in self.attentions.values())
        self.query_kernels, self.output_kernels = {}, {}
        self.hub_normalizations, self.units = {}, {}
        for group, shape in hubs.items():
            if scored:
                self.query_kernels[group] = self._kernel(
                    f"{group}_query_kernel", (dim, dim)
                )
            self.output_kernels[group] = self._kernel(
                f"{group}_output_kernel", (len(sources) * dim, dim)
            )
            norm = keras.layers.LayerNormalization(
                epsilon=1e-5,
                dtype=self.dtype_policy,
                name=f"{group}_hub_normalization",
            )
            norm.build(shape)
            self.hub_normalizations[group] = norm
        for group in self.broadcasts:
            unit = BroadcastGatedUnit(
                expansion=self.expansion,
                activation=self.activation,
                dropout=self.dropout,
                dtype=self.dtype_policy,
                name=f"{group}_unit",
            )
            unit.build(shapes[group], hubs[group])
            self.units[group] = unit
        self.built = True

    def _kernel(self, name: str, shape: tuple[int, int]) -> Any:
        return self.add_weight(
            name=name, shape=shape, initializer="glorot_uniform"
        )

    def call(self, state: Any, training: bool | None = None) -> Any:
        hubs = {group: state[f"{group}_hubs"] for group in self.updates}
        masks = {"sequence": state.get("sequence_mask")}
        queries = _join(
            [self._query(group, hubs[group]) for group in self.updates],
            axis=1,
        )
        views = _join(
            [
                attention(queries, state[source], masks.get(source))
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
                    state[group], hub, masks.get(group), training=training
                )
        return changed

    def _query(self, group: str, hubs: Any) -> Any:
        if group not in self.query_kernels:
            return hubs
        return ops.matmul(hubs, self.query_kernels[group])

    def shared_rows(self, names: Collection[str]) -> tuple[set[str], set[str]]:
        """Tells what may have one row where the rest of the state has many.

        Args:
            names: keys of `state` of which there is one row.

        Returns:
            The keys that may keep it, events and tasks that all rows read,
            and an empty set: all that comes out has many rows.
        """
        return set(names) & {"sequence", "sequence_mask", "task"}, set()

    def compute_output_shape(self, state_shape: Any) -> Any:
        names = [f"{group}_hubs" for group in self.updates]
        shapes = {name: tuple(state_shape[name]) for name in names}
        for group in self.broadcasts:
            batch = shapes[f"{group}_hubs"][0]
            shapes[group] = (batch, *state_shape[group][1:])
        return shapes

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            updates=self.updates,
            broadcasts=self.broadcasts,
            num_heads=self.num_heads,
            expansion=self.expansion,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
            fold=self.fold,
        )
        return config


def _join(tensors: list[Any], axis: int) -> Any:
    if len(tensors) == 1:
        return tensors[0]
    return ops.concatenate(tensors, axis=axis)
