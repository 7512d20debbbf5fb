"""Base class of the blocks of INFNet, which update groups of tokens."""

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["GROUPS", "TokenGroupBlock", "given"]

GROUPS = ("categorical", "sequence", "task")


class TokenGroupBlock(BaseLayer):
    """Base of blocks that update groups of tokens from all groups."""

    #: Name of the few tokens that represent a group, if there are any.
    suffix = ""

    def _store(self, arguments: Mapping[str, Any]) -> None:
        super()._store(arguments)
        self.updates: tuple[str, ...] = tuple(arguments["updates"])
        self.broadcasts: tuple[str, ...] = tuple(arguments["broadcasts"])
        for name, groups, known in (
            ("updates", self.updates, GROUPS),
            ("broadcasts", self.broadcasts, self.updates),
        ):
            if not set(groups) <= set(known):
                raise ValueError(
                    f"`{name}` must be among {known}. "
                    f"Received: {name}={groups}."
                )

    def _checked(self, shapes: dict[str, Any]) -> tuple[list[str], int]:
        """Returns the given groups and the width of their tokens."""
        needed = list(self.updates)
        if self.suffix:
            needed += [f"{group}_{self.suffix}" for group in self.updates]
        for name in needed:
            if name not in shapes:
                raise ValueError(
                    f"`{name}` must be given, because the block updates it. "
                    f"Received: updates={self.updates}, and call arguments "
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

    def _unit(
        self, unit_class: Any, group: str, shapes: Any, source_shape: Any
    ) -> Any:
        """Makes the unit that updates the tokens of a group from a source."""
        return self._part(
            unit_class,
            f"{group}_unit",
            shapes[group],
            source_shape,
            expansion=self.expansion,
            activation=self.activation,
            dropout=self.dropout,
        )

    def _changed(self) -> list[str]:
        """Returns the names of the updated tensors."""
        compact = [f"{group}_{self.suffix}" for group in self.updates]
        return [*compact, *self.broadcasts]

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(self.call).bind(*args, **kwargs)
        tensors = bound.arguments
        shapes = {n: tuple(tensors[n].shape) for n in self._changed()}
        # Tokens with a batch size of 1 get that of the others.
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
    """Returns the arguments that are not `None`."""
    return {n: value for n, value in values.items() if value is not None}
