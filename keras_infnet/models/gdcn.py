"""Gated deep and cross network (GDCN)."""

from collections.abc import Sequence
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.layers import GatedCross
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.dcnv2 import cross_and_deep
from keras_infnet.schema import Schema

__all__ = ["GDCN"]


@export("keras_infnet.models.GDCN")
class GDCN(TrunkRanker):
    """Combines gated feature crosses of bounded degree with an MLP.

    `x_{l+1} = x0 * (W_l x_l + b_l) * sigmoid(G_l x_l) + x_l`, where `x0`
    concatenates all embeddings: the gate filters out noise from high-degree
    crosses. The towers read the shared vector `h`, see `structure`.

    Args:
        num_cross_layers: integer. Number of cross layers L; the maximum
            degree is L + 1. Defaults to `3`.
        structure: `"parallel"` (`h` concatenates the cross layers and an MLP
            on the embeddings), `"stacked"` (an MLP on the cross layers),
            `"stacked_parallel"` (`h` concatenates both MLPs) or
            `"cross_only"`. Defaults to `"parallel"`.
        hidden_dims: sequence of integers. Widths of an MLP. Defaults to
            `(512, 256, 128)`.
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
    >>> model = GDCN(schema, embedding_dim=4, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [GDCN](https://doi.org/10.1145/3583780.3615089)
    """

    presets = {
        "small": {"num_cross_layers": 2, "hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_cross_layers: int = 3,
        structure: str = "parallel",
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Combines gated cross layers and an MLP."""

        def cross(name: str) -> GatedCross:
            return GatedCross(dtype=features.dtype, name=name)

        return cross_and_deep(features, settings, cross)
