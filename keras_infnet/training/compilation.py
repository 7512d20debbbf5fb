"""The recommended optimisers, losses and metrics of a ranking model."""

from typing import Any

import keras

from keras_infnet.losses import task_loss_weights, task_losses
from keras_infnet.metrics import task_metrics
from keras_infnet.optimizers import (
    EmbeddingAdagrad,
    LazyAdam,
    RowSparseOptimizer,
    RowwiseAdagrad,
)
from keras_infnet.schema import nearest_name
from keras_infnet.training.callbacks.warm_up import WarmUp
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
    **kwargs: Any,
) -> Any:
    """Compiles a model for its schema; `model.fit` then trains all tasks.

    AdamW trains the dense weights, Adagrad the rows of the table that a batch
    reads. Every task gets its masked loss, weighted as the schema says, and
    its streaming metrics.

    Args:
        model: a model of `keras_infnet.models`.
        learning_rate: float. Of AdamW. Defaults to `1e-3`.
        embedding_learning_rate: float. Of the tables. Defaults to `0.05`.
        weight_decay: float. Of AdamW, decoupled. Defaults to `1e-4`.
        warmup_steps: integer. Steps in which both rates rise linearly.
            Defaults to `0`.
        decay_steps: integer or `None`. Steps of a cosine decay behind the
            warm-up; `None` for none. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights, which
            replace the last ones at the end of `fit`; `None` for none.
            Defaults to `None`.
        global_clipnorm: float or `None`. Largest norm of all gradients
            together, those of tables included. Defaults to `None`.
        embedding_optimizer: `"adagrad"`, `"rowwise_adagrad"` (less memory)
            or `"lazy_adam"` (with a lower rate). Defaults to `"adagrad"`.
        optimizer: optimiser in place of the one that these numbers make, or
            `None`. Defaults to `None`.
        **kwargs: Further arguments of `model.compile`, for example
            `jit_compile`.

    Returns:
        The model.

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
    model.compile(
        optimizer=optimizer,
        loss=task_losses(model.schema),
        loss_weights=task_loss_weights(model.schema),
        weighted_metrics=task_metrics(model.schema),
        **kwargs,
    )
    return model


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
    """Makes the optimiser of `compile_ranker`.

    Args:
        learning_rate: float. Of AdamW. Defaults to `1e-3`.
        embedding_learning_rate: float. Of the tables. Defaults to `0.05`.
        weight_decay: float. Of AdamW. Defaults to `1e-4`.
        warmup_steps: integer. See `WarmUp`. Defaults to `0`.
        decay_steps: integer or `None`. See `WarmUp`. Defaults to `None`.
        ema_momentum: float or `None`. Momentum of averaged weights. Defaults
            to `None`.
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
    check_number("embedding_learning_rate", embedding_learning_rate, above=0.0)
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
    dense = keras.optimizers.AdamW(
        WarmUp(learning_rate, warmup_steps, decay_steps),
        weight_decay=weight_decay,
        **average,
    )
    table = EMBEDDING_OPTIMIZERS[embedding_optimizer](
        WarmUp(embedding_learning_rate, warmup_steps, decay_steps), **average
    )
    return RowSparseOptimizer(dense, table, global_clipnorm=global_clipnorm)
