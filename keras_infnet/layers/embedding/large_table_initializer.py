"""Initialization of tables that are too large to be drawn at once."""

from typing import Any

import keras
from keras import ops

__all__ = ["drawn_in_pieces"]

# Number of elements of a piece: 64 MiB of float32.
_PIECE = 2**24
# These draw elements independently, so that tables can be drawn in pieces.
_KINDS = (
    keras.initializers.RandomNormal,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
)


def drawn_in_pieces(initializer: Any) -> Any:
    """Returns an initializer that draws a large table piece by piece.

    Backends need several arrays of the size of the result to draw random
    numbers. In pieces, the peak memory is twice the table.
    """
    if not isinstance(initializer, _KINDS):
        return initializer

    def draw(shape: Any, dtype: Any = None) -> Any:
        rows, width = shape
        if rows * width <= _PIECE:
            return initializer(shape, dtype)
        step = max(1, _PIECE // width)
        config = initializer.get_config()
        pieces = []
        for i, start in enumerate(range(0, rows, step)):
            # The same seed would draw the same piece again.
            seeded = {**config, "seed": _seed(initializer) + i}
            draw_piece = type(initializer).from_config(seeded)
            pieces.append(draw_piece((min(step, rows - start), width), dtype))
        return ops.concatenate(pieces)

    return draw


def _seed(initializer: Any) -> int:
    seed = initializer.seed
    return seed if isinstance(seed, int) else int(ops.sum(seed.state.value))
