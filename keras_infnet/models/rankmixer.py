"""RankMixer."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import RankMixerBlock, TokenDense
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.din import interest_vector
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["RankMixer"]


@export("keras_infnet.models.RankMixer")
class RankMixer(TrunkRanker):
    """Mixes a few wide tokens by exchanging their parts.

    The concatenated embeddings, with every behavior pooled as in `DIN`, are
    split into `num_tokens` equal pieces, and a separate dense layer maps each
    to a token. In every block, tokens exchange parts without any weights, and
    each token has its own feed-forward network (see
    `keras_infnet.layers.RankMixerBlock`). The towers read the mean of the
    tokens. Behaviors are optional.

    Args:
        num_tokens: integer. Must divide `token_dim`. Defaults to `4`.
        token_dim: integer. Width of a token. Defaults to `256`.
        num_layers: integer. Defaults to `3`.
        expansion: integer. Width of the hidden layers relative to
            `token_dim`. Defaults to `2`.
        attention_dims: sequence of integers. Hidden widths of the attention
            unit. Defaults to `(64,)`.
        attention_activation: string or callable. Activation of the attention
            unit; `"dice"` is `keras_infnet.layers.Dice`. Defaults to `"dice"`.
        use_softmax: boolean. Whether event weights are normalized by a
            softmax. Defaults to `False`.
        activation: string or callable. Defaults to `"gelu"`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Example:

    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     fields=[Categorical("user_id"), Categorical("item_id")],
    ...     tasks=[Task("click")],
    ...     table_sizes={"user_id": 100, "item_id": 50},
    ... )
    >>> model = RankMixer(schema, token_dim=8, num_layers=1)
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [RankMixer](https://arxiv.org/abs/2507.15551)
    """

    presets = {
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
        activation: Any = "gelu",
        **kwargs: Any,
    ) -> None:
        super().__init__(schema, **kwargs)

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Averages the tokens of the last block."""
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
