"""Deep interest network."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.models.base.feature_ranker import hidden_layers
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.graph_parts.behavior_views import interest_vector
from keras_infnet.schema import Schema

__all__ = ["DIN"]


@export("keras_infnet.models.DIN")
class DIN(TrunkRanker):
    """Predicts from past events weighted by how they fit the target.

    For every behaviour `a_t = MLP([q, h_t, q - h_t, q * h_t])` and
    `sum_t a_t h_t` (see `keras_infnet.layers.TargetAttention`), where `q` joins
    the fields that share a table with an attribute of the behaviour. Attributes
    without such a field are averaged. An MLP reads all fields and behaviours; a
    tower a task reads its last hidden layer `h`.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        attention_dims: sequence of integers. Hidden widths of the attention
            unit of a behaviour. Defaults to `(64,)`.
        attention_activation: string or callable. Activation of the attention
            units; `"dice"` is `keras_infnet.layers.Dice`. Defaults to `"dice"`.
        use_softmax: boolean. Whether the weights of events are a softmax.
            Defaults to `False`.
        hidden_dims: sequence of integers. Widths of the MLP; without any the
            towers read what it would. Defaults to `(512, 256, 128)`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `()`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate behind every hidden layer. Defaults to
            `0.0`.
        embeddings_initializer: initializer of the embedding tables, or `None`
            for a normal distribution of standard deviation 0.0001. Defaults to
            `None`.
        loss_weighting: `"fixed"` (weights of `compile`) or `"uncertainty"`
            (learned). Defaults to `"fixed"`.
        **kwargs: Arguments of the base class: `name`, `dtype`.

    Call arguments:
        inputs: dict of encoded inputs, as `schema.inputs` describes.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of float32 tensors of shape `(batch, 1)`, one a task.

    Raises:
        ValueError: If an argument is not known or out of range, the schema is
            not fitted, or no behaviour shares a table with a field.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Behavior, Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id")],
    ...     behaviors=[Behavior("liked", ["item_id"], max_length=3)],
    ...     tasks=[Task("click")],
    ...     table_sizes={"item_id": 50},
    ... )
    >>> model = DIN(schema, hidden_dims=(8,))
    >>> inputs = {
    ...     "item_id": np.array([3, 4]),
    ...     "liked_item_id": np.array([[5, 6, 0], [0, 0, 0]]),
    ...     "liked_mask": np.array([[True, True, False], [False] * 3]),
    ... }
    >>> tuple(model(inputs)["click"].shape)
    (2, 1)

    Reference:
    - [DIN](https://arxiv.org/abs/1706.06978)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"attention_dims": (32,), "hidden_dims": (128, 64)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        attention_dims: Sequence[int] = (64,),
        attention_activation: Any = "dice",
        use_softmax: bool = False,
        hidden_dims: Sequence[int] = (512, 256, 128),
        tower_dims: Sequence[int] = (),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
            "attention_dims": attention_dims,
            "attention_activation": attention_activation,
            "use_softmax": use_softmax,
            "hidden_dims": hidden_dims,
            "tower_dims": tower_dims,
            "activation": activation,
            "dropout": dropout,
            "embeddings_initializer": embeddings_initializer,
        }
        super().__init__(schema, settings, loss_weighting, **kwargs)

    @classmethod
    def build_trunk(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> Any:
        """Pools behaviours by the target, and an MLP on top."""
        return hidden_layers(
            interest_vector(features, settings, cls.__name__),
            settings["hidden_dims"],
            settings,
            features.dtype,
            "deep",
        )
