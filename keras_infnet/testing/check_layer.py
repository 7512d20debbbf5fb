"""Checks of the properties of a layer, in few compiled calls."""

import json
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from keras_infnet.testing.call_arguments import (
    check_arguments,
    flat,
    named,
    nested,
    outputs_of,
    same_setting,
    symbol,
)
from keras_infnet.testing.probe_layers import AttachMask, MaskOf, Projection
from keras_infnet.testing.random_data import randomize

__all__ = ["check_layer"]

#: Tolerance of half precision, relative to the largest output.
_NEAR = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01}


def check_layer(
    layer_class: Any,
    init_kwargs: Mapping[str, Any],
    inputs: Mapping[str, Any],
    *,
    num_weights: int | None = None,
    num_parameters: int | None = None,
    bad_arguments: Sequence[tuple[Mapping[str, Any], str]] = (),
    mask: str | None = None,
    padded: Sequence[str] = (),
    output_masks: Mapping[str, Any] | None = None,
    zero_padding: bool = False,
    empty_is_zero: bool = False,
    float32_output: bool = False,
) -> None:
    """Checks that a layer has the properties of the layers of this package.

    - The constructor arguments are its config: `from_config(get_config())`
      and a `.keras` file restore the same layer.
    - Symbolic outputs have the shapes and dtypes of actual outputs.
    - `"mixed_bfloat16"` and `"mixed_float16"` agree with `"float32"` within
      their precision, and outputs have the compute dtype.
    - Rows do not influence each other: the outputs of a row do not depend on
      the batch.
    - A gradient reaches every trainable weight.
    - With a mask: the length and the content of the padding do not change
      the outputs; a mask that Keras attached to the tensor, as
      `Embedding(mask_zero=True)` does, acts like one that is passed; a row
      without any valid token gives finite outputs; outputs with the masked
      axis carry the mask, and others carry none.

    The layer is compiled three times, whatever the number of checks. Its
    weights are random, with a fixed seed.

    Args:
        layer_class: class of the layer.
        init_kwargs: dict. Constructor arguments, of plain data.
        inputs: dict. Call arguments by name: arrays, or dicts of arrays, with
            one row per example and at least two rows.
        num_weights: integer or `None`. Expected number of weights. Defaults
            to `None`.
        num_parameters: integer or `None`. Expected number of scalars in them.
            Defaults to `None`.
        bad_arguments: sequence of pairs: constructor arguments, and a part of
            the message of the `ValueError` that they must raise. Defaults to
            `()`.
        mask: string or `None`. Name of the call argument that is the mask;
            `"mask"` is that of the first of `padded`, `"x_mask"` that of `x`.
            Its array is boolean, of shape `(rows, tokens)`, with some valid
            tokens in the first row. Defaults to `None`.
        padded: names of the call arguments with the axis of the mask.
            Defaults to `()`.
        output_masks: dict or `None`. For each output name the mask that it
            carries: an array, or `None`. If outputs are not a dict, the name
            is `"outputs"`, or the position in the tuple. `None` expects
            `mask` itself on all outputs with its axis. Defaults to `None`.
        zero_padding: boolean. Whether outputs are zero at padding. Defaults
            to `False`.
        empty_is_zero: boolean. Whether outputs are zero in rows without
            valid tokens. Defaults to `False`.
        float32_output: boolean. Whether outputs are float32 for every dtype
            policy. Defaults to `False`.

    Raises:
        ValueError: If `inputs`, `mask` and `padded` are inconsistent.
        AssertionError: If the layer lacks a property; the message names the
            layer and the property.

    Example:

    >>> from keras_infnet.layers import BehaviorPooling
    >>> rng = np.random.default_rng(0)
    >>> check_layer(
    ...     BehaviorPooling,
    ...     {"reduction": "sum"},
    ...     {
    ...         "tokens": rng.standard_normal((3, 4, 2)).astype("float32"),
    ...         "mask": np.array([[1, 1, 0, 1], [0, 1, 0, 0], [0] * 4], bool),
    ...     },
    ...     bad_arguments=[({"reduction": "max"}, "reduction='max'")],
    ...     mask="mask",
    ...     padded=["tokens"],
    ...     empty_is_zero=True,
    ... )
    """
    check_arguments(inputs, mask, padded)
    check = _Check(layer_class, dict(init_kwargs), dict(inputs), mask, padded)
    check.config(bad_arguments)
    check.sizes(num_weights, num_parameters)
    check.outputs(float32_output)
    check.gradients()
    if mask is None:
        check.one_row()
    else:
        check.masks(output_masks)
        check.padding(zero_padding, empty_is_zero)
        check.dropped_padding()


