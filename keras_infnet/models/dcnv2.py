"""Deep and cross network, version 2."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.layers import FeatureCross
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.graph_parts.cross_structure import cross_and_deep
from keras_infnet.schema import Schema

__all__ = ["DCNv2"]


@export("keras_infnet.models.DCNv2")
class DCNv2(TrunkRanker):
    """Predicts from explicit crosses of bounded degree and from an MLP.

    `x_{l+1} = x0 * (W_l x_l + b_l) + x_l`, with all embeddings side by side as
    `x0` (see `keras_infnet.layers.FeatureCross` for low rank and mixtures).
    A tower a task reads the shared vector `h` that `structure` describes.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_cross_layers: integer. One more is the degree of the crosses.
            Defaults to `3`.
        projection_dim: integer or `None`. Rank of the crosses; `None` is full
            rank. Defaults to `None`.
        num_experts: integer. Crosses of low rank that are mixed in every layer.
            Defaults to `1`.
        structure: `"parallel"` (`h` joins the crosses and an MLP on the
            embeddings), `"stacked"` (an MLP on the crosses),
            `"stacked_parallel"` (`h` joins the crosses, that MLP and the one on
            the embeddings) or `"cross_only"`. Defaults to `"parallel"`.
        hidden_dims: sequence of integers. Widths of the MLP beside or behind
            the crosses. Defaults to `(512, 256, 128)`.
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
    >>> model = DCNv2(schema, embedding_dim=4, hidden_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [DCN V2](https://arxiv.org/abs/2008.13535)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"num_cross_layers": 2, "hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_cross_layers: int = 3,
        projection_dim: int | None = None,
        num_experts: int = 1,
        structure: str = "parallel",
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
            "num_cross_layers": num_cross_layers,
            "projection_dim": projection_dim,
            "num_experts": num_experts,
            "structure": structure,
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
        """Crosses the embeddings, beside or in front of an MLP."""

        def cross(name: str) -> FeatureCross:
            return FeatureCross(
                settings["projection_dim"],
                settings["num_experts"],
                dtype=features.dtype,
                name=name,
            )

        return cross_and_deep(features, settings, cross)
