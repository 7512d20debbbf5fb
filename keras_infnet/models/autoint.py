"""AutoInt and AutoInt+."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import FieldAttention
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["AutoInt"]


@export("keras_infnet.models.AutoInt")
class AutoInt(TrunkRanker):
    """Models interactions of fields by self-attention.

    Every layer is a `keras_infnet.layers.FieldAttention` over all fields. The
    towers read the concatenated fields of the last layer and, with
    `hidden_dims` ("AutoInt+"), the last hidden layer of an MLP on the
    embeddings. `use_wide` adds a linear term per id and task to the logits.

    Args:
        num_layers: integer. Attention layers. Defaults to `2`.
        num_heads: integer. Defaults to `1`.
        head_dim: integer. Width of a head. Defaults to `8`.
        use_scale: boolean. Whether scores are divided by the square root of
            `head_dim`, unlike in the paper. Defaults to `False`.
        use_wide: boolean. Whether ids have linear terms; not available in a
            `trunk`. Defaults to `False`.
        hidden_dims: sequence of integers. Widths of the MLP; `()` leaves it
            out. Defaults to `(512, 256, 128)`.
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
    >>> model = AutoInt(schema, embedding_dim=4, hidden_dims=(8,))
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [AutoInt](https://arxiv.org/abs/1810.11921)
    """

    presets = {"small": {"hidden_dims": (128, 64)}, "base": {}}

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_layers: int = 2,
        num_heads: int = 1,
        head_dim: int = 8,
        use_scale: bool = False,
        use_wide: bool = False,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Combines attention layers and an MLP."""
        check_positive(num_layers=settings["num_layers"])
        tokens = attended = features.tokens()
        for i in range(settings["num_layers"]):
            attended = FieldAttention(
                settings["num_heads"],
                settings["head_dim"],
                settings["use_scale"],
                dtype=features.dtype,
                name=f"attention_{i}",
            )(attended)
        if not settings["hidden_dims"]:
            return flatten(attended)
        deep = hidden_layers(flatten(tokens), features, settings)
        return ops.concatenate([flatten(attended), deep], axis=-1)

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the towers to the trunk and adds the linear terms."""
        offsets = None
        if settings["use_wide"]:
            linear = features.linear(len(features.schema.tasks))
            offsets = ops.sum(linear, axis=1)
        vector = cls.build_trunk(features, settings)
        return features.towers(vector, settings, offsets)
