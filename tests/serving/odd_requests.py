"""Requests drawn at random: odd ones that count, and wrong ones.

Each knows whether the model must answer or refuse. Those that must be
answered are kept in plain form as well, every row of its own and no default
left to fill in, from which the answer can be worked out without a graph.
"""

import collections
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from odd_mistakes import spoiled
from serving_examples import inputs_of

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.list_column import ListColumn
from keras_infnet.data.sources.table import Table
from keras_infnet.schema import GAP_BUCKETS, InputSpec
from keras_infnet.serving.graph.signatures import required_inputs

#: Bytes of no text, and a text that every model knows as little.
_NO_TEXT, _UNKNOWN = b"\xff\xfe\x00", "\N{SNOWMAN}"
#: Raw inputs of text that have no vocabulary.
_HASHED = ("query", "searched_query")
MISSING = {"int64": -1, "string": b"", "float32": np.float32("nan")}


@dataclasses.dataclass(frozen=True)
class Odd:
    kind: str  # what is odd
    inputs: dict[str, Any]  # arrays and messages
    rows: int | None = None  # of the answer; `None`: it must be refused
    plain: dict[str, np.ndarray] | None = None  # `None`: answer unknown


class OddRequests:
    """Draws requests of rows: of `serve_raw` and of `serving_default`."""

    def __init__(
        self, encoder: Encoder, raw: bool, table: Table, seed: int
    ) -> None:
        self.encoder = encoder
        self.rng = np.random.default_rng(seed)
        self.raw = raw
        schema = encoder.schema
        self.specs = schema.raw_inputs if self.raw else schema.inputs
        self.dtypes = {name: spec.dtype for name, spec in self.specs.items()}
        self.required = [*(required_inputs(schema) if raw else self.specs)]
        self.behaviors = {
            behavior: [
                n for n in self.specs if n.startswith(f"{behavior.name}_")
            ]
            for behavior in schema.behaviors
        }
        self.pools, self.sizes = {}, {}
        if self.raw:
            self.pools = {n: _pool(table[n], s) for n, s in self.specs.items()}
        else:
            self.sizes = self._sizes()

    def _sizes(self) -> dict[str, int]:
        """Number of ids that every encoded input may have."""
        schema = self.encoder.schema
        sizes = {
            name: schema.table_size(part.table_name)
            for name, part, _ in schema.columns()
        }
        gaps = {n: GAP_BUCKETS + 1 for n in self.specs if n.endswith("_gap")}
        return {**sizes, **gaps}

    # ------------------------------------------------------------ to answer

    def answered(self, kind: str = "odd") -> Odd:
        """Draws a request that must be answered.

        It has a few rows if `kind` is `"odd"`, or `"no rows"`, `"many rows"`
        or a `"long history"`.
        """
        inputs, plain = self.drawn(kind)
        rows = len(plain["item"])
        none = np.empty(0)
        hashed = [inputs.get(n, none) for n in _HASHED]
        if self.raw and any(_NO_TEXT in a.ravel().tolist() for a in hashed):
            # It has a hash, but the encoder takes text alone.
            return Odd(kind, inputs, rows)
        return Odd(kind, inputs, rows, plain)

    def drawn(
        self, kind: str
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Draws inputs, and what they stand for, every row of its own."""
        rng = self.rng
        rows = {"no rows": 0, "many rows": 3000}.get(kind)
        rows = int(rng.integers(1, 6)) if rows is None else rows
        longest = {"long history": 3000, "many rows": 3}.get(kind, 12)
        lengths = {}
        for names in self.behaviors.values():
            length = rng.integers(0, longest + 1)
            for name in names:
                other = rng.random() < 0.1
                lengths[name] = (
                    rng.integers(0, longest + 1) if other else length
                )
        inputs, plain = {}, {}
        for name, spec in self.specs.items():
            shape = [rows, *spec.shape]
            if name in lengths:
                shape[1] = int(lengths[name])
            shape = [int(rng.integers(0, 5)) if n is None else n for n in shape]
            shape[0] = self.rows_of(name, rows)
            if name not in self.required and rng.random() < 0.1:
                # Left out: one missing value for all.
                shape = [1] * len(shape)
                values = np.full(shape, MISSING[spec.dtype])
            else:
                text = kind != "odd" and name in _HASHED
                values = inputs[name] = self._draw(name, spec, shape, text)
            plain[name] = np.broadcast_to(values, (rows, *shape[1:]))
        return inputs, plain

    def rows_of(self, name: str, rows: int) -> int:
        """Draws how many rows an input has."""
        # One row for all; of `item` there are as many as there are.
        few = name != "item" and self.rng.random() < 0.1
        return min(rows, 1) if few else rows

    def _draw(
        self, name: str, spec: InputSpec, shape: list[int], text: bool
    ) -> np.ndarray:
        rng = self.rng
        if spec.dtype == "bool":
            return rng.random(shape) < rng.random()
        if self.raw:
            pool = self.pools[name]
            # The last value is no text.
            return pool[rng.integers(0, len(pool) - text, shape)]
        # Up to an id that no table has.
        ids = rng.integers(0, self.sizes[name] + 1, shape, np.int32)
        odd = np.array([-1, -(2**31), 2**31 - 1, 10**6], np.int32)
        strange = odd[rng.integers(0, len(odd), shape)]
        return np.where(rng.random(shape) < 0.1, strange, ids)

    # ------------------------------------------------------------ to refuse

    def refused(self) -> Odd:
        """Draws a request that must be refused."""
        base = self.answered()
        while base.rows is None or base.rows < 2:
            base = self.answered()
        return Odd(*spoiled(base.inputs, self.dtypes, self.required, self.rng))

    def many(
        self, answered: int, refused: int, compared: int
    ) -> tuple[list[Odd], list[Odd]]:
        """Draws requests of all kinds, and which to compare with `predict`."""
        special = [
            *(self.answered("no rows") for _ in range(30)),
            *(self.answered("many rows") for _ in range(2)),
            *(self.answered("long history") for _ in range(8)),
        ]
        odds = [self.answered() for _ in range(answered)]
        chosen = [odd for odd in odds if odd.plain is not None][:compared]
        chosen += [odd for odd in special if odd.plain is not None]
        assert len({odd.kind for odd in chosen}) == 4
        odds += special + [self.refused() for _ in range(refused)]
        self.rng.shuffle(odds)
        return odds, chosen

    # ------------------------------------------------------------- expected

    def inputs_of(self, odds: Sequence[Odd]) -> dict[str, np.ndarray]:
        """Works out what a model gets of requests, one behind the other."""
        if self.raw:
            table = Table.concat([self._table(odd) for odd in odds])
            return inputs_of(self.encoder, table)
        parts = [self._tidy(odd) for odd in odds]
        return {n: np.concatenate([p[n] for p in parts]) for n in self.specs}

    def _table(self, odd: Odd) -> Table:
        plain = dict(odd.plain or {})
        for names in self.behaviors.values():
            longest = max(plain[name].shape[1] for name in names)
            for name in names:
                array = plain[name]
                shape = (len(array), longest - array.shape[1], *array.shape[2:])
                fill = np.full(shape, MISSING[self.specs[name].dtype])
                plain[name] = np.concatenate([array, fill], axis=1)
        return Table({name: _column(array) for name, array in plain.items()})

    def _tidy(self, odd: Odd) -> dict[str, np.ndarray]:
        """Makes ids that no table has 0 and keeps the newest events."""
        plain = dict(odd.plain or {})
        for name, size in self.sizes.items():
            ids = plain[name]
            plain[name] = np.where((ids >= 0) & (ids < size), ids, 0)
        for behavior, names in self.behaviors.items():
            mask = plain[f"{behavior.name}_mask"]
            for name in names:
                array = plain[name]
                shape = (len(array), behavior.max_length, *array.shape[2:])
                out = np.zeros(shape, array.dtype)
                for row, given in enumerate(mask):
                    events = np.flatnonzero(given)[-behavior.max_length :]
                    for place, event in enumerate(events):
                        # Without this attribute, it is unknown.
                        if event < array.shape[1]:
                            out[row, place] = array[row, event]
                plain[name] = out
        return plain


def check_statuses(odds: Sequence[Odd], answers: Sequence[Any]) -> None:
    """Checks that what must be is answered, with odds, and the rest refused."""
    wrong = collections.Counter()
    for odd, answer in zip(odds, answers, strict=True):
        wanted = "INVALID_ARGUMENT" if odd.rows is None else "OK"
        if answer.code != wanted or not (answer.message or answer.outputs):
            wrong[odd.kind, answer.code, answer.message[:200]] += 1
        for name, output in answer.outputs.items():
            if name not in ("score", "index", "classes"):
                assert ((output >= 0) & (output <= 1)).all(), odd.kind
            assert odd.rows is None or len(output) == odd.rows, odd.kind
    assert not wrong, wrong.most_common(9)


def _pool(column: Any, spec: InputSpec) -> np.ndarray:
    """Known and strange values of a raw input."""
    while isinstance(column, ListColumn):
        column = column.flatten()
    known, odd = column[:25], [-1, -1, -2, -(2**63), 0, 2**31, 2**53 + 1]
    odd += [2**62, 2**63 - 1]
    if spec.dtype == "float32":
        odd = [np.nan, np.nan, np.inf, -np.inf, -0.0, 1e-45, 3.4e38, -1e30]
        return np.concatenate([known, odd]).astype(np.float32)
    if spec.dtype == "int64":
        return np.concatenate([known.astype(np.int64), np.array(odd, np.int64)])
    texts = [text.encode() for text in known]
    texts += [b"", b"", b"never seen", b"\0", b"x" * 5000, b" ", _NO_TEXT]
    return np.array(texts, object)


def _column(array: np.ndarray) -> Any:
    if array.ndim > 1:
        rows, length = array.shape[:2]
        inner = array.reshape(rows * length, *array.shape[2:])
        ends = (1 + np.arange(rows)) * length
        return ListColumn(_column(inner), ends - length, ends)
    if array.dtype.kind not in "OS":
        return array
    texts = [_UNKNOWN if v == _NO_TEXT else v.decode() for v in array]
    return np.array(texts, object)
