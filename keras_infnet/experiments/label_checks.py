"""What there is to learn from, looked at before training."""

import logging

from keras_infnet.data import Batches
from keras_infnet.schema import Schema

__all__ = ["check_labels"]

_LOGGER = logging.getLogger("keras_infnet")

# To look at all labels of tables larger than memory would cost a pass.
_MOST_ROWS_LOOKED_AT = 5_000_000


def check_labels(train: Batches, schema: Schema) -> None:
    """Raises where nothing can be learned, and reports such tasks.

    Args:
        train: `keras_infnet.data.Batches` of the training part.
        schema: `Schema` of its rows.

    Raises:
        ValueError: If no label of any task counts.
    """
    if train.num_rows > _MOST_ROWS_LOOKED_AT:
        return
    labels, weights = train.labels(), train.weights()
    observed = {
        task.name: labels[task.name][weights[task.name] > 0]
        for task in schema.tasks
    }
    if not any(map(len, observed.values())):
        raise ValueError(
            "no row of the training part has a label with a weight above 0, "
            f"of no task: {', '.join(observed)}. Look at the label columns, "
            "`given` and the weights of the tasks."
        )
    for task in schema.tasks:
        values = observed[task.name]
        if not len(values):
            what = "no label"
        elif task.kind == "binary" and values.min() == values.max():
            what = f"no label but {values[0]:g}"
        else:
            continue
        _LOGGER.warning(
            "task %r has %s in the training part: the model learns nothing "
            "of it.",
            task.name,
            what,
        )
