"""The calls by which an exported model is checked."""

import contextlib
import copy
from collections.abc import Iterator, Mapping
from typing import Any

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

__all__ = ["CaseBook", "collect_cases", "full_precision"]

_EXTRA = 5
_MAX_EXAMPLES = 64


def collect_cases(
    encoder: Encoder | Schema,
    examples: Table | None,
    fusion: Fusion | None,
) -> "CaseBook":
    """Collects the calls by which an export is checked."""
    if isinstance(encoder, Schema):
        book = CaseBook(encoder, fusion)
        book.add_encoded("drawn ids", example_inputs(encoder))
        return book
    # A copy neither reports nor counts the odd histories of a check.
    quiet = copy.copy(encoder)
    quiet.truncated = {b.name: 0 for b in encoder.schema.behaviors}
    quiet.later = dict(quiet.truncated)
    book = CaseBook(encoder.schema, fusion)
    book.add_raw("made-up rows", example_rows(encoder), quiet)
    if examples is not None and len(examples):
        rows = examples.slice(0, min(_MAX_EXAMPLES, len(examples)))
        book.add_raw("examples", rows, quiet)
    return book


class CaseBook:
    """Collects calls, and predicts what they must answer in one go.

    A case of one row expects what the row gets among others, so that the
    comparison also shows whether rows influence each other. `fusion` is
    `None` where the schema has no candidates.
    """

    def __init__(self, schema: Schema, fusion: Fusion | None = None) -> None:
        self.schema = schema
        self.fusion = fusion
        self._batches: list[dict[str, np.ndarray]] = []
        self._rows = 0
        self._calls: list[tuple[str, str, Mapping[str, np.ndarray], slice]] = []

    def add_encoded(self, name: str, inputs: Mapping[str, np.ndarray]) -> None:
        """Adds calls of the signatures of an export without an encoder.

        These are all rows, one row, sequences without needless padding, and
        sequences with more padding than the pipeline adds; and the rows as
        candidates of the first one's request. `name` says what the rows are.
        """
        self._add_encoded(name, inputs)
        if self.schema.candidates:
            shared = self.schema.shared_inputs
            request = {
                k: a[:1] if k in shared else a for k, a in inputs.items()
            }
            count = len(next(iter(inputs.values())))
            tiled = {
                k: np.repeat(a, count, axis=0) if k in shared else a
                for k, a in request.items()
            }
            self._add_ranking(name, request, shared, self._expect(tiled))

    def _add_ranking(
        self,
        name: str,
        request: Mapping[str, np.ndarray],
        shared: tuple[str, ...],
        rows: slice,
    ) -> None:
        """Adds calls with one row of what is shared; `rows` are expected."""

        def some(count: int) -> dict[str, np.ndarray]:
            return {
                k: a if k in shared else a[:count] for k, a in request.items()
            }

        start = rows.start
        for kind, count in (("one candidate", 1), ("no candidate", 0)):
            expected = slice(start, start + count)
            self._calls.append((f"{name}: {kind}", RANK, some(count), expected))
        self._calls.append((f"{name}: one request", RANK, request, rows))
        for kind, count in (
            ("no best", 0),
            ("best three", 3),
            ("more than there are", rows.stop - start + 1),
        ):
            best = {**request, "k": np.array(count, np.int32)}
            self._calls.append((f"{name}: {kind}", RANK_TOP_K, best, rows))

    def _add_encoded(self, name: str, inputs: Mapping[str, np.ndarray]) -> None:
        rows = self._expect(inputs)
        one = slice(rows.start, rows.start + 1)
        short, long = dict(inputs), dict(inputs)
        for behavior in self.schema.behaviors:
            mask = inputs[behavior.mask_input]
            longest = max(1, int(mask.sum(axis=1).max(initial=0)))
            for key in inputs:
                if key in behavior.inputs:
                    array = inputs[key]
                    widths = [(0, 0), (0, _EXTRA)] + [(0, 0)] * (array.ndim - 2)
                    short[key] = array[:, :longest]
                    long[key] = np.pad(array, widths)
        first = {key: array[:1] for key, array in inputs.items()}
        for kind, request, expected in (
            ("all rows", inputs, rows),
            ("one row", first, one),
            ("short sequences", short, rows),
            ("long sequences", long, rows),
        ):
            self._calls.append((f"{name}: {kind}", ENCODED, request, expected))

    def add_raw(self, name: str, table: Table, encoder: Encoder) -> None:
        """Adds calls of both signatures.

        Of that of raw values these are all rows, one row, lists with more
        padding, rows that share their optional inputs, and rows without
        optional inputs.
        """
        schema = self.schema

        def expect(rows: Table) -> slice:
            encoded = encoder.encode(rows, labels=False)
            return self._expect(input_arrays(schema, encoded))

        request = raw_request(table, schema)
        optional = [n for n in request if n not in required_inputs(schema)]
        encoded = encoder.encode(table, labels=False)
        # The rows of the first raw calls are those of the encoded ones.
        rows = slice(self._rows, self._rows + len(table))
        self._add_encoded(name, input_arrays(schema, encoded))

        first = np.zeros(len(table), np.int64)
        same = {key: table[key].take(first) for key in optional}
        shared = {k: a[:1] if k in optional else a for k, a in request.items()}
        alone = {k: a for k, a in request.items() if k not in optional}
        for kind, inputs, expected in (
            ("all rows", request, rows),
            (
                "one row",
                raw_request(table.slice(0, 1), schema),
                slice(rows.start, rows.start + 1),
            ),
            ("padded lists", _padded(request, schema), rows),
            ("shared values", shared, expect(table.with_columns(same))),
            (
                "required inputs alone",
                alone,
                expect(_without(table, schema, optional)),
            ),
        ):
            self._calls.append((f"{name}: {kind}", RAW, inputs, expected))
            if kind in ("all rows", "required inputs alone"):
                self._calls.append(
                    (f"{name}: {kind}", EXAMPLES, inputs, expected)
                )
        if schema.candidates:
            names = shared_raw_inputs(schema)
            common = {key: table[key].take(first) for key in names}
            tiled = expect(table.with_columns(common))
            one = {k: a[:1] if k in names else a for k, a in request.items()}
            self._add_ranking(name, one, names, tiled)

    def predict(
        self,
        model: Any,
        calibration: Calibration | None = None,
        tolerance: float = 0.0,
    ) -> list[Case]:
        """Predicts with the model that is exported, then calibrates.

        Predictions may be `tolerance` away from those of the model before
        they are calibrated, which widens what the cases allow.
        """
        inputs = {
            name: np.concatenate([batch[name] for batch in self._batches])
            for name in self.schema.inputs
        }
        with full_precision():
            # One batch: some backends compile anew for every number of rows.
            outputs = model.predict(inputs, batch_size=self._rows, verbose=0)
        predictions = {
            task: np.asarray(outputs[task], np.float32)
            for task in self.schema.task_names
        }
        if calibration is None:
            return self._answered(predictions)
        return widened(
            self._answered(calibration.apply(predictions)),
            map(
                self._answered,
                calibration.apply_nearby(predictions, tolerance),
            ),
        )

    def _answered(self, predictions: Mapping[str, np.ndarray]) -> list[Case]:
        return [
            self._case(
                name,
                signature,
                request,
                {task: y[rows] for task, y in predictions.items()},
            )
            for name, signature, request, rows in self._calls
        ]

    def _case(
        self,
        name: str,
        signature: str,
        request: Mapping[str, np.ndarray],
        predicted: Mapping[str, np.ndarray],
    ) -> Case:
        if signature == EXAMPLES:
            scores = np.concatenate([*predicted.values()], axis=1)
            classes = np.array([[*predicted]], np.bytes_)
            classes = np.repeat(classes, len(scores), axis=0)
            outputs = {"classes": classes, "scores": scores}
            return Case(name, signature, request, outputs)
        if signature not in (RANK, RANK_TOP_K):
            return Case(name, signature, request, predicted)
        assert self.fusion is not None
        outputs = {task: y[:, 0] for task, y in predicted.items()}
        outputs[SCORE] = self.fusion.apply(outputs)
        kind = Case if signature == RANK else BestCase
        return kind(name, signature, request, outputs)

    def _expect(self, inputs: Mapping[str, np.ndarray]) -> slice:
        """Adds rows to predict; returns their place."""
        start = self._rows
        self._batches.append(dict(inputs))
        self._rows += len(next(iter(inputs.values())))
        return slice(start, self._rows)


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Multiplies matrices in float32, where an accelerator would round more.

    Some accelerators round the factors of a product to 11 bits by default,
    which moves predictions by more than an export is allowed to.
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


def _padded(
    request: Mapping[str, np.ndarray], schema: Schema
) -> dict[str, np.ndarray]:
    out = dict(request)
    for key, array in request.items():
        spec = schema.raw_inputs[key]
        if spec.shape:
            shape = (len(array), _EXTRA, *array.shape[2:])
            fill = missing_value(spec).astype(array.dtype)
            extra = np.broadcast_to(fill, shape)
            out[key] = np.concatenate([array, extra], axis=1)
    return out


def _without(table: Table, schema: Schema, names: list[str]) -> Table:
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