class _Check:
    def __init__(
        self,
        layer_class: Any,
        init_kwargs: dict[str, Any],
        inputs: dict[str, Any],
        mask: str | None,
        padded: Sequence[str],
    ) -> None:
        self.layer_class = layer_class
        self.init_kwargs = init_kwargs
        self.mask_name = mask or ""
        self.padded = tuple(padded)
        self.arrays = flat(inputs)
        masked = (*padded, mask) if mask else ()
        self.symbols = {
            name: symbol(name, value, name.split(".")[0] in masked)
            for name, value in self.arrays.items()
        }
        self.layer = layer_class(**init_kwargs)
        self.symbolic = self._call(self.layer, self.symbols)
        randomize(self.layer)

    def _call(self, layer: Any, tensors: Mapping[str, Any]) -> dict[str, Any]:
        return named(layer(**nested(tensors)))

    def that(self, holds: Any, promise: str) -> None:
        if not holds:
            raise AssertionError(f"{self.layer_class.__name__}: {promise}")

    def near(self, got: Any, expected: Any, promise: str) -> None:
        got, expected = np.asarray(got), np.asarray(expected)
        self.that(
            got.shape == expected.shape
            and np.allclose(got, expected, rtol=1e-4, atol=1e-5),
            f"{promise}. Received: {got}, expected: {expected}.",
        )

    def config(self, bad_arguments: Any) -> None:
        config = self.layer.get_config()
        missing = set(self.init_kwargs) - set(config)
        self.that(not missing, f"the config must have {missing}")
        for name, value in self.init_kwargs.items():
            self.that(
                same_setting(name, value, config[name]),
                f"the config must have {name}={value!r}, not {config[name]!r}",
            )
        json.dumps(config)
        again = self.layer_class.from_config(config)
        self.that(
            again.get_config() == config,
            f"the config must survive from_config, but {config} became "
            f"{again.get_config()}",
        )
        for kwargs, text in bad_arguments:
            try:
                self.layer_class(**kwargs)
            except ValueError as error:
                self.that(
                    text in str(error) and "Received" in str(error),
                    f"the error about {kwargs} must have {text!r} and "
                    f"'Received', but says: {error}",
                )
            else:
                self.that(False, f"arguments {kwargs} must raise ValueError")

    def sizes(self, num_weights: Any, num_parameters: Any) -> None:
        paths = [weight.path for weight in self.layer.weights]
        self.that(len(set(paths)) == len(paths), f"paths repeat: {paths}")
        self.that(
            num_weights in (None, len(paths)),
            f"there must be {num_weights} weights, not {len(paths)}: {paths}",
        )
        count = self.layer.count_params()
        self.that(
            num_parameters in (None, count),
            f"there must be {num_parameters} parameters, not {count}",
        )

    def outputs(self, float32_output: bool) -> None:
        """Computes all variants of the layer in one compiled model."""
        model = keras.Model(self.symbols, self.symbolic)
        variants = {"loaded": named(self._saved(model)(self.symbols))}
        for policy in _NEAR:
            half = self.layer_class(dtype=policy, **self.init_kwargs)
            variants[policy] = self._call(half, self.symbols)
            half.set_weights(self.layer.get_weights())
            self._check_dtypes(half, variants[policy], float32_output)
        if self.mask_name:
            variants["implicit"], variants["carried"] = self._implicit()
        outputs = {
            f"{variant}/{name}": tensor
            for variant, tensors in {"": self.symbolic, **variants}.items()
            for name, tensor in tensors.items()
        }
        self.model = model
        found = outputs_of(keras.Model(self.symbols, outputs), self.arrays)
        self.found: dict[str, dict[str, Any]] = {}
        for name, value in found.items():
            variant, _, output = name.partition("/")
            self.found.setdefault(variant, {})[output] = value
        self.expected = self.found[""]
        for name, spec in self.symbolic.items():
            y = self.expected[name]
            sizes = zip(spec.shape, y.shape, strict=False)
            self.that(
                len(spec.shape) == y.ndim
                and spec.shape[0] is None
                and all(known in (None, size) for known, size in sizes),
                f"output {name!r} has shape {y.shape}, but symbolic shape "
                f"{spec.shape}",
            )
            self.near(
                self.found["loaded"][name], y, f"a loaded model gives {name!r}"
            )
            for policy, near in _NEAR.items():
                half = self.found[policy][name]
                error = np.abs(half - y).max() / max(np.abs(y).max(), 1e-9)
                self.that(
                    np.isfinite(half).all() and error < near,
                    f"{policy} must agree with float32 in {name!r}; the "
                    f"relative error is {error}",
                )

    def _saved(self, model: Any) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.keras"
            model.save(path)
            try:
                return keras.saving.load_model(path)
            except (TypeError, ValueError) as error:
                raise AssertionError(
                    f"{self.layer_class.__name__}: must be registered and "
                    f"load: {error}"
                ) from error

    def _check_dtypes(self, half: Any, outputs: Any, float32: bool) -> None:
        wanted = "float32" if float32 else half.compute_dtype
        for name, tensor in outputs.items():
            dtype = keras.backend.standardize_dtype(tensor.dtype)
            self.that(
                "float" not in dtype or dtype == wanted,
                f"output {name!r} must have dtype {wanted}, not {dtype}",
            )
        for weight in half.weights:
            self.that(
                weight.dtype == "float32", f"{weight.path} must be float32"
            )

    def _implicit(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns outputs for an attached mask, and their own masks."""
        tensors = dict(self.symbols)
        mask = tensors.pop(self.mask_name)
        owner = self.mask_name.removesuffix("_mask")
        owner = self.padded[0] if owner == "mask" else owner
        tensors[owner] = AttachMask()([tensors[owner], mask])
        outputs = self._call(self.layer, tensors)
        return outputs, {n: MaskOf()(y) for n, y in outputs.items()}

    def masks(self, output_masks: Any) -> None:
        mask = self.arrays[self.mask_name]
        for name, y in self.expected.items():
            self.near(
                self.found["implicit"][name],
                y,
                f"output {name!r} must be the same with an attached mask",
            )
            wanted = mask if self._has_axis(y) else None
            if output_masks is not None:
                wanted = output_masks.get(name)
            wanted = [-1.0] if wanted is None else np.asarray(wanted, float)
            self.near(
                self.found["carried"][name],
                wanted,
                f"output {name!r} carries this mask (-1 is none)",
            )

    def gradients(self) -> None:
        if not self.layer.trainable_weights:
            return
        inputs = {
            name: keras.Input(
                batch_shape=x.shape, dtype=x.dtype.name, name=name
            )
            for name, x in self.arrays.items()
        }
        total = Projection()(tree.flatten(self._call(self.layer, inputs)))
        model = keras.Model(inputs, total)
        on_jax = keras.backend.backend() == "jax"
        model.compile(
            keras.optimizers.SGD(1.0),
            loss=lambda _, y: ops.mean(y),
            jit_compile=on_jax,
            run_eagerly=not on_jax,
        )
        before = self.layer.get_weights()
        weights = self.layer.trainable_weights
        old = [ops.convert_to_numpy(weight) for weight in weights]
        model.train_on_batch(self.arrays, np.zeros(len(total.shape)))
        for weight, value in zip(weights, old, strict=True):
            change = np.abs(ops.convert_to_numpy(weight) - value).max()
            self.that(
                np.isfinite(change) and change > 0,
                f"a gradient must reach {weight.path}",
            )
        self.layer.set_weights(before)

    def one_row(self) -> None:
        one = {name: x[:1] for name, x in self.arrays.items()}
        for name, y in outputs_of(self.model, one).items():
            self.near(
                y, self.expected[name][:1], f"a batch of one gives {name!r}"
            )

    def padding(self, zero_padding: bool, empty_is_zero: bool) -> None:
        """Checks longer rows with other padding, and rows of padding only."""
        rng = np.random.default_rng(1)
        mask = self.arrays[self.mask_name]
        self.that(mask[0].any() and not mask.all(), "the mask needs padding")
        rows, length = mask.shape
        arrays = {}
        for name, x in self.arrays.items():
            if name == self.mask_name:
                x = np.pad(x, [(0, 0), (0, 3)])
                arrays[name] = np.concatenate([x, np.zeros_like(x)])
                continue
            if name.split(".")[0] in self.padded:
                where = mask.reshape(*mask.shape, *(1,) * (x.ndim - 2))
                x = np.where(where, x, x[rng.permutation(rows)])
                x = np.concatenate([x, x[:, :2], x[:, :1]], axis=1)
            arrays[name] = np.concatenate([x, x])
        for name, y in outputs_of(self.model, arrays).items():
            expected = self.expected[name]
            longer, empty = y[:rows], y[rows:]
            self.that(
                np.isfinite(empty).all(),
                f"output {name!r} must be finite in rows of padding only",
            )
            self.that(
                not (empty_is_zero and empty.any()),
                f"output {name!r} must be zero in rows of padding only",
            )
            if self._has_axis(expected):
                self.that(
                    not (zero_padding and longer[:, length:].any())
                    and not (zero_padding and longer[:, :length][~mask].any()),
                    f"output {name!r} must be zero at padding",
                )
                longer, expected = longer[:, :length][mask], expected[mask]
            self.near(longer, expected, f"padding must not change {name!r}")

    def dropped_padding(self) -> None:
        """Checks the first row without its padding."""
        mask = self.arrays[self.mask_name][0]
        masked = (*self.padded, self.mask_name)
        arrays = {
            name: x[:1, mask] if name.split(".")[0] in masked else x[:1]
            for name, x in self.arrays.items()
        }
        for name, y in outputs_of(self.model, arrays).items():
            expected = self.expected[name][:1]
            if self._has_axis(self.expected[name]):
                expected = expected[:, mask]
            self.near(y, expected, f"dropping padding must not change {name!r}")

    def _has_axis(self, output: Any) -> bool:
        shape = self.arrays[self.mask_name].shape
        return output.ndim > 1 and output.shape[:2] == shape
