"""Block of INFNet, version 1: attention of proxies and gating."""

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
    """Proxies attend to the other groups and gate the tokens of their own.

    With token groups `C`, `S`, `T` and proxies `C~`, `S~`, `T~`:

    ```
    C~' = C~ + CA(C~, S) + CA(C~, T)      S~' = S~ + CA(S~, C) + CA(S~, T)
    T~' = T~ + CA(T~, C) + CA(T~, S)      T^  = T  + CA(T, C)  + CA(T, S)
    C' = PGU(C, C~')    S' = PGU(S, S~')    T' = PGU(T^, T~')
    ```

    Each attention has its own weights. The gate of `S` is returned as a vector
    per row instead of being multiplied into the tokens, so that no block
    copies the sequence: `S' = S * sequence_gate`.

    Args:
        updates: sequence of `"categorical"`, `"sequence"`, `"task"`. Groups
            whose proxies are updated. Defaults to all three.
        broadcasts: sequence of groups whose tokens are gated, a subset of
            `updates`. Defaults to all three.
        residual: boolean. Whether the sums above include their first term.
            Defaults to `True`.

    The other arguments and errors are those of `keras_infnet.layers.HubBlock`.

    Call arguments:
        sequence, categorical, task: tensors of shape `(batch, tokens, dim)`,
            the tokens of each group; at least those in `updates`.
        sequence_proxies, categorical_proxies, task_proxies: tensors of shape
            `(batch, proxies, dim)`, the proxies of the groups in `updates`.
        sequence_gate: tensor of shape `(batch, 1, dim)`, the gate that the
            previous block returned. Optional.
        sequence_mask: boolean tensor of shape `(batch, tokens)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of the updated tensors, by the names of the call arguments; for
        a gated sequence `"sequence_gate"`.

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
        super().__init__(**kwargs)
        self._store(locals())

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
        queries = {f"{g}_proxies": g for g in self.updates}
        if "task" in present:
            queries["task"] = "task"
        # Each attends to all groups but its own.
        self.sources = {
            query: [source for source in present if source != own]
            for query, own in queries.items()
        }
        # One flat dict: Keras does not track layers in nested ones.
        self.attentions = {}
        for query, sources in self.sources.items():
            for source in sources:
                name = f"{query}_to_{source}"
                self.attentions[name] = self._part(
                    CrossAttention,
                    name,
                    shapes[query],
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
        tokens = dict(zip(GROUPS, (categorical, sequence, task), strict=True))
        tokens["categorical_proxies"] = categorical_proxies
        tokens["sequence_proxies"] = sequence_proxies
        tokens["task_proxies"] = task_proxies
        changed = {}
        for query, sources in self.sources.items():
            terms = [tokens[query]] if self.residual else []
            for source in sources:
                options = {}
                if source == "sequence":
                    options = {"source_mask": sequence_mask}
                    options["gate"] = sequence_gate
                attention = self.attentions[f"{query}_to_{source}"]
                terms.append(
                    attention(tokens[query], tokens[source], **options)
                )
            changed[query] = sum(terms[1:], terms[0])
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
        """Tells which call arguments of one row need not be repeated.

        Returns those among `names`, and an empty set, because every output
        has as many rows as the fields.
        """
        fields = {"categorical", "categorical_proxies"}
        return set(names) - fields, set()

    def _changed(self) -> list[str]:
        gated = [g for g in self.broadcasts if g not in self.sources]
        return [*self.sources, *gated]

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
