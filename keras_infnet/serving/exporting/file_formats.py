"""Formats of exported models, and the packages that they need."""

import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from keras_infnet.utils.installation import install_command

__all__ = [
    "FILE_FORMATS",
    "FileFormat",
    "check_can_export",
    "file_format",
    "is_model_file",
]


@dataclasses.dataclass(frozen=True)
class FileFormat:
    """A single-file format to which Keras exports models.

    `name` is the `format` of `keras.Model.export`. The extra of this package
    with the same name installs `packages`, which write and run such files.
    """

    name: str
    suffix: str
    runtime: str
    packages: tuple[str, ...]

    def check_installed(self) -> None:
        """Raises `ImportError` unless all packages are installed."""
        _check_installed(
            ("tensorflow", *self.packages),
            f"a {self.suffix} file is written with TensorFlow and checked with "
            f"{self.runtime}",
            f"tensorflow,{self.name}",
        )


FILE_FORMATS = (
    FileFormat(
        "onnx", ".onnx", "ONNX Runtime", ("onnx", "tf2onnx", "onnxruntime")
    ),
    FileFormat("litert", ".tflite", "LiteRT", ("ai_edge_litert",)),
)

# Suffixes of files that other tools write; folders rarely have them.
_OTHER_SUFFIXES = (".h5", ".keras", ".pb")


def check_can_export() -> None:
    """Checks that TensorFlow is installed, which every export needs.

    A model may be trained with any backend; TensorFlow writes and reads the
    SavedModel. It is not imported here.

    Raises:
        ImportError: If TensorFlow is not installed; says what to install.

    Example:

    >>> check_can_export()
    """
    _check_installed(
        ("tensorflow",),
        "a SavedModel is written and read with TensorFlow",
        "tensorflow",
    )


def _check_installed(packages: Sequence[str], need: str, extras: str) -> None:
    missing = [n for n in packages if importlib.util.find_spec(n) is None]
    if missing:
        raise ImportError(
            f"{need}. Not installed: {', '.join(missing)}. Run: "
            f"{install_command(extras)}. The model may have been trained with "
            "another backend."
        )


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Tells whether a path names the file of a model, not a folder.

    >>> is_model_file("saved_models/news"), is_model_file("news.onnx")
    (False, True)
    """
    suffixes = (*_OTHER_SUFFIXES, *(known.suffix for known in FILE_FORMATS))
    return Path(path).suffix.lower() in suffixes


def file_format(path: str | os.PathLike[str]) -> FileFormat:
    """Returns the format of a file by the suffix of its name.

    >>> file_format("news.tflite").runtime
    'LiteRT'
    """
    for known in FILE_FORMATS:
        if Path(path).suffix.lower() == known.suffix:
            return known
    choices = " or ".join(
        f"{known.suffix} for {known.runtime}" for known in FILE_FORMATS
    )
    raise ValueError(
        f"the name of a model file must end with {choices}. Received: "
        f"{os.fspath(path)}. `serving.export` writes a SavedModel, which is a "
        "folder."
    )
