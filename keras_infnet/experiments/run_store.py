"""Finished runs on disk, keyed by a hash of their settings and data."""

import hashlib
import json
import pathlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_infnet.utils.atomic_files import write_arrays, write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.version import __version__

__all__ = ["RunStore", "made_with"]

# Raised by truncated or corrupt files. Permission errors propagate, since the
# rerun could not be saved.
_DAMAGE = (
    EOFError,
    FileNotFoundError,
    LookupError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class RunStore:
    """Directory of finished runs, each a JSON record and an array file.

    Keys are hashes of everything that a run depends on. `log` receives a
    message about each run that cannot be read.
    """

    def __init__(
        self, directory: Any, log: Callable[[str], None] = print
    ) -> None:
        self.directory = pathlib.Path(directory) / "runs"
        self.log = log

    def key(self, **parts: Any) -> str:
        """Returns a hash of plain data, the backend and the version."""
        everything = {
            **parts,
            "backend": keras.backend.backend(),
            "version": __version__,
        }
        text = json.dumps(json_safe(everything), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def get(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Returns record and predictions; `None` if absent or unreadable."""
        path = self.directory / f"{key}.json"
        if not path.exists():
            return None
        predictions = {}
        try:
            record = json.loads(path.read_text("utf-8"))
            tasks = record["tasks"]
            path = path.with_suffix(".npz")
            if tasks:
                # NumPy does not close a file that it fails to read.
                with path.open("rb") as file, np.load(file) as arrays:
                    predictions = {task: arrays[task] for task in tasks}
        except _DAMAGE as error:
            self.log(
                f"{path} cannot be read ({type(error).__name__}: {error}). "
                "Repeating the run."
            )
            return None
        return record, predictions

    def put(
        self,
        key: str,
        record: Mapping[str, Any],
        predictions: Mapping[str, Any],
    ) -> None:
        """Saves a finished run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if predictions:
            write_arrays(self.directory / f"{key}.npz", predictions.items())
        # Written last, since `get` looks for this file.
        record = {**record, "tasks": list(predictions)}
        text = json.dumps(json_safe(record), indent=2) + "\n"
        write_text(self.directory / f"{key}.json", text)
        shutil.rmtree(self.unfinished(key), ignore_errors=True)

    def unfinished(self, key: str) -> pathlib.Path:
        """Returns the directory for the state of an unfinished run."""
        return self.directory / "unfinished" / key


def made_with() -> dict[str, str]:
    """Returns the backend and the versions that results depend on."""
    return {
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "keras_infnet": __version__,
    }
