"""Base class of models defined by what follows the embeddings."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_infnet.layers import MLP
from keras_infnet.models.base.constructor_arguments import (
    Settings,
    registered_object,
)
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.ranker import Ranker
from keras_infnet.schema import Schema
from keras_infnet.utils.argument_checks import check_number

__all__ = ["FeatureRanker", "hidden_layers"]


class FeatureRanker(Ranker):
    """Base class of models defined by what follows the embeddings.

    A subclass declares its arguments in the constructor, passes `schema` and
    `**kwargs` on, and defines `build_outputs`, the graph from the embeddings
    to the tasks. `build_outputs` receives all constructor arguments, with
    their defaults, as `settings`; they are also the config.

    The models of this package share the following arguments; a model documents
    those with other defaults.

    Args:
        schema: `Schema` whose table sizes are known, usually
            `encoder.schema`.
        embedding_dim: integer. Width of an embedding. Defaults to `16`.
        tower_dims: sequence of integers. Hidden widths of the towers; `()`
            makes them linear. Defaults to `(128, 64)`.
        activation: string or callable. Activation of all hidden layers.
            Defaults to `"relu"`.
        dropout: float in `[0, 1)`. Rate after every hidden layer. Defaults to
            `0.0`.
        embeddings_initializer: initializer of the embedding tables, or
            `None` for a normal distribution of standard deviation 0.0001.
            Defaults to `None`.
        loss_weighting: `"fixed"` (weights of `compile`) or `"uncertainty"`
            (learned). Defaults to `"fixed"`.
        tower: function of a `Task` that returns the tower of this task, or
            `None` for `keras_infnet.layers.TaskTower`. A tower is a layer that
            maps `(batch, features)` to predictions `(batch, 1)`, probabilities
            for a binary task. Models with linear terms (FM, DeepFM, AutoInt
            with `use_wide`) also pass a tensor `(batch, 1)` to add to its
            logit. To save the model, register the function with
            `@keras.saving.register_keras_serializable("my_package")`.
            Defaults to `None`.
        name: string or `None`. Name of the model. Defaults to `None`.
        dtype: dtype policy of the layers, or `None` for the global policy of
            Keras. Defaults to `None`.

    Call arguments:
        inputs: dict of encoded inputs, as `schema.inputs` describes.
        training: boolean. Whether dropout is active.

    Returns:
        Dict of float32 tensors of shape `(batch, 1)`, one per task:
        probabilities of binary tasks, values of regression tasks.

    Raises:
        ValueError: If an argument is not known or out of range, or the schema
            is not fitted.

    Example:

    >>> import keras
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class TwoLayers(FeatureRanker):
    ...     def __init__(self, schema, units: int = 32, **kwargs):
    ...         super().__init__(schema, **kwargs)
    ...
    ...     @classmethod
    ...     def build_outputs(cls, features, settings):
    ...         dense = keras.layers.Dense(settings["units"], "relu")
    ...         return features.towers(dense(features.vector()), settings)
    >>> import numpy as np
    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     [Categorical("item")], [Task("click")], table_sizes={"item": 9}
    ... )
    >>> model = TwoLayers(schema, units=8, tower_dims=(4,))
    >>> model.compile("adam", loss={"click": "binary_crossentropy"})
    >>> ids, clicks = np.array([1, 2, 8]), np.array([[1.0], [0.0], [1.0]])
    >>> history = model.fit({"item": ids}, {"click": clicks}, verbose=0)
    >>> model.get_config()["units"]
    8
    """

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        tower_dims: Sequence[int] = (128, 64),
        activation: Any = "relu",
        dropout: float = 0.0,
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        tower: Any = None,
        **kwargs: Any,
    ) -> None:
        # `record_arguments` has added those of the subclass.
        settings = self.complete(schema, self.settings)
        features = Features(
            schema,
            self.embedding_width(schema, settings),
            settings["embeddings_initializer"],
            kwargs.get("dtype"),
        )
        outputs = self.build_outputs(features, settings)
        super().__init__(
            schema,
            dict(features.inputs),
            outputs,
            settings["loss_weighting"],
            **kwargs,
        )
        self.update_settings(settings)

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings and resolves names before the graph is built.

        Args:
            schema: `Schema`.
            settings: dict of the constructor arguments.

        Returns:
            Copy of `settings` with lists as tuples, and names replaced by
            functions and initializers.

        Raises:
            ValueError: If a setting is out of range.
        """
        complete = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in settings.items()
        }
        if "activation" in complete:
            complete["activation"] = keras.activations.get(
                complete["activation"]
            )
        complete["embeddings_initializer"] = keras.initializers.get(
            complete.get("embeddings_initializer")
        ) or keras.initializers.RandomNormal(
            # Embeddings of ids that were never trained should have no effect.
            stddev=1e-4
        )
        complete["tower"] = registered_object("tower", complete.get("tower"))
        if "dropout" in complete:
            check_number("dropout", complete["dropout"], below=1.0)
        return complete

    @classmethod
    def embedding_width(cls, schema: Schema, settings: Settings) -> int:
        """Returns the width of the embedding table.

        Args:
            schema: `Schema`.
            settings: with `embedding_dim`.
        """
        return int(settings["embedding_dim"])

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Builds the graph from the embeddings to the tasks.

        Args:
            features: `Features`.
            settings: dict of the constructor arguments.

        Returns:
            Dict of tensors of shape `(batch, 1)`, one per task.
        """
        raise NotImplementedError(
            f"{cls.__name__} must define the class method "
            "`build_outputs(cls, features, settings)`, which returns a dict "
            "of one tensor of shape (batch, 1) per task."
        )


def hidden_layers(
    x: Any, features: Features, settings: Settings, name: str = "deep"
) -> Any:
    """Applies an MLP of `hidden_dims`; `()` returns `x`."""
    if not settings["hidden_dims"]:
        return x
    return MLP(
        None,
        hidden_dims=settings["hidden_dims"],
        activation=settings["activation"],
        dropout=settings["dropout"],
        dtype=features.dtype,
        name=name,
    )(x)
