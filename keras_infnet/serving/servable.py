"""An exported model, called from Python."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.schema import InputSpec, Schema
from keras_infnet.serving.exporting.file_formats import check_can_export
from keras_infnet.serving.exporting.versions import latest_version
from keras_infnet.serving.graph.signatures import (
    INDEX,
    RANK,
    RANK_TOP_K,
    RAW,
    SCORE,
    required_inputs,
)
from keras_infnet.serving.request import (
    Rows,
    as_count,
    complete_request,
    ranking_request,
    raw_request,
    rows_to_table,
)

__all__ = ["Servable"]


class Servable:
    """Scores raw rows with an exported model, as a server does.

    TensorFlow runs the graph, whichever backend Keras uses. Create it with
    `Servable.load`.

    Args:
        path: path of the version folder.
        schema: `keras_infnet.schema.Schema` of the model.
        saved_model: result of `tf.saved_model.load`.

    Example:

    ```python
    servable = Servable.load("saved_models/quickstart")
    servable.predict_raw(table)["click"]
    ```
    """

    def __init__(self, path: Path, schema: Schema, saved_model: Any) -> None:
        self.path = path
        self.schema = schema
        # Its functions do not keep variables and tables alive.
        self._saved_model = saved_model

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Servable":
        """Loads an exported model.

        Args:
            path: path of a version, `NAME/VERSION`, or of `NAME` for the
                newest version.

        Returns:
            A `Servable`.

        Raises:
            FileNotFoundError: If there is no exported model.
            ImportError: If TensorFlow is not installed.
        """
        folder = Path(path)
        if not (folder / "saved_model.pb").is_file():
            folder = latest_version(folder)
        check_can_export()
        import tensorflow as tf

        schema = Schema.load(folder / "schema.json")
        return cls(folder, schema, tf.saved_model.load(str(folder)))

    def predict_raw(
        self, table: Rows, batch_size: int = 1024
    ) -> dict[str, np.ndarray]:
        """Predicts from raw values.

        Args:
            table: `keras_infnet.data.Table`, pandas frame or dicts, as for
                `Client.predict`. Columns that a request may omit may be
                absent; extra ones are ignored.
            batch_size: integer. Rows per call. Defaults to `1024`.

        Returns:
            Dict of task name to float32 array of shape `(rows, 1)`.

        Raises:
            ValueError: If a required column is absent, a value does not fit
                its field, `batch_size` is not a positive integer, or the
                model was exported without an encoder.
        """
        self._check_raw()
        schema, size = self.schema, as_count("batch_size", batch_size)
        table = rows_to_table(table, required_inputs(schema))
        empty = np.empty((0, 1), np.float32)
        answers = [dict.fromkeys(schema.task_names, empty)]
        for start in range(0, len(table), size):
            rows = table.slice(start, start + size)
            inputs = complete_request(raw_request(rows, schema), schema)
            answers.append(self._call(RAW, inputs))
        return {
            task: np.concatenate([answer[task] for answer in answers])
            for task in schema.task_names
        }

    def rank(
        self,
        request: Rows,
        candidates: Rows,
        top_k: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Scores the candidates of one request.

        Args:
            request: one row of the columns that all candidates share, in any
                form that `predict_raw` takes.
            candidates: one row per candidate. Extra columns are ignored in
                both.
            top_k: integer. Number of candidates to return, best first;
                `None` for all in their order. Defaults to `None`.

        Returns:
            Dict of task name and `"score"` to float32 array of shape
            `(candidates,)`, and with `top_k` `"index"`, their positions in
            `candidates`. The arrays are empty without candidates.

        Raises:
            ValueError: If the request is not one row, a required column is
                absent, a value does not fit its field, or the model was
                exported without candidates or without an encoder.
        """
        self._check_raw()
        if top_k is not None:
            top_k = as_count("top_k", top_k, 0)
        inputs, count = ranking_request(request, candidates, self.schema)
        if not count:
            names = (*self.schema.task_names, SCORE)
            found = dict.fromkeys(names, np.empty(0, np.float32))
            if top_k is not None:
                found[INDEX] = np.empty(0, np.int32)
            return found
        if top_k is None:
            return self._call(RANK, inputs)
        # A larger number may not fit into an int32.
        k = np.array(min(top_k, count), np.int32)
        return self._call(RANK_TOP_K, {**inputs, "k": k})

    def _call(
        self, signature: str, inputs: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        import tensorflow as tf

        specs = {**self.schema.raw_inputs, "k": InputSpec((), "int32")}
        tensors = {
            name: tf.constant(value, specs[name].dtype)
            for name, value in inputs.items()
        }
        outputs = self._saved_model.signatures[signature](**tensors)
        return {name: output.numpy() for name, output in outputs.items()}

    def _check_raw(self) -> None:
        if RAW not in self._saved_model.signatures:
            raise ValueError(
                f"{self.path} takes only encoded ids, since it was exported "
                "with a schema in place of an encoder. Export it with the "
                "encoder of its training data."
            )

    def __repr__(self) -> str:
        return f"Servable({str(self.path)!r}, {self.schema!r})"
