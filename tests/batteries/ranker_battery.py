"""What every ranking model must do."""

import json

import keras
import numpy as np
from gradients import compiled, projected, run, without_gradient
from keras import ops
from tiny import random_batch, random_labels, randomize

from keras_infnet.losses import task_losses

_NEAR = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01}


def check_ranker(model_fn, schema, directory=None, rows=5, lengths=None):
    """Runs the battery of the forward pass, of gradients and of files.

    Args:
        model_fn: function of keyword arguments (`dtype`) that returns a model
            of the schema.
        schema: `Schema` of the model.
        directory: path to write a model to. `None` leaves out what needs
            more models or functions: half precision, files, a batch of
            one. Defaults to `None`.
        rows: integer. Size of the batch; its last row has no event.
        lengths: mapping of behaviour to padded length. Defaults to `None`.
    """
    model = randomize(model_fn())
    batch = random_batch(schema, rows, lengths)
    expected = predictions(model, batch)
    _check_outputs(model, schema, expected, rows)
    _check_padding_and_order(model, schema, batch, expected)
    _check_no_events(model, schema, batch)
    if directory is not None:
        _check_rows(model, batch, expected)
        _check_precision(model_fn, model, batch, expected)
        _check_files(model, batch, expected, directory)
    missed = without_gradient(
        lambda: projected(model(batch)), model.trainable_weights
    )
    if model.uncertainty is not None:
        missed.remove(model.uncertainty.log_variances.path)  # not in `call`
    assert not missed, missed


def predictions(model, batch):
    return {
        name: ops.convert_to_numpy(y) for name, y in run(model, batch).items()
    }


def assert_same(got, expected, tolerance=1e-5):
    assert set(got) == set(expected)
    for task, y in expected.items():
        np.testing.assert_allclose(
            got[task], y, rtol=tolerance, atol=tolerance, err_msg=task
        )


def compile_model(model, **kwargs):
    options = {
        "optimizer": keras.optimizers.Adam(0.01),
        "loss": task_losses(model.schema),
        **kwargs,
    }
    model.compile(**options)
    return model


def check_fit(model, batch, labels, weights=None, steps=8):
    """Steps on one batch must lower its loss, looked at without dropout."""
    compile_model(
        randomize(model, scale=0.1),
        optimizer=keras.optimizers.Adam(0.005),
        run_eagerly=keras.backend.backend() != "jax",
    )

    def loss():
        found = model.test_on_batch(batch, labels, weights, return_dict=True)
        return float(found["loss"])

    losses = [loss()]
    for _ in range(steps):
        model.train_on_batch(batch, labels, weights)
    losses.append(loss())
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0], losses
    return losses


def _check_outputs(model, schema, expected, rows):
    assert set(model.output) == set(schema.task_names) == set(expected)
    assert set(model.output_names) == set(schema.task_names)
    assert set(model.input) == set(schema.inputs)
    for task in schema.tasks:
        symbol, y = model.output[task.name], expected[task.name]
        assert tuple(symbol.shape) == (None, 1) and symbol.dtype == "float32"
        assert y.shape == (rows, 1) and y.dtype == np.float32
        assert np.isfinite(y).all()
        assert y.std() > 0, "the rows must matter"
        if task.kind == "binary":
            assert (y > 0).all() and (y < 1).all()


def _check_rows(model, batch, expected):
    one = {name: x[:1] for name, x in batch.items()}
    assert_same(
        predictions(model, one), {t: y[:1] for t, y in expected.items()}
    )
    assert_same(
        {t: ops.convert_to_numpy(y) for t, y in compiled(model)(batch).items()},
        expected,
    )


def events(schema):
    """Names of the inputs of every behaviour, and of its mask."""
    for behavior in schema.behaviors:
        mask = f"{behavior.name}_mask"
        names = [
            f"{behavior.name}_{part.name}"
            for part in schema.attributes(behavior)
        ]
        if behavior.timed:
            names.append(f"{behavior.name}_gap")
        yield names, mask


