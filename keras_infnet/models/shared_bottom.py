"""Shared-Bottom: one network, one tower per task."""

from collections.abc import Mapping, Sequence
from typing import Any

from keras_infnet.api_export import export
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker, hidden_layers
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import check_trunk, trunk_vector
from keras_infnet.schema import Schema

__all__ = ["SharedBottom"]


@export("keras_infnet.models.SharedBottom")
class SharedBottom(FeatureRanker):
    """Predicts several tasks from one shared hidden vector.

    `h = act(MLP(x))` and `y_m = sigmoid(Tower_m(h))`, where `x` concatenates
    the embeddings of all fields and, per attribute of a behavior, the mean of
    the embeddings of its events. The usual baseline of multi-task models.

    Args:
        hidden_dims: sequence of integers. Widths of the shared layers; may be
            `()` only with a `trunk`. Defaults to `(512, 256, 128)`.
        trunk: string or dict. The single-task model whose last hidden vector
            replaces the concatenated embeddings: its name, such as `"DCNv2"`,
            or a dict of its `"name"` and arguments. Its `dropout` defaults to
            that of this model. Defaults to `None`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If there is no shared layer or the schema is not fitted.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     tasks=[Task("click"), Task("like")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = SharedBottom(schema, hidden_dims=(8,), tower_dims=(4,))
    >>> sorted(model.output)
    ['click', 'like']

    Reference:
    - Caruana, Multitask Learning, Machine Learning 28, 1997
    """

    presets = {
        "small": {"hidden_dims": (128, 64), "tower_dims": (64,)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        hidden_dims: Sequence[int] = (512, 256, 128),
        trunk: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings before the graph is built."""
        check_trunk(settings["trunk"])
        if not settings["hidden_dims"] and settings["trunk"] is None:
            raise ValueError(
                "`hidden_dims` must name at least one shared layer. "
                f"Received: hidden_dims={settings['hidden_dims']!r}."
            )
        return super().complete(schema, settings)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the towers to the shared hidden layers."""
        vector = trunk_vector(settings, features)
        shared = hidden_layers(vector, features, settings, "bottom")
        return features.towers(shared, settings)
