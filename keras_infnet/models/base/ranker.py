"""Base class of all ranking models."""

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import keras
from keras import ops

from keras_infnet.losses import UncertaintyWeighting, task_losses
from keras_infnet.models.base import grouped_summary
from keras_infnet.models.base.compiled_losses import losses_by_task
from keras_infnet.models.base.constructor_arguments import (
    Settings,
    plain_setting,
    record_arguments,
    signature_of,
)
from keras_infnet.models.base.input_checks import (
    check_inputs,
    check_outputs,
    check_source,
    check_tasks,
)
from keras_infnet.models.base.jax_state import (
    keep_weights_on_errors,
    separate_buffers,
)
from keras_infnet.models.base.row_sparse_model import RowSparseModel
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.training.checked_ids import IdChecks

__all__ = ["Ranker"]

_LOG = logging.getLogger("keras_infnet")


class Ranker(RowSparseModel):
    """Base class of all models: a functional model built from a schema.

    A subclass builds its graph in the constructor and passes inputs and
    outputs to this class. Inputs have the names of `schema.inputs`; the output
    is a dict with one `(batch, 1)` float32 tensor per task. The constructor
    arguments are the config of the model, so a subclass needs no
    `get_config`. Use `keras_infnet.models.FeatureRanker` for a model that
    differs only in what follows the embeddings.

    The total loss is the sum of the losses given to `compile`, weighted by
    `loss_weights`. With `loss_weighting="uncertainty"` the model learns these
    weights (see `keras_infnet.losses.UncertaintyWeighting`), and the losses
    default to those of `keras_infnet.losses.task_losses`.

    Save models as `.keras`: an `.h5` file loads only with `custom_objects`,
    and without the state of the optimizer.

    Args:
        schema: `Schema`, fitted.
        inputs: dict of `keras.Input`, by name.
        outputs: dict of tensors, by task.
        loss_weighting: `"fixed"` or `"uncertainty"`. Defaults to `"fixed"`.
        **kwargs: `name` and `dtype` (dtype policy of the layers) of the model.

    Raises:
        ValueError: If an argument is unknown, an output is missing or has
            another shape, or a name of the schema is also the name of a layer.

    Example:

    >>> import keras
    >>> from keras_infnet.schema import Categorical, Task
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Counts(Ranker):
    ...     def __init__(self, schema, units=4, **kwargs):
    ...         features = Features(schema, units, "uniform")
    ...         dense = keras.layers.Dense(1, "sigmoid", dtype="float32")
    ...         outputs = {"click": dense(features.vector())}
    ...         super().__init__(schema, features.inputs, outputs, **kwargs)
    >>> from keras_infnet.models import Features
    >>> schema = Schema(
    ...     [Categorical("item")], [Task("click")], table_sizes={"item": 9}
    ... )
    >>> Counts(schema, units=2).get_config()["units"]
    2
    """

    #: Constructor arguments of a model of a named size.
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: Constructor arguments by name, as used to build the graph.
    settings: Settings = {}
    # Arguments of the outermost constructor: the config.
    arguments: Settings = {}
    _ids_are_checked = False

    summary = grouped_summary.summary

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = record_arguments(cls.__init__)  # type: ignore
        # `inspect.signature` would return that of `__new__`.
        cls.__signature__ = signature_of(cls)

    def __init__(
        self,
        schema: Schema,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, Any],
        loss_weighting: str = "fixed",
        **kwargs: Any,
    ) -> None:
        if loss_weighting not in ("fixed", "uncertainty"):
            raise ValueError(
                "`loss_weighting` must be 'fixed' or 'uncertainty'. "
                f"Received: loss_weighting={loss_weighting!r}."
            )
        policy = keras.dtype_policies.get(kwargs.pop("dtype", None))
        check_outputs(schema, outputs, type(self).__name__)
        try:
            super().__init__(
                inputs=dict(inputs), outputs=dict(outputs), **kwargs
            )
        except ValueError as error:
            # Inputs and towers are named after parts of the schema.
            twice = re.search(r'name "(.+)" is used \d+ times', str(error))
            if twice is None:
                raise
            raise ValueError(
                f"{twice[1]!r} is the name of a layer of "
                f"{type(self).__name__} and a name in the schema. "
                "Rename the field, behavior or task; a `Task` keeps its "
                "column with `label`."
            ) from None
        # Keras sets float32 for functional models, whatever their layers use.
        self.dtype_policy = policy
        self.schema = schema
        self.__dict__["_ids"] = IdChecks(schema)
        self.__dict__["_task_losses"] = task_losses(schema)
        self.__dict__["_task_loss_means"] = {}
        self.loss_weighting = loss_weighting
        self.uncertainty = None
        if loss_weighting == "uncertainty":
            self.uncertainty = UncertaintyWeighting(
                [task.kind for task in schema.tasks], name="uncertainty"
            )
            self.uncertainty.build((len(schema.tasks),))

    def update_settings(self, settings: Settings) -> None:
        """Replaces settings by their final values, also in the config."""
        for name, value in settings.items():
            # A subclass may pass another value to its base class.
            given = name in self.arguments
            if given and self.arguments[name] is self.settings.get(name):
                self.__dict__["arguments"][name] = value
        self.__dict__["settings"] = dict(settings)

    @classmethod
    def from_preset(cls, preset: str, schema: Schema, **overrides: Any) -> Self:
        """Builds a model of a named size.

        Args:
            preset: string, one of the keys of `presets`.
            schema: `Schema`, fitted.
            **overrides: Constructor arguments that replace the preset's.

        Returns:
            A new model.

        Raises:
            ValueError: If the preset is unknown.
        """
        if preset not in cls.presets:
            raise ValueError(nearest_name(preset, cls.presets, "preset"))
        return cls(schema, **{**cls.presets[preset], **overrides})

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        check_inputs(self.schema, inputs)
        if not self._ids_are_checked:
            self._ids.check(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        # The JAX step calls this and not `__call__`. Keras needs the argument
        # `training` in the signature: without it dropout is never active.
        check_inputs(self.schema, inputs)
        return super().call(inputs, training=training, mask=mask)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Checks input names and ids, then trains like `keras.Model`."""
        held_out = kwargs.get("validation_data")
        if isinstance(held_out, (tuple, list)) and held_out:
            check_source(self.schema, held_out[0])
            self._ids.check_batch(held_out)
        elif held_out is not None:
            check_source(self.schema, held_out)
            kwargs["validation_data"] = self._ids.checked(held_out)
        with self._checked(x) as data:
            history = super().fit(data, *args, **kwargs)
        if keras.backend.backend() == "jax":
            separate_buffers(self)
        return history

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Checks input names and ids, then evaluates like `keras.Model`."""
        with self._checked(x) as data:
            return super().evaluate(data, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Checks input names and ids, then predicts like `keras.Model`."""
        with self._checked(x) as data:
            return super().predict(data, *args, **kwargs)

    @contextlib.contextmanager
    def _checked(self, x: Any) -> Iterator[Any]:
        """Yields data whose ids are checked, so `__call__` need not do it."""
        check_source(self.schema, x)
        before = self._ids_are_checked
        with self._ids.readable_errors():
            data = self._ids.checked(x)
            self.__dict__["_ids_are_checked"] = True
            try:
                yield data
            except BaseException:
                if keras.backend.backend() == "jax":
                    self.jax_state_sync()
                raise
            finally:
                self.__dict__["_ids_are_checked"] = before

    def compile(
        self,
        optimizer: Any = "adamw",
        loss: Any = None,
        loss_weights: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Compiles the model; see `RowSparseModel.compile`."""
        if self.uncertainty is not None:
            if loss_weights is not None:
                raise ValueError(
                    "`loss_weights` cannot be given to a model with "
                    "loss_weighting='uncertainty', which learns them. Leave "
                    "them out, or build the model with "
                    "loss_weighting='fixed'. Received: "
                    f"loss_weights={loss_weights!r}."
                )
            losses = losses_by_task(self.schema, loss)
            self.__dict__["_task_losses"] = losses
            if len(losses) > 1:  # as Keras logs the losses of tasks
                means = {n: keras.metrics.Mean(f"{n}_loss") for n in losses}
                self.__dict__["_task_loss_means"] = means
        super().compile(optimizer, loss, loss_weights, *args, **kwargs)

    def compile_from_config(self, config: Any) -> None:
        """Compiles from the result of `get_compile_config`."""
        if self.uncertainty is not None:
            # Earlier versions saved loss weights that they did not use.
            config = {**config, "loss_weights": None}
        super().compile_from_config(config)

    def save(self, filepath: Any, *args: Any, **kwargs: Any) -> None:
        """Saves like `keras.Model`; warns of what `.h5` files lose."""
        super().save(filepath, *args, **kwargs)
        if str(filepath).endswith((".h5", ".hdf5")):
            name = type(self).__name__
            _LOG.warning(
                "%s: load this file with keras.saving.load_model(path, "
                "custom_objects={%r: %s}); the state of the optimizer is "
                "lost. Files that end in .keras need neither.",
                filepath,
                name,
                name,
            )

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the function that trains on a batch."""
        self._create_variables(trains=True)
        function = super().make_train_function(force)
        if keras.backend.backend() == "jax":
            keep_weights_on_errors(self, "train_function")
        return function

    def make_test_function(self, force: bool = False) -> Any:
        """Makes the function that evaluates a batch."""
        self._create_variables(trains=False)
        function = super().make_test_function(force)
        if keras.backend.backend() == "jax":
            keep_weights_on_errors(self, "test_function")
        return function

    def make_predict_function(self, force: bool = False) -> Any:
        """Makes the function that predicts a batch."""
        function = super().make_predict_function(force)
        if keras.backend.backend() == "jax":
            keep_weights_on_errors(self, "predict_function")
        return function

    def train_step(self, *args: Any) -> Any:
        """Trains on a batch, after a check of input names."""
        # Row-sparse steps read the tables before they call the model.
        check_inputs(
            self.schema, keras.utils.unpack_x_y_sample_weight(args[-1])[0]
        )
        return super().train_step(*args)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the total loss, after checks of labels and weights."""
        check_tasks(self.schema, y, "labels")
        check_tasks(self.schema, sample_weight, "sample weights")
        if self.uncertainty is None:
            return super().compute_loss(
                x=x,
                y=y,
                y_pred=y_pred,
                sample_weight=sample_weight,
                training=training,
            )
        weights = sample_weight or {}
        losses = [
            ops.cast(loss(y[task], y_pred[task], weights.get(task)), "float32")
            for task, loss in self._task_losses.items()
        ]
        rows = ops.shape(next(iter(y_pred.values())))[0]
        for mean, value in zip(
            self._task_loss_means.values(), losses, strict=False
        ):
            mean.update_state(value, sample_weight=rows)
        total = self.uncertainty(ops.stack(losses))
        for loss in self.losses:
            total = total + ops.sum(ops.cast(loss, total.dtype))
        return total

    @property
    def metrics(self) -> list[Any]:
        """Metrics of `compile`, and the mean losses of the tasks."""
        return [*super().metrics, *self._task_loss_means.values()]

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        frozen = [layer.name for layer in self.layers if not layer.trainable]
        config = {
            **({"frozen_layers": frozen} if frozen else {}),
            "schema": self.schema.to_dict(),
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            **{n: plain_setting(n, v) for n, v in self.arguments.items()},
        }
        known = ("frozen_layers", *signature_of(type(self)).parameters)
        return {
            name: config[name]
            for name in known
            # Left out without a custom tower, as in older files.
            if name in config and (name, config[name]) != ("tower", None)
        }

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Self:
        """Builds the model that `get_config` describes."""
        config = dict(config)
        frozen = config.pop("frozen_layers", [])
        config["schema"] = Schema.from_dict(config["schema"])
        if isinstance(config.get("dtype"), dict):
            config["dtype"] = keras.dtype_policies.deserialize(
                config["dtype"], custom_objects=custom_objects
            )
        model = cls(**config)
        for name in frozen:
            model.get_layer(name).trainable = False
        return model

    def _create_variables(self, trains: bool) -> None:
        """Creates the variables that Keras would create in the first step.

        TensorFlow traces a step twice if it creates variables, and tracing
        takes most of the time before the first step.
        """
        if keras.backend.backend() != "tensorflow":
            return
        loss = self._compile_loss
        # Learned weights do not use Keras's loss object.
        if loss is not None and not loss.built and self.uncertainty is None:
            tasks = dict.fromkeys(self.schema.task_names)
            loss.build(tasks, tasks)
        if trains and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
