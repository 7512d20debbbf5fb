"""Requests for checking an exported model, with expected answers."""

import contextlib
import copy
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_infnet.data.batching.batch_arrays import input_arrays
from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Column, Table
from keras_infnet.schema import Schema
from keras_infnet.serving.calibration.calibration import Calibration
from keras_infnet.serving.exporting.parity_check import BestCase, Case, widened
from keras_infnet.serving.exporting.sample_rows import (
    example_inputs,
    example_rows,
)
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.signatures import (
    ENCODED,
    EXAMPLES,
    RANK,
    RANK_TOP_K,
    RAW,
    SCORE,
    missing_value,
    required_inputs,
    shared_raw_inputs,
)
from keras_infnet.serving.request import raw_request

__all__ = ["full_precision", "predict_cases"]

_EXTRA_PADDING = 5
_MAX_EXAMPLES = 64

Arrays = Mapping[str, np.ndarray]


def predict_cases(
    model: Any,
    encoder: Encoder | Schema,
    examples: Table | None = None,
    fusion: Fusion | None = None,
    calibration: Calibration | None = None,
    tolerance: float = 0.0,
) -> list[Case]:
    """Draws requests to an exported model and predicts their answers.

    `fusion` is needed if the schema has candidates. Predictions may differ by
    `tolerance` from those of the model before calibration; calibration may
    enlarge the difference, and the bounds of the cases with it.
    """
    if isinstance(encoder, Schema):
        requests = _Requests(encoder)
        requests.add_encoded("drawn ids", example_inputs(encoder))
    else:
        # A copy, so that the check neither counts nor reports odd histories.
        quiet = copy.copy(encoder)
        quiet.truncated = {b.name: 0 for b in encoder.schema.behaviors}
        quiet.later = dict(quiet.truncated)
        requests = _Requests(encoder.schema)
        requests.add_raw("drawn rows", example_rows(encoder), quiet)
        if examples is not None and len(examples):
            rows = examples.slice(0, min(_MAX_EXAMPLES, len(examples)))
            requests.add_raw("examples", rows, quiet)
    predictions = requests.predict(model)

    def answered(predictions: Arrays) -> list[Case]:
        return [_case(r, predictions, fusion) for r in requests.requests]

    if calibration is None:
        return answered(predictions)
    return widened(
        answered(calibration.apply(predictions)),
        map(answered, calibration.apply_nearby(predictions, tolerance)),
    )


class _Request(NamedTuple):
    name: str
    signature: str
    inputs: Arrays
    rows: slice  # of the predictions that it must be answered with


def _case(
    request: _Request, predictions: Arrays, fusion: Fusion | None
) -> Case:
    name, signature, inputs, rows = request
    answer = {task: y[rows] for task, y in predictions.items()}
    if signature in (RAW, ENCODED):
        return Case(name, signature, inputs, answer)
    if signature == EXAMPLES:
        scores = np.concatenate([*answer.values()], axis=1)
        classes = np.repeat(np.array([[*answer]], np.bytes_), len(scores), 0)
        return Case(
            name, signature, inputs, {"classes": classes, "scores": scores}
        )
    assert fusion is not None
    answer = {task: y[:, 0] for task, y in answer.items()}
    answer[SCORE] = fusion.apply(answer)
    kind = Case if signature == RANK else BestCase
    return kind(name, signature, inputs, answer)


