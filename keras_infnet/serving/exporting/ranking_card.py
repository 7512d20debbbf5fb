"""What a model card says of ranking the candidates of a request."""

import json
from collections.abc import Mapping
from typing import Any

from keras_infnet.schema import Schema
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.signatures import (
    INDEX,
    RANK,
    RANK_TOP_K,
    SCORE,
    shared_raw_inputs,
)

__all__ = ["ranking_card", "ranking_request_body"]


def ranking_request_body(
    schema: Schema, row: Mapping[str, Any], raw: bool
) -> dict[str, Any]:
    """Returns a request of two candidates for the REST interface.

    Args:
        schema: `keras_infnet.schema.Schema`, with candidates.
        row: mapping of input name to the value of one row.
        raw: boolean. Whether the row holds raw values.

    Returns:
        Dict, ready for JSON.
    """
    shared = shared_raw_inputs(schema) if raw else schema.shared_inputs
    return {
        "signature_name": RANK,
        "inputs": {
            name: [value] if name in shared else [value, value]
            for name, value in row.items()
        },
    }


def ranking_card(
    schema: Schema,
    row: Mapping[str, Any],
    raw: bool,
    name: str,
    fusion: Fusion,
) -> str:
    """Writes the section of a model card.

    Args:
        schema: `keras_infnet.schema.Schema`, with candidates.
        row: mapping of input name to the value of one row.
        raw: boolean. Whether the row holds raw values.
        name: string. Name under which the model is served.
        fusion: `Fusion`.

    Returns:
        Text in Markdown.
    """
    body = ranking_request_body(schema, row, raw)
    lines = ",\n".join(
        f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in body["inputs"].items()
    )
    payload = f'{{"signature_name": "{RANK}", "inputs": {{\n{lines}\n}}}}'
    # A quote would end the shell's string.
    payload = payload.replace("'", "'\\''")
    own = ", ".join(f"`{field}`" for field in schema.candidates)
    return (
        "## Ranking\n\n"
        f"`{RANK}` takes one request and its candidates: {own} have one row "
        "a candidate, every other input one row. What is shared is computed "
        f"once. Outputs are vectors, one number a candidate; `{SCORE}` is "
        f"`{fusion.expression}`. `{RANK_TOP_K}` takes `k` as well, a number, "
        "and returns the best candidates alone, the best one first, with "
        f"their places in `{INDEX}`.\n\n"
        "```\n"
        f"curl http://localhost:8501/v1/models/{name}:predict -d '{payload}'\n"
        "```"
    )
