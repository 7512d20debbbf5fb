"""Hierarchical sequential transduction units, for ranking."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from keras_infnet.api_export import export
from keras_infnet.layers import HSTULayer
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.trunk_ranker import TrunkRanker
from keras_infnet.models.graph_parts.hstu_sequence import hstu_sequence
from keras_infnet.schema import GAP_BUCKETS, Schema
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["HSTU"]


@export("keras_infnet.models.HSTU")
class HSTU(TrunkRanker):
    """Predicts from one sequence of past events and the candidate.

    The tokens are one for all fields that are not the candidate's, one an event
    of every behaviour, and last the candidate. An event is the fields that it
    shares tables with, passed through the same dense layer as those of the
    candidate, and a learned vector for its behaviour; the candidate has none,
    because whether there was one is the question. Attributes without a field
    are averaged over the events and belong to the first token.

    Where all behaviours are timed, their events are merged by time: by the
    bucket of the gap to the request, those of unknown time first, and by order
    of the schema within a bucket. Otherwise one behaviour comes after the
    other. Layers of gated attention follow (see
    `keras_infnet.layers.HSTULayer`); a tower a task reads the token of the
    candidate. Times count in the attention where any behaviour has them.

    Args:
        schema: `Schema` whose table sizes are known, usually `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        token_dim: integer. Width of a token. Defaults to `256`.
        num_layers: integer. Defaults to `3`.
        num_heads: integer. Must divide `token_dim`. Defaults to `2`.
        tower_dims: sequence of integers. Hidden widths of the towers. Defaults
            to `(128, 64)`.
        activation: string or callable. Activation of the hidden layers of the
            towers. Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate in every layer of attention and behind
            every hidden layer. Defaults to `0.0`.
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
    >>> model = HSTU(schema, token_dim=8, num_layers=1)
    >>> inputs = {
    ...     "item_id": np.array([3, 4]),
    ...     "liked_item_id": np.array([[5, 6, 0], [0, 0, 0]]),
    ...     "liked_mask": np.array([[True, True, False], [False] * 3]),
    ... }
    >>> tuple(model(inputs)["click"].shape)
    (2, 1)

    Reference:
    - [HSTU](https://arxiv.org/abs/2402.17152)
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "small": {"token_dim": 64, "num_layers": 2, "tower_dims": (64,)},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        token_dim: int = 256,
        num_layers: int = 3,
        num_heads: int = 2,
        tower_dims: Sequence[int] = (128, 64),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = {
            "embedding_dim": embedding_dim,
            "token_dim": token_dim,
            "num_layers": num_layers,
            "num_heads": num_heads,
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
        """Reads the sequence; the token of the candidate is the vector."""
        check_positive(
            token_dim=settings["token_dim"], num_layers=settings["num_layers"]
        )
        sequence = hstu_sequence(features, settings["token_dim"], cls.__name__)
        tokens = sequence.tokens
        for i in range(settings["num_layers"]):
            tokens = HSTULayer(
                settings["num_heads"],
                max_length=sequence.max_length,
                num_gaps=0 if sequence.gap is None else GAP_BUCKETS + 1,
                # Nobody reads the other tokens of the last layer.
                last_only=i == settings["num_layers"] - 1,
                dropout=settings["dropout"],
                dtype=features.dtype,
                name=f"layer_{i}",
            )(tokens, sequence.position, sequence.valid, sequence.gap)
        return tokens[:, 0]
