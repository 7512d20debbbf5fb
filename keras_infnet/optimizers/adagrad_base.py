"""What row-wise and full Adagrad have in common."""

from typing import Any

from keras_infnet.optimizers.embedding_optimizer import EmbeddingOptimizer
from keras_infnet.utils.argument_checks import check_number

__all__ = ["AdagradBase"]


class AdagradBase(EmbeddingOptimizer):
    """Base class: the numbers of Adagrad, their checks and their config.

    Args:
        learning_rate: float or schedule. Defaults to `0.05`.
        initial_accumulator_value: float. Defaults to `0.0`.
        epsilon: float. Defaults to `1e-8`.
        **kwargs: Arguments of `EmbeddingOptimizer`.

    Raises:
        ValueError: If a number is out of range, or an argument is not
            supported.
    """

    def __init__(
        self,
        learning_rate: Any = 0.05,
        initial_accumulator_value: float = 0.0,
        epsilon: float = 1e-8,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        check_number("initial_accumulator_value", initial_accumulator_value)
        check_number("epsilon", epsilon)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.update(
            initial_accumulator_value=self.initial_accumulator_value,
            epsilon=self.epsilon,
        )
        return config
