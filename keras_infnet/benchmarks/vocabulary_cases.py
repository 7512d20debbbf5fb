"""Models and sizes of the vocabulary benchmark."""

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_infnet.benchmarks.machine import accelerator
from keras_infnet.benchmarks.memory import available_memory
from keras_infnet.benchmarks.peers import stock_keras
from keras_infnet.benchmarks.random_batches import random_batches
from keras_infnet.benchmarks.report import size
from keras_infnet.benchmarks.settings import VocabularySettings
from keras_infnet.benchmarks.step_timing import prepared
from keras_infnet.losses import task_losses
from keras_infnet.models import Features, INFNet, Ranker
from keras_infnet.optimizers import RowwiseAdagrad
from keras_infnet.schema import Schema

__all__ = [
    "EmbeddingOnly",
    "MODELS",
    "Plan",
    "ROW_SPARSE",
    "fitting_plans",
    "make_data",
    "make_model",
]

#: Titles of the models.
MODELS = {"embedding": "embedding and update only", "infnet": "INFNet"}
#: Training with updates of the rows of a batch, as this package does.
ROW_SPARSE = "row-sparse"
DENSE = "dense optimizer"
STOCK = "stock layers"
# Copies of a table in a dense step: table, accumulator, gradient and one more
# inside the backend.
_COPIES = {ROW_SPARSE: 1, DENSE: 4, STOCK: 4}


class EmbeddingOnly(Ranker):
    """Sums the embeddings of all fields, with one output unit per task.

    Its step time is that of the embedding lookup and of the update.
    """

    def __init__(
        self,
        schema: Schema,
        dim: int = 32,
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        initializer = keras.initializers.get(embeddings_initializer)
        features = Features(schema, dim, initializer, kwargs.get("dtype"))
        pooled = ops.sum(features.fields, axis=1)
        outputs = {
            name: keras.layers.Dense(1, "sigmoid", dtype="float32", name=name)(
                pooled
            )
            for name in schema.task_names
        }
        super().__init__(schema, features.inputs, outputs, **kwargs)
        self.dim = dim
        self.embeddings_initializer = initializer

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dim": self.dim,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
        }


@dataclasses.dataclass(frozen=True)
class Plan:
    """One case: a model, its training, and the total rows of its tables."""

    model: str
    training: str
    rows: int

    @property
    def name(self) -> str:
        return f"{MODELS[self.model]}, {self.training}, {self.rows:,} rows"

    def bytes(self, dim: int) -> int:
        """Returns the memory of the tables, accumulators and gradients."""
        return self.rows * 4 * (dim * _COPIES[self.training] + 1)


def fitting_plans(settings: VocabularySettings) -> tuple[list[Plan], list[str]]:
    """Returns the cases that fit in memory, and a note per skipped case."""
    wanted = [
        Plan(model, training, rows)
        for model in MODELS
        for training, sizes in (
            (ROW_SPARSE, settings.rows),
            (DENSE, settings.dense_rows),
            (STOCK, settings.dense_rows if model == "embedding" else ()),
        )
        for rows in sizes
    ]
    # Tables on an accelerator raise its own error when it is full.
    free = None if accelerator() else available_memory()
    # Initializing tables temporarily takes several copies.
    left = float("inf") if free is None else 0.6 * free
    plans, notes = [], []
    for plan in sorted(wanted, key=lambda plan: plan.bytes(settings.dim)):
        needed = plan.bytes(settings.dim)
        if needed > left:
            notes.append(
                f"Skipped: {plan.name} needs about {size(needed)}; "
                f"{size(left)} are left."
            )
            continue
        left -= needed
        plans.append(plan)
    return [plan for plan in wanted if plan in plans], notes


def make_data(schema: Schema, settings: VocabularySettings) -> Any:
    """Draws the batches of a round, in the fastest form for the backend."""
    return prepared(
        random_batches(
            schema, settings.batch_size, settings.steps, settings.zipf
        )
    )


def make_model(
    plan: Plan,
    schema: Schema,
    settings: VocabularySettings,
    start: Any = "uniform",
) -> Any:
    """Builds and compiles the model of a case."""
    dim, dtype = settings.dim, settings.dtype
    if plan.training == STOCK:
        return stock_keras.embedding_only(schema, dim, dtype)
    if plan.model == "embedding":
        model: Any = EmbeddingOnly(schema, dim, start, dtype=dtype)
    else:
        model = INFNet.from_preset(
            "small",
            schema,
            token_dim=dim,
            embeddings_initializer=start,
            dtype=dtype,
        )
    # The dense weights have the same optimizer in all cases.
    model.compile(
        optimizer=keras.optimizers.Adagrad(0.05),
        embedding_optimizer=RowwiseAdagrad(0.05)
        if plan.training == ROW_SPARSE
        else "dense",
        loss=task_losses(schema),
    )
    return model
