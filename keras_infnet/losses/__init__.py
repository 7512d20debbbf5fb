"""Task losses that leave out missing labels, and their weighting."""

from keras_infnet.losses.masked_binary_crossentropy import (
    MaskedBinaryCrossentropy,
)
from keras_infnet.losses.masked_mean_squared_error import (
    MaskedMeanSquaredError,
)
from keras_infnet.losses.task_losses import task_loss_weights, task_losses
from keras_infnet.losses.uncertainty_weighting import UncertaintyWeighting

__all__ = [
    "MaskedBinaryCrossentropy",
    "MaskedMeanSquaredError",
    "UncertaintyWeighting",
    "task_loss_weights",
    "task_losses",
]
