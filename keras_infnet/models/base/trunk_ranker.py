"""Models with one hidden vector for all tasks, and such vectors alone."""

import inspect
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from keras_infnet.models.base.feature_ranker import (
    FeatureRanker,
    complete,
    towers,
)
from keras_infnet.models.base.features import Features
from keras_infnet.models.base.ranker import check_arguments
from keras_infnet.schema import nearest_name

__all__ = ["TrunkRanker", "check_trunk", "trunk_vector"]

# What belongs to a whole model and not to its trunk.
_OF_THE_MODEL = (
    "self",
    "schema",
    "embedding_dim",
    "tower_dims",
    "embeddings_initializer",
    "loss_weighting",
    "use_wide",
    "kwargs",
)


class TrunkRanker(FeatureRanker):
    """Base class of single-task systems, made multi-task.

    Everything up to the last hidden vector is shared by the tasks; each has a
    tower on it. Without hidden layers in the towers and with one task the
    model is that of its paper. Multi-task models take the same trunks, by the
    names of their classes.
    """

    #: The trunks, by name of their class.
    trunks: dict[str, type["TrunkRanker"]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        TrunkRanker.trunks[cls.__name__] = cls

    @classmethod
    @abstractmethod
    def build_trunk(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> Any:
        """Builds the graph from the embeddings to the shared vector.

        Args:
            features: `Features`.
            settings: the constructor arguments by name.

        Returns:
            Tensor of shape `(batch, width)`.
        """

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Puts a tower a task on the trunk."""
        vector = cls.build_trunk(features, settings)
        vectors = [vector] * len(features.schema.tasks)
        return towers(vectors, features, settings)


def check_trunk(trunk: str | Mapping[str, Any] | None) -> Any:
    """Returns the trunk with all its settings, plain.

    Args:
        trunk: name of a trunk; or a dict with its `"name"` and settings; or
            `None`.

    Returns:
        What was given, checked.

    Raises:
        ValueError: If the name, or a setting, is not known.
    """
    if trunk is None:
        return None
    given = {"name": trunk} if isinstance(trunk, str) else dict(trunk)
    name = given.pop("name", None)
    known = TrunkRanker.trunks
    if name not in known:
        raise ValueError(nearest_name(str(name), known, "trunk"))
    cls = known[name]
    wrong = [key for key in given if key in _OF_THE_MODEL]
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} is a setting of the whole model, not of its trunk. "
            f"Give it beside `trunk`. Received: trunk={trunk!r}."
        )
    check_arguments(cls, (), given)
    return trunk


def trunk_vector(settings: Mapping[str, Any], features: Features) -> Any:
    """Builds what the shared part of a multi-task model reads.

    Args:
        settings: with `trunk`, as for `check_trunk`, where `None` is the
            embeddings side by side, `embedding_dim` and `dropout`.
        features: `Features`.

    Returns:
        Tensor of shape `(batch, width)`.
    """
    trunk = settings["trunk"]
    if trunk is None:
        return features.vector()
    given = {"name": trunk} if isinstance(trunk, str) else dict(trunk)
    cls = TrunkRanker.trunks[given.pop("name")]
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(
            cls.__init__
        ).parameters.items()
        if name not in _OF_THE_MODEL
    }
    defaults["embedding_dim"] = settings["embedding_dim"]
    if "dropout" in defaults:
        defaults["dropout"] = settings["dropout"]
    return cls.build_trunk(features, complete({**defaults, **given}))
