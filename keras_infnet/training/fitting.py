"""Training with what a real run needs around `fit`."""

import contextlib
import os
from collections.abc import Sequence
from typing import Any

import keras

from keras_infnet.schema import Schema
from keras_infnet.schema.agreement import check_encoder_matches
from keras_infnet.training.autoifs.flow_search import FlowSearch
from keras_infnet.training.callbacks import Logs
from keras_infnet.training.callbacks.averaged_weights import (
    AveragedWeights,
    keeps_averages,
)
from keras_infnet.training.callbacks.best_weights import BestWeights
from keras_infnet.training.callbacks.mean_auc import MeanAUC, ScenarioTaskAUC
from keras_infnet.training.callbacks.progress_report import ProgressReport
from keras_infnet.training.resume import Resume
from keras_infnet.utils.argument_checks import check_positive_or_none
from keras_infnet.utils.atomic_files import alone_in

__all__ = ["check_fit", "fit_ranker", "ranker_callbacks"]

_SET_RATES = (
    keras.callbacks.ReduceLROnPlateau,
    keras.callbacks.LearningRateScheduler,
)
# They need the weights that are trained, not averages.
_STORE_TRAINING = (FlowSearch, keras.callbacks.BackupAndRestore)


def fit_ranker(
    model: Any,
    train: Any,
    validation: Any = None,
    epochs: int = 1,
    directory: str | os.PathLike[str] | None = None,
    patience: int | None = None,
    tensorboard: bool = False,
    callbacks: Sequence[Any] = (),
    save_every: int | None = None,
    **kwargs: Any,
) -> Any:
    """Calls `model.fit` with validation, best weights, logs and resume.

    After every epoch the model is validated, with averaged weights where the
    optimizer keeps them. The weights with the best mean AUC over the binary
    tasks (the lowest loss, if there is none) are restored at the end. With a
    `directory`, `history.csv` gets a line an epoch and an interrupted run
    continues at its next epoch, with the same order of rows, when called
    again.

    Args:
        model: a compiled model.
        train: `keras_infnet.data.Batches`.
        validation: `keras_infnet.data.Batches` or `None`. Defaults to
            `None`.
        epochs: integer. Defaults to `1`.
        directory: path or `None`. Where logs and the state of an unfinished
            run go. Defaults to `None`.
        patience: integer or `None`. Validations without progress before
            training stops. Defaults to `None`.
        tensorboard: boolean. Whether to write TensorBoard logs below
            `directory`; needs TensorFlow. Defaults to `False`.
        callbacks: further callbacks. A `ScenarioTaskAUC` among them decides
            on the best weights. In `on_epoch_end` of an epoch with validation
            the model has the weights that were validated, so that
            `keras.callbacks.ModelCheckpoint` stores what was scored; change
            weights in `on_epoch_begin`. Defaults to `()`.
        save_every: integer or `None`. Steps after which the state of the run
            is saved, beside the end of every epoch; needs a `directory`.
            Defaults to `None`.
        **kwargs: Further arguments of `model.fit`, for example `verbose`.

    Returns:
        The `keras.callbacks.History` of the run.

    Raises:
        ValueError: If TensorBoard logs are asked for without a directory,
            the batches were encoded for another model, a number is out of
            range, or a callback sets a learning rate that follows a schedule.
        RuntimeError: If another training is under way in the directory.
    """
    check_fit(model, train, validation, epochs, patience, save_every)
    standard = ranker_callbacks(
        model,
        train,
        validation,
        directory,
        patience,
        tensorboard,
        callbacks,
        save_every,
    )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    data = [
        batches.to_tf_data()
        if on_tensorflow and hasattr(batches, "to_tf_data")
        else batches
        for batches in (train, validation)
    ]
    for callback in standard:
        if isinstance(callback, ProgressReport):
            callback.report_labels(train, model.schema)
    alone: Any = contextlib.nullcontext()
    if directory is not None:
        alone = alone_in(directory, "a training")
    try:
        with alone:
            return model.fit(
                data[0],
                validation_data=data[1],
                epochs=epochs,
                callbacks=standard,
                # The batches shuffle themselves, by their seed and the epoch.
                shuffle=False,
                **kwargs,
            )
    finally:
        # An interrupted run does not reach the end, where Keras does this.
        for callback in standard:
            if getattr(callback, "csv_file", None) is not None:
                callback.csv_file.close()
            if isinstance(callback, AveragedWeights):
                callback.use_trained_weights()
            if isinstance(callback, ProgressReport):
                callback.close()


