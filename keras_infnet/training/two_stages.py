"""AutoIFS from its search to the model that is served."""

import os
import pathlib
import random
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_infnet.training.compilation import compile_ranker
from keras_infnet.training.fitting import fit_ranker
from keras_infnet.training.flow_search import FlowSearch

__all__ = ["search_and_retrain"]


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
    """Searches the flows of an `AutoIFS`, then trains it with those it kept.

    Both stages read the rows in the same order. With a `directory` an
    interrupted call continues in the stage and epoch that it had come to.

    Args:
        model: `keras_infnet.models.AutoIFS` of `stage="search"`. It is
            compiled by this function.
        train: `keras_infnet.data.Batches`.
        validation: `keras_infnet.data.Batches` or `None`, for the second
            stage. Defaults to `None`.
        search: `FlowSearch`, or `None` for one with its defaults. Defaults to
            `None`.
        epochs: integer. Epochs of the second stage. Defaults to `1`.
        compile_model: function of a model, and of `optimizer` by name, that
            compiles the model. For the search it is called once more with
            what `search.optimizer` makes of the optimiser. Defaults to
            `compile_ranker`.
        directory: path or `None`. See `fit_ranker`. Defaults to `None`.
        save_every: integer or `None`. See `fit_ranker`. Defaults to `None`.
        verbose: `verbose` of `fit`. Defaults to `"auto"`.
        **kwargs: Further arguments of `fit_ranker` for the second stage, for
            example `patience` and `callbacks`.

    Returns:
        The trained `AutoIFS` of `stage="retrain"`, and the
        `keras.callbacks.History` of the second stage.

    Raises:
        ValueError: If the model has no gates to search, or a number is out
            of range.
    """
    search = FlowSearch() if search is None else search
    compile_model(model)
    # What the second stage draws must not depend on an interruption.
    seed = random.getrandbits(31)
    folder = None if directory is None else pathlib.Path(directory)
    found = None if folder is None else folder / "flows.npz"
    if found is not None and found.exists():
        with np.load(found) as kept:
            search.load_state(dict(kept))
    else:
        compile_model(model, optimizer=search.optimizer(model, model.optimizer))
        fit_ranker(
            model,
            train,
            epochs=search.epochs,
            directory=None if folder is None else folder / "search",
            callbacks=[search],
            save_every=save_every,
            verbose=verbose,
        )
        if found is not None:
            temporary = found.with_suffix(".tmp.npz")
            arrays: dict[str, Any] = search.state()
            np.savez(temporary, **arrays)
            os.replace(temporary, found)
    keras.utils.set_random_seed(seed)
    ranker = compile_model(search.build_retrain(model))
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
