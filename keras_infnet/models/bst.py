"""Behaviour sequence transformer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import TargetSequence, TransformerBlock
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features, TargetView, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["BST"]

_POOLINGS = ("target", "mean", "sum")


@export("keras_infnet.models.BST")
class BST(TrunkRanker):
    """Predicts from behaviours read by a transformer, the target among them.

    For every behaviour the fields that share a table with one of its attributes
    stand behind the events (see `keras_infnet.layers.TargetSequence`), and
    blocks of a transformer pass over this sequence. What `pooling` reads from
    it, all fields, and the means of attributes without such a field go through
    an MLP; a tower a task reads its last hidden layer `h`.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_blocks: integer. Blocks of the transformer of a behaviour. Defaults
            to `1`.
        num_heads: integer. Must divide the width of a token: `embedding_dim`
            times one more than the attributes that are paired. Defaults to `2`.
        pooling: `"target"` (the token of the target), `"mean"` or `"sum"` (over
            the valid tokens). Defaults to `"target"`.
        hidden_dims: sequence of integers. Widths of the MLP; without any the
            towers read what it would. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `()`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"leaky_relu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer. Defaults to
            `0.0`.
        embeddings_initializer: initializer of the embedding tables, or `None`
            for a normal distribution of standard deviation 0.0001. Defaults to
            `None`.
        loss_weighting: `"fixed"` (weights of `compile`) or `"uncertainty"`
            (learned). Defaults to `"fixed"`.
        **kwargs: Arguments of the base class: `name`, `dtype`.

    Call arguments:
        inputs: dict of encoded inputs, as `schema.inputs` describes.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of float32 tensors of shape `(batch, 1)`, one a task.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or no behaviour shares a table with a field.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = BST(schema, hidden_dims=(8,))
    >>> inputs = {
    ...     "item_id": np.array([3, 4]),
    ...     "liked_item_id": np.array([[5, 6, 0], [0, 0, 0]]),
    ...     "liked_mask": np.array([[True, True, False], [False] * 3]),
    ... }
    >>> tuple(model(inputs)["click"].shape)
    (2, 1)

    Reference:
    - [BST](https://arxiv.org/abs/1905.06874)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"hidden_dims": (128, 64)},
        "base": {},
    }

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
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
            "num_blocks": num_blocks,
            "num_heads": num_heads,
            "pooling": pooling,
            "hidden_dims": hidden_dims,
            "tower_dims": tower_dims,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def build_trunk(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> Any:
        """Reads behaviours by a transformer, and an MLP on top."""
        check_positive(num_blocks=settings["num_blocks"])
        pooling = settings["pooling"]
        if pooling not in _POOLINGS:
            raise ValueError(nearest_name(pooling, _POOLINGS, "pooling"))
        parts = [flatten(features.fields)]
        for view in features.targets(cls.__name__):
            if view.query is not None:
                parts.append(_read(view, features, settings))
            if view.others is not None:
                parts.append(flatten(view.others))
        return hidden_layers(
            ops.concatenate(parts, axis=-1),
            settings["hidden_dims"],
            settings,
            features.dtype,
            "deep",
        )


def _read(
    view: TargetView, features: Features, settings: Mapping[str, Any]
) -> Any:
    """Reads one behaviour, `(batch, width)`."""
    tokens = TargetSequence(
        view.max_length,
        position_dim=settings["embedding_dim"],
        dtype=features.dtype,
        name=f"{view.name}_sequence",
    )(view.query, view.events, view.mask)
    # The target is always there.
    there = ops.ones_like(ops.any(view.mask, axis=1, keepdims=True))
    valid = ops.concatenate([view.mask, there], axis=1)
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
