"""One optimizer for dense weights and one for embedding tables."""

from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.optimizers.adagrad import RowwiseAdagrad
from keras_infnet.optimizers.embedding_optimizer import (
    EmbeddingOptimizer,
    swap,
)
from keras_infnet.utils.argument_checks import check_number

__all__ = ["RowSparseOptimizer", "is_table"]

_SCHEDULE = keras.optimizers.schedules.LearningRateSchedule


@export("keras_infnet.optimizers.RowSparseOptimizer")
class RowSparseOptimizer(keras.optimizers.Optimizer):
    """Trains dense weights with any Keras optimizer and tables by rows.

    The tables are the weights of `keras_infnet.layers.StackedEmbedding`.
    Models of `keras_infnet.models` differentiate by the rows that they read
    and hand `RowGradients` over, so that a step never holds a gradient as
    large as a table.

    `learning_rate` is that of the dense optimizer. Setting it, as the
    callbacks `ReduceLROnPlateau` and `LearningRateScheduler` do, multiplies
    the rates of both optimizers by the same factor; after `0.0`, the
    proportion from before returns. To change one rate alone, set that of
    `dense` or `embedding`. A rate that follows a schedule cannot be set, and
    a `keras.optimizers.MultiOptimizer` has no rate of its own; give
    `global_clipnorm` here and not to its parts.

    Loss scaling for `mixed_float16` covers both: give a
    `keras.optimizers.LossScaleOptimizer` as `dense`, or let `compile` do it.
    A step with a gradient that is not finite then changes nothing.

    Args:
        dense: Keras optimizer, its name, or `None` for `AdamW`. Defaults to
            `None`.
        embedding: `EmbeddingOptimizer`, or `None` for `RowwiseAdagrad`.
            Defaults to `None`.
        global_clipnorm: float or `None`. Largest norm of all gradients
            together, dense and of distinct rows; larger ones are scaled down.
            `None` takes that of `dense`. Defaults to `None`.
        name: string or `None`. Defaults to `None`.

    Raises:
        ValueError: If an optimizer is of a wrong kind, or asks for what rows
            do not have.

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
                "dense weights need a plain Keras optimizer, such as AdamW. "
                f"Received: {type(inner).__name__}."
            )
        for part in _parts(inner):
            _check_part(part)
        if global_clipnorm is None:
            global_clipnorm = inner.global_clipnorm
        if global_clipnorm is not None:
            check_number("global_clipnorm", global_clipnorm, above=0.0)
        # A callable, because a number would become a variable of its own.
        super().__init__(lambda: 0.0, name=name)
        self.dense = dense
        self.embedding = embedding
        self.global_clipnorm = global_clipnorm
        # Embedding rate over dense rate, for when the latter is 0.
        self._rate_ratio: float | None = None

    def build(self, variables: Any) -> None:
        """Makes the state of both optimizers for the list `variables`."""
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
        # In place: what is assigned to an attribute becomes state of its own.
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
        """Separates what belongs to dense weights from that of tables."""
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
                "`learning_rate` cannot be set where it follows a schedule. "
                f"Received: learning_rate={value!r}. Leave out the schedule "
                "(of `compile_ranker`, `warmup_steps` and `decay_steps`), or "
                "the callback that sets the rate."
            )
        if isinstance(value, _SCHEDULE):
            raise TypeError(
                "`learning_rate` must be a number. Give schedules to `dense` "
                f"and `embedding`. Received: learning_rate={value!r}."
            )
        value, before = _number(value), _number(self.dense.learning_rate)
        if before > 0:
            self._rate_ratio = _number(self.embedding.learning_rate) / before
        self.dense.learning_rate = value
        if self._rate_ratio is not None:
            self.embedding.learning_rate = value * self._rate_ratio

    @property
    def has_scheduled_rate(self) -> bool:
        """Whether any learning rate follows a schedule."""
        parts = [*_parts(self.dense), self.embedding]
        return any(isinstance(part._learning_rate, _SCHEDULE) for part in parts)

    def scale_losses(self) -> None:
        """Wraps the dense optimizer to scale losses, for float16."""
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
        """Updates all weights; the gradients of tables are `RowGradients`."""
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
        """Returns new values of the trained variables and of `variables`.

        All three arguments are lists of values; the gradients of tables are
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
            # Optimizers that scale losses need their own stateless form.
            variables, _ = self._split(self._trainable_variables)
            values, others = self.dense.stateless_apply(
                [state[id(v)] for v in self.dense.variables],
                dense,
                [state[id(v)] for v in variables],
            )
            for variable, value in zip(
                [*variables, *self.dense.variables],
                [*values, *others],
                strict=True,
            ):
                state[id(variable)] = value
        run(self._apply_rows, distinct, scale, finite)
        return (
            [state[id(v)] for v in self._trainable_variables],
            [state[id(v)] for v in self.variables],
        )

    def _prepare(self, grads: Any) -> tuple[list[Any], Any, Any, Any]:
        """Adds rows up, clips, and looks for numbers that are not finite.

        Returns the gradients of dense weights, those of distinct rows, and
        for the latter a factor and whether to use them at all (or `None`s).
        """
        dense, of_tables = self._split(grads)
        distinct = self.embedding.add_up(of_tables) if of_tables else []
        scale, finite = None, None
        if isinstance(self.dense, keras.optimizers.LossScaleOptimizer):
            scale = 1.0 / self.dense.dynamic_scale
            sums = [entry.sums for entry in distinct]
            finite = _all_finite([*sums, *[g for g in dense if g is not None]])
            # The dense optimizer sees dense gradients alone.
            poison = ops.where(finite, 0.0, float("nan"))
            dense = [
                g if g is None else g + ops.cast(poison, g.dtype) for g in dense
            ]
        if self.global_clipnorm is not None:
            factor = self._clip_factor(dense, distinct, scale)
            dense = [
                g if g is None else g * ops.cast(factor, g.dtype) for g in dense
            ]
            scale = factor if scale is None else factor * scale
        return dense, distinct, scale, finite

    def _clip_factor(self, dense: Any, distinct: Any, scale: Any) -> Any:
        parts = [ops.convert_to_tensor(g) for g in dense if g is not None]
        parts += [entry.sums for entry in distinct]
        squares = [
            ops.sum(ops.square(ops.cast(part, "float32"))) for part in parts
        ]
        norm = ops.sqrt(sum(squares[1:], squares[0]))
        if scale is not None:
            norm = norm * scale
        # A norm that is not finite is for the loss scale to deal with.
        return self.global_clipnorm / ops.maximum(norm, self.global_clipnorm)

    def _apply_rows(self, distinct: Any, scale: Any, finite: Any) -> None:
        if distinct:
            self.embedding.apply_distinct(distinct, scale, finite)
        self._iterations.assign_add(1)

    @property
    def keeps_averages(self) -> bool:
        """Whether any part keeps averages of what it trains."""
        parts = [*_parts(self.dense), self.embedding]
        return any(part.use_ema for part in parts)

    def bring_averages_up_to_date(self) -> None:
        """Makes the stored averages of tables those of the last step."""
        if self.embedding.use_ema and self.embedding.built:
            self.embedding.bring_averages_up_to_date()

    def swap_averages(self) -> None:
        """Exchanges weights and their averages, where there are any."""
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
        """Replaces the weights by their averages, where there are any."""
        dense, tables = self._split(self._trainable_variables)
        if dense:
            self.dense.finalize_variable_values(dense)
            if self.keeps_averages:
                # JAX deletes an array that Keras lets two variables share.
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
    """Whether a variable is an embedding table, trained by rows."""
    return bool(getattr(variable, "row_sparse", False))


