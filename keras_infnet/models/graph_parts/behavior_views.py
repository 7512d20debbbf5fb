"""Fields and behaviours side by side, behaviours pooled by the target."""

from collections.abc import Mapping
from typing import Any

from keras import ops

from keras_infnet.layers import TargetAttention
from keras_infnet.models.base.features import Features, flatten

__all__ = ["interest_vector"]


def interest_vector(
    features: Features, settings: Mapping[str, Any], model: str
) -> Any:
    """Puts all fields and the pooled behaviours side by side.

    Args:
        features: `Features`.
        settings: with `attention_dims`, `attention_activation` and
            `use_softmax`.
        model: string. Name of the model that asks.

    Returns:
        Tensor of shape `(batch, features)`.

    Raises:
        ValueError: If no behaviour shares a table with a field.
    """
    parts = [flatten(features.fields)]
    for view in features.targets(model):
        if view.query is not None:
            attend = TargetAttention(
                settings["attention_dims"],
                activation=settings["attention_activation"],
                use_softmax=settings["use_softmax"],
                dtype=features.dtype,
                name=f"{view.name}_attention",
            )
            parts.append(flatten(attend(view.query, view.events, view.mask)))
        if view.others is not None:
            parts.append(flatten(view.others))
    return ops.concatenate(parts, axis=-1)
