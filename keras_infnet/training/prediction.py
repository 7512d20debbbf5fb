"""Predictions for all rows of a table."""

from typing import Any

import keras
import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.schema.agreement import check_encoder_matches

__all__ = ["predict_rows"]


def predict_rows(model: Any, rows: Any) -> dict[str, np.ndarray]:
    """Predicts all rows, through `tf.data` on TensorFlow.

    Args:
        model: a model of `keras_infnet.models`.
        rows: `keras_infnet.data.Batches`, not shuffled.

    Returns:
        Dict of arrays of shape `(rows, 1)`, one per task, in the order of the
        rows.

    Raises:
        ValueError: If the batches are shuffled, or were encoded for another
            model.
    """
    ours, theirs = (getattr(x, "schema", None) for x in (model, rows))
    if isinstance(ours, Schema) and isinstance(theirs, Schema):
        check_encoder_matches(ours, theirs)
    if getattr(rows, "shuffle", False):
        raise ValueError(
            "predictions need batches in the order of the rows, and these "
            "are shuffled. Create them with shuffle=False."
        )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return dict(
        model.predict(rows.to_tf_data() if on_tensorflow else rows, verbose=0)
    )
