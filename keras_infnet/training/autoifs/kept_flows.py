"""The information flows that a model keeps, by scenario and task."""

from typing import Any

import numpy as np
import pandas as pd
from keras import ops

from keras_infnet.layers.interaction.information_flow_gate import FLOWS

__all__ = ["kept_flows"]


def kept_flows(model: Any, batches: Any) -> pd.DataFrame:
    """Returns how often an `AutoIFS` keeps each of its flows.

    A flow is kept if its gate is at most 0.5, during the search and in the
    retrained model.

    Args:
        model: `keras_infnet.models.AutoIFS`, of any stage.
        batches: `keras_infnet.data.Batches` of the rows to count.

    Returns:
        `pandas.DataFrame` with a row per scenario in the data and task:
        `scenario` (its raw value if the encoder has it, else its id; `None`
        for missing and unknown ones), `task`, `rows`, and the share of these
        rows, from 0 to 1, that keep a flow from the scenario stage to the task
        stage: `shared_to_shared`, `specific_to_specific`,
        `shared_to_specific` and `specific_to_shared`.

    Raises:
        ValueError: If the model has no gates.

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """
    if not hasattr(model, "gate_model"):
        raise ValueError(
            f"only AutoIFS has gated flows. Received: {type(model).__name__}."
        )
    schema, gates = model.schema, model.gate_model()
    table = schema.field(schema.scenario).table_name
    size = schema.table_size(table)
    kept = np.zeros((size, len(schema.tasks), len(FLOWS)))
    rows = np.zeros(size, "int64")
    for i in range(len(batches)):
        inputs, *_ = batches[i]
        removed = ops.convert_to_numpy(gates.predict_on_batch(inputs)) > 0.5
        ids = ops.convert_to_numpy(inputs[schema.scenario]).astype("int64")
        np.add.at(kept, ids, ~removed)
        rows += np.bincount(ids, minlength=size)
    names = _names(getattr(batches, "encoder", None), table, size)
    found = np.flatnonzero(rows)
    shares = kept[found] / rows[found, None, None]
    return pd.DataFrame(
        [
            {
                "scenario": names[scenario],
                "task": task,
                "rows": int(rows[scenario]),
                **dict(zip(FLOWS, map(float, share[i]), strict=True)),
            }
            for scenario, share in zip(found, shares, strict=True)
            for i, task in enumerate(schema.task_names)
        ]
    )


def _names(encoder: Any, table: str, size: int) -> list[Any]:
    """Returns the raw value of every scenario id; `None` for id 0."""
    known = list(getattr(encoder, "vocabularies", {}).get(table, ()))
    known = [getattr(value, "item", lambda v=value: v)() for value in known]
    return [None, *(known or range(1, size))]