def _parts(optimizer: Any) -> list[Any]:
    """The optimizers of dense weights, without what wraps them."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(inner, "optimizers", [inner]))


def _check_part(optimizer: Any) -> None:
    """Refuses options that tables trained by rows do not support."""
    steps = optimizer.gradient_accumulation_steps
    if steps:
        raise ValueError(
            "tables that are trained by rows have no "
            "`gradient_accumulation_steps`: their gradients are never kept "
            "as a whole. Use a larger batch, or compile with "
            "`embedding_optimizer='dense'`. Received: "
            f"gradient_accumulation_steps={steps}."
        )
    if optimizer.loss_scale_factor:
        raise ValueError(
            "tables that are trained by rows have no fixed "
            "`loss_scale_factor`. Give `dense` as "
            "keras.optimizers.LossScaleOptimizer(...). Received: "
            f"loss_scale_factor={optimizer.loss_scale_factor}."
        )


def _other_weights(received: Any, known: Any) -> str:
    return (
        "the weights to train are not those that the optimizer was made for: "
        f"{len(received)} in place of {len(known)}, or those of another "
        "model. After freezing layers, call `compile` again; give every model "
        "an optimizer of its own."
    )


def _number(value: Any) -> float:
    return float(ops.convert_to_numpy(value))


def _deserialized(optimizer: Any) -> Any:
    if isinstance(optimizer, dict):
        return keras.saving.deserialize_keras_object(optimizer)
    if isinstance(optimizer, str):
        return keras.optimizers.get(optimizer)
    return optimizer


def _all_finite(tensors: list[Any]) -> Any:
    tensors = [ops.convert_to_tensor(tensor) for tensor in tensors]
    return ops.all(ops.stack([ops.all(ops.isfinite(t)) for t in tensors]))
