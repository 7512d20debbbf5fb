"""Heterogeneous, then homogeneous flow: one block of INFNet's first version."""

from collections.abc import Collection, Sequence
from typing import Any

import keras

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.infnet.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.infnet.token_groups import GROUPS, check_groups
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["ProxyBlock"]


@export("keras_infnet.layers.ProxyBlock")
class ProxyBlock(keras.layers.Layer):
    """Proxies read the other groups, then gate their own.

    With token groups `C`, `S`, `T` and proxies `C~`, `S~`, `T~`:

    ```
    C~' = C~ + CA(C~, S) + CA(C~, T)      S~' = S~ + CA(S~, C) + CA(S~, T)
    T~' = T~ + CA(T~, C) + CA(T~, S)      T^  = T  + CA(T, C)  + CA(T, S)
    C' = PGU(C, C~')    S' = PGU(S, S~')    T' = PGU(T^, T~')
    ```

    Every attention has weights of its own. The gate of `S` is carried as a
    vector a row instead of being multiplied into the tokens, so that no block
    copies the sequence: `S' = S * sequence_gate`.

    Args:
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose proxies are updated. Defaults to all three.
        broadcasts: sequence of groups that are gated; they must be among
            `updates`. Defaults to all three.
        residual: boolean. Whether the sums above keep the first term.
            Defaults to `True`.
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
            the proxies of the groups updated, under `"categorical_proxies"`
            and so on; with a sequence `"sequence_mask"`, a boolean tensor of
            shape `(batch, tokens)`, and optionally `"sequence_gate"` of shape
            `(batch, 1, dim)`.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with the tensors that changed; for a gated sequence
        `"sequence_gate"`.

    Raises:
        ValueError: If a group is not known, or gated without an update, or a
            size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> token = np.ones((2, 3, 8), "float32")
    >>> state = {
    ...     "categorical": token, "task": token, "task_proxies": token,
    ... }
    >>> block = ProxyBlock(updates=["task"], broadcasts=["task"])
    >>> sorted(block(state))
    ['task', 'task_proxies']

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 1
    """

    def __init__(
        self,
        updates: Sequence[str] = GROUPS,
        broadcasts: Sequence[str] = GROUPS,
        residual: bool = True,
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
        self.residual = residual
        self.num_heads = num_heads
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout
        self.fold = fold

    def build(self, state_shape: Any) -> None:
        shapes = dict(state_shape)
        present = [group for group in GROUPS if group in shapes]
        dim = shapes[present[0]][-1]
        readers = {f"{g}_proxies": g for g in self.updates}
        if "task" in present:
            readers["task"] = "task"
        # Every reader attends to all groups but its own.
        self.sources = {
            reader: [source for source in present if source != own]
            for reader, own in readers.items()
        }
        # One flat dict: Keras does not track layers in nested ones.
        self.attentions = {}
        for reader, sources in self.sources.items():
            for source in sources:
                attention = CrossAttention(
                    dim,
                    num_heads=self.num_heads,
                    fold=self.fold,
                    dtype=self.dtype_policy,
                    name=f"{reader}_to_{source}",
                )
                attention.build(shapes[reader], shapes[source])
                self.attentions[attention.name] = attention
        self.units = {}
        for group in self.broadcasts:
            unit = ProxyGatedUnit(
                expansion=self.expansion,
                activation=self.activation,
                dropout=self.dropout,
                dtype=self.dtype_policy,
                name=f"{group}_unit",
            )
            unit.build(shapes[group], shapes[f"{group}_proxies"])
            self.units[group] = unit
        self.built = True

    def call(self, state: Any, training: bool | None = None) -> Any:
        changed = {reader: self._read(state, reader) for reader in self.sources}
        for group, unit in self.units.items():
            proxies = changed[f"{group}_proxies"]
            if group == "sequence":
                gate = unit.gate(proxies, training=training)
                earlier = state.get("sequence_gate")
                if earlier is not None:
                    gate = earlier * gate
                changed["sequence_gate"] = gate
                continue
            tokens = changed.get(group, state[group])
            changed[group] = unit(tokens, proxies, training=training)
        return changed

    def _read(self, state: Any, reader: str) -> Any:
        results = [state[reader]] if self.residual else []
        for source in self.sources[reader]:
            attention = self.attentions[f"{reader}_to_{source}"]
            options = {}
            if source == "sequence":
                options["valid"] = state.get("sequence_mask")
                options["gate"] = state.get("sequence_gate")
            results.append(attention(state[reader], state[source], **options))
        return sum(results[1:], results[0])

    def shared_rows(self, names: Collection[str]) -> tuple[set[str], set[str]]:
        """Tells what may have one row where the rest of the state has many.

        Args:
            names: keys of `state` of which there is one row.

        Returns:
            The keys that may keep it, all but the fields and their proxies,
            and an empty set: all that comes out has many rows.
        """
        fields = {"categorical", "categorical_proxies"}
        return set(names) - fields, set()

    def compute_output_shape(self, state_shape: Any) -> Any:
        names = [f"{group}_proxies" for group in self.updates]
        names += [group for group in self.broadcasts if group != "sequence"]
        if "task" in state_shape:
            names.append("task")
        shapes = {name: state_shape[name] for name in names}
        if "sequence" in self.broadcasts:
            batch, _, dim = state_shape["sequence_proxies"]
            shapes["sequence_gate"] = (batch, 1, dim)
        return shapes

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            updates=self.updates,
            broadcasts=self.broadcasts,
            residual=self.residual,
            num_heads=self.num_heads,
            expansion=self.expansion,
            activation=keras.activations.serialize(self.activation),
            dropout=self.dropout,
            fold=self.fold,
        )
        return config
