"""What all ranking models have in common."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
from keras import ops

from keras_infnet.losses import UncertaintyWeighting, task_losses
from keras_infnet.models.base.constructor_arguments import (
    Settings,
    plain_setting,
    record_arguments,
    signature_of,
)
from keras_infnet.models.base.row_sparse_model import RowSparseModel
from keras_infnet.schema import Schema, nearest_name

__all__ = ["Ranker"]


class Ranker(RowSparseModel):
    """Base class of all models: a functional model built from a schema.

    A subclass builds its graph in the constructor and hands inputs and
    outputs over. The inputs are named as `schema.inputs`, the output is a
    dict with one `(batch, 1)` float32 tensor a task. The arguments of the
    constructor are the config of the model: nothing else is needed to save
    and load it. Where a model only differs in what follows the embeddings,
    `keras_infnet.models.FeatureRanker` is the shorter way.

    The total loss is the sum of the tasks' losses given to `compile`, by
    their `loss_weights`. With `loss_weighting="uncertainty"` the model learns
    these weights (see `keras_infnet.losses.UncertaintyWeighting`); losses
    that `compile` leaves out are those of `keras_infnet.losses.task_losses`.

    Args:
        schema: `Schema`, fitted.
        inputs: dict of `keras.Input`, by name.
        outputs: dict of tensors, by task.
        loss_weighting: `"fixed"` or `"uncertainty"`. Defaults to `"fixed"`.
        **kwargs: `name` and `dtype` (dtype policy of the layers) of the model.

    Raises:
        ValueError: If an argument is not known, or a name of the schema is
            that of a layer.

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
    #: What the graph is built from: the constructor arguments by name.
    settings: Settings = {}
    # Arguments of the outermost constructor, which are the config.
    arguments: Settings = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = record_arguments(cls.__init__)  # type: ignore
        # Tools that ask for a signature would find that of `__new__`.
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
        try:
            super().__init__(
                inputs=dict(inputs), outputs=dict(outputs), **kwargs
            )
        except ValueError as error:
            # Layers and inputs share their names with parts of the schema.
            twice = re.search(r'name "(.+)" is used \d+ times', str(error))
            if twice is None:
                raise
            raise ValueError(
                f"{twice[1]!r} is the name of a layer of "
                f"{type(self).__name__} and comes from the schema too. "
                "Rename the field, behavior or task; a `Task` keeps its "
                "column with `label`."
            ) from None
        # Keras leaves functional models at float32 whatever their layers do,
        # and the config would forget it.
        self.dtype_policy = policy
        self.schema = schema
        self.loss_weighting = loss_weighting
        self.uncertainty = None
        if loss_weighting == "uncertainty":
            self.uncertainty = UncertaintyWeighting(
                [task.kind for task in schema.tasks], name="uncertainty"
            )
            self.uncertainty.build((len(schema.tasks),))

    def update_settings(self, settings: Settings) -> None:
        """Replaces settings by their completed form, in the config too."""
        for name, value in settings.items():
            # A base class may have been given another value of this name.
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
            ValueError: If the preset is not known.
        """
        if preset not in cls.presets:
            raise ValueError(nearest_name(preset, cls.presets, "preset"))
        return cls(schema, **{**cls.presets[preset], **overrides})

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        self._check_inputs(inputs)
        return super().__call__(inputs, *args, **kwargs)

    def call(
        self, inputs: Any, training: bool | None = None, mask: Any = None
    ) -> Any:
        # JAX's training step enters here and not through `__call__`. Keras
        # looks for `training` by name: without it dropout would never act.
        self._check_inputs(inputs)
        return super().call(inputs, training=training, mask=mask)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Checks the names of the inputs, then trains as `keras.Model`."""
        self._check_source(x)
        history = super().fit(x, *args, **kwargs)
        if keras.backend.backend() == "jax":
            self._separate_buffers()
        return history

    def evaluate(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Checks the names of the inputs, then works as `keras.Model`."""
        self._check_source(x)
        return super().evaluate(x, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Checks the names of the inputs, then works as `keras.Model`."""
        self._check_source(x)
        return super().predict(x, *args, **kwargs)

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the function that trains on a batch."""
        self._make_variables(trains=True)
        return super().make_train_function(force)

    def make_test_function(self, force: bool = False) -> Any:
        """Makes the function that evaluates a batch."""
        self._make_variables(trains=False)
        return super().make_test_function(force)

    def train_step(self, *args: Any) -> Any:
        """Checks the names of the inputs, then trains on a batch."""
        # Tables are read before `call`, which checks again.
        self._check_inputs(keras.utils.unpack_x_y_sample_weight(args[-1])[0])
        return super().train_step(*args)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Checks labels and weights, then adds up the tasks' losses."""
        self._check_tasks(y, "labels")
        self._check_tasks(sample_weight, "sample weights")
        if self.uncertainty is None:
            return super().compute_loss(
                x=x,
                y=y,
                y_pred=y_pred,
                sample_weight=sample_weight,
                training=training,
            )
        losses = [
            loss(
                y[task],
                y_pred[task],
                None if sample_weight is None else sample_weight[task],
            )
            for task, loss in task_losses(self.schema).items()
        ]
        total = self.uncertainty(ops.stack(losses))
        for loss in self.losses:
            total = total + ops.sum(ops.cast(loss, total.dtype))
        return total

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
        known = {"frozen_layers", *signature_of(type(self)).parameters}
        # Files of models without a tower of their own stay as they were.
        return {
            name: value
            for name, value in config.items()
            if name in known and (name, value) != ("tower", None)
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

    def _separate_buffers(self) -> None:
        """Gives every variable an array of its own.

        At the end of `fit`, Keras lets the weights and their averages share
        one array each. JAX's next training step would give it away twice.
        """
        owned = set()
        for variable in (*self.variables, *self.optimizer.variables):
            array = variable.value
            if id(array) in owned:
                variable.assign(ops.copy(array))
            owned.add(id(array))

    def _make_variables(self, trains: bool) -> None:
        """Makes what Keras would make in the first step.

        TensorFlow traces a step twice that makes variables, and traces are
        most of the time before the first step.
        """
        if keras.backend.backend() != "tensorflow":
            return
        loss = self._compile_loss
        # Learned weights add the losses up without Keras's means of them.
        if loss is not None and not loss.built and self.uncertainty is None:
            tasks = dict.fromkeys(self.schema.task_names)
            loss.build(tasks, tasks)
        if trains and self.optimizer is not None and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)

    def _check_source(self, x: Any) -> None:
        # Before the loop starts: on JAX, a step that raises loses the
        # weights of the model.
        if isinstance(x, keras.utils.PyDataset):
            batch = x[0] if len(x) else None
        else:  # a `tf.data.Dataset` says what it holds
            batch = getattr(x, "element_spec", x)
        if isinstance(batch, (tuple, list)) and batch:
            batch = batch[0]
        if isinstance(batch, Mapping):
            self._check_inputs(batch)

    def _check_inputs(self, inputs: Any) -> None:
        if not isinstance(inputs, Mapping):
            raise ValueError(
                "the inputs must be a dict of tensors by name, as "
                f"`schema.inputs`. Received: {type(inputs).__name__}."
            )
        known = self.schema.inputs
        for name in inputs:
            if name not in known:
                raise ValueError(
                    f"{nearest_name(name, known, 'input')} "
                    "Remove the extra key from the batch."
                )
        missing = [name for name in known if name not in inputs]
        if missing:
            raise ValueError(
                f"inputs are missing: {', '.join(missing)}. "
                f"Received: {', '.join(inputs)}."
            )

    def _check_tasks(self, values: Any, what: str) -> None:
        if values is None:
            return
        tasks = self.schema.task_names
        received = (
            ", ".join(values)
            if isinstance(values, Mapping)
            else type(values).__name__
        )
        if not isinstance(values, Mapping) or set(values) != set(tasks):
            raise ValueError(
                f"the {what} must be a dict with every task and nothing "
                f"else: {', '.join(tasks)}. Received: {received}."
            )
