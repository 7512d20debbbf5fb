"""Whether a model and an encoder belong together."""

from keras_infnet.schema.schema import Schema

__all__ = ["check_same_schema"]


def check_same_schema(model: Schema, encoder: Schema) -> None:
    """Raises where the schema of a model is not that of an encoder.

    Ids mean nothing without the vocabularies that made them: a model reads
    those of another encoder without complaint, and answers nonsense.

    Args:
        model: `Schema` of the model.
        encoder: `Schema` of the encoder.

    Raises:
        ValueError: If they differ; it names in what.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema([Categorical("item")], [Task("click")])
    >>> check_same_schema(schema, schema)
    """
    # Which fields are those of candidates changes nothing in a model.
    model, encoder = model.with_candidates(()), encoder.with_candidates(())
    if model != encoder:
        raise ValueError(
            "the schema of the model is not that of the encoder. They differ "
            f"in {'; '.join(_differences(model, encoder))}. Use the encoder "
            "that encoded the training data of this very model."
        )


def _differences(model: Schema, encoder: Schema) -> list[str]:
    tables = []
    for name in sorted({*model.tables, *encoder.tables}):
        sizes = [
            str(schema.table_sizes.get(name, "no"))
            if name in schema.tables
            else "no"
            for schema in (model, encoder)
        ]
        if sizes[0] != sizes[1]:
            tables.append(
                f"table {name!r} ({sizes[0]} rows in the model, {sizes[1]} in "
                "the encoder)"
            )
    ours, theirs = model.to_dict(), encoder.to_dict()
    return tables + [
        f"{key!r}"
        for key in ours
        if key != "table_sizes" and ours[key] != theirs[key]
    ]