def _check_padding_and_order(model, schema, batch, expected):
    """Other ids under more padding, in rows of another order."""
    changed = dict(batch)
    for names, mask in events(schema):
        valid = batch[mask]
        for name in names:
            x = batch[name]
            where = valid.reshape(*valid.shape, *(1,) * (x.ndim - 2))
            x = np.where(where, x, x[::-1, ::-1])
            # Padding in front and behind, filled with other ids.
            width = [(0, 0), (2, 3), *[(0, 0)] * (x.ndim - 2)]
            changed[name] = np.pad(x, width, mode="wrap")
        changed[mask] = np.pad(valid, [(0, 0), (2, 3)])
    turned = {name: x[::-1].copy() for name, x in changed.items()}
    got = predictions(model, turned)
    assert_same(got, {task: y[::-1] for task, y in expected.items()})


def _check_no_events(model, schema, batch):
    empty = {
        name: np.zeros_like(x) if x.dtype == bool else x
        for name, x in batch.items()
    }
    for y in predictions(model, empty).values():
        assert np.isfinite(y).all()


def _check_precision(model_fn, model, batch, expected):
    for policy, near in _NEAR.items():
        half = model_fn(dtype=policy)
        assert half.dtype_policy.name == policy
        again = type(half).from_config(half.get_config())
        assert {layer.dtype_policy.name for layer in again.layers} <= {
            policy,
            "float32",  # operations of the graph
        }
        assert again.dtype_policy.name == policy
        half.set_weights(model.get_weights())
        for task, y in run(half, batch).items():
            assert keras.backend.standardize_dtype(y.dtype) == "float32"
            y = ops.convert_to_numpy(y)
            assert np.isfinite(y).all(), policy
            scale = max(1.0, np.abs(expected[task]).max())
            assert np.abs(y - expected[task]).max() < near * scale, policy
        assert {w.dtype for w in half.weights} == {"float32"}


def _check_files(model, batch, expected, directory):
    config = model.get_config()
    again = type(model).from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)
    assert [w.path for w in again.weights] == [w.path for w in model.weights]
    path = directory / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert type(loaded) is type(model)
    assert loaded.schema == model.schema
    assert_same(predictions(loaded, batch), expected)
    for mine, theirs in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(
            ops.convert_to_numpy(mine), ops.convert_to_numpy(theirs)
        )


def check_keys(model, schema, rows=4):
    """Wrong keys are refused by name: `call`, `predict` and `fit`."""
    batch, labels = random_batch(schema, rows), random_labels(schema, rows)
    before = predictions(compile_model(model), batch)
    name = schema.fields[0].name
    wrong = {**batch, "surplus": batch[name]}
    short = {key: x for key, x in batch.items() if key != name}
    for inputs, key in ((wrong, "surplus"), (short, name)):
        for use in (
            model,
            lambda x: model.predict(x, verbose=0),
            lambda x: model.predict(_Repeated((x,)), verbose=0),
            lambda x: model.fit(_Repeated((x, labels)), verbose=0),
            lambda x: model.fit(x, labels, verbose=0),
            lambda x: model.evaluate(x, labels, verbose=0),
            lambda x: model.train_on_batch(x, labels),
        ):
            _check_refused(use, inputs, key)
    first = schema.task_names[0]
    weights = {task: np.ones(rows, "float32") for task in schema.task_names}
    for values, position in ((labels, 0), (weights, 1)):
        # One array of weights would be fine: Keras gives it to every task.
        for broken, key in (
            ({**values, "surplus": values[first]}, "surplus"),
            ({t: v for t, v in values.items() if t != first}, first),
            *([(labels[first], first)] if position == 0 else []),
        ):
            given = [labels, weights]
            given[position] = broken
            _check_refused(
                lambda x: model.fit(x[0], x[1], sample_weight=x[2], verbose=0),
                (batch, *given),
                key,
            )
    # What was refused left no trace: the weights, and the next use.
    assert_same(predictions(model, batch), before)
    assert_same(
        model.predict(_Repeated((batch,)), verbose=0),
        {task: np.concatenate([y, y]) for task, y in before.items()},
    )


class _Repeated(keras.utils.PyDataset):
    """One batch, over and over."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.batch


def _check_refused(use, inputs, key):
    try:
        use(inputs)
    except ValueError as error:
        assert key in str(error), str(error)
    else:
        raise AssertionError(f"accepted although {key!r} is wrong")
