"""Factorization machine (FM)."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import FactorizationMachine, PairwiseInteraction
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.schema import Schema

__all__ = ["FM", "factorization_logits", "factorization_parts"]


@export("keras_infnet.models.FM")
class FM(FeatureRanker):
    """Adds linear terms of ids and the products of all pairs of embeddings.

    `logit_m = w_m + sum_f linear_m[x_f] + sum_j p_{m,j} v_j`, where `v` is the
    sum of the element-wise products of the embeddings of all pairs of fields.
    Every attribute of a behavior is a field, averaged over the events.
    With one task `p` is one, as in the paper; with several it is learned and
    starts at one. With `tower_dims`,
    `logit_m = sum_f linear_m[x_f] + Tower_m(v)`.

    Args:
        tower_dims: sequence of integers. Hidden widths of the towers; `()`
            omits the towers. Defaults to `()`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = FM(schema, embedding_dim=4)
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - Rendle, Factorization Machines, ICDM 2010
    """

    presets = {"small": {"embedding_dim": 8}, "base": {}}

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Adds linear terms and products of pairs."""
        interaction, linear = factorization_parts(features)
        if settings["tower_dims"] or settings["tower"] is not None:
            offsets = ops.sum(linear, axis=1)
            return features.towers(interaction, settings, offsets)
        logits = factorization_logits(interaction, linear, features)
        return features.towers(
            [logits[:, i : i + 1] for i in range(logits.shape[1])],
            {**settings, "tower_dims": None},
        )


def factorization_parts(features: Features) -> tuple[Any, Any]:
    """Returns the sum of the products of pairs, and linear terms.

    Their shapes are `(batch, dim)` and `(batch, fields, tasks)`.
    """
    interaction = PairwiseInteraction(
        dtype=features.dtype, name="pairwise_interaction"
    )(features.tokens())
    return interaction, features.linear(len(features.schema.tasks))


def factorization_logits(
    interaction: Any, linear: Any, features: Features
) -> Any:
    """Returns the logits of a factorization machine, `(batch, tasks)`."""
    machine = FactorizationMachine(
        len(features.schema.tasks),
        dtype=features.dtype,
        name="factorization_machine",
    )
    return machine(interaction, linear)