def check_fit(
    model: Any,
    train: Any,
    validation: Any = None,
    epochs: int = 1,
    patience: int | None = None,
    save_every: int | None = None,
) -> None:
    """Raises for numbers or batches that `fit_ranker` would refuse."""
    check_positive_or_none(
        epochs=epochs, patience=patience, save_every=save_every
    )
    for batches in (train, validation):
        schema = getattr(batches, "schema", None)
        if isinstance(schema, Schema):
            check_encoder_matches(model.schema, schema)


def ranker_callbacks(
    model: Any,
    train: Any = None,
    validation: Any = None,
    directory: str | os.PathLike[str] | None = None,
    patience: int | None = None,
    tensorboard: bool = False,
    callbacks: Sequence[Any] = (),
    save_every: int | None = None,
) -> list[Any]:
    """Returns the callbacks of `fit_ranker`, in the order that they need.

    Args:
        model: a compiled model.
        train: `keras_infnet.data.Batches` or `None`. Defaults to `None`.
        validation: anything but `None` if there is validation data. Defaults
            to `None`.
        directory: path or `None`. Defaults to `None`.
        patience: integer or `None`. Defaults to `None`.
        tensorboard: boolean. Defaults to `False`.
        callbacks: further callbacks; see `fit_ranker`. Defaults to `()`.
        save_every: integer or `None`. See `fit_ranker`. Defaults to `None`.

    Returns:
        List of callbacks.

    Raises:
        ValueError: If TensorBoard logs or `save_every` are asked for without
            a directory, or a callback sets a rate that follows a schedule.
    """
    _check_rates(model.optimizer, callbacks)
    schema = model.schema
    # With a directory, `Resume` does that.
    ordered = directory is None and hasattr(train, "epoch")
    # What decides on the best weights comes before them.
    leading = [c for c in callbacks if isinstance(c, ScenarioTaskAUC)]
    others = [c for c in callbacks if c not in leading]
    if validation is not None and keeps_averages(model.optimizer):
        last = [c for c in others if isinstance(c, _STORE_TRAINING)]
        others = [c for c in others if c not in last]
        others += [AveragedWeights(), *last]
    result: list[Any] = [_RowOrder(train)] if ordered else []
    result += [MeanAUC(schema), *leading]
    if validation is not None:
        ranked = any(task.kind == "binary" for task in schema.tasks)
        result.append(
            BestWeights(
                monitor="val_mean_auc" if ranked else "val_loss",
                mode="max" if ranked else "min",
                patience=patience,
            )
        )
    result += others
    if tensorboard:
        if directory is None:
            raise ValueError(
                "tensorboard=True needs a directory for the logs. "
                "Received: directory=None."
            )
        result.append(
            keras.callbacks.TensorBoard(os.path.join(directory, "tensorboard"))
        )
    if directory is not None:
        path = os.path.join(directory, "resume.npz")
        result.append(
            keras.callbacks.CSVLogger(
                os.path.join(directory, "history.csv"),
                # A run that continues goes on below its earlier lines.
                append=os.path.exists(path),
            )
        )
        result.append(Resume(path, train, result, save_every))
    elif save_every is not None:
        raise ValueError(
            "save_every needs a directory for the state of the run. "
            f"Received: save_every={save_every}, directory=None."
        )
    return result


def _check_rates(optimizer: Any, callbacks: Sequence[Any]) -> None:
    """Raises for what would raise in mid-training."""
    if not getattr(optimizer, "has_scheduled_rate", False):
        return
    for callback in callbacks:
        if isinstance(callback, _SET_RATES):
            raise ValueError(
                f"{type(callback).__name__} sets the learning rate, which "
                "follows a schedule. Compile without `warmup_steps` and "
                "`decay_steps`, or leave the callback out."
            )


class _RowOrder(keras.callbacks.Callback):
    """Makes every epoch of `fit` read the rows in an order of its own.

    The order is that of the epoch's number, so that every call of `fit` sees
    the same. Without this callback the epoch is one too high if Keras builds
    the model from its first batch.
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.batches.epoch = epoch
