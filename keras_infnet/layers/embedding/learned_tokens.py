"""Learned tokens that are the same for every row."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["LearnedTokens"]


@export("keras_infnet.layers.LearnedTokens")
class LearnedTokens(BaseLayer):
    """Repeats the same learned tokens for every row.

    INFNet uses it for its task tokens and shared task tokens.

    Args:
        num_tokens: integer. Number of tokens.
        dim: integer. Width of a token.
        initializer: initializer of the tokens. Defaults to
            `"random_normal"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        like: tensor of shape `(batch, ...)`. Only its batch size is used.

    Returns:
        Tensor of shape `(batch, num_tokens, dim)`.

    Raises:
        ValueError: If a size is not a positive integer.

    Example:

    >>> import numpy as np
    >>> tuple(LearnedTokens(3, dim=8)(np.zeros((2, 5))).shape)
    (2, 3, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), task tokens
    """

    def __init__(
        self,
        num_tokens: int,
        dim: int,
        initializer: Any = "random_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    @property
    def is_constant(self) -> bool:
        """Whether all rows of the output are equal, always `True`."""
        return True

    def build(self, like_shape: Any) -> None:
        self.tokens = self._weight(
            "tokens", self.num_tokens, self.dim, initializer=self.initializer
        )

    def call(self, like: Any) -> Any:
        tokens = ops.cast(self.tokens, self.compute_dtype)
        return ops.broadcast_to(
            ops.expand_dims(tokens, 0),
            (ops.shape(like)[0], self.num_tokens, self.dim),
        )

    def compute_output_shape(self, like_shape: Any) -> Any:
        return (like_shape[0], self.num_tokens, self.dim)

    def compute_mask(self, like: Any, previous_mask: Any) -> Any:
        return None
