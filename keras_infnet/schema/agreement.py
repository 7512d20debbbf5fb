"""Check that a model and an encoder belong together."""

from keras_infnet.schema.schema import Schema

__all__ = ["check_encoder_matches"]


def check_encoder_matches(model: Schema, encoder: Schema) -> None:
    """Raises a `ValueError` if a model was built for another encoder.

    Another encoder gives other ids to the same values, so predictions would
    be wrong without any error. The schemas must be equal except for
    `candidates`, and the fingerprints where both are known: files of earlier
    versions have none.
    """
    # A model does not depend on `candidates`.
    one, other = model.with_candidates(()), encoder.with_candidates(())
    if one != other:
        raise ValueError(
            "the schema of the model is not that of the encoder. They differ "
            f"in {'; '.join(_differences(one, other))}. {_ADVICE}"
        )
    known = model.fingerprint is not None and encoder.fingerprint is not None
    if known and model.fingerprint != encoder.fingerprint:
        raise ValueError(
            "the encoder is not the one that the model was built for: their "
            "schemas are equal, but vocabularies or bins differ, so that ids "
            "mean other values. Received: fingerprint "
            f"{model.fingerprint!r} in the model, {encoder.fingerprint!r} in "
            f"the encoder. {_ADVICE}"
        )


_ADVICE = (
    "Use the encoder that encoded the training data of this model, or "
    "build and train a model for the new one."
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
        if key not in ("table_sizes", "fingerprint")
        and ours[key] != theirs[key]
    ]
