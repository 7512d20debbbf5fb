"""Layers with which checks attach masks, read masks and sum outputs."""

from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["AttachMask", "MaskOf", "Projection"]


class AttachMask(keras.layers.Layer):
    """Attaches the second tensor to the first as its mask."""

    def call(self, tensors: Any) -> Any:
        return tensors[0] + ops.zeros_like(tensors[0])

    def compute_output_spec(self, tensors: Any) -> Any:
        return keras.KerasTensor(tensors[0].shape, tensors[0].dtype)

    def compute_mask(self, tensors: Any, previous_mask: Any) -> Any:
        return tensors[1]


class MaskOf(keras.layers.Layer):
    """Returns the mask of a tensor as numbers, -1 without a mask."""

    def __init__(self) -> None:
        super().__init__(dtype="float32", autocast=False)
        self.supports_masking = True

    def call(self, tensor: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.convert_to_tensor([-1.0])
        return ops.cast(mask, "float32")

    def compute_output_spec(self, tensor: Any, mask: Any = None) -> Any:
        shape = (1,) if mask is None else mask.shape
        return keras.KerasTensor(shape, "float32")


class Projection(keras.layers.Layer):
    """Sums outputs with random weights, so that no symmetry cancels."""

    def call(self, outputs: Any) -> Any:
        rng = np.random.default_rng(0)
        total = 0.0
        for y in outputs:
            if "float" not in keras.backend.standardize_dtype(y.dtype):
                continue
            weights = rng.standard_normal(tuple(y.shape)).astype("float32")
            total = total + ops.sum(y * ops.convert_to_tensor(weights))
        return ops.reshape(total, (1,))

    def compute_output_spec(self, outputs: Any) -> Any:
        return keras.KerasTensor((1,), "float32")

    def compute_mask(self, outputs: Any, previous_mask: Any) -> Any:
        return None
