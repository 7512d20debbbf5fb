"""`tf.train.Example`s drawn at random: odd ones that count, and wrong ones."""

import numpy as np
from odd_mistakes import MISTAKES, spoiled
from odd_requests import MISSING, Odd, OddRequests

from keras_infnet.data.encoding.encoder import Encoder
from keras_infnet.data.sources.table import Table

_WRONG = (
    "cut short",
    "noise",
    "empty text",
    "feature left out",
    "feature of another kind",
    "two values",
    "no value",
    "lengths left out",
    "lengths below zero",
    "lengths that wrap around",
    "lengths of too few values",
    "lengths of too many values",
    "lengths of another kind",
)
#: Strings have no bytes behind them that could be too few or too many.
_TENSORS = tuple(kind for kind in MISTAKES if kind != "bytes at the end")


class OddExamples(OddRequests):
    """Draws requests of `serve_examples`."""

    def __init__(self, encoder: Encoder, table: Table, seed: int) -> None:
        super().__init__(encoder, True, table, seed)
        self.lists = [n for n, spec in self.specs.items() if spec.shape]
        self.nested = [n for n in self.lists if len(self.specs[n].shape) > 1]

    def answered(self, kind: str = "odd") -> Odd:
        odd = super().answered(kind)
        plain = odd.plain
        while plain is None:
            odd = super().answered(kind)
            plain = odd.plain
        plain = {name: array.copy() for name, array in plain.items()}
        for name in self.lists:
            # Lists of a length of their own: the rest is missing.
            array = plain[name]
            ends = self.rng.integers(0, array.shape[1] + 1, len(array))
            rest = np.arange(array.shape[1]) >= ends[:, None]
            array[rest] = MISSING[self.specs[name].dtype]
        texts = [
            self._example(plain, row).SerializeToString(deterministic=True)
            for row in range(odd.rows)
        ]
        return Odd(kind, {"inputs": _texts(texts)}, odd.rows, plain)

    def refused(self) -> Odd:
        import tensorflow as tf

        odd, rng = self.answered(), self.rng
        if rng.random() < 0.3:
            dtypes, required = {"inputs": "string"}, ["inputs"]
            return Odd(*spoiled(odd.inputs, dtypes, required, rng, _TENSORS))
        texts = odd.inputs["inputs"].copy()
        row, kind = int(rng.integers(len(texts))), str(rng.choice(_WRONG))
        text = texts[row]
        if kind == "cut short":
            # Within the first feature or the last: what ends between two,
            # TensorFlow reads as if the others had been left out.
            end = int(rng.integers(1, 9))
            text = text[:end] if rng.random() < 0.5 else text[:-end]
        elif kind == "noise":
            text = rng.bytes(int(rng.integers(1, 200)))
        elif kind == "empty text":
            text = b""
        else:
            example = tf.train.Example.FromString(text)
            self._spoil(example.features.feature, kind)
            text = example.SerializeToString(deterministic=True)
        texts[row] = text
        return Odd(kind, {"inputs": texts})

    def flipped(self) -> Odd:
        """Draws a request with a changed byte, and rows if it is answered."""
        odd = self.answered()
        texts = odd.inputs["inputs"].copy()
        row = int(self.rng.integers(len(texts)))
        text = bytearray(texts[row])
        text[int(self.rng.integers(len(text)))] = int(self.rng.integers(256))
        texts[row] = bytes(text)
        return Odd("a changed byte", {"inputs": texts}, odd.rows)

    def _example(self, plain: dict[str, np.ndarray], row: int) -> object:
        import tensorflow as tf

        rng, example = self.rng, tf.train.Example()
        features = example.features.feature
        for name, spec in self.specs.items():
            values = plain[name][row]
            if name in self.nested:
                events = [self._trimmed(v, spec.dtype) for v in values]
                while events and not events[-1] and rng.random() < 0.7:
                    events.pop()
                values = [value for event in events for value in event]
                if events or rng.random() < 0.5:
                    lengths = features[f"{name}_lengths"].int64_list
                    lengths.value.extend(map(len, events))
            elif name in self.lists:
                values = self._trimmed(values, spec.dtype)
            else:
                values = [values]
                if _missing(values[0]) and name not in self.required:
                    values = values if rng.random() < 0.5 else []
            if len(values) or rng.random() < 0.3 and name in self.lists:
                _fill(features[name], spec.dtype, values)
        if rng.random() < 0.3:
            _fill(features["of no interest"], "int64", [1, 2, 3])
        return example

    def _trimmed(self, values: np.ndarray, dtype: str) -> list[object]:
        """Leaves out some or all of the missing values at the end."""
        out = values.tolist()
        while out and _missing(out[-1]) and self.rng.random() < 0.8:
            out.pop()
        return out

    def _spoil(self, features: object, kind: str) -> None:
        rng, name = self.rng, str(self.rng.choice(self.nested))
        if "lengths" not in kind:
            name = str(rng.choice([*self.specs]))
        lengths, spec = features[f"{name}_lengths"].int64_list, self.specs[name]
        if kind in ("feature left out", "no value"):
            name = str(rng.choice(self.required))
            dtype = self.specs[name].dtype
            del features[name]
            if kind == "no value":
                _fill(features[name], dtype, [])
        elif kind == "feature of another kind":
            others = [d for d in MISSING if d != spec.dtype]
            dtype = str(rng.choice(others))
            features[name].Clear()
            _fill(features[name], dtype, [MISSING[dtype]])
        elif kind == "two values":
            single = [n for n in self.specs if n not in self.lists]
            name = str(rng.choice(single))
            dtype = self.specs[name].dtype
            _fill(features[name], dtype, [MISSING[dtype]] * 2)
        elif kind == "lengths left out":
            _fill(features[name], spec.dtype, [MISSING[spec.dtype]])
            del features[f"{name}_lengths"]
        elif kind == "lengths below zero":
            lengths.value.extend([-1, 1])
        elif kind == "lengths that wrap around":
            lengths.value.extend([2**63 - 1, 2**63 - 1, 2])
        elif kind == "lengths of too few values":
            lengths.value.append(int(rng.integers(1, 2**40)))
        elif kind == "lengths of too many values":
            _fill(features[name], spec.dtype, [MISSING[spec.dtype]])
        else:
            features[f"{name}_lengths"].Clear()
            _fill(features[f"{name}_lengths"], "float32", [1.0])


def _texts(texts: list[bytes]) -> np.ndarray:
    out = np.empty(len(texts), object)
    out[:] = texts
    return out


def _missing(value: object) -> bool:
    if isinstance(value, bytes):
        return not value
    return bool(value != value or value == -1)


def _fill(feature: object, dtype: str, values: list[object]) -> None:
    """Adds values, of which there may be none."""
    lists = {
        "int64": feature.int64_list,
        "float32": feature.float_list,
        "string": feature.bytes_list,
    }
    lists[dtype].SetInParent()
    lists[dtype].value.extend(values)
