"""AutoIFS: automatic selection of information flows."""

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_infnet.api_export import export
from keras_infnet.layers import (
    MLP,
    DecoupledDense,
    InformationFlowGate,
    TaskTower,
)
from keras_infnet.layers.dense.initializers import torch_uniform
from keras_infnet.layers.dense.mlp import batch_normalization, seeded_dropouts
from keras_infnet.models.base.constructor_arguments import Settings
from keras_infnet.models.base.feature_ranker import FeatureRanker
from keras_infnet.models.base.features import Features, flatten
from keras_infnet.optimizers.row_sparse_optimizer import (
    RowSparseOptimizer,
    is_table,
)
from keras_infnet.schema import Schema, nearest_name
from keras_infnet.utils.argument_checks import (
    check_choice,
    check_number,
    check_positive,
)

__all__ = ["AutoIFS"]

_LOG = logging.getLogger("keras_infnet")

GATES = "flow_gates"
FROZEN = "frozen_embedding"


@export("keras_infnet.models.AutoIFS")
class AutoIFS(FeatureRanker):
    """Predicts several tasks in several scenarios, with selected flows.

    A scenario stage and a task stage each have a shared part and low-rank
    parts specific to scenario `k` and task `m`. With the output `z` of hidden
    layers on all embeddings,

    ```
    s = z W_s + b_s             l = (z A_k) B_k + b_k
    u = act(s + l)
    T(v) = v W_t + b_t          T_m(v) = (v A'_m) B'_m + b'_m
    logit_m = T(u) + T_m(u) - g_0 T(s) - g_1 T_m(l) - g_2 T_m(s) - g_3 T(l)
    ```

    The last four terms are the information flows between the parts: a gate
    `g` of 1 removes a flow, a gate of 0 keeps it. Gates differ by row and
    task. A separate selection network computes them from the embeddings,
    without sending a gradient to them.

    Training has two stages (`keras_infnet.training.FlowSearch`). The search
    trains everything while the gates become harder. Then a model of
    `stage="retrain"`, the one to serve, is trained from earlier weights. Its
    gates are 0 or 1 and fixed, computed from a frozen copy of the searched
    tables.

    Rows of a missing or unknown scenario have `l = 0`: only the shared parts
    predict them. Every scenario has its own weights, so there should be few.

    Args:
        schema: `Schema` with a `scenario`, whose table sizes are known,
            usually `encoder.schema`.
        hidden_dims: sequence of integers, at least one. Widths of the hidden
            layers, also of the selection network. Defaults to `(1024, 512)`.
        scenario_dim: integer. Width of the scenario stage. Defaults to `256`.
        rank: integer. Rank of the specific parts. Defaults to `2`.
        use_batch_norm: boolean. Whether activations follow a batch
            normalization, except in the selection network. Defaults to
            `False`.
        dropout: float in `[0, 1)`. Rate after the activations, except in the
            selection network. Defaults to `0.0`.
        pruning: `"subtract"` (removed flows are subtracted from the whole
            logit) or `"sum"` (the logit is the sum of the flows that are
            kept). Defaults to `"subtract"`.
        granularity: `"instance"` (gates per row and task) or
            `"scenario_task"` (per scenario and task, without selection network
            and frozen tables). Defaults to `"instance"`.
        gate_penalty: float, or dict of task name to float. Weight of the mean
            gate in the loss of the search; positive values keep more flows.
            Defaults to `0.0`.
        l2: float. The loss includes `l2 / 2` times the sum of squares of all
            weights except gates, learned loss weights and tables with
            row-sparse updates. Defaults to `3e-5`.
        stage: `"search"` or `"retrain"`. Defaults to `"search"`.
        embeddings_initializer: initializer of the embedding tables, or
            `None` for Glorot uniform on the table of all fields.
            Defaults to `None`.

    The other arguments, the call arguments and the outputs are those of
    `keras_infnet.models.FeatureRanker`.

    Raises:
        ValueError: If the schema has no scenario or is not fitted, or an
            argument is out of range.

    Example:

    >>> from keras_infnet.schema import Categorical, Task
    >>> schema = Schema(
    ...     fields=[Categorical("item_id"), Categorical("tab")],
    ...     tasks=[Task("click"), Task("like")],
    ...     scenario="tab",
    ...     table_sizes={"item_id": 50, "tab": 4},
    ... )
    >>> model = AutoIFS(schema, hidden_dims=(8,), scenario_dim=4)
    >>> model.output["click"].shape
    (None, 1)

    Reference:
    - [AutoIFS](https://arxiv.org/abs/2512.13396)
    """

    presets = {
        "small": {"hidden_dims": (128, 64), "scenario_dim": 32},
        "base": {},
    }

    def __init__(
        self,
        schema: Schema,
        embedding_dim: int = 16,
        hidden_dims: Sequence[int] = (1024, 512),
        scenario_dim: int = 256,
        rank: int = 2,
        activation: Any = "relu",
        use_batch_norm: bool = False,
        dropout: float = 0.0,
        pruning: str = "subtract",
        granularity: str = "instance",
        gate_penalty: float | Mapping[str, float] = 0.0,
        l2: float = 3e-5,
        stage: str = "search",
        embeddings_initializer: Any = None,
        loss_weighting: str = "fixed",
        # No `**kwargs`: it has no towers.
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(schema, name=name, dtype=dtype)
        if stage == "retrain":
            for layer in self._selection_layers():
                layer.trainable = False
        self._penalty = keras.regularizers.L2(l2 / 2) if l2 else None
        free = list(self.gate_weights)
        if self.uncertainty is not None:
            free += self.uncertainty.weights
        unpenalized = {id(weight) for weight in free}
        for weight in self.trainable_weights:
            if id(weight) not in unpenalized and not is_table(weight):
                weight.regularizer = self._penalty

    @classmethod
    def complete(cls, schema: Schema, settings: Settings) -> dict[str, Any]:
        """Checks settings; the default initializer is Glorot uniform."""
        dim = settings["embedding_dim"]
        check_positive(
            embedding_dim=dim,
            scenario_dim=settings["scenario_dim"],
            rank=settings["rank"],
        )
        check_choice("pruning", settings["pruning"], ("subtract", "sum"))
        granularities = ("instance", "scenario_task")
        check_choice("granularity", settings["granularity"], granularities)
        check_choice("stage", settings["stage"], ("search", "retrain"))
        check_number("l2", settings["l2"])
        _penalties(schema, settings["gate_penalty"])
        initializer = settings["embeddings_initializer"]
        if initializer is None:
            rows = sum(schema.table_size(name) for name in schema.tables)
            limit = math.sqrt(6.0 / (rows + dim))
            initializer = keras.initializers.RandomUniform(-limit, limit)
        return super().complete(
            schema, {**settings, "embeddings_initializer": initializer}
        )

    @property
    def stage(self) -> str:
        """`"search"` or `"retrain"`."""
        return str(self.settings["stage"])

    @property
    def gate_weights(self) -> list[Any]:
        """Weights that compute the gates, including the temperature."""
        return list(self.get_layer(GATES).weights)

    @property
    def frozen_tables(self) -> list[Any]:
        """Embedding tables that the gates of a retrained model read."""
        return [
            weight
            for layer in self._selection_layers()
            if layer.name == FROZEN
            for weight in layer.weights
        ]

    def gate_model(self) -> Any:
        """Returns a model with the same inputs and weights for the gates.

        Returns:
            `keras.Model` with one output of shape `(batch, tasks, 4)`, see
            `keras_infnet.layers.InformationFlowGate`. A gate above 0.5 removes
            its flow.
        """
        return keras.Model(self.input, self.get_layer(GATES).output)

    def fit(self, x: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Calls `Ranker.fit`; warns about a search without `FlowSearch`."""
        given = kwargs.get("callbacks")
        # A callback, a list of them, or a `keras.callbacks.CallbackList`.
        given = keras.tree.flatten(getattr(given, "callbacks", given))
        searches = any(hasattr(one, "build_retrain") for one in given)
        if self.stage == "search" and not searches:
            _LOG.warning(
                "AutoIFS is trained without FlowSearch, so its gates stay "
                "near one half. See keras_infnet.training.search_and_retrain."
            )
        return super().fit(x, *args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Calls `Ranker.compile`; tables have L2 only with dense updates."""
        super().compile(*args, **kwargs)
        by_rows = isinstance(self.optimizer, RowSparseOptimizer)
        for weight in self.trainable_weights:
            if is_table(weight):
                weight.regularizer = None if by_rows else self._penalty

    def _selection_layers(self) -> list[Any]:
        return [layer for layer in self.layers if layer.name in (GATES, FROZEN)]

    @classmethod
    def build_outputs(
        cls, features: Features, settings: Settings
    ) -> dict[str, Any]:
        """Combines the gated flows to one logit per task."""
        schema, dtype = features.schema, features.dtype
        chosen = features.scenarios("AutoIFS")
        vector = features.vector()
        gates = _gates(features, settings, vector, chosen)
        hidden = MLP(
            None,
            hidden_dims=settings["hidden_dims"],
            activation=settings["activation"],
            dropout=settings["dropout"],
            kernel_initializer=torch_uniform(),
            use_batch_norm=settings["use_batch_norm"],
            dtype=dtype,
            name="bottom",
        )(vector)
        shared, specific = DecoupledDense(
            settings["scenario_dim"],
            chosen.shape[-1],
            settings["rank"],
            dtype=dtype,
            name="scenario_stage",
        )(hidden, chosen)
        both = shared + specific
        if settings["use_batch_norm"]:
            both = batch_normalization(dtype, "normalization")(both)
        both = settings["activation"](both)
        for dropout in seeded_dropouts(1, settings["dropout"], dtype):
            both = dropout(both)
        # One call for the sum and its two parts.
        by_all, by_task = DecoupledDense(
            1,
            len(schema.tasks),
            settings["rank"],
            dtype=dtype,
            name="task_stage",
        )(ops.stack([both, shared, specific], axis=1))
        logits = _logits(by_all, by_task, gates, settings["pruning"])
        return {
            task.name: TaskTower(
                None, kind=task.kind, dtype=dtype, name=task.name
            )(logits[:, i : i + 1])
            for i, task in enumerate(schema.tasks)
        }


def _gates(
    features: Features, settings: Settings, vector: Any, chosen: Any
) -> Any:
    """Returns the gates, `(batch, tasks, 4)`."""
    searches = settings["stage"] == "search"
    hidden_dims = None
    if settings["granularity"] == "scenario_task":
        vector = chosen
    else:
        hidden_dims = settings["hidden_dims"]
        if searches:
            vector = ops.stop_gradient(vector)
        else:
            vector = flatten(features.apart(settings["embedding_dim"], FROZEN))
    return InformationFlowGate(
        len(features.schema.tasks),
        hidden_dims=hidden_dims,
        hard=not searches,
        penalties=_penalties(features.schema, settings["gate_penalty"])
        if searches
        else None,
        activation=settings["activation"],
        dtype=features.dtype,
        name=GATES,
    )(vector)


def _logits(by_all: Any, by_task: Any, gates: Any, pruning: str) -> Any:
    """Returns the logits, `(batch, tasks)`.

    `by_all`, `(batch, 3, 1)`, and `by_task`, `(batch, 3, tasks, 1)`, hold the
    outputs for the activated sum, the shared and the specific part.
    """
    by_task = ops.cast(by_task, "float32")[..., 0]
    by_all = ops.cast(by_all, "float32") + ops.zeros_like(by_task)
    flows = ops.stack(
        [by_all[:, 1], by_task[:, 2], by_task[:, 1], by_all[:, 2]], axis=-1
    )
    if pruning == "sum":
        return ops.sum((1.0 - gates) * flows, axis=-1)
    return by_all[:, 0] + by_task[:, 0] - ops.sum(gates * flows, axis=-1)


def _penalties(schema: Schema, penalty: Any) -> list[float]:
    """Returns the gate penalty of every task."""
    if not isinstance(penalty, Mapping):
        check_number("gate_penalty", penalty, above=-math.inf)
        return [float(penalty)] * len(schema.tasks)
    for name, value in penalty.items():
        if name not in schema.task_names:
            raise ValueError(nearest_name(name, schema.task_names, "task"))
        check_number(f"gate_penalty of {name!r}", value, above=-math.inf)
    return [float(penalty.get(name, 0.0)) for name in schema.task_names]
