"""Behavior sequence transformer (BST)."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import TargetSequence, TransformerBlock
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import (
    Features,
    TargetView,
    join_behaviors,
)
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["BST"]

_POOLINGS = ("target", "mean", "sum")


@export("keras_infnet.models.BST")
class BST(TrunkRanker):
    """Encodes events and the target item as one transformer sequence.

    For every behavior, the fields that share a table with one of its
    attributes form the target token, which follows the events (see
    `keras_infnet.layers.TargetSequence`). Transformer blocks encode this
    sequence, and `pooling` reduces it to one vector. An MLP reads these
    vectors, all fields, and the means of attributes without such a field; the
    towers read its last hidden layer.

    Args:
        num_blocks: integer. Transformer blocks per behavior. Defaults to `1`.
        num_heads: integer. Must divide the token width, which is
            `embedding_dim` times the number of paired attributes plus one.
            Defaults to `2`.
        pooling: `"target"` (the target token), `"mean"` or `"sum"` (over the
            valid tokens). Defaults to `"target"`.
        hidden_dims: sequence of integers. Widths of the MLP; `()` leaves it
            out. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Defaults to `()`.
        activation: string or callable. Defaults to `"leaky_relu"`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or no behavior shares a table with a field.

    Example:

    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = BST(schema, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [BST](https://arxiv.org/abs/1905.06874)
    """

    presets = {"small": {"hidden_dims": (128, 64)}, "base": {}}

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_blocks: int = 1,
        num_heads: int = 2,
        pooling: str = "target",
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        activation: Any = "leaky_relu",
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Applies an MLP to the fields and the encoded behaviors."""
        check_positive(num_blocks=settings["num_blocks"])
        pooling = settings["pooling"]
        if pooling not in _POOLINGS:
            raise ValueError(nearest_name(pooling, _POOLINGS, "pooling"))
        vector = join_behaviors(
            features,
            features.targets(cls.__name__),
            lambda view: _encode(view, features, settings),
        )
        return hidden_layers(vector, features, settings)


def _encode(view: TargetView, features: Features, settings: Settings) -> Any:
    """Encodes a behavior by a transformer: `(batch, width)`."""
    tokens = TargetSequence(
        view.max_length,
        position_dim=settings["embedding_dim"],
        dtype=features.dtype,
        name=f"{view.name}_sequence",
    )(view.query, view.events, view.mask)
    # The target is always valid.
    target = ops.ones_like(ops.any(view.mask, axis=1, keepdims=True))
    valid = ops.concatenate([view.mask, target], axis=1)
    for i in range(settings["num_blocks"]):
        tokens = TransformerBlock(
            settings["num_heads"],
            activation=settings["activation"],
            dropout=settings["dropout"],
            dtype=features.dtype,
            name=f"{view.name}_block_{i}",
        )(tokens, valid)
    if settings["pooling"] == "target":
        return tokens[:, -1]
    weights = ops.cast(valid, "float32")
    if settings["pooling"] == "mean":
        weights = weights / ops.sum(weights, axis=1, keepdims=True)
    pooled = ops.einsum("bt,btd->bd", weights, ops.cast(tokens, "float32"))
    return ops.cast(pooled, tokens.dtype)
