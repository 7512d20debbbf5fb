"""`fit` with best weights, averages, logs and resume."""

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
# They store the trained weights, not averages.
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

    The model is validated after every epoch, with averaged weights if the
    optimizer keeps them. At the end, the weights with the best mean AUC over
    the binary tasks (the lowest loss, if there are none) are restored. With a
    `directory`, `history.csv` gets a line per epoch, and calling the function
    again continues an interrupted run with the same order of rows.

    Args:
        model: a compiled model.
        train: `keras_infnet.data.Batches`.
        validation: `keras_infnet.data.Batches` or `None`. Defaults to
            `None`.
        epochs: integer. Defaults to `1`.
        directory: path or `None`. Folder for logs and the state of an
            unfinished run. Defaults to `None`.
        patience: integer or `None`. Validations without improvement before
            training stops. Defaults to `None`.
        tensorboard: boolean. Whether to write TensorBoard logs below
            `directory`; needs TensorFlow. Defaults to `False`.
        callbacks: further callbacks. With a `ScenarioTaskAUC` among them, its
            mean AUC determines the best weights. In `on_epoch_end` after a
            validation, the model has the validated weights, so that
            `keras.callbacks.ModelCheckpoint` stores them; change weights in
            `on_epoch_begin`. Defaults to `()`.
        save_every: integer or `None`. Number of steps between saves of the
            state within an epoch; needs a `directory`. Defaults to `None`.
        **kwargs: Further arguments of `model.fit`, for example `verbose`.

    Returns:
        The `keras.callbacks.History` of the run.

    Raises:
        ValueError: If TensorBoard logs are requested without a directory, the
            batches were encoded for another model, a number is out of range,
            or a callback sets a learning rate that follows a schedule.
        RuntimeError: If another training is running in the directory.
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
        # Keras does this only in runs that are not interrupted.
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
    """Raises for arguments that `fit_ranker` refuses."""
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
    """Returns the callbacks of `fit_ranker` in the order they require.

    Args:
        model: a compiled model.
        train: `keras_infnet.data.Batches` or `None`. Defaults to `None`.
        validation: `None` if there is no validation data. Defaults to `None`.
        directory: path or `None`. Defaults to `None`.
        patience: integer or `None`. Defaults to `None`.
        tensorboard: boolean. Defaults to `False`.
        callbacks: further callbacks; see `fit_ranker`. Defaults to `()`.
        save_every: integer or `None`. See `fit_ranker`. Defaults to `None`.

    Returns:
        List of callbacks.

    Raises:
        ValueError: If TensorBoard logs or `save_every` are requested without a
            directory, or a callback sets a rate that follows a schedule.
    """
    _check_rates(model.optimizer, callbacks)
    schema = model.schema
    # With a directory, `Resume` sets the epoch.
    ordered = directory is None and hasattr(train, "epoch")
    # `BestWeights` reads what these callbacks log.
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
                # A resumed run appends to its earlier lines.
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
    """Raises for callbacks that would fail during training."""
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
    """Sets the epoch of the batches, which determines the order of rows.

    Every call of `fit` then reads the same orders. Without this callback the
    epoch is one too high if Keras builds the model from the first batch.
    """

    def __init__(self, batches: Any) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self.batches.epoch = epoch
