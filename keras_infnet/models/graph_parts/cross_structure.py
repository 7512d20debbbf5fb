"""How crosses and an MLP are put together."""

from collections.abc import Callable, Mapping
from typing import Any

from keras import ops

from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features
from keras_infnet.schema import nearest_name
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["cross_and_deep"]

_STRUCTURES = ("parallel", "stacked", "stacked_parallel", "cross_only")


def cross_and_deep(
    features: Features,
    settings: Mapping[str, Any],
    cross: Callable[[str], Any],
) -> Any:
    """Puts cross layers and an MLP together.

    Args:
        features: `Features`.
        settings: with `structure`, `num_cross_layers` and `hidden_dims`.
        cross: function of a name that returns a layer of `(x0, x)`.

    Returns:
        Tensor of shape `(batch, width)`.

    Raises:
        ValueError: If the structure is not known, or needs an MLP and has
            none.
    """
    structure = settings["structure"]
    if structure not in _STRUCTURES:
        raise ValueError(nearest_name(structure, _STRUCTURES, "structure"))
    check_positive(num_cross_layers=settings["num_cross_layers"])
    dims = settings["hidden_dims"]
    if not dims and structure != "cross_only":
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
        return hidden_layers(x, dims, settings, features.dtype, name)

    if structure == "stacked":
        return deep(crossed, "deep_on_crosses")
    parts = [crossed, deep(x0, "deep")]
    if structure == "stacked_parallel":
        parts = [deep(crossed, "deep_on_crosses"), parts[1]]
    return ops.concatenate(parts, axis=-1)
