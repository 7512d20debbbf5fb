"""Attention of a few queries over many tokens."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import attend, split_heads
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.masking import masked_softmax

__all__ = ["CrossAttention"]


@export("keras_infnet.layers.CrossAttention")
class CrossAttention(BaseLayer):
    """Multi-head attention of a few query tokens over many source tokens.

    `softmax((Q W_Q)(X W_K)^T / sqrt(d_k)) (X W_V)`, head by head, without
    biases.

    With few queries, most of the cost is the projection of the source. It can
    be folded into the queries without changing the result: `(Q W_Q)(X W_K)^T =
    (Q W_Q W_K^T) X^T` and `A (X W_V) = (A X) W_V`. Then the source is never
    projected. A gate that multiplies every source token by the same vector
    can be folded in the same way. By default the cheaper path is chosen from
    the shapes.

    A source of a single token needs no scores, so `W_Q` and `W_K` do not
    exist.

    A source with a batch size of 1 is attended to by every row of the queries
    without being repeated. Queries with a batch size of 1 attend to every row
    of the source.

    Masking: masked tokens of the source are not attended to, and a row whose
    source is fully masked yields zeros. The mask of the query is passed on.

    Args:
        dim: integer. Width of the output, over all heads.
        num_heads: integer. Must divide `dim`. Defaults to `1`.
        project_query: boolean. Whether the layer has its own `W_Q`. Without
            it the queries must be `dim` wide. Defaults to `True`.
        fold: boolean or `None`. Whether to fold the projections of the
            source into the queries; `None` chooses from the shapes. Defaults
            to `None`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        query: tensor of shape `(batch, queries, query_dim)` or `(1, queries,
            query_dim)`.
        source: tensor of shape `(batch, tokens, source_dim)` or `(1, tokens,
            source_dim)`.
        source_mask: boolean tensor with the first two axes of `source`.
            Optional.
        gate: tensor of shape `(batch, 1, source_dim)` by which every
            source token is multiplied. Optional.

    Returns:
        Tensor of shape `(batch, queries, dim)`.

    Raises:
        ValueError: If a size is not a positive integer, `num_heads` does not
            divide `dim`, or queries are not `dim` wide although they are not
            projected.

    Example:

    >>> import numpy as np
    >>> attend = CrossAttention(dim=8, num_heads=2)
    >>> query = np.ones((2, 3, 8), "float32")
    >>> source = np.ones((2, 50, 16), "float32")
    >>> tuple(attend(query, source).shape)
    (2, 3, 8)

    Reference:
    - [INFNet](https://arxiv.org/abs/2508.11565), heterogeneous information
      flow
    """

    def __init__(
        self,
        dim: int,
        num_heads: int = 1,
        project_query: bool = True,
        fold: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        if dim % num_heads:
            divisors = [n for n in range(1, dim + 1) if dim % n == 0]
            raise ValueError(
                "`num_heads` must divide `dim`. Received: "
                f"num_heads={num_heads}, dim={dim}. Use one of {divisors}."
            )
        self.head_dim = dim // num_heads
        self.supports_masking = True

    def build(self, query_shape: Any, source_shape: Any) -> None:
        if not self.project_query and query_shape[-1] != self.dim:
            raise ValueError(
                "`query` must be `dim` wide if `project_query` is False. "
                f"Received: query of shape {tuple(query_shape)}, "
                f"dim={self.dim}."
            )
        # A single token gets all the attention, whatever its score.
        self.scored, width = source_shape[1] != 1, source_shape[-1]
        self.query_kernel = self.key_kernel = None
        if self.scored:
            if self.project_query:
                self.query_kernel = self._weight(
                    "query_kernel", query_shape[-1], self.dim
                )
            self.key_kernel = self._weight("key_kernel", width, self.dim)
        self.value_kernel = self._weight("value_kernel", width, self.dim)

    def call(
        self, query: Any, source: Any, source_mask: Any = None, gate: Any = None
    ) -> Any:
        mask = source_mask
        if not self.scored:
            return self._single(query, source, mask, gate)
        if self.query_kernel is not None:
            query = ops.matmul(query, self.query_kernel)
        query = query * (self.head_dim**-0.5)
        if self._folds(query, source, gate):
            return self._folded(query, source, mask, gate)
        if gate is not None:
            source = source * gate
        return self._plain(query, source, mask)

    def _folds(self, query: Any, source: Any, gate: Any) -> bool:
        shared = source.shape[0] == 1
        if shared and gate is not None and gate.shape[0] != 1:
            return True  # multiplying the source would copy it for each row
        if self.fold is not None:
            return self.fold
        if shared and query.shape[0] != 1:
            return False  # the source is projected once for all rows
        queries, width = query.shape[1], source.shape[-1]
        if queries is None:
            return False
        # Multiply-adds, for a long source if its length is unknown.
        length = source.shape[1]
        if not isinstance(length, int):
            length = 10_000
        plain = 2 * length * self.dim * (width + queries)
        folded = 2 * queries * width * (self.dim + length * self.num_heads)
        return folded < plain

    def _single(self, query: Any, source: Any, mask: Any, gate: Any) -> Any:
        if gate is not None:
            source = source * gate
        value = ops.matmul(source, self.value_kernel)  # (batch, 1, dim)
        if mask is not None:
            value = value * ops.cast(ops.expand_dims(mask, -1), value.dtype)
        if value.shape[0] == 1 and query.shape[0] != 1:
            rows = ops.shape(query)[0]
            value = ops.broadcast_to(value, (rows, *value.shape[1:]))
        return ops.repeat(value, query.shape[1], axis=1)

    def _plain(self, query: Any, source: Any, mask: Any) -> Any:
        key = ops.matmul(source, self.key_kernel)
        value = ops.matmul(source, self.value_kernel)
        if self.num_heads == 1:
            return self._read(query, key, value, mask)
        queries = query.shape[1]
        query, key, value = (
            split_heads(x, self.num_heads)
            for x in (_with_rows_of(key, query), key, value)
        )
        if mask is not None:
            mask = ops.expand_dims(mask, (1, 2))
        result = attend(query, key, value, mask)
        return ops.reshape(result, (-1, queries, self.dim))

    def _read(self, query: Any, key: Any, value: Any, mask: Any) -> Any:
        """Computes the attention of one head from scaled queries."""
        queries = query.shape[1]
        query = _with_rows_of(key, query)
        scores = ops.einsum("bqd,bld->bql", query, key)
        if mask is not None:
            mask = ops.expand_dims(mask, 1)
        weights = masked_softmax(scores, mask)
        result = ops.einsum("bql,bld->bqd", weights, value)
        if result.shape[1] != queries:
            result = ops.reshape(result, (-1, queries, value.shape[-1]))
        return result

    def _folded(self, query: Any, source: Any, mask: Any, gate: Any) -> Any:
        queries, width = query.shape[1], source.shape[-1]
        query = self._into_source(query, queries, width)
        if gate is not None:
            query = query * gate
        # All heads read the same source, so they count as more queries.
        result = self._read(query, source, source, mask)
        if gate is not None:
            result = result * gate
        return self._out_of_source(result, queries, width)

    def _into_source(self, query: Any, queries: int, width: int) -> Any:
        if self.num_heads == 1:
            return ops.matmul(query, ops.transpose(self.key_kernel))
        heads = (self.num_heads, self.head_dim)
        query = ops.reshape(query, (-1, queries, *heads))
        kernel = ops.reshape(self.key_kernel, (width, *heads))
        query = ops.einsum("bqhe,dhe->bqhd", query, kernel)
        return ops.reshape(query, (-1, queries * self.num_heads, width))

    def _out_of_source(self, result: Any, queries: int, width: int) -> Any:
        if self.num_heads == 1:
            return ops.matmul(result, self.value_kernel)
        result = ops.reshape(result, (-1, queries, self.num_heads, width))
        kernel = ops.reshape(
            self.value_kernel, (width, self.num_heads, self.head_dim)
        )
        result = ops.einsum("bqhd,dhe->bqhe", result, kernel)
        return ops.reshape(result, (-1, queries, self.dim))

    def compute_output_shape(self, query_shape: Any, source_shape: Any) -> Any:
        return (*query_shape[:-1], self.dim)


def _with_rows_of(source: Any, query: Any) -> Any:
    """Reshapes queries to the batch size of a source, if either has one row."""
    if query.shape[0] == source.shape[0]:
        return query
    if source.shape[0] == 1:
        return ops.reshape(query, (1, -1, query.shape[-1]))
    if query.shape[0] == 1:
        rows = ops.shape(source)[0]
        return ops.broadcast_to(query, (rows, *query.shape[1:]))
    return query
