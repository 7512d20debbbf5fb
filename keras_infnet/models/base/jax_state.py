"""State of a model on JAX during and after `fit` and `predict`."""

from collections.abc import Iterator
from typing import Any

from keras import ops

__all__ = ["keep_weights_on_errors", "separate_buffers"]

#: Parts of the state that each step function takes, in Keras's order.
_STATES = {
    "train_function": ("trainable", "non_trainable", "optimizer", "metrics"),
    "test_function": ("trainable", "non_trainable", "metrics"),
    "predict_function": ("trainable", "non_trainable"),
}


class _Batches:
    """Iterator over batches that ends early when reading a batch fails.

    With `steps_per_execution` above one, Keras reads several batches in one
    call. An error at the first of them is raised at once. One at a later
    batch is stored in `error`, so that the results of the steps before it
    are not lost.
    """

    def __init__(self, batches: Iterator[Any]):
        self.batches = batches
        self.num_read = 0
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self.batches)
        except StopIteration:
            raise
        except Exception as error:
            if self.num_read == 0:
                raise
            self.error = error
            raise StopIteration from error
        self.num_read += 1
        return batch


def keep_weights_on_errors(model: Any, function: str) -> None:
    """Wraps a step function of `model` so that errors leave its weights.

    Keras moves the weights into the state of the step before it reads a
    batch, and restores only what a step returned. The wrapped function stores
    the state where `model.jax_state_sync()` finds it.

    Args:
        model: The model, on JAX.
        function: `"train_function"`, `"test_function"` or
            `"predict_function"`.
    """
    step: Any = getattr(model, function)
    if hasattr(step, "keeps_weights"):
        return
    names = [f"{part}_variables" for part in _STATES[function]]

    def keep(state: Any) -> None:
        model._jax_state = dict(zip(names, state, strict=True))

    def wrapped(state: Any, iterator: Iterator[Any]) -> Any:
        keep(state)
        batches = _Batches(iterator)
        outputs, state = step(state, batches)
        keep(state)
        if batches.error is not None:
            raise batches.error
        return outputs, state

    wrapped.keeps_weights = True  # type: ignore
    setattr(model, function, wrapped)


def separate_buffers(model: Any) -> None:
    """Gives every variable of `model` its own array.

    At the end of `fit`, Keras lets the weights and their averages share one
    array each. JAX's next training step would then donate the array twice.
    """
    owned = set()
    for variable in (*model.variables, *model.optimizer.variables):
        array = variable.value
        if id(array) in owned:
            variable.assign(ops.copy(array))
        owned.add(id(array))
