"""The search of AutoIFS for the information flows to keep."""

import re
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_infnet.optimizers import RowSparseOptimizer
from keras_infnet.training.autoifs.kept_flows import kept_flows
from keras_infnet.training.callbacks import Logs
from keras_infnet.training.learning_rates import ScaledRate
from keras_infnet.utils.argument_checks import check_number

__all__ = ["FlowSearch", "gate_optimizer"]


class FlowSearch(keras.callbacks.Callback):
    """Searches the flows that `keras_infnet.models.AutoIFS` keeps.

    At the start of epoch `e`, counted from 0, the temperature of the gates
    becomes `final_temperature ** (e / (epochs - 1))`, which moves them toward
    0 and 1. The callback stores all weights except gates at the start of epoch
    `rewind_epoch`, and the gates and the tables that they read at the end.
    `build_retrain` combines them: stored weights, and the final gates, which
    are now 0 or 1 and not trained.

    Weights and gates learn from the same batches, the gates at a fraction of
    the learning rate (see `optimizer`).

    Args:
        epochs: integer, at least 2. Epochs of the search, equal to those of
            `fit`.            Defaults to `10`.
        final_temperature: float. Temperature of the last epoch. Defaults to
            `100.0`.
        rewind_epoch: integer below `epochs`, or `None` for the last one.
            Defaults to `None`.
        gate_ratio: float. Learning rate of the gates divided by that of the
            other dense weights. With `0.01`, the value of the paper's authors,
            gates stay close to their initial values for a few hundred steps;
            use a larger one if searches with other seeds keep other flows.
            Defaults to `0.01`.

    Raises:
        ValueError: If a number is out of range.

    Example:

    >>> import numpy as np
    >>> from keras_infnet.losses import task_losses
    >>> from keras_infnet.models import AutoIFS
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     [Categorical("item"), Categorical("tab")], [Task("click")],
    ...     scenario="tab", table_sizes={"item": 9, "tab": 3},
    ... )
    >>> x = {"item": np.arange(8), "tab": np.arange(8) % 3}
    >>> y = {"click": np.arange(8)[:, None] % 2}
    >>> losses = task_losses(schema)
    >>> model = AutoIFS(schema, hidden_dims=(8,), scenario_dim=4)
    >>> search = FlowSearch(epochs=2)
    >>> model.compile(search.optimizer(model), loss=losses)
    >>> history = model.fit(x, y, epochs=2, callbacks=[search], verbose=0)
    >>> ranker = search.build_retrain(model)
    >>> ranker.compile(keras.optimizers.Adam(1e-4), loss=losses)
    >>> history = ranker.fit(x, y, verbose=0)

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    def __init__(
        self,
        epochs: int = 10,
        final_temperature: float = 100.0,
        rewind_epoch: int | None = None,
        gate_ratio: float = 0.01,
    ) -> None:
        super().__init__()
        check_number("epochs", epochs, above=1, kind=int)
        check_number("final_temperature", final_temperature, above=0.0)
        check_number("gate_ratio", gate_ratio, above=0.0)
        if rewind_epoch is None:
            rewind_epoch = epochs - 1
        check_number("rewind_epoch", rewind_epoch, below=epochs, kind=int)
        self.epochs = epochs
        self.final_temperature = final_temperature
        self.rewind_epoch = rewind_epoch
        self.gate_ratio = gate_ratio
        self._rewound: dict[str, np.ndarray] = {}
        self._searched: dict[str, np.ndarray] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor arguments."""
        return {
            "epochs": self.epochs,
            "final_temperature": self.final_temperature,
            "rewind_epoch": self.rewind_epoch,
            "gate_ratio": self.gate_ratio,
        }

    @property
    def finished(self) -> bool:
        """Whether a search is complete."""
        return bool(self._searched)

    def optimizer(self, model: Any, optimizer: Any = None) -> Any:
        """Returns an optimizer with a lower learning rate for the gates.

        Args:
            model: `AutoIFS` with `stage="search"`.
            optimizer: Keras optimizer or `RowSparseOptimizer` for all weights
                except gates; `None` is Adam with learning rate 3e-4. Defaults
                to `None`.

        Returns:
            An optimizer for `model.compile`.

        Raises:
            ValueError: If the model is not an `AutoIFS` with `stage="search"`.
        """
        _check_searches(model)
        if optimizer is None:
            optimizer = keras.optimizers.Adam(3e-4)
        return gate_optimizer(model.gate_weights, optimizer, self.gate_ratio)

    def on_train_begin(self, logs: Logs = None) -> None:
        _check_searches(self.model)
        given = (self.params or {}).get("epochs")
        if given != self.epochs:
            raise ValueError(
                "the temperature rises over the epochs of the search: give "
                "`fit` and FlowSearch the same number. Received: "
                f"fit(epochs={given}), FlowSearch(epochs={self.epochs})."
            )
        self._rewound, self._searched = {}, {}

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        gates = self._gates()
        if epoch == self.rewind_epoch:
            self._rewound = {
                weight.path: ops.convert_to_numpy(weight).copy()
                for weight in self.model.weights
                if weight.path not in gates
            }
        power = epoch / (self.epochs - 1)
        (temperature,) = (
            weight
            for path, weight in gates.items()
            if path.endswith("/temperature")
        )
        temperature.assign(self.final_temperature**power)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        if epoch + 1 < self.epochs:
            return
        # Not in `on_train_end`, when averages may have replaced weights.
        gates = self._gates()
        self._searched = {
            weight.path: ops.convert_to_numpy(weight).copy()
            for weight in self.model.weights
            if weight.path in gates or getattr(weight, "row_sparse", False)
        }

    def _gates(self) -> dict[str, Any]:
        return {weight.path: weight for weight in self.model.gate_weights}

    def build_retrain(self, model: Any, **changes: Any) -> Any:
        """Returns the model to train after the search, and to serve.

        Args:
            model: the searched `AutoIFS`.
            **changes: Constructor arguments that replace those of `model`, for
                example `l2`.

        Returns:
            A new `AutoIFS` with `stage="retrain"`, not compiled.

        Raises:
            ValueError: If no search is complete, or it was that of another
                model.
        """
        if not self.finished:
            raise ValueError(
                "the search is not complete. Call `model.fit` with "
                f"epochs={self.epochs} and this callback first."
            )
        broken = [
            path
            for path, value in {**self._searched, **self._rewound}.items()
            if not np.isfinite(value).all()
        ]
        if broken:
            raise ValueError(
                f"the search diverged: {broken[0]} has values that are not "
                "finite. Use lower learning rates."
            )
        config = {**model.get_config(), "stage": "retrain", **changes}
        ranker = type(model).from_config(config)
        # The gates read the tables from the end of the search.
        tables = [
            value
            for path, value in self._searched.items()
            if path not in {weight.path for weight in ranker.gate_weights}
        ]
        frozen = {
            weight.path: value
            for weight, value in zip(ranker.frozen_tables, tables, strict=False)
        }
        values = {**self._searched, **self._rewound, **frozen}
        for weight in ranker.weights:
            value = values.get(weight.path)
            if value is None or value.shape != tuple(weight.shape):
                raise ValueError(
                    f"the search has no weight {weight.path!r} of shape "
                    f"{tuple(weight.shape)}: it was that of another model."
                )
            weight.assign(value)
        return ranker

    def report(self, model: Any, batches: Any) -> Any:
        """Returns the flows that are kept, see `kept_flows`.

        After a search the stored gates are used, since averages may have
        replaced the weights of the model at the end of `fit`.
        """
        if self.finished and getattr(model, "stage", None) == "search":
            model = self.build_retrain(model)
        return kept_flows(model, batches)

    def state(self) -> dict[str, np.ndarray]:
        """Returns the stored weights, as arrays by name."""
        return {
            **{f"rewound:{k}": v for k, v in self._rewound.items()},
            **{f"searched:{k}": v for k, v in self._searched.items()},
        }

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restores the result of `state`."""
        parts: dict[str, dict[str, np.ndarray]] = {
            "rewound": {},
            "searched": {},
        }
        for name, value in state.items():
            part, path = name.split(":", 1)
            parts[part][path] = value
        self._rewound, self._searched = parts["rewound"], parts["searched"]


def gate_optimizer(weights: Any, optimizer: Any, ratio: float) -> Any:
    """Returns a `MultiOptimizer` with a lower learning rate for `weights`.

    These get a copy of the optimizer with its learning rate times `ratio` and
    without weight decay. A `RowSparseOptimizer` gets it as dense optimizer.
    """
    if isinstance(optimizer, RowSparseOptimizer):
        config = optimizer.get_config()
        config["dense"] = gate_optimizer(weights, optimizer.dense, ratio)
        return RowSparseOptimizer.from_config(config)
    optimizer = keras.optimizers.get(optimizer)
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        config = optimizer.get_config()
        config["inner_optimizer"] = gate_optimizer(
            weights, optimizer.inner_optimizer, ratio
        )
        return keras.optimizers.LossScaleOptimizer(**config)
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(
        rate, (dict, keras.optimizers.schedules.LearningRateSchedule)
    ):
        config["learning_rate"] = ScaledRate(rate, ratio)
    else:
        config["learning_rate"] = rate * ratio
    if config.get("weight_decay"):
        config["weight_decay"] = 0.0
    config["name"] = f"{optimizer.name}_of_gates"
    # One pattern of full paths: separate patterns would be loaded as separate
    # copies, and parts of paths could match other weights.
    pattern = "|".join(re.escape(weight.path) for weight in weights)
    slow = type(optimizer).from_config(config)
    return keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(optimizer, {pattern: slow})
    )


def _check_searches(model: Any) -> None:
    if getattr(model, "stage", None) != "search":
        stage = f" of stage={model.stage!r}" if hasattr(model, "stage") else ""
        raise ValueError(
            "FlowSearch is for an AutoIFS of stage='search'. Received: "
            f"{type(model).__name__}{stage}."
        )
