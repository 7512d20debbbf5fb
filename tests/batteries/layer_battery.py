"""What every layer must do."""

import json

import keras
import numpy as np
from gradients import compiled, projected, run, without_gradient
from keras import ops, tree
from tiny import randomize

#: How near half precision comes to float32, in units of the largest output.
_NEAR = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01}


def check_layer(
    cls,
    init_kwargs,
    inputs,
    num_weights,
    num_parameters,
    bad_arguments=(),
    padded=(),
    mask=None,
    zero_padding=False,
    empty_is_zero=False,
    float32_output=False,
    directory=None,
):
    """Runs the battery.

    Args:
        cls: class of the layer.
        init_kwargs: dict. Constructor arguments.
        inputs: dict. Call arguments: arrays or dicts of arrays.
        num_weights: integer. Number of weights, counted by hand.
        num_parameters: integer. Number of parameters, counted by hand.
        bad_arguments: list of `(init_kwargs, message)`; each must raise
            `ValueError` when constructed.
        padded: names of the inputs with an axis 1 of events.
        mask: name of the mask of that axis.
        zero_padding: boolean. Whether outputs are zero at the padding.
        empty_is_zero: boolean. Whether a row without events gives zeros.
        float32_output: boolean. Whether outputs are float32 always.
        directory: path to write a model to.
    """
    layer = cls(**init_kwargs)
    layer(**symbols(inputs))  # builds it
    assert len(layer.weights) == num_weights, [w.path for w in layer.weights]
    assert layer.count_params() == num_parameters
    assert len({w.path for w in layer.weights}) == num_weights
    randomize(layer)
    expected = numpy(run(layer, inputs))

    _check_config(cls, init_kwargs, layer)
    for kwargs, message in bad_arguments:
        _check_raises(cls, kwargs, message)
    _check_symbolic(cls, layer, inputs, expected, (*padded, mask), directory)
    _check_rows(layer, inputs, expected)
    _check_precision(cls, init_kwargs, inputs, layer, expected, float32_output)
    _check_gradients(layer, inputs)
    if mask:
        _check_padding(layer, inputs, expected, padded, mask, zero_padding)
        _check_empty(layer, inputs, mask, empty_is_zero)


def numpy(outputs):
    return tree.map_structure(
        lambda x: np.asarray(ops.convert_to_numpy(x)).astype("float32"),
        outputs,
    )


def assert_near(got, expected, tolerance=1e-5):
    assert set(_named(got)) == set(_named(expected))
    for name, y in _named(expected).items():
        np.testing.assert_allclose(
            _named(got)[name], y, rtol=tolerance, atol=tolerance, err_msg=name
        )


def symbols(inputs, events=()):
    """Symbolic inputs; those named in `events` have an unknown length."""

    def symbol(name, value):
        shape = list(np.shape(value)[1:])
        if name in events:
            shape[0] = None
        return keras.Input(shape, dtype=np.asarray(value).dtype.name, name=name)

    return {
        name: symbols(value, events)
        if isinstance(value, dict)
        else symbol(name, value)
        for name, value in inputs.items()
    }


def flattened(inputs):
    flat = {}
    for name, value in inputs.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _named(values):
    if isinstance(values, (tuple, list)):
        return {str(i): value for i, value in enumerate(values)}
    return values if isinstance(values, dict) else {"outputs": values}


def with_leaf(inputs, names, change):
    """Copies nested inputs and changes the arrays of these names."""
    changed = {}
    for name, value in inputs.items():
        if isinstance(value, dict):
            changed[name] = with_leaf(value, names, change)
        else:
            changed[name] = change(value) if name in names else value
    return changed


def leaf(inputs, wanted):
    for name, value in inputs.items():
        if name == wanted:
            return value
        if isinstance(value, dict) and wanted in value:
            return value[wanted]
    raise KeyError(wanted)


def _check_config(cls, init_kwargs, layer):
    config = layer.get_config()
    assert json.loads(json.dumps(config)) is not None
    again = cls.from_config(config)
    assert again.get_config() == config
    assert again.name == layer.name
    for name in init_kwargs:
        assert name in config, name
        assert hasattr(layer, name), name
    whole = keras.saving.serialize_keras_object(layer)
    assert whole["registered_name"].startswith("keras_infnet")
    again = keras.saving.deserialize_keras_object(whole)
    assert type(again) is cls and again.get_config() == config


