"""Vocabularies and bin edges in a file."""

import os
import zipfile
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from keras_infnet.data.encoding.required_columns import learned_tables
from keras_infnet.schema import Field, Numeric, Schema

__all__ = ["disagreements", "load_arrays", "save_arrays"]


def save_arrays(
    path: str | os.PathLike[str],
    vocabularies: Mapping[str, np.ndarray],
    boundaries: Mapping[str, np.ndarray],
) -> None:
    """Writes vocabularies and boundaries as one `.npz` file, in one step.

    Strings are stored as UTF-8 bytes and offsets: exact for any text, and
    read without pickle.

    Args:
        path: path of the file.
        vocabularies: mapping of table to int64 or `str` objects.
        boundaries: mapping of table to float32.
    """
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
    temporary = f"{os.fspath(path)}.tmp"
    try:
        with open(temporary, "wb") as file:
            # Typed so that a table may bear any name, "file" for example.
            np.savez(file, **arrays)  # type: ignore[arg-type]
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


def load_arrays(
    path: str | os.PathLike[str],
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Reads what `save_arrays` wrote.

    Args:
        path: path of the file.

    Returns:
        Vocabularies and boundaries, mappings of table to array.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        # Opened here, because `np.load` leaves a damaged file open.
        with open(path, "rb") as file:
            stored = np.load(file, allow_pickle=False)
            arrays = {name: stored[name] for name in stored.files}
    except FileNotFoundError:
        raise
    except (
        zipfile.BadZipFile,
        ValueError,
        EOFError,
        OSError,
        AttributeError,
    ) as error:
        raise ValueError(
            f"{os.fspath(path)} is damaged and cannot be read ({error}). Fit "
            "the encoder again, or copy the directory again."
        ) from error
    vocabularies: dict[str, np.ndarray] = {}
    boundaries: dict[str, np.ndarray] = {}
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
            strings = texts.to_numpy(zero_copy_only=False)
            vocabularies[table] = strings.astype(object)
    return vocabularies, boundaries


def disagreements(
    schema: Schema,
    vocabularies: Mapping[str, np.ndarray],
    boundaries: Mapping[str, np.ndarray],
) -> list[str]:
    """Tells where a schema and loaded arrays do not belong together.

    Args:
        schema: `Schema` with its table sizes.
        vocabularies: mapping of table to ids.
        boundaries: mapping of table to bin edges.

    Returns:
        One phrase a problem.
    """
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
            else:
                problem = None
        if problem:
            problems.append(f"table {table!r} {problem}")
    extra = {*vocabularies, *boundaries} - set(learned)
    return problems + [
        f"table {t!r} is not in the schema" for t in sorted(extra)
    ]


def _wrong_bins(part: Field, edges: np.ndarray | None) -> str | None:
    bins = part.bins if isinstance(part, Numeric) else 0
    if edges is None:
        return "has no boundaries"
    if len(edges) >= bins:
        return f"has {bins} bins in the schema, but {len(edges)} boundaries"
    return None
