"""DeepFM."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker, hidden_layers
from keras_infnet.models.base.features import Features
from keras_infnet.models.fm import factorization_logits, factorization_parts
from keras_infnet.schema import Schema

__all__ = ["DeepFM"]


@export("keras_infnet.models.DeepFM")
class DeepFM(FeatureRanker):
    """Adds a factorization machine and an MLP on the same embeddings.

    `logit_m = FM_m + w_m h + b_m`, where `h` is the last hidden layer of an
    MLP over the concatenated embeddings. With `tower_dims`,
    `logit_m = sum_f linear_m[x_f] + Tower_m([v, h])`, where `v` is the sum of
    the products of all pairs.

    Args:
        hidden_dims: sequence of integers. Widths of the MLP, at least one.
            Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Defaults to `()`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = DeepFM(schema, embedding_dim=4, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [DeepFM](https://arxiv.org/abs/1703.04247)
    """

    presets = {"small": {"hidden_dims": (128, 64)}, "base": {}}

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings before the graph is built."""
        if not settings["hidden_dims"]:
            raise ValueError(
                "`hidden_dims` must name at least one hidden layer; a "
                "factorization machine alone is `FM`. Received: "
                f"hidden_dims={settings['hidden_dims']!r}."
            )
        return super().complete(schema, settings)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Adds the logits of both parts."""
        interaction, linear = factorization_parts(features)
        hidden = hidden_layers(features.vector(), features, settings)
        if not settings["tower_dims"] and settings["tower"] is None:
            logits = factorization_logits(interaction, linear, features)
            return features.towers(hidden, settings, logits)
        joined = ops.concatenate([interaction, hidden], axis=-1)
        return features.towers(joined, settings, ops.sum(linear, axis=1))
