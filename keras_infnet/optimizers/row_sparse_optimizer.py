"""Optimizer with separate rules for dense weights and embedding tables."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.adagrad import RowwiseAdagrad
from keras_infnet.optimizers.embedding_optimizer import (
    EmbeddingOptimizer,
    checked_rate,
    swap,
)
from keras_infnet.utils.argument_checks import check_number

__all__ = ["RowSparseOptimizer", "is_table"]

_SCHEDULE = keras.optimizers.schedules.LearningRateSchedule


@export("keras_infnet.optimizers.RowSparseOptimizer")
class RowSparseOptimizer(keras.optimizers.Optimizer):
    """Updates dense weights with a Keras optimizer and tables row by row.

    The tables are the weights of `keras_infnet.layers.StackedEmbedding`.
    Models of `keras_infnet.models` differentiate with respect to the rows that
    they read and pass `RowGradients`, so that a training step never holds a
    gradient as large as a table.

    `learning_rate` is that of the dense optimizer. Setting it, as the
    callbacks `ReduceLROnPlateau` and `LearningRateScheduler` do, multiplies
    the rates of both optimizers by the same factor. Setting it to `0.0` keeps
    their ratio for later. To change only one rate, set that of `dense` or
    `embedding`. A rate that follows a schedule cannot be set, and a
    `keras.optimizers.MultiOptimizer` has no rate.

    Moving averages (`use_ema`) of tables are stored by row and are out of date
    for rows that were not read lately. Use
    `keras_infnet.training.AveragedWeights`, which `fit_ranker` adds, instead of
    `keras.callbacks.SwapEMAWeights`, which would swap only dense weights and
    raises an error.

    Loss scaling for `mixed_float16` covers both optimizers: pass a
    `keras.optimizers.LossScaleOptimizer` as `dense`, or let `compile` wrap it.
    A step with a non-finite gradient then changes nothing.

    Args:
        dense: Keras optimizer, its name, or `None` for `AdamW`. Defaults to
            `None`.
        embedding: `EmbeddingOptimizer`, or `None` for `RowwiseAdagrad`.
            Defaults to `None`.
        global_clipnorm: float or `None`. Largest norm of all gradients,
            those of dense weights and of distinct rows; a larger norm is
            scaled down. `None` takes that of `dense`. Set it here instead of
            in the parts of a `MultiOptimizer`. Defaults to `None`.
        name: string or `None`. Defaults to `None`.

    Raises:
        ValueError: If an optimizer has a wrong type, or an option that
            row-wise updates do not support.

    Example:

    >>> optimizer = RowSparseOptimizer("adamw", RowwiseAdagrad(0.1))
    >>> type(optimizer.dense).__name__, type(optimizer.embedding).__name__
    ('AdamW', 'RowwiseAdagrad')
    """

    built: bool

    def __init__(
        self,
        dense: Any = None,
        embedding: Any = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
    ) -> None:
        dense = _deserialized("adamw" if dense is None else dense)
        embedding = _deserialized(
            RowwiseAdagrad() if embedding is None else embedding
        )
        if not isinstance(dense, keras.optimizers.Optimizer):
            raise ValueError(
                "`dense` must be a Keras optimizer or its name. "
                f"Received: dense={dense!r}."
            )
        if not isinstance(embedding, EmbeddingOptimizer):
            raise ValueError(
                "`embedding` must be an optimizer of "
                "`keras_infnet.optimizers`, for example RowwiseAdagrad(). "
                f"Received: embedding={embedding!r}."
            )
        inner = getattr(dense, "inner_optimizer", dense)
        if isinstance(inner, RowSparseOptimizer | EmbeddingOptimizer):
            raise ValueError(
                "`dense` must be a plain Keras optimizer, such as AdamW. "
                f"Received: {type(inner).__name__}."
            )
        for part in _parts(inner):
            _check_part(part)
        if global_clipnorm is None:
            global_clipnorm = inner.global_clipnorm
        if global_clipnorm is not None:
            check_number("global_clipnorm", global_clipnorm, above=0.0)
        # A callable, because a number would become a variable.
        super().__init__(lambda: 0.0, name=name)
        self.dense = dense
        self.embedding = embedding
        self.global_clipnorm = global_clipnorm
        # Embedding rate over dense rate, kept while the latter is 0.
        self._rate_ratio: float | None = None

    def build(self, variables: Any) -> None:
        """Creates the state of both optimizers for the list `variables`."""
        variables = list(variables)
        if self.built:
            self._check_same(variables)
            return
        self._is_table = [is_table(variable) for variable in variables]
        dense, tables = self._split(variables)
        if dense:
            self.dense.build(dense)
        if tables:
            self.embedding.build(tables)
        # In place, because Keras tracks variables assigned to an attribute.
        self._trainable_variables.extend(variables)
        self._trainable_variables_indices.update(
            {self._var_key(v): i for i, v in enumerate(variables)}
        )
        self.built = True

    def _check_same(self, variables: list[Any]) -> None:
        known = self._trainable_variables
        if [id(v) for v in variables] != [id(v) for v in known]:
            raise ValueError(_other_weights(variables, known))

    def _split(self, values: Any) -> tuple[list[Any], list[Any]]:
        """Separates values of dense weights from those of tables."""
        pairs = list(zip(values, self._is_table, strict=True))
        return (
            [value for value, of_table in pairs if not of_table],
            [value for value, of_table in pairs if of_table],
        )

    @property
    def variables(self) -> list[Any]:
        return [
            *self._variables,
            *self.dense.variables,
            *self.embedding.variables,
        ]

    @property
    def learning_rate(self) -> Any:
        return self.dense.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self.has_scheduled_rate:
            raise TypeError(
                "`learning_rate` cannot be set if it follows a schedule. "
                f"Received: learning_rate={value!r}. Leave out the schedule "
                "(`warmup_steps` and `decay_steps` of `compile_ranker`), or "
                "the callback that sets the rate."
            )
        if isinstance(value, _SCHEDULE):
            raise TypeError(
                "`learning_rate` must be a number. Pass schedules to `dense` "
                f"and `embedding`. Received: learning_rate={value!r}."
            )
        value = checked_rate(value)
        before = checked_rate(self.dense.learning_rate)
        if before > 0:
            embedding_rate = checked_rate(self.embedding.learning_rate)
            self._rate_ratio = embedding_rate / before
        self.dense.learning_rate = value
        if self._rate_ratio is not None:
            self.embedding.learning_rate = value * self._rate_ratio

    @property
    def has_scheduled_rate(self) -> bool:
        """Whether any learning rate follows a schedule."""
        parts = [*_parts(self.dense), self.embedding]
        return any(isinstance(part._learning_rate, _SCHEDULE) for part in parts)

    def scale_losses(self) -> None:
        """Wraps the dense optimizer in a `LossScaleOptimizer`, for float16."""
        if not isinstance(self.dense, keras.optimizers.LossScaleOptimizer):
            self.dense = keras.optimizers.LossScaleOptimizer(self.dense)

    def scale_loss(self, loss: Any) -> Any:
        return self.dense.scale_loss(loss)

    def set_weights(self, weights: Any) -> None:
        variables = self.variables
        if len(weights) != len(variables):
            raise ValueError(
                f"{type(self).__name__} has {len(variables)} variables. "
                f"Received: {len(weights)} weights."
            )
        for variable, weight in zip(variables, weights, strict=True):
            variable.assign(weight)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Updates all weights. Gradients of tables are `RowGradients`."""
        if trainable_variables is None:
            trainable_variables = self._trainable_variables
        elif not self.built:
            self.build(trainable_variables)
        else:
            self._check_same(list(trainable_variables))
        dense, distinct, scale, finite = self._prepare(grads)
        variables, _ = self._split(trainable_variables)
        if dense:
            self.dense.apply(dense, variables)
        self._apply_rows(distinct, scale, finite)

    def stateless_apply(
        self, optimizer_variables: Any, grads: Any, trainable_variables: Any
    ) -> tuple[list[Any], list[Any]]:
        """Returns new values of the trainable variables and of `variables`.

        All three arguments are lists of values. Gradients of tables are
        `RowGradients`.
        """
        if len(grads) != len(self._trainable_variables):
            raise ValueError(_other_weights(grads, self._trainable_variables))
        everything = {
            id(v): v for v in (*self._trainable_variables, *self.variables)
        }
        values = [*trainable_variables, *optimizer_variables]
        state = dict(zip(everything, values, strict=True))

        def run(function: Any, *args: Any) -> Any:
            mapping = [(everything[key], state[key]) for key in everything]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                result = function(*args)
            for key, variable in everything.items():
                state[key] = scope.get_current_value(variable)
            return result

        dense, distinct, scale, finite = run(self._prepare, grads)
        if dense:
            # `LossScaleOptimizer` needs its own `stateless_apply`.
            variables, _ = self._split(self._trainable_variables)
            values, others = self.dense.stateless_apply(
                [state[id(v)] for v in self.dense.variables],
                dense,
                [state[id(v)] for v in variables],
            )
            keys = [id(v) for v in (*variables, *self.dense.variables)]
            state |= dict(zip(keys, (*values, *others), strict=True))
        run(self._apply_rows, distinct, scale, finite)
        return (
            [state[id(v)] for v in self._trainable_variables],
            [state[id(v)] for v in self.variables],
        )

    def _prepare(self, grads: Any) -> tuple[list[Any], Any, Any, Any]:
        """Sums the gradients of rows, clips, and checks that all are finite.

        Returns the gradients of dense weights, those of distinct rows, and
        for the latter a factor and whether to apply them, or `None`.
        """
        dense, of_tables = self._split(grads)
        distinct = self.embedding.add_up(of_tables) if of_tables else []
        scale, finite = None, None
        if isinstance(self.dense, keras.optimizers.LossScaleOptimizer):
            scale = 1.0 / self.dense.dynamic_scale
            tensors = _tensors(dense, distinct)
            finite = ops.all(
                ops.stack([ops.all(ops.isfinite(x)) for x in tensors])
            )
            # Make the dense optimizer skip the step if a table must.
            dense = _scaled(dense, ops.where(finite, 1.0, float("nan")))
        if self.global_clipnorm is not None:
            factor = self._clip_factor(dense, distinct, scale)
            dense = _scaled(dense, factor)
            scale = factor if scale is None else factor * scale
        return dense, distinct, scale, finite

    def _clip_factor(self, dense: Any, distinct: Any, scale: Any) -> Any:
        squares = [
            ops.sum(ops.square(ops.cast(x, "float32")))
            for x in _tensors(dense, distinct)
        ]
        norm = ops.sqrt(sum(squares[1:], squares[0]))
        if scale is not None:
            norm = norm * scale
        # Loss scaling handles a norm that is not finite.
        return self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)

    def _apply_rows(self, distinct: Any, scale: Any, finite: Any) -> None:
        if distinct:
            self.embedding.apply_distinct(distinct, scale, finite)
        self._iterations.assign_add(1)

    @property
    def keeps_averages(self) -> bool:
        """Whether any part keeps averages of its weights."""
        parts = [*_parts(self.dense), self.embedding]
        return any(part.use_ema for part in parts)

    def bring_averages_up_to_date(self) -> None:
        """Updates the stored averages of tables to the last step."""
        if self.embedding.use_ema and self.embedding.built:
            self.embedding.bring_averages_up_to_date()

    def swap_averages(self) -> None:
        """Swaps weights and their averages, where averages are kept."""
        for part in _parts(self.dense):
            if not part.use_ema or not part.built:
                continue
            for variable, average in zip(
                part._trainable_variables,
                part._model_variables_moving_average,
                strict=True,
            ):
                swap(variable, average)
        if self.embedding.use_ema and self.embedding.built:
            self.embedding.swap_averages()

    def finalize_variable_values(self, var_list: Any) -> None:
        """Replaces weights by their averages, where averages are kept."""
        dense, tables = self._split(self._trainable_variables)
        if dense:
            self.dense.finalize_variable_values(dense)
            if self.keeps_averages:
                # Keras lets two variables share an array, which JAX deletes.
                for variable in dense:
                    variable.assign(ops.copy(variable.value))
        if tables:
            self.embedding.finalize_variable_values(tables)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "dense": serialize(self.dense),
            "embedding": serialize(self.embedding),
            "global_clipnorm": self.global_clipnorm,
            "name": self.name,
        }


