"""Models that are functions of embedded features and settings."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_infnet.layers import MLP, TaskTower
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.ranker import Ranker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_number

__all__ = ["FeatureRanker", "complete", "hidden_layers", "towers"]


class FeatureRanker(Ranker):
    """Base class: a subclass says what follows the embeddings.

    Args:
        schema: `Schema`, fitted.
        settings: the constructor arguments of the subclass by name, with
            `embedding_dim` and `embeddings_initializer`.
        loss_weighting: `"fixed"` or `"uncertainty"`. Defaults to `"fixed"`.
        **kwargs: Arguments of the base class: `name`, `dtype`.

    Raises:
        ValueError: If a setting is out of range.
    """

    def __init__(
        self,
        schema: Schema,
        settings: Mapping[str, Any],
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        settings = complete(settings)
        features = Features(
            schema,
            self.embedding_width(schema, settings),
            settings["embeddings_initializer"],
            kwargs.get("dtype"),
        )
        outputs = self.build_outputs(features, settings)
        super().__init__(
            schema, dict(features.inputs), outputs, loss_weighting, **kwargs
        )
        self.settings = settings

    @classmethod
    def embedding_width(
        cls, schema: Schema, settings: Mapping[str, Any]
    ) -> int:
        """Returns the width of the embedding table.

        Args:
            schema: `Schema`.
            settings: with `embedding_dim`.
        """
        return int(settings["embedding_dim"])

    @classmethod
    @abstractmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Builds the graph from the embeddings to the tasks.

        Args:
            features: `Features`.
            settings: the constructor arguments by name.

        Returns:
            Dict of tensors of shape `(batch, 1)`, one a task.
        """


def complete(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Makes settings plain: tuples, functions and initializers.

    Args:
        settings: constructor arguments by name.

    Returns:
        Dict.

    Raises:
        ValueError: If the dropout is out of range.
    """
    plain = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
    }
    makers = {
        "activation": keras.activations.get,
        "embeddings_initializer": keras.initializers.get,
    }
    for name, make in makers.items():
        if name in plain:
            plain[name] = make(plain[name])
    if plain.get("embeddings_initializer") is None:
        # What no batch has read says nothing yet, and should weigh nothing.
        plain["embeddings_initializer"] = keras.initializers.RandomNormal(
            stddev=1e-4
        )
    if "dropout" in plain:
        check_number("dropout", plain["dropout"], below=1.0)
    return plain


def hidden_layers(
    x: Any,
    hidden_dims: Sequence[int],
    settings: Mapping[str, Any],
    dtype: Any,
    name: str,
) -> Any:
    """Passes a vector through hidden layers; without any it stays.

    Args:
        x: tensor of shape `(batch, features)`.
        hidden_dims: sequence of integers.
        settings: with `activation` and `dropout`.
        dtype: dtype policy.
        name: string. Name of the layer.

    Returns:
        Tensor of shape `(batch, hidden_dims[-1])`.
    """
    if not hidden_dims:
        return x
    return MLP(
        None,
        hidden_dims=hidden_dims,
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=dtype,
        name=name,
    )(x)


def towers(
    vectors: Sequence[Any],
    features: Features,
    settings: Mapping[str, Any],
    offsets: Any = None,
) -> dict[str, Any]:
    """Puts a tower on the vector of every task.

    Args:
        vectors: list of tensors of shape `(batch, features)`, one a task.
        features: `Features`.
        settings: with `tower_dims`, `activation` and `dropout`.
        offsets: tensor of shape `(batch, tasks)`, added to the logits.
            Defaults to `None`.

    Returns:
        Dict of tensors of shape `(batch, 1)`, one a task.
    """
    outputs = {}
    tasks = features.schema.tasks
    for i, (task, vector) in enumerate(zip(tasks, vectors, strict=True)):
        tower = TaskTower(
            settings["tower_dims"],
            kind=task.kind,
            activation=settings["activation"],
            dropout=settings["dropout"],
            dtype=features.dtype,
            name=task.name,
        )
        offset = None if offsets is None else offsets[:, i : i + 1]
        outputs[task.name] = tower(vector, offset)
    return outputs
