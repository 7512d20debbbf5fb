"""`check_ranker` refuses models that break one promise each."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny import plain_schema

from keras_infnet.models import FM
from keras_infnet.testing import check_ranker

SCHEMA = plain_schema()


class ReadsOtherRows(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        return {
            task: 0.9 * y + 0.1 * ops.mean(y) for task, y in outputs.items()
        }


class ReadsPadding(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        ids = ops.cast(inputs["clicks_item"], "float32")
        mean = ops.mean(ids, axis=1, keepdims=True)
        return {task: 0.5 * y + 0.01 * mean for task, y in outputs.items()}


class DividesByTheNumberOfEvents(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        mask = ops.cast(inputs["clicks_mask"], "float32")
        count = ops.sum(mask, axis=1, keepdims=True)
        return {task: y * count / count for task, y in outputs.items()}


class AnswersTheSame(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        return {task: 0.0 * y + 0.5 for task, y in outputs.items()}


class StopsGradients(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        return {**outputs, "task_1": ops.stop_gradient(outputs["task_1"])}


class TakesMissingLabelsForZeros(FM):
    def compute_loss(self, x=None, y=None, *args, **kwargs):
        y = {t: ops.where(ops.isnan(v), 0.0, v) for t, v in y.items()}
        return super().compute_loss(x, y, *args, **kwargs)


class TakesAnyInput(FM):
    def __call__(self, inputs, *args, **kwargs):
        known = {name: inputs[name] for name in self.schema.inputs}
        return super().__call__(known, *args, **kwargs)


class ForgetsAnArgument(FM):
    def get_config(self):
        config = super().get_config()
        del config["tower_dims"]
        return config


class AnswersInHalfPrecision(FM):
    def call(self, inputs, training=None, mask=None):
        outputs = super().call(inputs, training, mask)
        if self.dtype_policy.name == "float32":
            return outputs
        return {task: ops.cast(y, "float16") for task, y in outputs.items()}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (ReadsOtherRows, "a batch of one row"),
        (ReadsPadding, "padding"),
        (DividesByTheNumberOfEvents, "not finite"),
        (AnswersTheSame, "same for every row"),
        (StopsGradients, "no gradient reaches .*task_1"),
        (TakesMissingLabelsForZeros, "NaN labels"),
        (TakesAnyInput, "'surplus' is accepted"),
        (ForgetsAnArgument, "config"),
        (AnswersInHalfPrecision, "float16"),
    ],
)
def test_a_broken_promise_is_named(broken, words, tmp_path):
    def make(**kwargs):
        return broken(
            SCHEMA,
            embedding_dim=3,
            tower_dims=(4,),
            activation="silu",
            **kwargs,
        )

    full = broken in (ForgetsAnArgument, AnswersInHalfPrecision)
    with pytest.raises(AssertionError, match=f"(?s){broken.__name__}.*{words}"):
        check_ranker(make, SCHEMA, tmp_path, quick=not full)


def test_files_of_a_temporary_directory():
    """With `directory=None`; global random state is left alone."""
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    check_ranker(
        lambda **kwargs: FM(
            SCHEMA,
            embedding_dim=3,
            tower_dims=(4,),
            activation="silu",
            **kwargs,
        ),
        SCHEMA,
        precisions=("mixed_bfloat16",),
    )
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert keras.config.dtype_policy().name == "float32"
