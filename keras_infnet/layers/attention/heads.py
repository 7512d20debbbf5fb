"""Attention heads: their number, their shape and softmax attention."""

from typing import Any

from keras import ops

from keras_infnet.layers.masking import masked_softmax

__all__ = ["attend", "check_heads", "split_heads"]


def check_heads(num_heads: int, width: int) -> None:
    """Raises `ValueError` unless `num_heads` divides the width of a token."""
    if width % num_heads:
        raise ValueError(
            "`num_heads` must divide the width of a token. Received: "
            f"num_heads={num_heads}, tokens of width {width}."
        )


def split_heads(x: Any, num_heads: int) -> Any:
    """Splits the last axis, to `(batch, tokens, heads, width)`."""
    shape = (num_heads, x.shape[-1] // num_heads)
    return ops.reshape(x, (-1, ops.shape(x)[1], *shape))


def attend(
    query: Any,
    key: Any,
    value: Any,
    readable: Any = None,
    dropouts: Any = (),
    training: bool | None = None,
) -> Any:
    """Softmax attention of split heads, joined to `(batch, queries, dim)`.

    `readable` broadcasts to `(batch, heads, queries, keys)`. `dropouts` are
    layers for the attention weights. Scores are not scaled.
    """
    scores = ops.einsum("bqhe,blhe->bhql", query, key)
    weights = masked_softmax(scores, readable)
    for dropout in dropouts:
        weights = dropout(weights, training=training)
    read = ops.einsum("bhql,blhe->bqhe", weights, value)
    _, _, heads, width = value.shape
    return ops.reshape(read, (-1, ops.shape(query)[1], heads * width))
