"""The recommended optimizers, losses and metrics of a ranking model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_infnet.losses import task_loss_weights, task_losses
from keras_infnet.metrics import task_metrics
from keras_infnet.optimizers import (
    EmbeddingAdagrad,
    LazyAdam,
    RowSparseOptimizer,
    RowwiseAdagrad,
)
from keras_infnet.schema import nearest_name
from keras_infnet.training.learning_rates import WarmUp
from keras_infnet.utils.argument_checks import check_number

__all__ = ["EMBEDDING_OPTIMIZERS", "compile_ranker", "make_optimizer"]

#: Optimizers of embedding tables by their names in settings.
EMBEDDING_OPTIMIZERS = {
    "adagrad": EmbeddingAdagrad,
    "rowwise_adagrad": RowwiseAdagrad,
    "lazy_adam": LazyAdam,
}


def compile_ranker(
    model: Any,
    learning_rate: float = 1e-3,
    embedding_learning_rate: float = 0.05,
    weight_decay: float = 1e-4,
    warmup_steps: int = 0,
    decay_steps: int | None = None,
    ema_momentum: float | None = None,
    global_clipnorm: float | None = None,
    embedding_optimizer: str = "adagrad",
    optimizer: Any = None,
    loss: Any = None,
    loss_weights: Mapping[str, float] | None = None,
    weighted_metrics: Any = None,
    **kwargs: Any,
) -> Any:
    """Compiles a model with the losses and metrics of its schema.

    AdamW updates the dense weights, Adagrad the table rows that a batch reads.
    Every task gets a loss that ignores missing labels, with the weight of the
    schema, and streaming metrics. Without warm-up and decay, callbacks such as
    `keras.callbacks.ReduceLROnPlateau` can set `model.optimizer.learning_rate`
    (the rate of AdamW): both rates then change by the same factor.

    Args:
        model: a model of `keras_infnet.models`.
        learning_rate: float. This and the arguments up to
            `embedding_optimizer` are those of `make_optimizer`. Defaults to
            `1e-3`.
        embedding_learning_rate: float. Defaults to `0.05`.
        weight_decay: float. Defaults to `1e-4`.
        warmup_steps: integer. Defaults to `0`.
        decay_steps: integer or `None`. Defaults to `None`.
        ema_momentum: float or `None`. Defaults to `None`.
        global_clipnorm: float or `None`. Defaults to `None`.
        embedding_optimizer: string. Defaults to `"adagrad"`.
        optimizer: optimizer that replaces the result of `make_optimizer`, or
            `None`. Defaults to `None`.
        loss: loss for all tasks, or dict of task name to loss for some tasks,
            that replaces the standard losses, or `None`. Rows without a label
            have weight 0 in `keras_infnet.data.Batches`; Keras losses average
            over the other rows only with
            `reduction="mean_with_sample_weight"`. Defaults to `None`.
        loss_weights: dict of task name to float that replaces the weights of
            the schema, or `None`. Defaults to `None`.
        weighted_metrics: metric or list of metrics for all tasks, or dict of
            task name to metrics, in addition to the standard metrics.
            Defaults to `None`.
        **kwargs: Further arguments of `model.compile`, for example
            `jit_compile`.

    Returns:
        The model.

    Raises:
        ValueError: If a number is out of range, `loss_weights` is not a dict
            of numbers, `loss` is a list, or an optimizer or task is unknown.

    Example:

    >>> from keras_infnet.models import INFNet
    >>> from keras_infnet.schema import Categorical, Schema, Task
    >>> schema = Schema(
    ...     [Categorical("item_id")], [Task("click")],
    ...     table_sizes={"item_id": 10},
    ... )
    >>> model = compile_ranker(INFNet(schema, token_dim=4, num_blocks=1))
    >>> model.compiled
    True
    """
    if optimizer is None:
        optimizer = make_optimizer(
            learning_rate,
            embedding_learning_rate,
            weight_decay,
            warmup_steps,
            decay_steps,
            ema_momentum,
            global_clipnorm,
            embedding_optimizer,
        )
    names = model.schema.task_names
    metrics = task_metrics(model.schema)
    for task, more in _by_task("weighted_metrics", weighted_metrics, names):
        more = more if isinstance(more, Sequence) else [more]
        metrics[task] += [more] if isinstance(more, str) else map(_copy, more)
    weights = _loss_weights(loss_weights, names)
    # A model that learns loss weights refuses given ones.
    if getattr(model, "loss_weighting", "fixed") != "uncertainty":
        weights = {**task_loss_weights(model.schema), **weights}
    model.compile(
        optimizer=optimizer,
        loss={
            **task_losses(model.schema),
            **dict(_by_task("loss", loss, names)),
        },
        loss_weights=weights or None,
        weighted_metrics=metrics,
        **kwargs,
    )
    return model


def _by_task(
    argument: str, value: Any, names: Sequence[str]
) -> list[tuple[str, Any]]:
    """Returns pairs of task and value; `value` is for all tasks or a dict."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        if argument == "loss" and isinstance(value, (list, tuple)):
            raise ValueError(
                "`loss` must be one loss for all tasks or a dict of task name "
                f"to loss, not a list. Received: loss={value!r}."
            )
        return [(name, value) for name in names]
    for name in value:
        if name not in names:
            raise ValueError(
                f"{nearest_name(name, names, 'task')} Received: "
                f"{argument}={value!r}."
            )
    return list(value.items())


