"""Adagrad for embedding tables, with an accumulator per element or per row."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.embedding_optimizer import EmbeddingOptimizer
from keras_infnet.utils.argument_checks import check_number

__all__ = ["EmbeddingAdagrad", "RowwiseAdagrad"]


@export("keras_infnet.optimizers.EmbeddingAdagrad")
class EmbeddingAdagrad(EmbeddingOptimizer):
    """Adagrad on the rows that a batch reads.

    `a <- a + g^2` and `w <- w - learning_rate * g / sqrt(a + epsilon)`, where
    `g` is the sum of the gradients of all lookups of a row. The result equals
    that of dense Adagrad, where rows that are not read have a zero gradient
    and do not move either. (Keras's optimizers on TensorFlow differ: they
    square the gradient of each lookup separately.)

    The state is as large as the table. See `RowwiseAdagrad` for a smaller one.

    Args:
        learning_rate: float or schedule. Defaults to `0.05`.
        initial_accumulator_value: float. Initial value of `a`. With the `0.1`
            of `keras.optimizers.Adagrad`, rows seen a few times would hardly
            move, because the gradients of a mean over a batch are small.
            Defaults to `0.0`.
        epsilon: float. Added under the square root. Defaults to `1e-12`.
        **kwargs: `weight_decay`, `use_ema`, `ema_momentum` and `name` of
            `EmbeddingOptimizer`.

    Raises:
        ValueError: If a number is out of range, or an argument is unsupported.

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
        super().__init__(learning_rate, **kwargs)
        check_number("initial_accumulator_value", initial_accumulator_value)
        check_number("epsilon", epsilon)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

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

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


@export("keras_infnet.optimizers.RowwiseAdagrad")
class RowwiseAdagrad(EmbeddingAdagrad):
    """Adagrad with one accumulator per row instead of per element.

    `a_r <- a_r + mean(g_r^2)` and
    `w_r <- w_r - learning_rate * g_r / (sqrt(a_r) + epsilon)`, where `g_r` is
    the sum of the gradients of all lookups of row `r`. Rows that are not read
    do not change.

    The state is one number per row, while that of `EmbeddingAdagrad` is as
    large as the table. All elements of a row have the same step size, so that
    elements with smaller gradients than others of their row move less than
    with `EmbeddingAdagrad`. The result equals that of the same rule on dense
    gradients, unlike that of `LazyAdam`.

    Args:
        epsilon: float. Added to the square root. Defaults to `1e-8`.

    The other arguments and errors are those of
    `keras_infnet.optimizers.EmbeddingAdagrad`.

    Example:

    >>> optimizer = RowwiseAdagrad(learning_rate=0.1)
    >>> round(float(optimizer.learning_rate), 3)
    0.1

    Reference:
    - Duchi, Hazan, Singer, Adaptive Subgradient Methods, JMLR 2011
    - [Deep Learning Recommendation Model](https://arxiv.org/abs/1906.00091)
      and FBGEMM's exact row-wise Adagrad for the accumulator of a row
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            learning_rate, initial_accumulator_value, epsilon, **kwargs
        )

    def slots(self, table: Any) -> dict[str, tuple[tuple[int, ...], float]]:
        return {
            "accumulator": ((table.shape[0],), self.initial_accumulator_value)
        }

    def update(
        self,
        rows: Any,
        gradients: Any,
        state: dict[str, Any],
        learning_rate: Any,
    ) -> tuple[Any, dict[str, Any]]:
        squares = ops.mean(ops.square(gradients), axis=-1)
        accumulator = state["accumulator"] + squares
        step = learning_rate / (ops.sqrt(accumulator) + self.epsilon)
        rows = rows - ops.expand_dims(step, -1) * gradients
        return rows, {"accumulator": accumulator}
