"""Single-task models as trunks: one hidden vector for all tasks."""

from collections.abc import Mapping
from typing import Any

import keras

from keras_infnet.models.base.constructor_arguments import (
    Settings,
    check_arguments,
    signature_of,
)
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features
from keras_infnet.schema import nearest_name

__all__ = ["TrunkRanker", "check_trunk", "trunk_vector"]

# Arguments of a whole model, not of its trunk.
_MODEL_ARGUMENTS = (
    "schema",
    "embedding_dim",
    "tower_dims",
    "embeddings_initializer",
    "loss_weighting",
    "tower",
    "use_wide",
    "name",
    "dtype",
)


class TrunkRanker(FeatureRanker):
    """Base class of single-task models with a tower per task.

    A subclass defines `build_trunk`, the graph up to the last hidden vector,
    which all towers read. With one task and `tower_dims=()` the model is that
    of its paper. SharedBottom, MMoE, OMoE and PLE accept the class as trunk,
    by its name: `MMoE(schema, trunk="DCNv2")`.

    The arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Example:

    >>> import keras
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class OneLayer(TrunkRanker):
    ...     @classmethod
    ...     def build_trunk(cls, features, settings):
    ...         return keras.layers.Dense(8, "relu")(features.vector())
    >>> schema = Schema(
    ...     [Categorical("item")], [Task("click")], table_sizes={"item": 9}
    ... )
    >>> OneLayer(schema).output["click"].shape
    (None, 1)
    """

    #: All subclasses by name.
    trunks: dict[str, type["TrunkRanker"]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        TrunkRanker.trunks[cls.__name__] = cls

    @classmethod
    def build_trunk(cls, features: Features, settings: Settings) -> Any:
        """Builds the graph from the embeddings to the hidden vector.

        Args:
            features: `Features`.
            settings: dict of the constructor arguments.

        Returns:
            Tensor of shape `(batch, width)`.
        """
        raise NotImplementedError(
            f"{cls.__name__} must define the class method "
            "`build_trunk(cls, features, settings)`, which returns a tensor "
            "of shape (batch, width)."
        )

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Applies the towers to the trunk."""
        return features.towers(_vector(cls, features, settings), settings)


def _vector(
    cls: type[TrunkRanker], features: Features, settings: Settings
) -> Any:
    vector = cls.build_trunk(features, settings)
    if not keras.utils.is_keras_tensor(vector) or len(vector.shape) != 2:
        raise ValueError(
            f"`build_trunk` of {cls.__name__} must return a tensor of shape "
            f"(batch, width). Received: {vector!r}."
        )
    return vector


def check_trunk(trunk: str | Settings | None) -> None:
    """Raises unless `trunk` names a model and arguments of its trunk."""
    if trunk is None:
        return
    given = {"name": trunk} if isinstance(trunk, str) else dict(trunk)
    name = given.pop("name", None)
    known = TrunkRanker.trunks
    if name not in known:
        raise ValueError(nearest_name(str(name), known, "trunk"))
    wrong = [key for key in given if key in _MODEL_ARGUMENTS]
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} is an argument of the whole model, not of its "
            "trunk. Pass it as a separate argument. Received: "
            f"trunk={trunk!r}."
        )
    check_arguments(known[name], (), given)


def trunk_vector(settings: Settings, features: Features) -> Any:
    """Returns the output of `settings["trunk"]`.

    Without a trunk it is the concatenated embeddings.
    """
    trunk = settings["trunk"]
    if trunk is None:
        return features.vector()
    given: Mapping[str, Any] = (
        {"name": trunk} if isinstance(trunk, str) else trunk
    )
    cls = TrunkRanker.trunks[given["name"]]
    values = {
        name: parameter.default
        for name, parameter in signature_of(cls).parameters.items()
        if name not in _MODEL_ARGUMENTS
    }
    values["embedding_dim"] = settings["embedding_dim"]
    if "dropout" in values:
        values["dropout"] = settings["dropout"]
    values |= {n: value for n, value in given.items() if n != "name"}
    return _vector(cls, features, cls.complete(features.schema, values))
