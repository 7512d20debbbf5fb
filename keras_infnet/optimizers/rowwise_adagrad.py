"""Adagrad with one accumulator a row."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.adagrad_base import AdagradBase

__all__ = ["RowwiseAdagrad"]


@export("keras_infnet.optimizers.RowwiseAdagrad")
class RowwiseAdagrad(AdagradBase):
    """Adagrad whose accumulator is shared by the elements of a row.

    `a_r <- a_r + mean(g_r^2)` and
    `w_r <- w_r - learning_rate * g_r / (sqrt(a_r) + epsilon)`, where `g_r` is
    the sum of the gradients of all places at which row `r` was read, and rows
    that were not read stay as they are.

    Its state is `4 / (4 * dim)` of the table, that of `EmbeddingAdagrad` as
    large as the table. All elements of a row get the same step size: where
    some elements have much larger gradients than others, the small ones move
    less than under `EmbeddingAdagrad`. Neither differs from what the same
    rule computes on dense gradients, since a zero gradient changes nothing;
    `LazyAdam` does.

    Args:
        learning_rate: float or schedule. Defaults to `0.05`.
        initial_accumulator_value: float. Start of `a`. Gradients of a mean
            over a batch are small: with the `0.1` of `keras.optimizers` rows
            seen a few times would hardly move. Defaults to `0.0`.
        epsilon: float. Added to the root. Defaults to `1e-8`.
        **kwargs: `weight_decay`, `use_ema`, `ema_momentum` and `name` of
            `EmbeddingOptimizer`.

    Raises:
        ValueError: If a number is out of range, or an argument is not
            supported.

    Example:

    >>> optimizer = RowwiseAdagrad(learning_rate=0.1)
    >>> round(float(optimizer.learning_rate), 3)
    0.1

    Reference:
    - Duchi, Hazan, Singer, Adaptive Subgradient Methods, JMLR 2011
    - [Deep Learning Recommendation Model](https://arxiv.org/abs/1906.00091)
      and FBGEMM's exact row-wise Adagrad for the accumulator of a row
    """

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