def is_table(variable: Any) -> bool:
    """Whether a variable is an embedding table with row-wise updates."""
    return bool(getattr(variable, "row_sparse", False))


def _parts(optimizer: Any) -> list[Any]:
    """Unwraps the optimizers of dense weights."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(inner, "optimizers", [inner]))


def _check_part(optimizer: Any) -> None:
    """Raises `ValueError` for options that row-wise updates do not support."""
    for option, advice in (
        (
            "gradient_accumulation_steps",
            "Use a larger batch, or compile with `embedding_optimizer='dense'`",
        ),
        (
            "loss_scale_factor",
            "Pass `dense` as keras.optimizers.LossScaleOptimizer(...)",
        ),
    ):
        value = getattr(optimizer, option)
        if value:
            raise ValueError(
                f"`{option}` is not supported with row-wise updates of "
                f"tables. {advice}. Received: {option}={value}."
            )


def _other_weights(received: Any, known: Any) -> str:
    return (
        f"the optimizer was built for {len(known)} weights. Received: "
        f"{len(received)} weights, or those of another model. After freezing "
        "layers, call `compile` again. Give every model its own optimizer."
    )


def _tensors(dense: list[Any], distinct: list[Any]) -> list[Any]:
    gradients = [*dense, *(entry.sums for entry in distinct)]
    return [ops.convert_to_tensor(g) for g in gradients if g is not None]


def _scaled(gradients: list[Any], factor: Any) -> list[Any]:
    return [
        g if g is None else g * ops.cast(factor, g.dtype) for g in gradients
    ]


def _deserialized(optimizer: Any) -> Any:
    named = isinstance(optimizer, dict | str)
    return keras.optimizers.get(optimizer) if named else optimizer
