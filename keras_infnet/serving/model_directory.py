"""Directories of trained models: weights, schema, vocabularies, metrics."""

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from keras_infnet.schema import Schema
from keras_infnet.schema.agreement import check_encoder_matches
from keras_infnet.utils.json_values import json_safe

if TYPE_CHECKING:
    from keras_infnet.data.encoding.encoder import Encoder

__all__ = [
    "check_agreement",
    "load_model",
    "load_model_directory",
    "save_model_directory",
    "write_json",
    "write_model_class",
]

_NEEDED = ("model.keras", "schema.json", "vocabularies.npz")
_CLASS_FILE = "model_class.json"
_OWN = (*_NEEDED, _CLASS_FILE, "metrics.json", "config.json", "history.csv")


def save_model_directory(
    model: Any,
    encoder: "Encoder",
    path: str | os.PathLike[str],
    metrics: Mapping[str, Any] | None = None,
    history: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Writes a trained model and everything needed to load it, in one step.

    An existing model is replaced at the very end: an exception, an interrupt
    or a full disk leaves it as it was. Files with other names, such as logs,
    are kept.

    Args:
        model: `keras.Model`, trained.
        encoder: `keras_infnet.data.Encoder` of its training data.
        path: path of the directory.
        metrics: mapping of names to figures, for `metrics.json`. Defaults to
            `None`.
        history: mapping of names to one value per epoch, for `history.csv`.
            Defaults to `None`.
        config: mapping, for `config.json`. Defaults to `None`.

    Returns:
        Path of the directory.

    Raises:
        ValueError: If model and encoder do not belong together.
        NotADirectoryError: If `path` is a file.
    """
    check_agreement(model, encoder.schema)
    target = Path(path).resolve()
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file. Choose a directory.")
    name = f".{target.name}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    new, old = target.parent / f"{name}.new", target.parent / f"{name}.old"
    try:
        new.mkdir(parents=True)
        model.save(new / "model.keras")
        write_model_class(new, model)
        encoder.save(new)
        if metrics is not None:
            write_json(new / "metrics.json", metrics)
        if config is not None:
            write_json(new / "config.json", config)
        if history is not None:
            _write_history(new / "history.csv", history)
        _replace(target, new, old)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def _replace(target: Path, new: Path, old: Path) -> None:
    """Renames `new` to `target`, which is renamed to `old` meanwhile."""
    if not (target / _NEEDED[0]).exists():
        # Training may have written logs there. `model.keras` comes last:
        # without it a directory is not taken for a model.
        target.mkdir(exist_ok=True)
        files = sorted(new.iterdir(), key=lambda file: file.name == _NEEDED[0])
        for file in files:
            file.replace(target / file.name)
        return
    target.rename(old)
    try:
        new.rename(target)
    except BaseException:
        old.rename(target)
        raise
    for other in old.iterdir():
        if other.name not in _OWN:
            other.rename(target / other.name)
    shutil.rmtree(old, ignore_errors=True)


def load_model_directory(
    path: str | os.PathLike[str],
) -> tuple[Any, "Encoder"]:
    """Loads a trained model and its encoder.

    Args:
        path: path of a directory written by `save_model_directory`, or of an
            exported version.

    Returns:
        Pair of `keras.Model` and `keras_infnet.data.Encoder`.

    Raises:
        FileNotFoundError: If the directory or one of its files is missing.
        ValueError: If a file is damaged, or if the files do not belong
            together.
    """
    from keras_infnet.data.encoding.encoder import Encoder

    directory = Path(path)
    if not directory.is_dir():
        raise FileNotFoundError(
            f"no model directory at {directory}. `keras-infnet train` writes "
            "one."
        )
    missing = [n for n in _NEEDED if not (directory / n).is_file()]
    if missing:
        raise FileNotFoundError(
            f"{directory} is not a complete model directory. Missing: "
            f"{', '.join(missing)}. {_advice(directory)}"
        )
    encoder = Encoder.load(directory)
    model = load_model(directory / "model.keras")
    try:
        check_agreement(model, encoder.schema)
    except ValueError as error:
        raise ValueError(f"{directory}: {error}") from error
    return model, encoder


def _advice(directory: Path) -> str:
    inner = sorted(
        str(file.parent)
        for file in directory.glob("*/model.keras")
        if not file.parent.name.startswith(".")  # left by a killed export
    )
    if inner:
        return f"Choose one of {', '.join(inner)}."
    if (directory / "resume.npz").is_file():
        return "Its training is unfinished: run it again to resume."
    return f"It needs {', '.join(_NEEDED)}."


def load_model(path: str | os.PathLike[str]) -> Any:
    """Loads a `.keras` file, with the classes of this package registered."""
    # These imports register them.
    import keras_infnet.layers
    import keras_infnet.losses
    import keras_infnet.metrics
    import keras_infnet.models

    class_file, found = Path(path).with_name(_CLASS_FILE), ""
    if class_file.exists():
        name = json.loads(class_file.read_text("utf-8"))["import_path"]
        try:
            keras_infnet.models.find_model(name)
        except ValueError as error:
            found = f" Its class was not found: {error}"
    try:
        # Losses and optimizers of a training script may be unknown here.
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        raise ValueError(
            f"{path} cannot be loaded. Either it is damaged, its weights do "
            "not fit its configuration, or it uses custom layers, which must "
            "be registered and imported before. Keras says: "
            f"{type(error).__name__}: {error}{found}"
        ) from error


def write_model_class(folder: Path, model: Any) -> None:
    """Writes the import path of a custom model class."""
    from keras_infnet.models import Ranker

    cls = type(model)
    package = cls.__module__.partition(".")[0]
    if isinstance(model, Ranker) and package not in (
        "keras_infnet",
        "__main__",
    ):
        path = f"{cls.__module__}:{cls.__qualname__}"
        write_json(folder / _CLASS_FILE, {"import_path": path})


def check_agreement(model: Any, schema: Schema) -> None:
    """Raises `ValueError` unless a model was made for a schema."""
    own = getattr(model, "schema", None)
    if isinstance(own, Schema):
        check_encoder_matches(own, schema)
    inputs = model.input
    if isinstance(inputs, Mapping):
        _check_same(inputs, schema.inputs, "inputs")
    outputs = model.output
    if isinstance(outputs, Mapping):
        _check_same(outputs, schema.task_names, "outputs (tasks)")
    for tensors, what in ((inputs, "inputs"), (outputs, "outputs")):
        if not isinstance(tensors, Mapping):
            raise ValueError(
                f"the {what} of the model must be a dict named for the "
                f"schema. Received: {type(tensors).__name__}."
            )


def _check_same(received: Any, expected: Any, what: str) -> None:
    missing = sorted(set(expected) - set(received))
    extra = sorted(set(received) - set(expected))
    if missing or extra:
        raise ValueError(
            f"the {what} of the model differ from the schema. Missing: "
            f"{', '.join(missing) or 'none'}. Not in the schema: "
            f"{', '.join(extra) or 'none'}."
        )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes JSON, with null for NaN."""
    path.write_text(
        json.dumps(json_safe(content), indent=2, allow_nan=False) + "\n",
        encoding="utf-8",
    )


def _write_history(path: Path, history: Mapping[str, Any]) -> None:
    import pandas as pd

    pd.DataFrame({name: list(h) for name, h in history.items()}).to_csv(
        path, index_label="epoch"
    )
