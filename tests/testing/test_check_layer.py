"""`check_layer` names the layer and the promise that it breaks."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_infnet.layers import TokenNormalization
from keras_infnet.testing import check_layer

TOKENS = np.random.default_rng(0).standard_normal((3, 4, 2)).astype("float32")
MASK = np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0] * 4], bool)


@keras.saving.register_keras_serializable("broken")
class ForgetsItsConfig(keras.layers.Layer):
    def __init__(self, units=1, **kwargs):
        super().__init__(**kwargs)

    def call(self, tokens):
        return tokens

    def get_config(self):
        return keras.layers.Layer.get_config(self)


@keras.saving.register_keras_serializable("broken")
class StoresAnotherValue(ForgetsItsConfig):
    def get_config(self):
        return {**super().get_config(), "units": 3}


class Unregistered(keras.layers.Layer):
    def call(self, tokens):
        return tokens


@keras.saving.register_keras_serializable("broken")
class MixesRows(keras.layers.Layer):
    def call(self, tokens):
        return tokens - ops.mean(tokens, axis=0, keepdims=True)


@keras.saving.register_keras_serializable("broken")
class DeadWeight(keras.layers.Layer):
    def build(self, tokens_shape):
        self.scale = self.add_weight(name="scale", shape=())

    def call(self, tokens):
        return tokens + 0.0 * self.scale


@keras.saving.register_keras_serializable("broken")
class ReadsPadding(keras.layers.Layer):
    def call(self, tokens, mask=None):
        return ops.sum(tokens, axis=1)

    def compute_mask(self, tokens, previous_mask):
        return None


@keras.saving.register_keras_serializable("broken")
class KeepsNoMask(TokenNormalization):
    def compute_mask(self, tokens, previous_mask):
        return None


@pytest.mark.parametrize(
    ("layer_class", "options", "message"),
    [
        (ForgetsItsConfig, {"init_kwargs": {"units": 2}}, "config.*units"),
        (StoresAnotherValue, {"init_kwargs": {"units": 5}}, "units=5, not 3"),
        (Unregistered, {}, "must be registered"),
        (MixesRows, {}, "batch of one"),
        (DeadWeight, {}, "gradient must reach.*scale"),
        (ReadsPadding, {"mask": "mask"}, "padding must not change"),
        (KeepsNoMask, {"mask": "mask"}, "carries this mask"),
        (keras.layers.Dense, {"init_kwargs": {"units": 2}}, "3 weights, not 2"),
    ],
)
def test_a_broken_promise_is_named(layer_class, options, message):
    options = {"init_kwargs": {}, **options}
    inputs = {"tokens": TOKENS}
    if "mask" in options:
        inputs["mask"], options["padded"] = MASK, ["tokens"]
    if layer_class is keras.layers.Dense:
        inputs, options["num_weights"] = {"inputs": TOKENS}, 3
    with pytest.raises(
        AssertionError, match=f"^{layer_class.__name__}: .*{message}"
    ):
        check_layer(layer_class, inputs=inputs, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "masc", "padded": ["tokens"]}, "mask='masc'"),
        ({"mask": "mask"}, r"padded=\(\)"),
        ({"mask": "mask", "padded": "tokens"}, "padded='tokens'"),
        ({"mask": "mask", "padded": ["token"]}, r"padded=\['token'\]"),
        ({"mask": "tokens", "padded": ["tokens"]}, "mask='tokens', float32"),
        ({"inputs": {"tokens": TOKENS[:1]}}, r"'tokens'.*\(1, 4, 2\)"),
    ],
)
def test_arguments_that_do_not_fit(options, message):
    options = {"inputs": {"tokens": TOKENS, "mask": MASK}, **options}
    with pytest.raises(ValueError, match=message):
        check_layer(TokenNormalization, {}, **options)
