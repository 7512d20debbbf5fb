"""How often TensorFlow traces a step."""

import keras
import pytest
from small_models import small_model
from tiny import compile_model, plain_schema, random_batch, random_labels

from keras_infnet.models.base import row_sparse_model
from keras_infnet.training.row_sparse_step.tensorflow_step import (
    tensorflow_step,
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="TensorFlow's traces"
)
SCHEMA = plain_schema(num_tasks=2)


@pytest.mark.parametrize("weighting", ["fixed", "uncertainty"])
def test_a_step_is_traced_once(weighting, monkeypatch):
    """Variables made within a step would have it traced again."""
    traced = []

    def count(*args):
        traced.append(1)
        return tensorflow_step(*args)

    monkeypatch.setattr(row_sparse_model, "tensorflow_step", count)
    model = small_model("FM", SCHEMA, loss_weighting=weighting)
    compile_model(model)
    batch, labels = random_batch(SCHEMA, 8), random_labels(SCHEMA, 8)
    history = model.fit(batch, labels, verbose=0).history
    assert len(traced) == 1
    assert set(history) == {"loss", "task_0_loss", "task_1_loss"}
    assert all(values[0] > 0.1 for values in history.values())
