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

#: What settings may name.
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
    """Compiles a model for its schema; `model.fit` then trains all tasks.

    AdamW trains the dense weights, Adagrad the rows of the table that a batch
    reads. Every task gets its masked loss, weighted as the schema says, and
    its streaming metrics. Without warm-up and decay, callbacks such as
    `keras.callbacks.ReduceLROnPlateau` can set `model.optimizer.learning_rate`
    (the rate of AdamW): both rates then change by the same factor.

    Args:
        model: a model of `keras_infnet.models`.
        learning_rate: float. See `make_optimizer`, as for the arguments up
            to `embedding_optimizer`. Defaults to `1e-3`.
        embedding_learning_rate: float. Defaults to `0.05`.
        weight_decay: float. Defaults to `1e-4`.
        warmup_steps: integer. Defaults to `0`.
        decay_steps: integer or `None`. Defaults to `None`.
        ema_momentum: float or `None`. Defaults to `None`.
        global_clipnorm: float or `None`. Defaults to `None`.
        embedding_optimizer: string. Defaults to `"adagrad"`.
        optimizer: optimizer in place of the one that these arguments make, or
            `None`. Defaults to `None`.
        loss: loss of every task, or dict of task name to loss, which replaces
            the losses of these tasks; `None` for none. Rows without a label
            have weight 0 in `keras_infnet.data.Batches`; losses of Keras are
            means over the other rows with
            `reduction="mean_with_sample_weight"` only. Defaults to `None`.
        loss_weights: dict of task name to float, in place of the weights of
            these tasks in the schema, or `None`. Defaults to `None`.
        weighted_metrics: metric or list of metrics for every task, or dict of
            task name to such; they are added to the standard metrics.
            Defaults to `None`.
        **kwargs: Further arguments of `model.compile`, for example
            `jit_compile`.

    Returns:
        The model.

    Raises:
        ValueError: If a number is out of range, `loss_weights` is not a dict
            of numbers, `loss` is a list, or an optimizer or task is not
            known.

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
    # A model that learns the weights of the losses takes none.
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
    """Pairs of task and value, of an argument for all tasks or a dict."""
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
    """The given weights by task, each a finite number of at least 0."""
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
    """A metric of its own for every task; they hold their task's sums."""
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
        learning_rate: float. Of AdamW. Defaults to `1e-3`.
        embedding_learning_rate: float. Of the tables. Defaults to `0.05`.
        weight_decay: float. Of AdamW, decoupled. Defaults to `1e-4`.
        warmup_steps: integer. Steps in which both rates rise linearly; see
            `WarmUp`. Defaults to `0`.
        decay_steps: integer or `None`. Steps of a cosine decay after the
            warm-up; `None` for none. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights, which
            replace the last ones at the end of `fit`; `None` for none.
            Defaults to `None`.
        global_clipnorm: float or `None`. Largest norm of all gradients
            together, those of tables included. Defaults to `None`.
        embedding_optimizer: `"adagrad"`, `"rowwise_adagrad"` (less memory)
            or `"lazy_adam"` (with a lower rate). Defaults to `"adagrad"`.

    Returns:
        A `keras_infnet.optimizers.RowSparseOptimizer`.

    Raises:
        ValueError: If a number is out of range or a name not known.

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
    # Callbacks can set a number, and not the rate of a schedule.
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
