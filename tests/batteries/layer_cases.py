"""Inputs and parameters of the cases of `check_layer`."""

import keras
import numpy as np
import pytest

from keras_infnet import layers

RNG = np.random.default_rng(0)
ROWS, D = 3, 4  # rows, width of a token
FIELDS, EVENTS, TASKS = 2, 5, 3
HUBS, PROXIES, BEHAVIORS = 3, 2, 2


def normal(*shape):
    return RNG.standard_normal((ROWS, *shape)).astype("float32")


def some_mask():
    mask = np.array([[1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [0] * 5], bool)
    assert mask.shape == (ROWS, EVENTS)
    return mask


def state(suffix, task_tokens, compact=True):
    tensors = {
        "categorical": normal(FIELDS, D),
        "sequence": normal(EVENTS, D) * some_mask()[..., None],
        "sequence_mask": some_mask(),
        "task": normal(TASKS, D),
    }
    if compact:
        tensors[f"categorical_{suffix}"] = normal(HUBS, D)
        tensors[f"sequence_{suffix}"] = normal(BEHAVIORS, D)
        tensors[f"task_{suffix}"] = normal(task_tokens, D)
    return tensors


def symbols(inputs):
    """Symbolic inputs of the shapes of arrays."""
    return {
        name: keras.Input(np.shape(x)[1:], dtype=np.asarray(x).dtype.name)
        for name, x in inputs.items()
    }


def dense(*widths):
    """Parameters of dense layers with biases."""
    return sum((a + 1) * b for a, b in zip(widths, widths[1:], strict=False))


def case(name, kwargs, inputs, parameters, *bad, label="", **more):
    """A case of `check_layer`; the number of parameters is counted by hand."""
    more |= {"num_parameters": parameters, "bad_arguments": bad}
    cls = getattr(layers, name)
    return pytest.param(cls, kwargs, inputs, more, id=name + label)


def start_again():
    """Restarts the random numbers, so that files of cases are independent."""
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state
