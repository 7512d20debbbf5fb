"""Adagrad for embedding tables."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.adagrad_base import AdagradBase

__all__ = ["EmbeddingAdagrad"]


@export("keras_infnet.optimizers.EmbeddingAdagrad")
class EmbeddingAdagrad(AdagradBase):
    """Adagrad on the rows that a batch has read.

    `a <- a + g^2` and `w <- w - learning_rate * g / sqrt(a + epsilon)`, where
    `g` is the sum of the gradients of all places at which a row was read. A
    row that was not read has a zero gradient and would not move under dense
    Adagrad either: both compute the same. (The optimisers of Keras on
    TensorFlow do not: they square the gradients of the places one by one.)

    Its state is as large as the table. See `RowwiseAdagrad` for one that is
    small.

    Args:
        learning_rate: float or schedule. Defaults to `0.05`.
        initial_accumulator_value: float. Start of `a`. Gradients of a mean
            over a batch are small: with the `0.1` of `keras.optimizers` rows
            seen a few times would hardly move. Defaults to `0.0`.
        epsilon: float. Added below the root. Defaults to `1e-12`.
        **kwargs: `weight_decay`, `use_ema`, `ema_momentum` and `name` of
            `EmbeddingOptimizer`.

    Raises:
        ValueError: If a number is out of range, or an argument is not
            supported.

    Example:

    >>> optimizer = EmbeddingAdagrad(learning_rate=0.1)
    >>> round(float(optimizer.learning_rate), 3)
    0.1

    Reference:
    - Duchi, Hazan, Singer, Adaptive Subgradient Methods, JMLR 2011
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-12,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, initial_accumulator_value, epsilon, **kwargs
        )

    def slots(self, table: Any) -> dict[str, tuple[tuple[int, ...], float]]:
        return {
            "accumulator": (tuple(table.shape), self.initial_accumulator_value)
        }

    def update(
        self,
        rows: Any,
        gradients: Any,
        state: dict[str, Any],
        learning_rate: Any,
    ) -> tuple[Any, dict[str, Any]]:
        accumulator = state["accumulator"] + ops.square(gradients)
        root = ops.sqrt(accumulator + self.epsilon)
        rows = rows - learning_rate * gradients / root
        return rows, {"accumulator": accumulator}
