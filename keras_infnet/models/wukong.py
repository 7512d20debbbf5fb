"""WuKong."""

from collections.abc import Sequence
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers import WuKongBlock
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["WuKong"]


@export("keras_infnet.models.WuKong")
class WuKong(TrunkRanker):
    """Stacks factorization machines.

    Layer `l` models interactions of up to `2^l` fields (see
    `keras_infnet.layers.WuKongBlock`). An MLP reads the tokens of the last
    layer, and the towers read its last hidden layer.

    Args:
        num_layers: integer. Defaults to `3`.
        num_interaction_tokens: integer. Tokens made by the factorization
            machine of a layer. Defaults to `40`.
        num_compressed_tokens: integer. Tokens made by the linear compression
            of a layer. Defaults to `40`.
        projection_dim: integer. Number of columns to which the products of a
            token with all tokens are projected. Defaults to `8`.
        interaction_dims: sequence of integers. Hidden widths of the MLP of a
            factorization machine. Defaults to `(32, 32)`.
        hidden_dims: sequence of integers. Widths of the MLP on top; `()`
            omits it. Defaults to `(512, 256, 128)`.
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
    >>> model = WuKong(schema, embedding_dim=4, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [WuKong](https://arxiv.org/abs/2403.02545)
    """

    presets = {
        "small": {
            "num_layers": 2,
            "num_interaction_tokens": 8,
            "num_compressed_tokens": 8,
            "hidden_dims": (128, 64),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_layers: int = 3,
        num_interaction_tokens: int = 40,
        num_compressed_tokens: int = 40,
        projection_dim: int = 8,
        interaction_dims: Sequence[int] = (32, 32),
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Applies factorization machines and an MLP."""
        check_positive(num_layers=settings["num_layers"])
        tokens = features.tokens()
        for i in range(settings["num_layers"]):
            tokens = WuKongBlock(
                settings["num_interaction_tokens"],
                settings["num_compressed_tokens"],
                settings["projection_dim"],
                hidden_dims=settings["interaction_dims"],
                activation=settings["activation"],
                dropout=settings["dropout"],
                dtype=features.dtype,
                name=f"block_{i}",
            )(tokens)
        return hidden_layers(flatten(tokens), features, settings)
