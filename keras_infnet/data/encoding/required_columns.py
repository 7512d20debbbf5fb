"""Which raw columns and which tables a schema needs."""

import difflib
from collections.abc import Iterable, Iterator

from keras_infnet.schema import Field, Numeric, Schema

__all__ = [
    "check_columns",
    "learned_tables",
    "raw_columns",
    "table_readers",
    "text_columns",
]


def raw_columns(schema: Schema, labels: bool = True) -> tuple[str, ...]:
    """Returns the raw columns that encoding reads.

    Args:
        schema: `Schema`.
        labels: boolean. Whether labels and the group are among them. Defaults
            to `True`.

    Returns:
        Names, each once.
    """
    names = [part.name for part in schema.fields]
    for behavior in schema.behaviors:
        names += behavior.raw_columns
    if schema.is_timed and schema.request_time is not None:
        names.append(schema.request_time)
    if labels:
        names += [task.label_column for task in schema.tasks]
        if schema.group is not None:
            names.append(schema.group)
    return tuple(dict.fromkeys(names))


def text_columns(schema: Schema) -> tuple[str, ...]:
    """Returns the columns of text, even where they look like numbers."""
    return tuple(
        name
        for name, spec in schema.raw_inputs.items()
        if spec.dtype == "string"
    )


def check_columns(known: Iterable[str], wanted: Iterable[str]) -> None:
    """Raises one `ValueError` for all columns that a table lacks.

    Args:
        known: names that the table has.
        wanted: names that it should have.
    """
    known, wanted = list(known), list(wanted)
    lacking = [name for name in wanted if name not in known]
    if not lacking:
        return
    described = []
    for name in lacking:
        close = difflib.get_close_matches(name, known, 1)
        hint = f" (nearest: {close[0]!r})" if close else ""
        described.append(f"{name!r}{hint}")
    raise ValueError(
        f"the table lacks {len(lacking)} of the {len(wanted)} columns that "
        f"the schema describes: {', '.join(described)}. Rename or add them. "
        f"Received: {', '.join(known)}."
    )


def learned_tables(schema: Schema) -> dict[str, Field]:
    """Returns the tables that have something to learn, with one reader."""
    return {
        table: parts[0]
        for table, parts in schema.tables.items()
        if isinstance(parts[0], Numeric) or parts[0].hash_buckets is None
    }


def table_readers(
    schema: Schema, tables: Iterable[str]
) -> Iterator[tuple[str, Field, bool]]:
    """Yields the columns from which tables are learned.

    These are the fields of a table, and where no field reads it, the
    attributes of behaviours.

    Args:
        schema: `Schema`.
        tables: names of tables.

    Yields:
        Column, field or attribute, and whether it holds events.
    """
    tables = set(tables)
    rest = set(tables)
    for name, part, behavior in schema.columns():
        if behavior is None and part.table_name in tables:
            rest.discard(part.table_name)
            yield name, part, False
        if behavior is not None and part.table_name in rest:
            yield name, part, True
