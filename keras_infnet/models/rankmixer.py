"""RankMixer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import RankMixerBlock, TokenDense
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.graph_parts.behavior_views import interest_vector
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["RankMixer"]


@export("keras_infnet.models.RankMixer")
class RankMixer(TrunkRanker):
    """Predicts from a few wide tokens that exchange parts.

    All embeddings side by side, every behaviour pooled as in `DIN`, are cut
    into `num_tokens` equal pieces; each becomes a token by weights of its
    own. Blocks follow in which tokens exchange parts without weights and each
    has a network of its own (see `keras_infnet.layers.RankMixerBlock`). A
    tower a task reads the mean of the tokens. A schema without behaviours
    will do.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        num_tokens: integer. Must divide `token_dim`. Defaults to `4`.
        token_dim: integer. Width of a token. Defaults to `256`.
        num_layers: integer. Defaults to `3`.
        expansion: integer. Width of the hidden layers, in tokens. Defaults to
            `2`.
        attention_dims: sequence of integers. Hidden widths of the attention
            unit of a behaviour. Defaults to `(64,)`.
        attention_activation: string or callable. Activation of the attention
            units; `"dice"` is `keras_infnet.layers.Dice`. Defaults to `"dice"`.
        use_softmax: boolean. Whether the weights of events are a softmax.
            Defaults to `False`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `(128, 64)`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"gelu"`.
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
        ValueError: If an argument is not known or out of range, or the schema
            is not fitted.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = RankMixer(schema, token_dim=8, num_layers=1)
    >>> ids = {"user_id": np.array([1, 2]), "item_id": np.array([3, 4])}
    >>> tuple(model(ids)["click"].shape)
    (2, 1)

    Reference:
    - [RankMixer](https://arxiv.org/abs/2507.15551)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {
            "token_dim": 64,
            "num_layers": 2,
            "attention_dims": (32,),
            "tower_dims": (64,),
        },
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        num_tokens: int = 4,
        token_dim: int = 256,
        num_layers: int = 3,
        expansion: int = 2,
        attention_dims: Sequence[int] = (64,),
        attention_activation: Any = "dice",
        use_softmax: bool = False,
        tower_dims: Sequence[int] = (128, 64),
        activation: Any = "gelu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
            "num_tokens": num_tokens,
            "token_dim": token_dim,
            "num_layers": num_layers,
            "expansion": expansion,
            "attention_dims": attention_dims,
            "attention_activation": attention_activation,
            "use_softmax": use_softmax,
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
        """Mixes tokens and averages them."""
        count, width = settings["num_tokens"], settings["token_dim"]
        check_positive(
            num_tokens=count,
            token_dim=width,
            num_layers=settings["num_layers"],
        )
        vector = features.vector()
        if features.schema.behaviors:
            vector = interest_vector(features, settings, cls.__name__)
        piece = -(-vector.shape[-1] // count)
        missing = piece * count - vector.shape[-1]
        if missing:
            vector = ops.pad(vector, ((0, 0), (0, missing)))
        tokens = TokenDense(width, dtype=features.dtype, name="tokens")(
            ops.reshape(vector, (-1, count, piece))
        )
        for i in range(settings["num_layers"]):
            tokens = RankMixerBlock(
                settings["expansion"],
                settings["activation"],
                dtype=features.dtype,
                name=f"block_{i}",
            )(tokens)
        return ops.mean(tokens, axis=1)
