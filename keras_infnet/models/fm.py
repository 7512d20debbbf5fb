"""Factorisation machine."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import FactorizationMachine, PairwiseInteraction
from keras_infnet.models.base.feature_ranker import FeatureRanker, towers
from keras_infnet.models.base.features import Features
from keras_infnet.schema import Schema

__all__ = ["FM", "factorization_logits", "factorization_parts"]


@export("keras_infnet.models.FM")
class FM(FeatureRanker):
    """Predicts from single ids and from the products of all pairs.

    `logit_m = w_m + sum_f linear_m[x_f] + sum_j p_{m,j} v_j`, where `v` adds
    up the element-wise products of the embeddings of all pairs of fields. A
    behaviour counts as one field an attribute: the mean over its events. With
    one task `p` is one, as in the paper; with several it is learned, starting
    at one. With `tower_dims`, `logit_m = sum_f linear_m[x_f] + Tower_m(v)`.

    Args:
        schema: `Schema` whose table sizes are known, usually
            `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        tower_dims: sequence of integers. Hidden widths of the towers; without
            any there are no towers. Defaults to `()`.
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
    >>> model = FM(schema, embedding_dim=4)
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - Rendle, Factorization Machines, ICDM 2010
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"embedding_dim": 8},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        tower_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
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
        """Adds linear terms and products of pairs up."""
        interaction, linear = factorization_parts(features)
        count = len(features.schema.tasks)
        if settings["tower_dims"]:
            return towers(
                [interaction] * count,
                features,
                settings,
                offsets=ops.sum(linear, axis=1),
            )
        logits = factorization_logits(interaction, linear, features)
        return towers(
            [logits[:, i : i + 1] for i in range(count)],
            features,
            {**settings, "tower_dims": None},
        )


def factorization_parts(features: Features) -> tuple[Any, Any]:
    """Returns the sum of the products of pairs, and the linear terms.

    Args:
        features: `Features`.

    Returns:
        Tensors of shape `(batch, dim)` and `(batch, fields, tasks)`.
    """
    interaction = PairwiseInteraction(
        dtype=features.dtype, name="pairwise_interaction"
    )(features.tokens())
    return interaction, features.linear(len(features.schema.tasks))


def factorization_logits(
    interaction: Any, linear: Any, features: Features
) -> Any:
    """Returns the logits of a factorisation machine, `(batch, tasks)`.

    Args:
        interaction: tensor of shape `(batch, dim)`.
        linear: tensor of shape `(batch, fields, tasks)`.
        features: `Features`.

    Returns:
        Tensor of shape `(batch, tasks)`.
    """
    machine = FactorizationMachine(
        len(features.schema.tasks),
        dtype=features.dtype,
        name="factorization_machine",
    )
    return machine(interaction, linear)
