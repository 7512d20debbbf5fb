"""The base class of the optimizers of embedding tables."""

from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_infnet.optimizers.row_gradients import DistinctRows, to_rows
from keras_infnet.optimizers.table_rows import add_up, read_rows, write_rows
from keras_infnet.utils.argument_checks import check_number

__all__ = ["EmbeddingOptimizer", "swap"]

# What tables have beside the slots of a subclass.
_RESERVED = {"average", "averaged", "marks"}
_CLIP = (
    "Set `global_clipnorm` of `RowSparseOptimizer`, which clips the gradients "
    "of dense weights and tables together."
)
_REFUSED = {
    **dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm"), _CLIP),
    "gradient_accumulation_steps": "The gradients of a table are never kept "
    "as a whole. Use a larger batch.",
    "ema_overwrite_frequency": "Averages replace the rows when training ends.",
    "loss_scale_factor": "Give the dense optimizer of `RowSparseOptimizer` a "
    "`keras.optimizers.LossScaleOptimizer`.",
}


class EmbeddingOptimizer(keras.optimizers.Optimizer):
    """Base class: updates the rows of a table that a batch has read.

    Gradients come as `RowGradients`. Those of a row are added up first, then
    `update` gets every distinct row once. All other rows stay as they are,
    and so does their state: time and memory of a step depend on the batch and
    not on the table. Beside its state a table has four bytes a row for
    finding repeated ones.

    A subclass names its state in `slots` and computes new rows in `update`.
    The names `"average"`, `"averaged"` and `"marks"` are taken.

    Averages (`use_ema`) are exact: a row that is not read does not change, so
    its average is brought up to date when it is read next, or when averages
    are asked for.

    Args:
        learning_rate: float or schedule.
        weight_decay: float or `None`. Rows that a batch has read are first
            multiplied by `1 - learning_rate * weight_decay`. Defaults to
            `None`.
        use_ema: boolean. Whether to keep averages of the rows, which replace
            them at the end of `fit`. Defaults to `False`.
        ema_momentum: float. Momentum of the averages. Defaults to `0.99`.
        name: string or `None`. Defaults to `None`.
        **kwargs: Not supported; what Keras knows is refused with a reason.

    Raises:
        ValueError: If an argument is not supported, or a number is out of
            range.
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
                    f"{type(self).__name__} has no `{argument}`. {advice}"
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

    def slots(self, table: Any) -> dict[str, tuple[tuple[int, ...], float]]:
        """Returns shape and first value of each state variable, by name.

        Args:
            table: `keras.Variable` of shape `(rows, dim)`.

        Returns:
            Dict of `(shape, value)`; the first axis of a shape is the rows.
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
            The rows and the state, as they were received.
        """
        raise TypeError(f"{type(self).__name__} must define `update`.")

    def build(self, variables: Any) -> None:
        """Makes the state of every table of the list `variables`.

        Raises:
            ValueError: If it has other tables already, or a slot has a
                reserved name.
        """
        if self.built:
            self._check_tables(list(variables))
            return
        # The base class would make dense averages.
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
                    f"{type(self).__name__} has a slot called "
                    f"{', '.join(sorted(taken))!r}. This name is taken: give "
                    "it another one."
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
        """Updates the tables by a list of `RowGradients`, one a table.

        Other gradients are taken, too; a dense one counts as reading all rows.
        """
        if trainable_variables is not None and not self.built:
            self.build(list(trainable_variables))
        distinct = self.add_up(grads, trainable_variables)
        self.apply_distinct(distinct)

    def add_up(self, grads: Any, tables: Any = None) -> list[DistinctRows]:
        """Adds up the gradients of every distinct row of every table."""
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
                f"{[table.path for table in tables]}, of another model or "
                "frozen since. Make a new optimizer, or compile again."
            )

    def exclude_from_weight_decay(
        self, var_list: Any = None, var_names: Any = None
    ) -> None:
        """Raises: this optimizer has nothing but tables to decay."""
        raise ValueError(
            f"{type(self).__name__} decays the rows of its tables alone. "
            "Leave `weight_decay` out to exclude them."
        )

    def apply_distinct(
        self, distinct: list[DistinctRows], scale: Any = None, when: Any = None
    ) -> None:
        """Updates the tables by the gradients that `add_up` has returned.

        The gradients are multiplied by the scalar `scale`. Where the boolean
        scalar `when` is false, nothing changes.
        """
        rate = ops.cast(self._get_current_learning_rate(), "float32")
        for table, state, entry in zip(
            self._trainable_variables, self._state, distinct, strict=True
        ):
            self._update_table(table, state, entry, rate, scale, when)
        step = 1 if when is None else ops.cast(when, self._iterations.dtype)
        self._iterations.assign_add(step)

    def _update_table(
        self,
        table: Any,
        state: dict[str, Any],
        entry: DistinctRows,
        rate: Any,
        scale: Any,
        when: Any,
    ) -> None:
        old = ops.cast(entry.gathered, "float32")
        gradients = ops.cast(entry.sums, "float32")
        if scale is not None:
            gradients = gradients * ops.cast(scale, "float32")
        names = [name for name in state if name not in _RESERVED]
        slots = {name: read_rows(state[name], entry.rows) for name in names}
        decayed = old
        if self.weight_decay:
            decayed = old * (1.0 - rate * self.weight_decay)
        new, slots = self.update(decayed, gradients, slots, rate)
        if self.use_ema:
            average = self._average_after(state, entry.rows, old, new)
            slots = {**slots, **average}
        rows = entry.rows
        if when is not None:
            rows, new, slots = _only_when(when, rows, new, slots, table)
        write_rows(table, rows, ops.cast(new, table.dtype))
        for name, values in slots.items():
            write_rows(state[name], rows, ops.cast(values, state[name].dtype))

    def _average_after(
        self, state: dict[str, Any], rows: Any, old: Any, new: Any
    ) -> dict[str, Any]:
        """Averages of rows behind this step, and the step itself."""
        step = ops.cast(self._iterations, "int32") + 1
        before = _caught_up(
            old,
            ops.cast(read_rows(state["average"], rows), "float32"),
            read_rows(state["averaged"], rows),
            step - 1,
            self.ema_momentum,
        )
        # As in Keras: the average starts as the weights behind the first step.
        momentum = ops.cast(step > 1, "float32") * self.ema_momentum
        average = momentum * before + (1.0 - momentum) * new
        return {
            "average": average,
            "averaged": ops.zeros_like(rows, dtype="int32") + step,
        }

    def bring_averages_up_to_date(self) -> None:
        """Makes the stored average of every row that of the last step.

        Unlike a step, this reads and writes whole tables.
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
        """Exchanges the tables and their averages."""
        for table, state in self._with_state():
            swap(table, state["average"])

    def finalize_variable_values(self, var_list: Any) -> None:
        """Replaces the tables by their averages, if there are any."""
        if self.use_ema:
            self.bring_averages_up_to_date()
            for table, state in self._with_state():
                table.assign(ops.copy(state["average"].value))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in _REFUSED:
            config.pop(name, None)
        return config


def swap(first: Any, second: Any) -> None:
    """Exchanges the values of two variables of one shape and dtype."""
    # Arrays of JAX do not change; those of others are written to in place.
    on_jax = keras.backend.backend() == "jax"
    kept = first.value if on_jax else ops.copy(first.value)
    first.assign(second.value)
    second.assign(kept)


def _caught_up(
    rows: Any, average: Any, averaged: Any, step: Any, momentum: float
) -> Any:
    """Average at `step` of rows that have not changed since `averaged`.

    `a_t = m a_{t-1} + (1 - m) w`, so `a_t - w = m^n (a_{t-n} - w)`. A row that
    never changed is its own average.
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
    """Makes the update touch no row unless `when` holds."""
    if keras.backend.backend() == "jax":
        return ops.where(when, rows, table.shape[0]), new, slots
    count = ops.shape(rows)[0] * ops.cast(when, "int32")
    kept = {name: values[:count] for name, values in slots.items()}
    return rows[:count], new[:count], kept
