"""An exported model, called from Python."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.schema.value_checks import check_count
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
    complete_request,
    ranking_request,
    raw_request,
    rows_to_table,
)
from keras_infnet.utils.argument_checks import check_positive

__all__ = ["Servable"]


class Servable:
    """Scores raw rows with an exported model, as a server does.

    TensorFlow runs the graph, whichever backend Keras uses. Build it with
    `Servable.load`.

    Args:
        path: path of the version folder.
        schema: `keras_infnet.schema.Schema` of the model.
        saved_model: what `tf.saved_model.load` returned.

    Example:

    ```python
    servable = Servable.load("saved_models/quickstart")
    servable.predict_raw(table)["click"]
    ```
    """

    def __init__(self, path: Path, schema: Schema, saved_model: Any) -> None:
        self.path = path
        self.schema = schema
        # Keeps the variables and tables of the functions alive.
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
            table: `keras_infnet.data.Table`, pandas frame or dicts, as
                `Client.predict` takes them. Columns that a request may leave
                out may be absent, further ones are ignored.
            batch_size: integer. Rows of one call. Defaults to `1024`.

        Returns:
            Dict of task name to float32 array of shape `(rows, 1)`.

        Raises:
            ValueError: If a required column is absent, a value does not fit
                its field, `batch_size` is no positive integer, or the model
                was exported without an encoder.
        """
        self._check_raw()
        check_positive(batch_size=batch_size)
        table = rows_to_table(table, required_inputs(self.schema))
        parts: dict[str, list[np.ndarray]] = {
            task: [np.empty((0, 1), np.float32)]
            for task in self.schema.task_names
        }
        for start in range(0, len(table), batch_size):
            rows = table.slice(start, min(start + batch_size, len(table)))
            outputs = self._call(RAW, raw_request(rows, self.schema))
            for task, output in outputs.items():
                parts[task].append(output.numpy())
        return {task: np.concatenate(part) for task, part in parts.items()}

    def rank(
        self,
        request: Rows,
        candidates: Rows,
        top_k: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Scores the candidates of one request.

        Args:
            request: one row of what all candidates share, in any form that
                `predict_raw` takes.
            candidates: one row a candidate. Further columns are ignored in
                both.
            top_k: integer. How many candidates come back, the best ones
                first; `None` for all in their order. Defaults to `None`.

        Returns:
            Dict of task name and `score` to float32 array of shape
            `(candidates,)`, and with `top_k` `index`, the rows of
            `candidates`. Without candidates they are empty.

        Raises:
            ValueError: If the request is not one row, a required column is
                absent, a value does not fit its field, or the model was
                exported without candidates or without an encoder.
        """
        self._check_raw()
        schema = self.schema
        if top_k is not None:
            # NumPy's integers are integers too.
            top_k = int(top_k) if isinstance(top_k, np.integer) else top_k
            check_count(top_k, "`top_k`", 0)
        shared, own, count = ranking_request(request, candidates, schema)
        if not count:
            empty = np.empty(0, np.float32)
            found = dict.fromkeys((*schema.task_names, SCORE), empty)
            if top_k is not None:
                found[INDEX] = np.empty(0, np.int32)
            return found
        inputs: dict[str, Any] = {**shared, **own}
        if top_k is None:
            outputs = self._call(RANK, inputs)
        else:
            # More than there are may be more than an int32 holds.
            k = np.int32(min(top_k, count))
            outputs = self._call(RANK_TOP_K, inputs, k=k)
        return {name: output.numpy() for name, output in outputs.items()}

    def _call(
        self, signature: str, inputs: dict[str, Any], **scalars: Any
    ) -> dict[str, Any]:
        import tensorflow as tf

        specs = self.schema.raw_inputs
        tensors = {
            name: tf.constant(value, specs[name].dtype)
            for name, value in complete_request(inputs, self.schema).items()
        }
        tensors |= {name: tf.constant(n) for name, n in scalars.items()}
        return dict(self._saved_model.signatures[signature](**tensors))

    def _check_raw(self) -> None:
        if RAW not in self._saved_model.signatures:
            raise ValueError(
                f"{self.path} takes encoded ids alone: it was exported with a "
                "schema in place of an encoder. Export it with the encoder "
                "of its training data."
            )

    def __repr__(self) -> str:
        return f"Servable({str(self.path)!r}, {self.schema!r})"
