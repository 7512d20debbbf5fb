"""Both training stages of AutoIFS."""

import inspect
import json
import logging
import os
import pathlib
import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_infnet.schema import nearest_name
from keras_infnet.training.autoifs.flow_search import FlowSearch
from keras_infnet.training.callbacks.progress_report import ProgressReport
from keras_infnet.training.compilation import compile_ranker
from keras_infnet.training.fitting import check_fit, fit_ranker
from keras_infnet.training.resume import (
    check_run_digests,
    opened_arrays,
    run_digests,
)
from keras_infnet.utils.atomic_files import write_arrays

__all__ = ["search_and_retrain"]

_LOG = logging.getLogger("keras_infnet")


def search_and_retrain(
    model: Any,
    train: Any,
    validation: Any = None,
    search: FlowSearch | None = None,
    epochs: int = 1,
    compile_model: Callable[..., Any] = compile_ranker,
    directory: str | os.PathLike[str] | None = None,
    save_every: int | None = None,
    verbose: Any = "auto",
    **kwargs: Any,
) -> tuple[Any, Any]:
    """Searches the flows of an `AutoIFS`, then retrains with the kept ones.

    Both stages read the rows in the same order. With a `directory`, calling
    the function again resumes an interrupted run in its stage and epoch.

    Args:
        model: `keras_infnet.models.AutoIFS` with `stage="search"`. This
            function compiles it.
        train: `keras_infnet.data.Batches`.
        validation: `keras_infnet.data.Batches` or `None`, for the second
            stage. Defaults to `None`.
        search: `FlowSearch`, or `None` for its defaults. Defaults to `None`.
        epochs: integer. Epochs of the second stage. Defaults to `1`.
        compile_model: function that compiles a model, with an optional keyword
            `optimizer`. For the search it is called a second time with the
            result of `search.optimizer`. Defaults to `compile_ranker`.
        directory: path or `None`. See `fit_ranker`. Defaults to `None`.
        save_every: integer or `None`. See `fit_ranker`. Defaults to `None`.
        verbose: `verbose` of `fit`. Defaults to `"auto"`.
        **kwargs: Further arguments of `fit_ranker` for the second stage, for
            example `patience` and `callbacks`.

    Returns:
        The trained `AutoIFS` with `stage="retrain"`, and the
        `keras.callbacks.History` of the second stage.

    Raises:
        ValueError: If the model is not an `AutoIFS` to search, or a number is
            out of range.
    """
    search = FlowSearch() if search is None else search
    fitted = {"validation": validation, "epochs": epochs}
    fitted |= {k: kwargs[k] for k in ("patience",) if k in kwargs}
    check_fit(model, train, save_every=save_every, **fitted)
    _check_options(kwargs, directory)
    compile_model(model)
    # Random numbers of the second stage must not depend on interruptions.
    seed = random.getrandbits(31)
    compile_model(model, optimizer=search.optimizer(model, model.optimizer))
    folder = None if directory is None else pathlib.Path(directory)
    found = None if folder is None else folder / "flows.npz"
    if found is not None and found.exists():
        _load_search(found, search, model, train)
    else:
        _LOG.info("Stage 1 of 2: searching the flows.")
        fit_ranker(
            model,
            train,
            epochs=search.epochs,
            directory=None if folder is None else folder / "search",
            callbacks=[search, *_progress(kwargs)],
            save_every=save_every,
            verbose=verbose,
        )
        if found is not None:
            _save_search(found, search, model, train)
    _LOG.info("Stage 2 of 2: training with the flows that are kept.")
    keras.utils.set_random_seed(seed)
    ranker = search.build_retrain(model)
    compile_model(ranker)
    history = fit_ranker(
        ranker,
        train,
        validation,
        epochs=epochs,
        directory=folder,
        save_every=save_every,
        verbose=verbose,
        **kwargs,
    )
    if found is not None:
        found.unlink()
    return ranker, history


def _check_options(options: dict[str, Any], directory: Any) -> None:
    """Checks arguments of the second stage before the first."""
    known = {
        *inspect.signature(fit_ranker).parameters,
        *inspect.signature(keras.Model.fit).parameters,
    } - {"kwargs", "self", "x", "y"}
    for name in options:
        if name not in known:
            raise ValueError(nearest_name(name, known, "argument of `fit`"))
    for callback in options.get("callbacks", ()):
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must hold instances of keras.callbacks.Callback. "
                f"Received: {callback!r}."
            )
    if options.get("tensorboard") and directory is None:
        raise ValueError(
            "tensorboard=True needs a directory for the logs. "
            "Received: directory=None."
        )


def _progress(options: dict[str, Any]) -> list[Any]:
    callbacks = options.get("callbacks", ())
    return [c for c in callbacks if isinstance(c, ProgressReport)]


def _run_digests(search: FlowSearch, model: Any, train: Any) -> dict[str, str]:
    return {**run_digests(model, train), "FlowSearch": repr(search.settings)}


def _save_search(
    path: pathlib.Path, search: FlowSearch, model: Any, train: Any
) -> None:
    """Writes the result of a search."""
    written = np.array(json.dumps(_run_digests(search, model, train)))
    write_arrays(path, {**search.state(), "signature": written}.items())


def _load_search(
    path: pathlib.Path, search: FlowSearch, model: Any, train: Any
) -> None:
    """Reads the result of a search with the same model and data."""
    check_run_digests(path, _run_digests(search, model, train))
    with opened_arrays(path) as arrays:
        search.load_state({k: arrays[k] for k in arrays if k != "signature"})
    _LOG.info("%s: the search is complete; its flows are used.", path)
