"""Block of OneTrans."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.attention.heads import (
    attend,
    check_heads,
    split_heads,
)
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import seeded_dropouts
from keras_infnet.layers.dense.token_dense import TokenDense
from keras_infnet.layers.masking import event_mask

__all__ = ["OneTransBlock"]


@export("keras_infnet.layers.OneTransBlock")
class OneTransBlock(BaseLayer):
    """Transformer block whose events share weights and whose fields do not.

    ```
    X = [S ; F]
    X = X + MixedMHA(RMSNorm(X))
    X = X + MixedFFN(RMSNorm(X))
    ```

    All event tokens `S` share the weights of every linear map; each field token
    `F` has its own. The attention is causal: events attend to earlier events,
    and fields to all events and to earlier fields.

    Only the last `num_queries` events are queries and part of the output; all
    events are keys and values. The keys of events have no bias, since a bias
    that all keys share does not change the attention weights.

    Masking: padding is not attended to, and outputs at padding have no
    meaning. The mask is passed on to the events. With `num_queries`, padding
    must come first (see `keras_infnet.layers.RecentTokens`).

    Args:
        num_heads: integer. Must divide the width of a token. Defaults to `2`.
        num_queries: integer or `None`. Number of events in the output; `None`
            is all. With `0`, the weights that only they need do not exist.
            Defaults to `None`.
        expansion: integer. Width of hidden layers as a multiple of the token
            width. Defaults to `4`.
        activation: string or callable, of hidden layers. Defaults to `"gelu"`.
        dropout: float in `[0, 1)`, after hidden layers. Defaults to `0.0`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        sequence: tensor of shape `(batch, events, dim)`.
        fields: tensor of shape `(batch, fields, dim)` with a known number of
            fields.
        sequence_mask: boolean tensor of shape `(batch, events)`. Optional.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of `"fields"`, of the shape of `fields`, and, unless `num_queries`
        is 0, `"sequence"` of shape `(batch, num_queries, dim)`.

    Raises:
        ValueError: If a size is out of range, or heads do not divide the
            width.

    Example:

    >>> import numpy as np
    >>> sequence, fields = np.ones((2, 5, 8)), np.ones((2, 3, 8))
    >>> block = OneTransBlock(num_queries=4)
    >>> y = block(sequence, fields)
    >>> tuple(y["sequence"].shape), tuple(y["fields"].shape)
    ((2, 4, 8), (2, 3, 8))

    Reference:
    - [OneTrans](https://arxiv.org/abs/2510.26104), section 3
    """

    def __init__(
        self,
        num_heads: int = 2,
        num_queries: int | None = None,
        expansion: int = 4,
        activation: Any = "gelu",
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())

    def build(self, sequence_shape: Any, fields_shape: Any) -> None:
        _, self.num_fields, width = fields_shape
        check_heads(self.num_heads, width)
        self.normalizations = [
            self._rms_norm(f"normalization_{i}", fields_shape) for i in range(2)
        ]
        hidden = self.expansion * width
        # By name of a linear map: input width and output width.
        maps = {
            "query": (width, width),
            "key": (width, width),
            "value": (width, width),
            "read": (width, width),
            "hidden": (width, hidden),
            "output": (hidden, width),
        }
        self.of_fields: dict[str, Any] = {}
        self.of_sequence: dict[str, Any] = {}
        for name, (size, units) in maps.items():
            activation = self.activation if name == "hidden" else None
            self.of_fields[name] = self._part(
                TokenDense,
                f"fields_{name}",
                (None, self.num_fields, size),
                units=units,
                activation=activation,
            )
            if self.num_queries != 0 or name in ("key", "value"):
                self.of_sequence[name] = self._dense(
                    f"sequence_{name}",
                    (None, None, size),
                    units,
                    use_bias=name != "key",
                    activation=activation,
                )
        self.dropout_layers = seeded_dropouts(
            1, self.dropout, self.dtype_policy
        )

    def call(
        self,
        sequence: Any,
        fields: Any,
        sequence_mask: Any = None,
        training: bool | None = None,
    ) -> dict[str, Any]:
        mask = event_mask(sequence, sequence_mask)
        normalize = self.normalizations[0]
        events, normalized_fields = normalize(sequence), normalize(fields)

        def heads(name: str, some_events: Any) -> Any:
            x = self.of_fields[name](normalized_fields)
            if some_events is not None:
                shared = self.of_sequence[name](some_events)
                x = ops.concatenate([shared, x], axis=1)
            return split_heads(x, self.num_heads)

        query = heads("query", self._queries(events))
        key, value = heads("key", events), heads("value", events)
        # Scaled first, because the products could overflow in float16.
        query = query * query.shape[-1] ** -0.5
        # Queries at padding may have no key to attend to.
        read = attend(query, key, value, self._readable(query, key, mask))
        count = self.num_fields
        outputs = {
            "fields": self._finish(
                fields, read[:, -count:], self.of_fields, training
            )
        }
        queries = self._queries(sequence)
        if queries is not None:
            outputs["sequence"] = self._finish(
                queries, read[:, :-count], self.of_sequence, training
            )
        return outputs

    def _queries(self, sequence: Any) -> Any:
        """Returns the events of the output, `None` if there are none."""
        if self.num_queries is None:
            return sequence
        return sequence[:, -self.num_queries :] if self.num_queries else None

    def _readable(self, query: Any, key: Any, mask: Any) -> Any:
        """1 where a query attends to a key, `(batch, 1, queries, keys)`."""
        queries, keys = ops.shape(query)[1], ops.shape(key)[1]
        # The queries are the last of all tokens.
        index = ops.arange(keys)
        causal = ops.less_equal(
            ops.expand_dims(index, 0),
            ops.expand_dims(index[keys - queries :], 1),
        )
        valid = ops.cast(mask, "float32")
        valid = ops.pad(
            valid, ((0, 0), (0, self.num_fields)), constant_values=1.0
        )
        valid = ops.expand_dims(ops.expand_dims(valid, 1), 1)
        return valid * ops.cast(causal, "float32")

    def _finish(
        self, tokens: Any, read: Any, maps: Any, training: bool | None
    ) -> Any:
        """Applies the output projection and the feed-forward network."""
        tokens = tokens + maps["read"](read)
        hidden = maps["hidden"](self.normalizations[1](tokens))
        for layer in self.dropout_layers:
            hidden = layer(hidden, training=training)
        return tokens + maps["output"](hidden)

    def compute_output_shape(
        self, sequence_shape: Any, fields_shape: Any
    ) -> Any:
        shapes = {"fields": tuple(fields_shape)}
        if self.num_queries != 0:
            length = self.num_queries or sequence_shape[1]
            shapes["sequence"] = (sequence_shape[0], length, sequence_shape[2])
        return shapes

    def compute_mask(self, sequence: Any, previous_mask: Any) -> Any:
        masks = {"fields": None}
        if self.num_queries != 0:
            masks["sequence"] = None
            if previous_mask is not None:
                masks["sequence"] = self._queries(previous_mask)
        return masks
