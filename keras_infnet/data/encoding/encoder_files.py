"""File, fingerprint and checks of vocabularies and bin edges."""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from keras_infnet.data.encoding.fit_vocabularies import learned_tables
from keras_infnet.schema import Categorical, Field, Numeric, Schema
from keras_infnet.utils.atomic_files import write_arrays

__all__ = ["disagreements", "fingerprint", "load_arrays", "save_arrays"]


def save_arrays(
    path: str | os.PathLike[str],
    vocabularies: Mapping[str, np.ndarray],
    boundaries: Mapping[str, np.ndarray],
) -> None:
    """Writes vocabularies and boundaries as one `.npz` file."""
    write_arrays(path, _packed(vocabularies, boundaries).items())


def _packed(
    vocabularies: Mapping[str, np.ndarray], boundaries: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns numeric arrays; strings become UTF-8 bytes and offsets."""
    arrays: dict[str, np.ndarray] = {}
    for table, vocabulary in vocabularies.items():
        if vocabulary.dtype == object:
            texts = pa.array(vocabulary, pa.large_string())
            offsets = np.zeros(1, np.int64)
            content = np.empty(0, np.uint8)
            if len(texts):
                _, starts, data = texts.buffers()
                offsets = np.frombuffer(starts, np.int64, len(texts) + 1)
                if data is not None:
                    content = np.frombuffer(data, np.uint8, offsets[-1])
            arrays[f"{table}.bytes"] = content
            arrays[f"{table}.offsets"] = offsets
        else:
            arrays[f"{table}.ids"] = vocabulary
    for table, edges in boundaries.items():
        arrays[f"{table}.boundaries"] = edges
    return arrays


def fingerprint(
    schema: Schema,
    vocabularies: Mapping[str, np.ndarray],
    boundaries: Mapping[str, np.ndarray],
) -> str:
    """Hashes everything that maps raw values to ids, as 32 hex digits.

    The hash is stored in files and must not change between machines and
    versions, so the settings are listed explicitly.
    """
    settings = [
        [name, part.table_name, behavior.max_length if behavior else None]
        + (
            [part.dtype, part.hash_buckets, part.multivalued, part.separator]
            if isinstance(part, Categorical)
            else ["number"]
        )
        for name, part, behavior in schema.columns()
    ]
    digest = hashlib.sha256(json.dumps([schema.time_unit, settings]).encode())
    for name, array in sorted(_packed(vocabularies, boundaries).items()):
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{name} {array.dtype.str} {len(array)}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:32]


def load_arrays(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns vocabularies and boundaries; refuses a damaged file."""
    vocabularies: dict[str, np.ndarray] = {}
    boundaries: dict[str, np.ndarray] = {}
    try:
        # Opened here, because `np.load` leaves a damaged file open.
        with open(path, "rb") as file:
            stored = np.load(file, allow_pickle=False)
            arrays = {name: stored[name] for name in stored.files}
        for name, array in arrays.items():
            table, _, kind = name.rpartition(".")
            if kind == "boundaries":
                boundaries[table] = array
            elif kind == "ids":
                vocabularies[table] = array
            elif kind == "offsets":
                texts = pa.LargeStringArray.from_buffers(
                    len(array) - 1,
                    pa.py_buffer(array),
                    pa.py_buffer(arrays[f"{table}.bytes"]),
                )
                texts.validate(full=True)
                strings = texts.to_numpy(zero_copy_only=False)
                vocabularies[table] = strings.astype(object)
    except FileNotFoundError:
        raise
    except (
        zipfile.BadZipFile,
        ValueError,  # of Arrow too
        KeyError,
        EOFError,
        OSError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"{os.fspath(path)} is damaged and cannot be read ({error}). Fit "
            "the encoder again, or copy the directory again."
        ) from error
    return vocabularies, boundaries


def disagreements(
    schema: Schema,
    vocabularies: Mapping[str, np.ndarray],
    boundaries: Mapping[str, np.ndarray],
) -> list[str]:
    """Returns a phrase for all in which a schema and arrays disagree."""
    problems = []
    learned = learned_tables(schema)
    for table, part in learned.items():
        if isinstance(part, Numeric):
            problem = _wrong_bins(part, boundaries.get(table))
        else:
            kind = "i" if part.dtype == "int" else "O"
            ids = vocabularies.get(table)
            rows = schema.table_sizes.get(table)
            if ids is None or ids.dtype.kind != kind:
                problem = f"has no vocabulary of dtype {part.dtype!r}"
            elif rows != len(ids) + 1:
                problem = f"has {rows} rows in the schema, but {len(ids)} ids"
            elif kind == "i" and len(ids) and ids.min() < 0:
                problem = f"has the negative id {ids.min()}"
            else:
                problem = None
        if problem:
            problems.append(f"table {table!r} {problem}")
    extra = {*vocabularies, *boundaries} - set(learned)
    problems += [f"table {t!r} is not in the schema" for t in sorted(extra)]
    stored = schema.fingerprint
    if not problems and stored is not None:
        found = fingerprint(schema, vocabularies, boundaries)
        if found != stored:
            problems.append(
                f"the fingerprint is {stored!r} in the schema, but that of "
                f"the vocabularies and boundaries is {found!r}"
            )
    return problems


def _wrong_bins(part: Field, edges: np.ndarray | None) -> str | None:
    bins = part.bins if isinstance(part, Numeric) else 0
    if edges is None:
        return "has no boundaries"
    if len(edges) >= bins:
        return f"has {bins} bins in the schema, but {len(edges)} boundaries"
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        return "has boundaries that are not finite and ascending"
    return None
