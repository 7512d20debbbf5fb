"""Finished runs, kept by what they were made of."""

import hashlib
import json
import os
import pathlib
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_infnet.data import Batches
from keras_infnet.experiments.experiment import ExperimentData
from keras_infnet.utils.atomic_files import write_text
from keras_infnet.utils.json_values import json_safe
from keras_infnet.version import __version__

__all__ = ["RunStore", "fingerprint"]

# What reading raises behind a power cut or a bad copy. What may not be read is
# another matter: neither could the run that is done again be kept.
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
    """A folder of finished runs.

    A run is a JSON file of what was measured beside a file of predictions. It
    is found again by a hash of everything that it depends on.

    Args:
        directory: path.
        say: function of a string. Told of runs that cannot be read. Defaults
            to `print`.
    """

    def __init__(
        self, directory: Any, say: Callable[[str], None] = print
    ) -> None:
        self.directory = pathlib.Path(directory) / "runs"
        self.say = say

    def key(self, **parts: Any) -> str:
        """Returns the hash of what a run depends on.

        Args:
            **parts: plain data; the backend and the version of the package
                are added.

        Returns:
            String of 24 hexadecimal digits.
        """
        everything = {
            **parts,
            "backend": keras.backend.backend(),
            "version": __version__,
        }
        text = json.dumps(json_safe(everything), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]

    def get(self, key: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Returns record and predictions of a run, or `None`.

        Args:
            key: string.

        Returns:
            Dict and dict of arrays by task, or `None` where it did not
            finish, or where what is left of it cannot be read.
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
        """Keeps a finished run.

        Args:
            key: string.
            record: plain data.
            predictions: dict of arrays by task; may be empty.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if predictions:
            temporary = self.directory / f"{key}.tmp.npz"
            np.savez(temporary, **predictions)
            os.replace(temporary, self.directory / f"{key}.npz")
        # Last: without this file there is no run.
        record = {**record, "tasks": list(predictions)}
        text = json.dumps(json_safe(record), indent=2) + "\n"
        write_text(self.directory / f"{key}.json", text)
        shutil.rmtree(self.unfinished(key), ignore_errors=True)

    def unfinished(self, key: str) -> pathlib.Path:
        """Returns the folder for the state of a run that is under way.

        Args:
            key: string.
        """
        return self.directory / "unfinished" / key


def fingerprint(data: ExperimentData) -> str:
    """Returns a hash that changes with the rows and their encoding.

    Args:
        data: `ExperimentData`.

    Returns:
        String of hexadecimal digits.
    """
    digest = hashlib.sha256()
    # Candidates matter to a server alone.
    schema = data.encoder.schema.with_candidates(())
    digest.update(schema.to_json().encode())
    for source in (data.train, data.validation, data.test):
        if source is None:
            digest.update(b"-")
            continue
        rows = Batches(source, data.encoder, 4096)
        digest.update(str(rows.num_rows).encode())
        for values in (rows.labels(), rows.weights()):
            for task in data.encoder.schema.task_names:
                digest.update(np.ascontiguousarray(values[task]).tobytes())
        # Labels say nothing of the fields; of a large table a sample must do.
        for index in sorted(set(np.linspace(0, len(rows) - 1, 16, dtype=int))):
            inputs, *_ = rows[index]
            for name in sorted(inputs):
                digest.update(np.ascontiguousarray(inputs[name]).tobytes())
    return digest.hexdigest()[:24]
