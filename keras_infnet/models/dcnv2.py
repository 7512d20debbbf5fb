"""Deep and cross network, version 2 (DCNv2)."""

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import FeatureCross
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["DCNv2", "cross_and_deep"]

_STRUCTURES = ("parallel", "stacked", "stacked_parallel", "cross_only")


@export("keras_infnet.models.DCNv2")
class DCNv2(TrunkRanker):
    """Combines explicit feature crosses of bounded degree with an MLP.

    `x_{l+1} = x0 * (W_l x_l + b_l) + x_l`, where `x0` concatenates all
    embeddings (see `keras_infnet.layers.FeatureCross` for low rank and
    mixtures). The towers read the shared vector `h`, see `structure`.

    Args:
        num_cross_layers: integer. Number of cross layers L; the maximum
            degree is L + 1. Defaults to `3`.
        projection_dim: integer or `None`. Rank of the cross layers; `None` is
            full rank. Defaults to `None`.
        num_experts: integer. Low-rank experts mixed in every cross layer.
            Defaults to `1`.
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
    >>> model = DCNv2(schema, embedding_dim=4, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [DCN V2](https://arxiv.org/abs/2008.13535)
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
        projection_dim: int | None = None,
        num_experts: int = 1,
        structure: str = "parallel",
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Combines cross layers and an MLP."""

        def cross(name: str) -> FeatureCross:
            return FeatureCross(
                settings["projection_dim"],
                settings["num_experts"],
                dtype=features.dtype,
                name=name,
            )

        return cross_and_deep(features, settings, cross)


def cross_and_deep(
    features: Features,
    settings: Settings,
    cross: Callable[[str], Any],
) -> Any:
    """Combines cross layers, each made by `cross(name)`, and an MLP."""
    structure = settings["structure"]
    if structure not in _STRUCTURES:
        raise ValueError(nearest_name(structure, _STRUCTURES, "structure"))
    check_positive(num_cross_layers=settings["num_cross_layers"])
    if not settings["hidden_dims"] and structure != "cross_only":
        raise ValueError(
            f"structure={structure!r} has an MLP: `hidden_dims` must name at "
            "least one layer. Without MLP use structure='cross_only'."
        )
    x0 = crossed = features.vector()
    for i in range(settings["num_cross_layers"]):
        crossed = cross(f"cross_{i}")(x0, crossed)
    if structure == "cross_only":
        return crossed

    def deep(x: Any, name: str) -> Any:
        return hidden_layers(x, features, settings, name)

    if structure == "stacked":
        return deep(crossed, "deep_on_crosses")
    parts = [crossed, deep(x0, "deep")]
    if structure == "stacked_parallel":
        parts = [deep(crossed, "deep_on_crosses"), parts[1]]
    return ops.concatenate(parts, axis=-1)
