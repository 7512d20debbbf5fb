"""DeepFM."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.feature_ranker import (
    FeatureRanker,
    hidden_layers,
    towers,
)
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.fm import factorization_logits, factorization_parts
from keras_infnet.schema import Schema

__all__ = ["DeepFM"]


@export("keras_infnet.models.DeepFM")
class DeepFM(FeatureRanker):
    """Predicts by a factorisation machine and an MLP on the same embeddings.

    `logit_m = FM_m + w_m h + b_m`, where `h` is the last hidden layer of an
    MLP over all embeddings side by side. With `tower_dims`,
    `logit_m = sum_f linear_m[x_f] + Tower_m([v, h])`, with `v` the sum of the
    products of all pairs.

    Args:
        schema: `Schema` whose table sizes are known, usually
            `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        hidden_dims: sequence of integers. Widths of the MLP, one at least.
            Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Hidden widths of the towers.
            Defaults to `()`.
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
    >>> model = DeepFM(schema, embedding_dim=4, hidden_dims=(8,))
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [DeepFM](https://arxiv.org/abs/1703.04247)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        if not hidden_dims:
            raise ValueError(
                "`hidden_dims` must name at least one hidden layer; a "
                "factorisation machine alone is `FM`. Received: "
                f"hidden_dims={hidden_dims!r}."
            )
        settings = {
            "embedding_dim": embedding_dim,
            "hidden_dims": hidden_dims,
            "tower_dims": tower_dims,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Adds the logits of both parts up."""
        interaction, linear = factorization_parts(features)
        hidden = hidden_layers(
            flatten(features.tokens()),
            settings["hidden_dims"],
            settings,
            features.dtype,
            "deep",
        )
        count = len(features.schema.tasks)
        if not settings["tower_dims"]:
            logits = factorization_logits(interaction, linear, features)
            return towers([hidden] * count, features, settings, logits)
        joined = ops.concatenate([interaction, hidden], axis=-1)
        offsets = ops.sum(linear, axis=1)
        return towers([joined] * count, features, settings, offsets)
