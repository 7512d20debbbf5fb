"""AutoInt and AutoInt+."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import FieldAttention
from keras_infnet.models.base.feature_ranker import hidden_layers, towers
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["AutoInt"]


@export("keras_infnet.models.AutoInt")
class AutoInt(TrunkRanker):
    """Predicts from fields that attend to each other.

    Every layer is a `keras_infnet.layers.FieldAttention` over all fields. A
    tower a task reads `h`, the fields after the last layer side by side and,
    where there are `hidden_dims` ("AutoInt+"), the last hidden layer of an MLP
    on the embeddings. With `use_wide` every id adds a number a task to the
    logit.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_layers: integer. Layers of attention. Defaults to `2`.
        num_heads: integer. Defaults to `1`.
        head_dim: integer. Width of a head. Defaults to `8`.
        use_scale: boolean. Whether scores are divided by the root of
            `head_dim`, which the paper does not do. Defaults to `False`.
        use_wide: boolean. Whether ids have linear terms. Not part of a `trunk`.
            Defaults to `False`.
        hidden_dims: sequence of integers. Widths of the MLP; `()` leaves it
            out. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `()`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer. Defaults to
            `0.0`.
        embeddings_initializer: initializer of the embedding tables, or
            `None` for a normal distribution of standard deviation 0.0001.
            Defaults to `None`.
        loss_weighting: `"fixed"` (weights of `compile`) or `"uncertainty"`
            (learned). Defaults to `"fixed"`.
        **kwargs: Arguments of the base class: `name`, `dtype`.

    Call arguments:
        inputs: dict of encoded inputs, as `schema.inputs` describes.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of float32 tensors of shape `(batch, 1)`, one a task.

    Raises:
        ValueError: If an argument is not known or out of range, or the schema
            is not fitted.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = AutoInt(schema, embedding_dim=4, hidden_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [AutoInt](https://arxiv.org/abs/1810.11921)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_layers: int = 2,
        num_heads: int = 1,
        head_dim: int = 8,
        use_scale: bool = False,
        use_wide: bool = False,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "head_dim": head_dim,
            "use_scale": use_scale,
            "use_wide": use_wide,
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
        """Lets the fields attend to each other, beside an MLP."""
        check_positive(num_layers=settings["num_layers"])
        tokens = attended = features.tokens()
        for i in range(settings["num_layers"]):
            attended = FieldAttention(
                settings["num_heads"],
                settings["head_dim"],
                settings["use_scale"],
                dtype=features.dtype,
                name=f"attention_{i}",
            )(attended)
        dims = settings["hidden_dims"]
        if not dims:
            return flatten(attended)
        deep = hidden_layers(
            flatten(tokens), dims, settings, features.dtype, "deep"
        )
        return ops.concatenate([flatten(attended), deep], axis=-1)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Puts a tower a task on the trunk, and adds the wide part."""
        count = len(features.schema.tasks)
        vectors = [cls.build_trunk(features, settings)] * count
        offsets = None
        if settings["use_wide"]:
            offsets = ops.sum(features.linear(count), axis=1)
        return towers(vectors, features, settings, offsets)
