"""Self-attention of fields."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import attend, split_heads
from keras_infnet.layers.base_layer import BaseLayer

__all__ = ["FieldAttention"]


@export("keras_infnet.layers.FieldAttention")
class FieldAttention(BaseLayer):
    """Interacting layer of AutoInt: self-attention of fields, with a residual.

    `E' = relu([head_1, ..., head_H] + E W_res)`, with
    `head = softmax((E W_Q)(E W_K)^T) (E W_V)`, without biases. The cost grows
    with the square of the number of fields.

    Masking: masked tokens are not attended to, and the mask is passed on.

    Args:
        num_heads: integer. Number of attention heads. Defaults to `1`.
        head_dim: integer. Width of a head. Defaults to `8`.
        use_scale: boolean. Whether scores are divided by the square root of
            `head_dim`, which the paper does not do. Defaults to `False`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        tokens: tensor of shape `(batch, tokens, dim)`.
        mask: boolean tensor of shape `(batch, tokens)`. Optional.

    Returns:
        Tensor of shape `(batch, tokens, num_heads * head_dim)`.

    Raises:
        ValueError: If a size is not a positive integer, or there is only one
            token.

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
        self._store(locals())
        self.supports_masking = True

    def build(self, tokens_shape: Any) -> None:
        if tokens_shape[1] == 1:
            raise ValueError(
                "`tokens` must hold at least two fields, which attend to each "
                "other; attributes of behaviors count as fields. Received: "
                f"tokens of shape {tuple(tokens_shape)}. With one field, use "
                "a model without self-attention, such as DCNv2."
            )
        width = self.num_heads * self.head_dim
        self.kernels = {
            name: self._weight(f"{name}_kernel", tokens_shape[-1], width)
            for name in ("query", "key", "value", "residual")
        }

    def call(self, tokens: Any, mask: Any = None) -> Any:
        query, key, value = (
            split_heads(ops.matmul(tokens, self.kernels[name]), self.num_heads)
            for name in ("query", "key", "value")
        )
        if self.use_scale:
            query = query * self.head_dim**-0.5
        if mask is not None:
            mask = ops.expand_dims(mask, (1, 2))
        residual = ops.matmul(tokens, self.kernels["residual"])
        return ops.relu(attend(query, key, value, mask) + residual)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        return (*tokens_shape[:2], self.num_heads * self.head_dim)
