"""Base class of optimizers of embedding tables."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_infnet.optimizers.row_gradients import DistinctRows, to_rows
from keras_infnet.optimizers.table_rows import add_up, read_rows, write_rows
from keras_infnet.utils.argument_checks import check_number

__all__ = ["EmbeddingOptimizer", "checked_rate", "swap"]

# Variables of each table in addition to the slots of a subclass.
_RESERVED = {"average", "averaged", "marks"}
_CLIP = (
    "Set `global_clipnorm` of `RowSparseOptimizer`, which clips the gradients "
    "of dense weights and tables together."
)
_REFUSED = {
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), _CLIP),
    "gradient_accumulation_steps": "The gradient of a whole table is never "
    "stored. Use a larger batch.",
    "ema_overwrite_frequency": "Averages replace the rows when training ends.",
    "loss_scale_factor": "Give the dense optimizer of `RowSparseOptimizer` a "
    "`keras.optimizers.LossScaleOptimizer`.",
}


class EmbeddingOptimizer(keras.optimizers.Optimizer):
    """Base class of optimizers that update only the rows that a batch reads.

    Gradients are passed as `RowGradients`. The gradients of each row are summed
    first, and `update` gets every distinct row once. Other rows and their state
    do not change, so that time and memory of a step depend on the batch instead
    of the table. In addition to its state, a table needs four bytes per row to
    find repeated rows.

    A subclass defines its state in `slots` and computes new rows in `update`.
    The names `"average"`, `"averaged"` and `"marks"` are reserved.

    Averages (`use_ema`) are exact. Since a row that is not read does not
    change, its average is only updated when it is read again, or when averages
    are needed.

    Args:
        learning_rate: float or schedule.
        weight_decay: float or `None`. Rows that a batch reads are first
            multiplied by `1 - learning_rate * weight_decay`. Defaults to
            `None`.
        use_ema: boolean. Whether to keep moving averages of the rows, which
            replace them at the end of `fit`. Defaults to `False`.
        ema_momentum: float. Momentum of the averages. Defaults to `0.99`.
        name: string or `None`. Defaults to `None`.
        **kwargs: Other arguments of `keras.optimizers.Optimizer` are refused
            with a reason.

    Raises:
        ValueError: If an argument is unsupported, or a number is out of range.
    """

    use_ema: bool

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for argument, advice in _REFUSED.items():
            if kwargs.pop(argument, None) is not None:
                raise ValueError(
                    f"{type(self).__name__} does not support `{argument}`. "
                    f"{advice}"
                )
        if isinstance(learning_rate, int | float):
            check_number("learning_rate", learning_rate, above=0.0)
            learning_rate = float(learning_rate)
        if weight_decay is not None:
            check_number("weight_decay", weight_decay)
        check_number("ema_momentum", ema_momentum, below=1.0)
        if not isinstance(use_ema, bool):
            raise ValueError(
                f"`use_ema` must be true or false. Received: {use_ema!r}."
            )
        super().__init__(
            learning_rate,
            weight_decay=weight_decay,
            use_ema=use_ema,
            ema_momentum=ema_momentum,
            name=name,
            **kwargs,
        )

    @property
    def learning_rate(self) -> Any:
        return self._get_current_learning_rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if not callable(value):
            value = checked_rate(value)
        keras.optimizers.Optimizer.learning_rate.fset(self, value)

    def slots(self, table: Any) -> dict[str, tuple[tuple[int, ...], float]]:
        """Returns shape and initial value of each state variable, by name.

        Args:
            table: `keras.Variable` of shape `(rows, dim)`.

        Returns:
            Dict of `(shape, value)`. The first axis of a shape is the rows.
        """
        raise TypeError(f"{type(self).__name__} must define `slots`.")

    def update(
        self,
        rows: Any,
        gradients: Any,
        state: dict[str, Any],
        learning_rate: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """Computes new rows and their new state.

        Args:
            rows: tensor of shape `(entries, dim)`.
            gradients: tensor of shape `(entries, dim)`.
            state: dict of tensors of shape `(entries, ...)`, by slot.
            learning_rate: scalar tensor.

        Returns:
            The new rows and the new state, in the same form.
        """
        raise TypeError(f"{type(self).__name__} must define `update`.")

    def build(self, variables: Any) -> None:
        """Creates the state of every table of the list `variables`.

        Raises:
            ValueError: If the optimizer was built for other tables, or a slot
                has a reserved name.
        """
        if self.built:
            self._check_tables(list(variables))
            return
        # Keep the base class from creating dense averages.
        use_ema, self.use_ema = self.use_ema, False
        super().build(variables)
        self.use_ema = use_ema
        self._state: list[dict[str, Any]] = []
        for table in self._trainable_variables:
            shapes = {
                name: (shape, "float32", value)
                for name, (shape, value) in self.slots(table).items()
            }
            taken = _RESERVED & shapes.keys()
            if taken:
                raise ValueError(
                    "`slots` must not use the reserved names "
                    f"{sorted(_RESERVED)}. Received: {sorted(taken)} of "
                    f"{type(self).__name__}. Rename the slots."
                )
            shapes["marks"] = ((table.shape[0],), "int32", 0)
            if self.use_ema:
                shapes["average"] = (tuple(table.shape), table.dtype, 0.0)
                shapes["averaged"] = ((table.shape[0],), "int32", 0)
            self._state.append(
                {
                    name: self.add_variable(
                        shape,
                        keras.initializers.Constant(value),
                        dtype=dtype,
                        name=f"{table.path.replace('/', '_')}_{name}",
                    )
                    for name, (shape, dtype, value) in shapes.items()
                }
            )

    def _with_state(self) -> Iterable[tuple[Any, dict[str, Any]]]:
        return zip(self._trainable_variables, self._state, strict=True)

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Updates the tables from a list of `RowGradients`, one per table.

        A dense gradient is treated as if the batch read all rows.
        """
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        self.apply_distinct(self.add_up(grads, trainable_variables))

    def add_up(self, grads: Any, tables: Any = None) -> list[DistinctRows]:
        """Sums the gradients of every distinct row of every table."""
        if tables is not None:
            self._check_tables(list(tables))
        result = []
        for gradient, (table, state) in zip(
            grads, self._with_state(), strict=True
        ):
            rows = to_rows(gradient, table)
            if not isinstance(rows, DistinctRows):
                rows = add_up(state["marks"], rows, table)
            result.append(rows)
        return result

    def _check_tables(self, tables: list[Any]) -> None:
        known = self._trainable_variables
        if [id(table) for table in tables] != [id(table) for table in known]:
            raise ValueError(
                f"{type(self).__name__} was built for "
                f"{[table.path for table in known]}. Received: "
                f"{[table.path for table in tables]}. For another model, or "
                "after freezing a table, make a new optimizer or compile again."
            )

    def exclude_from_weight_decay(
        self, var_list: Any = None, var_names: Any = None
    ) -> None:
        """Raises `ValueError`, because this optimizer only decays tables."""
        raise ValueError(
            f"{type(self).__name__} only decays the rows of its tables. Leave "
            "out `weight_decay` to exclude them."
        )

    def apply_distinct(
        self, distinct: list[DistinctRows], scale: Any = None, when: Any = None
    ) -> None:
        """Updates the tables from the gradients that `add_up` returned.

        The gradients are multiplied by the scalar `scale`. If the boolean
        scalar `when` is false, nothing changes.
        """
        rate = ops.cast(self._get_current_learning_rate(), "float32")
        for (table, state), entry in zip(
            self._with_state(), distinct, strict=True
        ):
            rows, old = entry.rows, ops.cast(entry.gathered, "float32")
            gradients = ops.cast(entry.sums, "float32")
            if scale is not None:
                gradients = gradients * ops.cast(scale, "float32")
            slots = {
                name: read_rows(variable, rows)
                for name, variable in state.items()
                if name not in _RESERVED
            }
            decayed = old
            if self.weight_decay:
                decayed = old * (1.0 - rate * self.weight_decay)
            new, slots = self.update(decayed, gradients, slots, rate)
            if self.use_ema:
                slots = {**slots, **self._average_after(state, rows, old, new)}
            if when is not None:
                rows, new, slots = _only_when(when, rows, new, slots, table)
            write_rows(table, rows, ops.cast(new, table.dtype))
            for name, values in slots.items():
                values = ops.cast(values, state[name].dtype)
                write_rows(state[name], rows, values)
        step = 1 if when is None else ops.cast(when, self._iterations.dtype)
        self._iterations.assign_add(step)

    def _average_after(
        self, state: dict[str, Any], rows: Any, old: Any, new: Any
    ) -> dict[str, Any]:
        """Returns the averages of rows after this step, and the step."""
        step = ops.cast(self._iterations, "int32") + 1
        before = _caught_up(
            old,
            ops.cast(read_rows(state["average"], rows), "float32"),
            read_rows(state["averaged"], rows),
            step - 1,
            self.ema_momentum,
        )
        # As in Keras, the average starts as the weights after the first step.
        momentum = ops.cast(step > 1, "float32") * self.ema_momentum
        average = momentum * before + (1.0 - momentum) * new
        return {
            "average": average,
            "averaged": ops.zeros_like(rows, dtype="int32") + step,
        }

    def bring_averages_up_to_date(self) -> None:
        """Updates the stored average of every row to the last step.

        Unlike a training step, this reads and writes whole tables.
        """
        step = ops.cast(self._iterations, "int32")
        for table, state in self._with_state():
            average, averaged = state["average"], state["averaged"]
            caught_up = _caught_up(
                ops.cast(table.value, "float32"),
                ops.cast(average.value, "float32"),
                ops.convert_to_tensor(averaged),
                step,
                self.ema_momentum,
            )
            average.assign(ops.cast(caught_up, average.dtype))
            averaged.assign(ops.zeros_like(averaged.value) + step)

    def swap_averages(self) -> None:
        """Swaps the tables and their averages."""
        for table, state in self._with_state():
            swap(table, state["average"])

    def finalize_variable_values(self, var_list: Any) -> None:
        """Replaces the tables by their averages if `use_ema` is set."""
        if self.use_ema:
            self.bring_averages_up_to_date()
            for table, state in self._with_state():
                table.assign(ops.copy(state["average"].value))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in _REFUSED:
            config.pop(name, None)
        return config


