"""Formats of models that are one file, and the programs that run them."""

import dataclasses
import importlib.util
import os
from pathlib import Path

__all__ = ["FILE_FORMATS", "FileFormat", "file_format", "is_model_file"]


@dataclasses.dataclass(frozen=True)
class FileFormat:
    """A format that Keras exports a model to.

    `name` is that of Keras, and of the extra of this package; `packages` are
    imported by what writes and runs such files.
    """

    name: str
    suffix: str
    runtime: str
    packages: tuple[str, ...]

    def check_installed(self) -> None:
        """Raises `ImportError` unless all packages are there; imports none."""
        missing = [
            name
            for name in ("tensorflow", *self.packages)
            if importlib.util.find_spec(name) is None
        ]
        if missing:
            raise ImportError(
                f"a {self.suffix} file is written with TensorFlow and checked "
                f"with {self.runtime}. Not installed: {', '.join(missing)}. "
                "Run: python -m pip install "
                f'"keras-infnet[tensorflow,{self.name}]". The model may have '
                "been trained with another backend."
            )


#: All of them.
FILE_FORMATS = (
    FileFormat(
        "onnx", ".onnx", "ONNX Runtime", ("onnx", "tf2onnx", "onnxruntime")
    ),
    FileFormat("litert", ".tflite", "LiteRT", ("ai_edge_litert",)),
)

# What others write as a file, and nobody means as the name of a folder.
_OTHERS = (".h5", ".keras", ".pb")


def is_model_file(path: str | os.PathLike[str]) -> bool:
    """Tells whether a path names the file of a model, not a folder.

    >>> is_model_file("saved_models/news"), is_model_file("news.onnx")
    (False, True)
    """
    suffix = Path(path).suffix.lower()
    return suffix in _OTHERS or suffix in [f.suffix for f in FILE_FORMATS]


def file_format(path: str | os.PathLike[str]) -> FileFormat:
    """Returns the format that the name of a file asks for.

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
        f"{os.fspath(path)}. A SavedModel is a folder, which "
        "`serving.export` writes."
    )
