"""Adam on the rows that a batch reads."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.embedding_optimizer import EmbeddingOptimizer
from keras_infnet.utils.argument_checks import check_number

__all__ = ["LazyAdam"]


@export("keras_infnet.optimizers.LazyAdam")
class LazyAdam(EmbeddingOptimizer):
    """Adam that updates only the rows that a batch reads, and their moments.

    `m <- beta_1 m + (1 - beta_1) g`, `v <- beta_2 v + (1 - beta_2) g^2` and
    `w <- w - learning_rate * m^ / (sqrt(v^) + epsilon)` with
    `m^ = m / (1 - beta_1^t)`, `v^ = v / (1 - beta_2^t)`, where `g` is the sum
    of the gradients of all lookups of a row and `t` counts all steps.

    The result differs from that of dense Adam. There, the moments of a row
    decay in every step, and its momentum moves it even when it is not read.
    Here, both wait until the row is read again, so that rare rows keep the
    step size and the direction of their last gradients. The state is twice as
    large as the table.

    Args:
        learning_rate: float or schedule. Defaults to `0.001`.
        beta_1: float in `[0, 1)`. Decay rate of `m`. Defaults to `0.9`.
        beta_2: float in `[0, 1)`. Decay rate of `v`. Defaults to `0.999`.
        epsilon: float. Added to the square root. Defaults to `1e-7`.
        **kwargs: `weight_decay`, `use_ema`, `ema_momentum` and `name` of
            `EmbeddingOptimizer`.

    Raises:
        ValueError: If a number is out of range, or an argument is unsupported.

    Example:

    >>> optimizer = LazyAdam(learning_rate=0.01)
    >>> optimizer.beta_1
    0.9

    Reference:
    - [Adam](https://arxiv.org/abs/1412.6980)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        check_number("beta_1", beta_1, below=1.0)
        check_number("beta_2", beta_2, below=1.0)
        check_number("epsilon", epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def slots(self, table: Any) -> dict[str, tuple[tuple[int, ...], float]]:
        shape = tuple(table.shape)
        return {"momentum": (shape, 0.0), "velocity": (shape, 0.0)}

    def update(
        self,
        rows: Any,
        gradients: Any,
        state: dict[str, Any],
        learning_rate: Any,
    ) -> tuple[Any, dict[str, Any]]:
        step = ops.cast(self._iterations, "float32") + 1.0
        # Computing 1 - beta^t in float32 would lose precision for beta near 1.
        first = -ops.expm1(step * ops.log(ops.cast(self.beta_1, "float32")))
        second = -ops.expm1(step * ops.log(ops.cast(self.beta_2, "float32")))
        momentum = (
            self.beta_1 * state["momentum"] + (1.0 - self.beta_1) * gradients
        )
        velocity = self.beta_2 * state["velocity"] + (
            1.0 - self.beta_2
        ) * ops.square(gradients)
        root = ops.sqrt(velocity / second) + self.epsilon
        rows = rows - learning_rate * (momentum / first) / root
        return rows, {"momentum": momentum, "velocity": velocity}

    def get_config(self) -> dict[str, Any]:
        own = {"beta_1": self.beta_1, "beta_2": self.beta_2}
        return {**super().get_config(), **own, "epsilon": self.epsilon}