def checked_rate(value: Any) -> float:
    """Returns a learning rate, a number or scalar tensor, as a float.

    Raises `ValueError` if it is negative or not finite.
    """
    try:
        rate = float(ops.convert_to_numpy(value))
    except (TypeError, ValueError):
        rate = value
    check_number("learning_rate", rate)
    return rate


def swap(first: Any, second: Any) -> None:
    """Swaps the values of two variables of the same shape and dtype."""
    # JAX arrays are immutable; those of the others are written in place.
    on_jax = keras.backend.backend() == "jax"
    kept = first.value if on_jax else ops.copy(first.value)
    first.assign(second.value)
    second.assign(kept)


def _caught_up(
    rows: Any, average: Any, averaged: Any, step: Any, momentum: float
) -> Any:
    """Average at `step` of rows that have not changed since step `averaged`.

    `a_t = m a_{t-1} + (1 - m) w`, so `a_t - w = m^n (a_{t-n} - w)`. The average
    of a row that never changed is the row itself.
    """
    if len(average.shape) > len(averaged.shape):
        averaged = ops.expand_dims(averaged, -1)
    decay = ops.power(
        ops.cast(momentum, "float32"), ops.cast(step - averaged, "float32")
    )
    decay = ops.where(averaged == 0, 0.0, decay)
    return rows + decay * (average - rows)


def _only_when(
    when: Any, rows: Any, new: Any, slots: dict[str, Any], table: Any
) -> tuple[Any, Any, dict[str, Any]]:
    """Makes an update write no row unless `when` is true."""
    if keras.backend.backend() == "jax":
        return ops.where(when, rows, table.shape[0]), new, slots
    count = ops.shape(rows)[0] * ops.cast(when, "int32")
    kept = {name: values[:count] for name, values in slots.items()}
    return rows[:count], new[:count], kept