class _Requests:
    """Requests, and the encoded rows whose predictions are their answers.

    All rows are predicted in one batch. A request of one row expects what the
    row gets among others, so that the comparison also shows whether rows
    influence each other. Names begin with `what`, a description of the rows.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.requests: list[_Request] = []
        self._batches: list[Arrays] = []
        self._rows = 0

    def predict(self, model: Any) -> dict[str, np.ndarray]:
        inputs = {
            name: np.concatenate([batch[name] for batch in self._batches])
            for name in self.schema.inputs
        }
        with full_precision():
            # One batch: some backends compile for every number of rows.
            outputs = model.predict(inputs, batch_size=self._rows, verbose=0)
        return {
            task: np.asarray(outputs[task], np.float32)
            for task in self.schema.task_names
        }

    def add_encoded(self, what: str, inputs: Arrays) -> None:
        """Adds requests of encoded rows, and these rows as candidates."""
        self._add_encoded(what, inputs)
        if self.schema.candidates:
            shared = self.schema.shared_inputs
            first = np.zeros(len(next(iter(inputs.values()))), np.int64)
            tiled = {
                name: a[first] if name in shared else a
                for name, a in inputs.items()
            }
            self._add_ranking(what, inputs, shared, self._expect(tiled))

    def add_raw(self, what: str, table: Table, encoder: Encoder) -> None:
        """Adds requests of raw rows, encoded, and as candidates."""
        schema = self.schema

        def expect(rows: Table) -> slice:
            encoded = encoder.encode(rows, labels=False)
            return self._expect(input_arrays(schema, encoded))

        def first_row(names: Collection[str]) -> Table:
            rows = np.zeros(len(table), np.int64)
            return table.with_columns({n: table[n].take(rows) for n in names})

        request = raw_request(table, schema)
        encoded = encoder.encode(table, labels=False)
        rows = self._add_encoded(what, input_arrays(schema, encoded))
        one = slice(rows.start, rows.start + 1)
        optional = [n for n in request if n not in required_inputs(schema)]
        required = {k: a for k, a in request.items() if k not in optional}
        missing = expect(_without(table, schema, optional))
        for kind, signature, inputs, expected in (
            ("all rows", RAW, request, rows),
            ("all rows", EXAMPLES, request, rows),
            ("one row", RAW, raw_request(table.slice(0, 1), schema), one),
            ("padded lists", RAW, _padded(request, schema), rows),
            (
                "shared optional inputs",
                RAW,
                _share(request, optional),
                expect(first_row(optional)),
            ),
            ("only required inputs", RAW, required, missing),
            ("only required inputs", EXAMPLES, required, missing),
        ):
            self._add(f"{what}: {kind}", signature, inputs, expected)
        if schema.candidates:
            shared = shared_raw_inputs(schema)
            self._add_ranking(what, request, shared, expect(first_row(shared)))

    def _add(
        self, name: str, signature: str, inputs: Arrays, rows: slice
    ) -> None:
        self.requests.append(_Request(name, signature, inputs, rows))

    def _expect(self, inputs: Arrays) -> slice:
        """Adds rows to predict; returns their place."""
        start = self._rows
        self._batches.append(inputs)
        self._rows += len(next(iter(inputs.values())))
        return slice(start, self._rows)

    def _add_encoded(self, what: str, inputs: Arrays) -> slice:
        rows = self._expect(inputs)
        one = slice(rows.start, rows.start + 1)
        first = {name: array[:1] for name, array in inputs.items()}
        short, long = dict(inputs), dict(inputs)
        for behavior in self.schema.behaviors:
            mask = inputs[behavior.mask_input]
            longest = max(1, int(mask.sum(axis=1).max(initial=0)))
            for name in behavior.inputs:
                array = inputs[name]
                axes = [(0, 0)] * (array.ndim - 2)
                short[name] = array[:, :longest]
                long[name] = np.pad(array, [(0, 0), (0, _EXTRA_PADDING), *axes])
        for kind, request, expected in (
            ("all rows", inputs, rows),
            ("one row", first, one),
            ("short sequences", short, rows),
            ("long sequences", long, rows),
        ):
            self._add(f"{what}: {kind}", ENCODED, request, expected)
        return rows

    def _add_ranking(
        self, what: str, inputs: Arrays, shared: Collection[str], rows: slice
    ) -> None:
        """Adds requests of the first row, with all rows as candidates."""
        request, count = _share(inputs, shared), rows.stop - rows.start
        for kind, most in (
            ("one candidate", 1),
            ("no candidate", 0),
            ("all candidates", count),
        ):
            some = {
                name: a if name in shared else a[:most]
                for name, a in request.items()
            }
            expected = slice(rows.start, rows.start + most)
            self._add(f"{what}: {kind}", RANK, some, expected)
        for k in (0, 3, count + 1):
            best = {**request, "k": np.array(k, np.int32)}
            self._add(f"{what}: best {k}", RANK_TOP_K, best, rows)


def _share(inputs: Arrays, names: Collection[str]) -> dict[str, np.ndarray]:
    return {n: a[:1] if n in names else a for n, a in inputs.items()}


def _padded(request: Arrays, schema: Schema) -> dict[str, np.ndarray]:
    out = dict(request)
    for name, array in request.items():
        spec = schema.raw_inputs[name]
        if spec.shape:
            shape = (len(array), _EXTRA_PADDING, *array.shape[2:])
            fill = missing_value(spec).astype(array.dtype)
            extra = np.broadcast_to(fill, shape)
            out[name] = np.concatenate([array, extra], axis=1)
    return out


def _without(table: Table, schema: Schema, names: Collection[str]) -> Table:
    """Replaces columns by missing values."""
    columns: dict[str, Column] = {}
    none = np.zeros(len(table), np.int64)
    for name in names:
        spec = schema.raw_inputs[name]
        column: Column = missing_value(spec).reshape(-1)
        if spec.shape:
            column = column[:0]
            for _ in spec.shape[1:]:
                column = ListColumn(column, none[:0], none[:0])
            columns[name] = ListColumn(column, none, none)
        else:
            columns[name] = column.take(none)
    return table.with_columns(columns)


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Multiplies matrices in float32.

    Some accelerators round the factors to 11 bits by default, which moves
    predictions by more than an export is allowed to.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        config = tf.config.experimental
        before = config.tensor_float_32_execution_enabled()
        config.enable_tensor_float_32_execution(False)
        try:
            yield
        finally:
            config.enable_tensor_float_32_execution(before)
    elif backend == "jax":
        import jax

        with jax.default_matmul_precision("highest"):
            yield
    elif backend == "torch":
        import torch

        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("highest")
        try:
            yield
        finally:
            torch.set_float32_matmul_precision(before)
    else:
        yield
