"""Which flows of information a model keeps, by scenario and task."""

from typing import Any

import numpy as np
import pandas as pd
from keras import ops

from keras_infnet.layers.interaction.information_flow_gate import FLOWS

__all__ = ["kept_flows"]


def kept_flows(model: Any, batches: Any) -> pd.DataFrame:
    """Counts how often an `AutoIFS` keeps each of its flows.

    A flow is kept where its score is not above 0, as in the retrained model;
    during a search that is where its gate is nearer to 0 than to 1.

    Args:
        model: `keras_infnet.models.AutoIFS`, of any stage.
        batches: `keras_infnet.data.Batches` of the rows to look at.

    Returns:
        `pandas.DataFrame` with a row for every scenario that was met and
        every task: `scenario` (its value in the data where the encoder knows
        it, else its id; `None` for missing or new ones), `task`, `rows`, and
        for every flow the share of these rows, from 0 to 1, that keep it:
        `shared_to_shared`, `specific_to_specific`, `shared_to_specific` and
        `specific_to_shared`, from the scenario's part to the task's.

    Raises:
        ValueError: If the model has no gates.

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """
    if not hasattr(model, "gate_model"):
        raise ValueError(
            f"only AutoIFS has flows to keep. Received: {type(model).__name__}."
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
    """Returns the raw value of every id of a scenario; `None` for id 0."""
    known = list(getattr(encoder, "vocabularies", {}).get(table, ()))
    known = [getattr(value, "item", lambda v=value: v)() for value in known]
    return [None, *(known or range(1, size))]
