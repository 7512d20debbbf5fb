"""GRU cell whose update gate uses the attention weight of an event."""

from typing import Any

import keras
from keras import ops

__all__ = ["AttentionalGRUCell"]


class AttentionalGRUCell(keras.layers.Layer):
    """GRU cell for `keras.layers.RNN` with an attention weight per step.

    ```
    u = sigmoid(W_u x + U_u s + b_u)    r = sigmoid(W_r x + U_r s + b_r)
    n = tanh(W_n x + b_n + r * (U_n s + c_n))
    s = (1 - u') * s + u' * n
    ```

    with `u' = a u` ("augru"), `u' = a` ("agru") or `u' = u` ("gru"), where
    `a` is the last entry of the inputs and `x` the others.
    """

    def __init__(self, units: int, mode: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.mode = mode
        self.state_size = units
        self.output_size = units
        # "agru" uses the weight instead of an update gate.
        self.gates = 2 if mode == "agru" else 3

    def build(self, inputs_shape: Any) -> None:
        width = inputs_shape[-1] - 1
        self.kernel = self._weight("kernel", width, "glorot_uniform")
        self.recurrent_kernel = self._weight(
            "recurrent_kernel", self.units, "orthogonal"
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.gates * self.units,), initializer="zeros"
        )
        self.recurrent_bias = self.add_weight(
            name="recurrent_bias", shape=(self.units,), initializer="zeros"
        )

    def _weight(self, name: str, rows: int, initializer: str) -> Any:
        return self.add_weight(
            name=name,
            shape=(rows, self.gates * self.units),
            initializer=initializer,
        )

    def call(self, inputs: Any, states: Any, **_: Any) -> Any:
        state = states[0] if isinstance(states, (list, tuple)) else states
        x, weight = inputs[:, :-1], inputs[:, -1:]
        of_input = ops.matmul(x, self.kernel) + self.bias
        of_state = ops.matmul(state, self.recurrent_kernel)
        *inputs_u, input_r, input_n = ops.split(of_input, self.gates, axis=-1)
        *states_u, state_r, state_n = ops.split(of_state, self.gates, axis=-1)
        reset = ops.sigmoid(input_r + state_r)
        new = ops.tanh(input_n + reset * (state_n + self.recurrent_bias))
        update = weight
        if self.mode != "agru":
            update = ops.sigmoid(inputs_u[0] + states_u[0])
        if self.mode == "augru":
            update = weight * update
        state = (1.0 - update) * state + update * new
        return state, [state]