def _loss_weights(value: Any, names: Sequence[str]) -> dict[str, float]:
    """Returns loss weights by task, checked to be finite and at least 0."""
    if value is not None and not isinstance(value, Mapping):
        raise ValueError(
            "`loss_weights` must be a dict of task name to number. "
            f"Received: loss_weights={value!r}."
        )
    weights = dict(_by_task("loss_weights", value, names))
    for task, weight in weights.items():
        number = weight.item() if isinstance(weight, np.number) else weight
        check_number(f"loss_weights[{task!r}]", number)
        weights[task] = float(number)
    return weights


def _copy(metric: Any) -> Any:
    """Returns a copy, since a metric holds the state of one task."""
    if isinstance(metric, keras.metrics.Metric):
        return type(metric).from_config(metric.get_config())
    return metric


def make_optimizer(
    learning_rate: float = 1e-3,
    embedding_learning_rate: float = 0.05,
    weight_decay: float = 1e-4,
    warmup_steps: int = 0,
    decay_steps: int | None = None,
    ema_momentum: float | None = None,
    global_clipnorm: float | None = None,
    embedding_optimizer: str = "adagrad",
) -> Any:
    """Makes the optimizer of `compile_ranker`.

    Args:
        learning_rate: float. Learning rate of AdamW. Defaults to `1e-3`.
        embedding_learning_rate: float. Learning rate of the tables. Defaults
            to `0.05`.
        weight_decay: float. Decoupled weight decay of AdamW. Defaults to
            `1e-4`.
        warmup_steps: integer. Steps of a linear warm-up of both rates; see
            `WarmUp`. Defaults to `0`.
        decay_steps: integer or `None`. Steps of a cosine decay after the
            warm-up; `None` for none. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights, which
            replace the last ones at the end of `fit`; `None` for none.
            Defaults to `None`.
        global_clipnorm: float or `None`. Maximum global norm of all gradients,
            including those of tables. Defaults to `None`.
        embedding_optimizer: `"adagrad"`, `"rowwise_adagrad"` (less memory)
            or `"lazy_adam"` (with a lower rate). Defaults to `"adagrad"`.

    Returns:
        A `keras_infnet.optimizers.RowSparseOptimizer`.

    Raises:
        ValueError: If a number is out of range or a name is unknown.

    Example:

    >>> optimizer = make_optimizer()
    >>> type(optimizer.dense).__name__, type(optimizer.embedding).__name__
    ('AdamW', 'EmbeddingAdagrad')
    """
    rates = {
        "learning_rate": learning_rate,
        "embedding_learning_rate": embedding_learning_rate,
    }
    for name, rate in rates.items():
        check_number(name, rate, above=0.0)
    check_number("warmup_steps", warmup_steps, kind=int)
    check_number("weight_decay", weight_decay)
    if ema_momentum is not None:
        check_number("ema_momentum", ema_momentum, below=1.0)
    if global_clipnorm is not None:
        check_number("global_clipnorm", global_clipnorm, above=0.0)
    if embedding_optimizer not in EMBEDDING_OPTIMIZERS:
        raise ValueError(
            nearest_name(
                embedding_optimizer,
                EMBEDDING_OPTIMIZERS,
                "embedding optimizer",
            )
        )
    average: dict[str, Any] = {}
    if ema_momentum is not None:
        average = {"use_ema": True, "ema_momentum": ema_momentum}
    # Callbacks can set a constant rate, but not that of a schedule.
    dense_rate, table_rate = (
        WarmUp(rate, warmup_steps, decay_steps)
        if warmup_steps or decay_steps is not None
        else rate
        for rate in rates.values()
    )
    dense = keras.optimizers.AdamW(
        dense_rate, weight_decay=weight_decay, **average
    )
    table = EMBEDDING_OPTIMIZERS[embedding_optimizer](table_rate, **average)
    return RowSparseOptimizer(dense, table, global_clipnorm=global_clipnorm)
