"""What the blocks of INFNet have in common: groups of tokens."""

import inspect
from collections.abc import Sequence
from typing import Any

import keras

from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.utils.argument_checks import check_positive, check_rate

__all__ = ["GROUPS", "TokenGroupBlock", "given"]

GROUPS = ("categorical", "sequence", "task")


class TokenGroupBlock(BaseLayer):
    """Base of blocks that update some groups of tokens from all of them."""

    #: What the compact tokens of a group are called, if there are any.
    suffix = ""

    def __init__(
        self,
        updates: Sequence[str] = GROUPS,
        broadcasts: Sequence[str] = GROUPS,
        num_heads: int = 1,
        expansion: int = 4,
        activation: Any = "relu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, groups, known in (
            ("updates", updates, GROUPS),
            ("broadcasts", broadcasts, updates),
        ):
            if not set(groups) <= set(known):
                raise ValueError(
                    f"`{name}` must be among {tuple(known)}. "
                    f"Received: {name}={tuple(groups)}."
                )
        check_positive(num_heads=num_heads, expansion=expansion)
        check_rate(dropout=dropout)
        self.updates = tuple(updates)
        self.broadcasts = tuple(broadcasts)
        self.num_heads = num_heads
        self.expansion = expansion
        self.activation = keras.activations.get(activation)
        self.dropout = dropout

    def _checked(self, shapes: dict[str, Any]) -> tuple[list[str], int]:
        """The groups that are given and the width of their tokens."""
        needed = list(self.updates)
        if self.suffix:
            needed += [f"{group}_{self.suffix}" for group in self.updates]
        for name in needed:
            if name not in shapes:
                raise ValueError(
                    f"`{name}` must be given, because the block updates it. "
                    f"Received: updates={self.updates}, and of the arguments "
                    f"{', '.join(shapes) or 'none'}."
                )
        widths = {name: shape[-1] for name, shape in shapes.items()}
        if len(set(widths.values())) > 1:
            raise ValueError(
                "tokens of all groups must have the same width. Received: "
                + ", ".join(f"{n} of width {w}" for n, w in widths.items())
                + "."
            )
        groups = [group for group in GROUPS if group in shapes]
        return groups, next(iter(widths.values()))

    def _unit(self, unit_class: Any, group: str, shapes: Any, read: Any) -> Any:
        """A unit that changes the tokens of a group by what it reads."""
        return self._part(
            unit_class,
            f"{group}_unit",
            shapes[group],
            read,
            expansion=self.expansion,
            activation=self.activation,
            dropout=self.dropout,
        )

    def _changed(self) -> list[str]:
        """Names of the call arguments that the block gives anew."""
        compact = [f"{group}_{self.suffix}" for group in self.updates]
        return [*compact, *self.broadcasts]

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(self.call).bind(*args, **kwargs)
        tensors = bound.arguments
        shapes = {n: tuple(tensors[n].shape) for n in self._changed()}
        # Tokens of one row become tokens of as many as read them.
        batches = {shape[0] for shape in shapes.values()} - {1}
        batch = batches.pop() if batches else 1
        return {
            name: keras.KerasTensor((batch, *shape[1:]), self.compute_dtype)
            for name, shape in shapes.items()
        }

    def compute_mask(self, sequence: Any, previous_mask: Any) -> Any:
        names = self._changed()
        return {n: previous_mask if n == "sequence" else None for n in names}


def given(**values: Any) -> dict[str, Any]:
    """The arguments that are not `None`."""
    return {n: value for n, value in values.items() if value is not None}
