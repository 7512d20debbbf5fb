"""Loss weights learned from the uncertainty of the tasks."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.schema import nearest_name

__all__ = ["UncertaintyWeighting"]

_SCALES = {"binary": 1.0, "regression": 0.5}


@export("keras_infnet.losses.UncertaintyWeighting")
class UncertaintyWeighting(keras.layers.Layer):
    """Weighted sum of task losses, with weights learned from uncertainty.

    `loss = sum_k(c_k * exp(-s_k) * L_k + s_k / 2)`, where `s_k` is the
    learned log variance of task `k`, and `c_k` is 1 for a binary task and
    1/2 for regression. A noisy task gets a large `s_k`, thus a small weight;
    the second term keeps `s_k` from growing without bound. Every `s_k` starts
    at 0.

    For a fixed loss the minimum is at `exp(s_k) = 2 * c_k * L_k`, so a task
    with a small loss ends with a *large* weight. This includes rare binary
    tasks, whose cross-entropy is small because positives are few. The total
    can be negative. A task without labels in many batches has loss 0 there,
    which lowers its `s_k`.

    The weights and the sum stay in float32 under mixed precision.

    Args:
        kinds: sequence of `"binary"` and `"regression"`, one per task, in the
            order of the losses.
        **kwargs: Arguments of the base layer.

    Call arguments:
        losses: list of scalar tensors, or one tensor of shape
            `(num_tasks,)`.

    Returns:
        A scalar tensor.

    Raises:
        ValueError: If a kind is unknown, or the numbers of losses and kinds
            differ.

    Example:

    >>> weighting = UncertaintyWeighting(["binary", "regression"])
    >>> total = weighting(ops.convert_to_tensor([0.5, 4.0]))
    >>> float(ops.convert_to_numpy(total))
    2.5

    Reference:
    - [Kendall, Gal and Cipolla, 2018](https://arxiv.org/abs/1705.07115),
      section 3
    """

    def __init__(self, kinds: Sequence[str], **kwargs: Any) -> None:
        # Losses stay in float32 under every dtype policy.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        if isinstance(kinds, str) or not kinds:
            raise ValueError(
                "`kinds` must be a list with one kind per task. "
                f"Received: kinds={kinds!r}."
            )
        for kind in kinds:
            if kind not in _SCALES:
                raise ValueError(nearest_name(kind, _SCALES, "kind of task"))
        self.kinds = tuple(kinds)

    def build(self, losses_shape: Any) -> None:
        self.log_variances = self.add_weight(
            shape=(len(self.kinds),),
            initializer="zeros",
            dtype="float32",
            autocast=False,
            name="log_variances",
        )

    def call(self, losses: Any) -> Any:
        if isinstance(losses, (list, tuple)):
            losses = ops.stack(
                [ops.reshape(ops.cast(loss, "float32"), ()) for loss in losses]
            )
        if tuple(losses.shape) != (len(self.kinds),):
            raise ValueError(
                f"`losses` must hold one loss per task, {len(self.kinds)} in "
                f"all. Received: losses of shape {tuple(losses.shape)}."
            )
        scales = ops.convert_to_tensor(
            [_SCALES[kind] for kind in self.kinds], dtype="float32"
        )
        precisions = scales * ops.exp(-self.log_variances)
        losses = ops.cast(losses, "float32")
        return ops.sum(precisions * losses + self.log_variances / 2)

    def compute_output_shape(self, losses_shape: Any) -> tuple[int, ...]:
        return ()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kinds": list(self.kinds)}
