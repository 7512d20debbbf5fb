"""Gates of tokens computed from the tokens themselves."""

from typing import Any

from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers.base_layer import BaseLayer
from keras_infnet.layers.dense.mlp import MLP
from keras_infnet.utils.argument_checks import check_choice

__all__ = ["SelfGate"]


@export("keras_infnet.layers.SelfGate")
class SelfGate(BaseLayer):
    """Scales every token by a gate computed from the token itself.

    ```
    self:   y = x * sigmoid(MLP(x))
    paper:  y = act(x * MLP(x))
    ```

    The MLP has one hidden layer; both of its layers are as wide as the token.
    With a sigmoid, the paper's form maps every element to between 0 and 1 and
    loses sign and scale; `"self"` keeps them.

    Masking: a zero token stays zero, except with `"paper"` and an activation
    that is not zero at zero. The mask is passed on.

    Args:
        gate: `"self"` or `"paper"`. Defaults to `"self"`.
        gate_activation: string or callable, `act`. Used by `"paper"` only.
            Defaults to `"sigmoid"`.
        activation: string or callable, of hidden layers. Defaults to `"silu"`.
        **kwargs: Arguments of the base layer.

    Call arguments:
        x: tensor of shape `(batch, tokens, dim)`.

    Returns:
        Tensor with the shape of `x`.

    Raises:
        ValueError: If `gate` is unknown.

    Example:

    >>> import numpy as np
    >>> tuple(SelfGate()(np.ones((2, 4, 8), "float32")).shape)
    (2, 4, 8)

    Reference:
    - [InterFormer](https://arxiv.org/abs/2411.09852), section 4.4
    """

    def __init__(
        self,
        gate: str = "self",
        gate_activation: Any = "sigmoid",
        activation: Any = "silu",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._store(locals())
        check_choice("gate", gate, ("self", "paper"))
        self.supports_masking = True

    def build(self, x_shape: Any) -> None:
        width = x_shape[-1]
        self.mlp = self._part(
            MLP,
            "mlp",
            x_shape,
            units=width,
            hidden_dims=(width,),
            activation=self.activation,
        )

    def call(self, x: Any) -> Any:
        if self.gate == "self":
            return x * ops.sigmoid(self.mlp(x))
        return self.gate_activation(x * self.mlp(x))
