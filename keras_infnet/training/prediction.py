"""Predictions of whole tables."""

from typing import Any

import keras
import numpy as np

from keras_infnet.schema import Schema
from keras_infnet.schema.agreement import check_encoder_matches

__all__ = ["predict_rows"]


def predict_rows(model: Any, rows: Any) -> dict[str, np.ndarray]:
    """Predicts all rows in the way that the backend likes best.

    Args:
        model: a model of `keras_infnet.models`.
        rows: `keras_infnet.data.Batches`, not shuffled.

    Returns:
        Dict of arrays of shape `(rows, 1)`, one a task, in the order of the
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
            "predictions come in the order of the batches, which are "
            "shuffled. Make them with shuffle=False."
        )
    on_tensorflow = keras.backend.backend() == "tensorflow"
    return dict(
        model.predict(rows.to_tf_data() if on_tensorflow else rows, verbose=0)
    )
