"""Rows of an experiment: opened, encoded, checked and fingerprinted."""

import dataclasses
import hashlib
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_infnet.data import Batches, Encoder, datasets, open_source
from keras_infnet.experiments.settings import DataSettings
from keras_infnet.schema import Schema

__all__ = [
    "ExperimentData",
    "check_labels",
    "fingerprint",
    "load_data",
]

_LOGGER = logging.getLogger("keras_infnet")

# Reading the labels of larger tables would cost a pass over them.
_MAX_CHECKED_ROWS = 5_000_000


@dataclasses.dataclass(frozen=True)
class ExperimentData:
    """Training, validation and test rows, and the fitted encoder.

    Args:
        encoder: `keras_infnet.data.Encoder`, fitted on `train`.
        train: training rows, anything that `keras_infnet.data.open_source`
            accepts.
        validation: rows or `None`.
        test: rows or `None`.
        best: dict of the best reachable AUC by task, or `None`. Defaults to
            `None`.
    """

    encoder: Encoder
    train: Any
    validation: Any
    test: Any
    best: Mapping[str, float] | None = None

    @property
    def evaluated(self) -> Any:
        """Rows for the final metrics: test rows, or else validation rows."""
        return self.validation if self.test is None else self.test


def load_data(settings: DataSettings) -> ExperimentData:
    """Opens the tables and fits an encoder on the training rows.

    Args:
        settings: `DataSettings`.

    Returns:
        `ExperimentData`.
    """
    if settings.dataset is not None:
        data = getattr(datasets, settings.dataset).load(**settings.options)
        encoder = Encoder(data.schema).fit(data.train)
        return ExperimentData(
            encoder, data.train, data.validation, data.test, data.best
        )
    encoder = Encoder(Schema.load(str(settings.schema)))
    train, validation, test = (
        None if source is None else open_source(source, encoder.text_columns)
        for source in (settings.train, settings.validation, settings.test)
    )
    return ExperimentData(encoder.fit(train), train, validation, test)


def check_labels(train: Batches, schema: Schema) -> None:
    """Raises if no task has labels; warns about tasks without any."""
    if train.num_rows > _MAX_CHECKED_ROWS:
        return
    labels, weights = train.labels(), train.weights()
    observed = {
        task.name: labels[task.name][weights[task.name] > 0]
        for task in schema.tasks
    }
    if not any(map(len, observed.values())):
        raise ValueError(
            "no training row has a label with a weight above 0 for any task: "
            f"{', '.join(observed)}. Check the label columns, `given` and the "
            "weights of the tasks."
        )
    for task in schema.tasks:
        values = observed[task.name]
        if not len(values):
            what = "no labels"
        elif task.kind == "binary" and values.min() == values.max():
            what = f"only the label {values[0]:g}"
        else:
            continue
        _LOGGER.warning(
            "task %r has %s in the training rows: the model cannot learn it.",
            task.name,
            what,
        )


def fingerprint(data: ExperimentData) -> str:
    """Returns a hash that changes with the rows and their encoding."""
    digest = hashlib.sha256()
    # Candidates affect serving only, and the encoded rows below identify the
    # encoder. Without both, keys of runs of earlier versions stay valid.
    schema = data.encoder.schema.with_candidates(()).with_table_sizes({})
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
        # Inputs of a sample of batches: hashing all would take a full pass.
        for index in sorted(set(np.linspace(0, len(rows) - 1, 16, dtype=int))):
            inputs, *_ = rows[index]
            for name in sorted(inputs):
                digest.update(np.ascontiguousarray(inputs[name]).tobytes())
    return digest.hexdigest()[:24]