def _check_raises(cls, kwargs, message):
    try:
        cls(**kwargs)
    except ValueError as error:
        assert message in str(error), str(error)
        assert "Received" in str(error), str(error)
    else:
        raise AssertionError(f"{cls.__name__}(**{kwargs}) did not raise")


def _check_symbolic(cls, layer, inputs, expected, events, directory):
    """Symbolic shapes, the compiled function, the `.keras` file."""
    nested = symbols(inputs, events)
    flat, arrays = flattened(nested), flattened(inputs)
    symbolic = layer(**nested)
    for name, y in _named(expected).items():
        spec = _named(symbolic)[name]
        assert len(spec.shape) == y.ndim, name
        for size, known in zip(y.shape, spec.shape, strict=True):
            assert known in (None, size), (name, spec.shape, y.shape)
        assert spec.shape[0] is None and spec.shape[-1] is not None
    eager = run(layer, inputs)
    for name, spec in _named(symbolic).items():
        dtype = keras.backend.standardize_dtype(_named(eager)[name].dtype)
        assert spec.dtype == dtype, name
    assert set(_named(symbolic)) == set(_named(expected))

    model = keras.Model(flat, symbolic)
    assert_near(numpy(compiled(model)(arrays)), expected)
    path = directory / f"{cls.__name__}.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert_near(numpy(run(loaded, arrays)), expected)


def _check_rows(layer, inputs, expected):
    rows = len(tree.flatten(inputs)[0])
    for row in (0, rows - 1):  # the last one is empty
        one = tree.map_structure(lambda x, i=row: x[i : i + 1], inputs)
        wanted = tree.map_structure(lambda y, i=row: y[i : i + 1], expected)
        assert_near(numpy(run(layer, one)), wanted)


def _check_precision(cls, kwargs, inputs, layer, expected, float32_output):
    for policy, near in _NEAR.items():
        half = cls(dtype=policy, **kwargs)
        half(**symbols(inputs))
        half.set_weights(layer.get_weights())
        wanted = half.compute_dtype if not float32_output else "float32"
        outputs = run(half, inputs)
        for output in tree.flatten(outputs):
            dtype = keras.backend.standardize_dtype(output.dtype)
            if "float" not in dtype:
                continue  # masks and positions
            assert dtype == wanted, (policy, dtype)
        for weight in half.weights:
            assert weight.dtype == "float32"
        outputs = _named(numpy(outputs))
        for name, y in _named(expected).items():
            assert np.isfinite(outputs[name]).all(), (policy, name)
            error = np.abs(outputs[name] - y).max() / np.abs(y).max()
            assert error < near, (policy, name, error)


def _check_gradients(layer, inputs):
    missed = without_gradient(
        lambda: projected(layer(**inputs)), layer.trainable_weights
    )
    assert not missed, missed


def _check_padding(layer, inputs, expected, padded, mask, zero_padding):
    rng = np.random.default_rng(1)
    valid = leaf(inputs, mask)
    assert (~valid).any() and valid.any(), "the case needs padding"

    def other_ids(x):
        shuffled = x[rng.permutation(len(x))]
        where = valid.reshape(*valid.shape, *(1,) * (x.ndim - 2))
        return np.where(where, x, shuffled)

    def compare(changed):
        got = _named(numpy(run(layer, changed)))
        for name, y in _named(expected).items():
            result = got[name]
            if y.shape[1:2] == valid.shape[1:2]:
                result = result[:, : y.shape[1]]
                if zero_padding:
                    assert (got[name][:, y.shape[1] :] == 0).all(), name
                    assert (result[~valid] == 0).all(), name
                result = np.where(valid[..., None], result, 0)
                y = np.where(valid[..., None], y, 0)
            np.testing.assert_allclose(
                result, y, rtol=1e-5, atol=1e-5, err_msg=name
            )

    compare(with_leaf(inputs, padded, other_ids))

    def longer(x):
        return np.concatenate([x, x[:, :2], x[:, :1]], axis=1)

    more = with_leaf(inputs, padded, longer)
    more = with_leaf(more, (mask,), lambda m: np.pad(m, [(0, 0), (0, 3)]))
    compare(more)


def _check_empty(layer, inputs, mask, empty_is_zero):
    empty = with_leaf(inputs, (mask,), np.zeros_like)
    for policy_outputs in tree.flatten(numpy(run(layer, empty))):
        assert np.isfinite(policy_outputs).all()
        if empty_is_zero:
            assert (policy_outputs == 0).all()
