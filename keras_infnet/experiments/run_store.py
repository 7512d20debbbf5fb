"""Finished runs, kept by what they were made of."""

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

# What reading raises after a power cut or a bad copy. A missing permission is
# raised instead: the run, done again, could not be kept either.
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
    """A folder of finished runs, each under a hash of what it depends on.

    A run is a JSON file of what was measured beside a file of predictions.
    `say` is called with a message about each run that cannot be read.
    """

    def __init__(
        self, directory: Any, say: Callable[[str], None] = print
    ) -> None:
        self.directory = pathlib.Path(directory) / "runs"
        self.say = say

    def key(self, **parts: Any) -> str:
        """Returns the hash of plain data, the backend and the version."""
        everything = {
            **parts,
            "backend": keras.backend.backend(),
            "version": __version__,
        }
        text = json.dumps(json_safe(everything), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def get(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Returns record and predictions of a run.

        `None` if it did not finish, or if its files cannot be read.
        """
        path = self.directory / f"{key}.json"
        if not path.exists():
            return None
        predictions = {}
        try:
            record = json.loads(path.read_text("utf-8"))
            tasks = record["tasks"]
            path = path.with_suffix(".npz")
            if tasks:
                # NumPy leaves a file open that it cannot read.
                with path.open("rb") as file, np.load(file) as arrays:
                    predictions = {task: arrays[task] for task in tasks}
        except _DAMAGE as error:
            self.say(
                f"{path} cannot be read ({type(error).__name__}: {error}): "
                "this run is done again."
            )
            return None
        return record, predictions

    def put(
        self,
        key: str,
        record: Mapping[str, Any],
        predictions: Mapping[str, Any],
    ) -> None:
        """Keeps a finished run."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if predictions:
            write_arrays(self.directory / f"{key}.npz", predictions.items())
        # Last: without this file there is no run.
        record = {**record, "tasks": list(predictions)}
        text = json.dumps(json_safe(record), indent=2) + "\n"
        write_text(self.directory / f"{key}.json", text)
        shutil.rmtree(self.unfinished(key), ignore_errors=True)

    def unfinished(self, key: str) -> pathlib.Path:
        """Returns the folder for the state of a run that is under way."""
        return self.directory / "unfinished" / key


def made_with() -> dict[str, str]:
    """Returns the backend and the versions that results depend on."""
    return {
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "keras_infnet": __version__,
    }
