"""Attention of fields to fields."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import masked_softmax
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["FieldAttention"]


@export("keras_infnet.layers.FieldAttention")
class FieldAttention(BaseLayer):
    """One interacting layer of AutoInt.

    `E' = relu([head_1, ..., head_H] + E W_res)`, with
    `head = softmax((E W_Q)(E W_K)^T) (E W_V)`, without biases. Its cost grows
    with the square of the number of fields.

    Masking: masked tokens are not read, and the mask is passed on.

    Args:
        num_heads: integer. Defaults to `1`.
        head_dim: integer. Width of a head. Defaults to `8`.
        use_scale: boolean. Whether scores are divided by the root of
            `head_dim`, which the paper does not do. Defaults to `False`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.

    Returns:
        Tensor of shape `(batch, tokens, num_heads * head_dim)`.

    Raises:
        ValueError: If a size is not a positive integer, or there is one token
            only.

    Example:

    >>> import numpy as np
    >>> layer = FieldAttention(num_heads=2, head_dim=4)
    >>> tuple(layer(np.ones((2, 5, 6), "float32")).shape)
    (2, 5, 8)

    Reference:
    - [AutoInt](https://arxiv.org/abs/1810.11921), section 4.4
    """

    def __init__(
        self,
        num_heads: int = 1,
        head_dim: int = 8,
        use_scale: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_positive(num_heads=num_heads, head_dim=head_dim)
        self.num_heads = num_heads
        self.head_dim = head_dim
        self.use_scale = use_scale
        self.supports_masking = True

    def build(self, tokens_shape: Any) -> None:
        if tokens_shape[1] == 1:
            raise ValueError(
                "fields attend to each other: there must be two at least, "
                "counting attributes of behaviours. Received: one. Use a "
                "model without attention of fields, such as DCNv2."
            )
        width = self.num_heads * self.head_dim
        self.kernels = {
            name: self._kernel(f"{name}_kernel", tokens_shape[-1], width)
            for name in ("query", "key", "value", "residual")
        }

    def call(self, tokens: Any, mask: Any = None) -> Any:
        heads = (-1, ops.shape(tokens)[1], self.num_heads, self.head_dim)
        query, key, value = (
            ops.reshape(ops.matmul(tokens, self.kernels[name]), heads)
            for name in ("query", "key", "value")
        )
        scores = ops.cast(ops.einsum("bihd,bjhd->bhij", query, key), "float32")
        if self.use_scale:
            scores = scores / self.head_dim**0.5
        if mask is not None:
            mask = ops.expand_dims(mask, (1, 2))
        weights = ops.cast(masked_softmax(scores, mask), value.dtype)
        read = ops.einsum("bhij,bjhd->bihd", weights, value)
        read = ops.reshape(read, (*heads[:2], self.num_heads * self.head_dim))
        kept = ops.matmul(tokens, self.kernels["residual"])
        return ops.relu(read + kept)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (*tokens_shape[:2], self.num_heads * self.head_dim)
