"""Shared-Bottom: one network, one tower a task."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.models.base.feature_ranker import (
    FeatureRanker,
    hidden_layers,
    towers,
)
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.schema import Schema

__all__ = ["SharedBottom"]


@export("keras_infnet.models.SharedBottom")
class SharedBottom(FeatureRanker):
    """Predicts several tasks from one hidden vector that they share.

    `h = act(MLP(x))` and `y_m = sigmoid(Tower_m(h))`, where `x` joins the
    embeddings of all fields and, for each behaviour, the mean over its events
    of the embedding of each attribute. The baseline that every multi-task
    model has to beat.

    Args:
        schema: `Schema` whose table sizes are known, usually
            `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        hidden_dims: sequence of integers. Widths of the shared layers; at
            least one without a `trunk`. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Hidden widths of the towers.
            Defaults to `(128, 64)`.
        trunk: what the shared part reads in place of the embeddings side by
            side: the name of a model with a trunk, such as `"DCNv2"`, or a
            dict with this `"name"` and its settings. Without a `dropout` of
            its own it has that of this model. Defaults to `None`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer. Defaults
            to `0.0`.
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
        ValueError: If there is no shared layer or the schema is not fitted.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = SharedBottom(schema, hidden_dims=(8,), tower_dims=(4,))
    >>> sorted(model({"item_id": np.array([3, 4])}))
    ['click', 'like']

    Reference:
    - Caruana, Multitask Learning, Machine Learning 28, 1997
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"hidden_dims": (128, 64), "tower_dims": (64,)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (128, 64),
        trunk: str | Mapping[str, Any] | None = None,
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        check_trunk(trunk)
        if not hidden_dims and trunk is None:
            raise ValueError(
                "`hidden_dims` must name at least one shared layer. "
                f"Received: hidden_dims={hidden_dims!r}."
            )
        settings = {
            "embedding_dim": embedding_dim,
            "hidden_dims": hidden_dims,
            "tower_dims": tower_dims,
            "trunk": trunk,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Puts a tower a task on shared hidden layers."""
        shared = hidden_layers(
            trunk_vector(settings, features),
            settings["hidden_dims"],
            settings,
            features.dtype,
            "bottom",
        )
        vectors = [shared] * len(features.schema.tasks)
        return towers(vectors, features, settings)
