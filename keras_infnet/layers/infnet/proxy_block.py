"""Heterogeneous, then homogeneous flow: one block of INFNet's first version."""

from collections.abc import Collection, Sequence
from typing import Any

import keras

from keras_infnet.api_export import export
from keras_infnet.layers.attention.cross_attention import CrossAttention
from keras_infnet.layers.infnet.proxy_gated_unit import ProxyGatedUnit
from keras_infnet.layers.infnet.token_groups import (
    GROUPS,
    TokenGroupBlock,
    given,
)

__all__ = ["ProxyBlock"]


@export("keras_infnet.layers.ProxyBlock")
class ProxyBlock(TokenGroupBlock):
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
        expansion: integer. Width of hidden layers in tokens. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`, behind hidden layers. Defaults to `0.0`.
        fold: boolean or `None`. See `CrossAttention`. Defaults to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence, categorical, task: tensors of shape `(batch, tokens, dim)`,
            the tokens of the groups that exist.
        sequence_proxies, categorical_proxies, task_proxies: tensors of shape
            `(batch, proxies, dim)`, the proxies of the groups updated.
        sequence_gate: tensor of shape `(batch, 1, dim)`, the gate that an
            earlier block gave. Optional.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Dict with the tensors that changed, under the names of the arguments;
        for a gated sequence `"sequence_gate"`.

    Raises:
        ValueError: If a group is not known, not given, or gated without an
            update, or a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> token = np.ones((2, 3, 8), "float32")
    >>> block = ProxyBlock(updates=["task"], broadcasts=["task"])
    >>> sorted(block(categorical=token, task=token, task_proxies=token))
    ['task', 'task_proxies']

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), version 1
    """

    suffix = "proxies"

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
        super().__init__(
            updates,
            broadcasts,
            num_heads,
            expansion,
            activation,
            dropout,
            **kwargs,
        )
        self.residual = residual
        self.fold = fold

    def build(
        self,
        sequence_shape: Any = None,
        categorical_shape: Any = None,
        task_shape: Any = None,
        sequence_proxies_shape: Any = None,
        categorical_proxies_shape: Any = None,
        task_proxies_shape: Any = None,
    ) -> None:
        shapes = given(
            categorical=categorical_shape,
            sequence=sequence_shape,
            task=task_shape,
            categorical_proxies=categorical_proxies_shape,
            sequence_proxies=sequence_proxies_shape,
            task_proxies=task_proxies_shape,
        )
        present, dim = self._checked(shapes)
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
                name = f"{reader}_to_{source}"
                self.attentions[name] = self._part(
                    CrossAttention,
                    name,
                    shapes[reader],
                    shapes[source],
                    dim=dim,
                    num_heads=self.num_heads,
                    fold=self.fold,
                )
        self.units = {
            group: self._unit(
                ProxyGatedUnit, group, shapes, shapes[f"{group}_proxies"]
            )
            for group in self.broadcasts
        }

    def call(
        self,
        sequence: Any = None,
        categorical: Any = None,
        task: Any = None,
        sequence_proxies: Any = None,
        categorical_proxies: Any = None,
        task_proxies: Any = None,
        sequence_gate: Any = None,
        sequence_mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        tokens = {
            "categorical": categorical,
            "sequence": sequence,
            "task": task,
            "categorical_proxies": categorical_proxies,
            "sequence_proxies": sequence_proxies,
            "task_proxies": task_proxies,
        }
        changed = {}
        for reader, sources in self.sources.items():
            views = [tokens[reader]] if self.residual else []
            for source in sources:
                options = {}
                if source == "sequence":
                    options = {"source_mask": sequence_mask}
                    options["gate"] = sequence_gate
                attention = self.attentions[f"{reader}_to_{source}"]
                views.append(
                    attention(tokens[reader], tokens[source], **options)
                )
            changed[reader] = sum(views[1:], views[0])
        for group, unit in self.units.items():
            proxies = changed[f"{group}_proxies"]
            if group == "sequence":
                gate = unit.gate(proxies, training=training)
                if sequence_gate is not None:
                    gate = sequence_gate * gate
                changed["sequence_gate"] = gate
                continue
            own = changed.get(group, tokens[group])
            changed[group] = unit(own, proxies, training=training)
        return changed

    def shared_rows(self, names: Collection[str]) -> tuple[set[str], set[str]]:
        """Tells which arguments may have one row where others have many.

        Returns those of `names` that may keep it, all but the fields and
        their proxies, and an empty set: all that comes out has many rows.
        """
        fields = {"categorical", "categorical_proxies"}
        return set(names) - fields, set()

    def _changed(self) -> list[str]:
        read = set(self.sources)
        return [*self.sources, *(g for g in self.broadcasts if g not in read)]

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        specs = super().compute_output_spec(*args, **kwargs)
        if specs.pop("sequence", None) is not None:
            batch, _, dim = specs["sequence_proxies"].shape
            specs["sequence_gate"] = keras.KerasTensor(
                (batch, 1, dim), self.compute_dtype
            )
        return specs

    def compute_mask(self, sequence: Any, previous_mask: Any) -> Any:
        return None
