"""Optimizers of embedding tables that update only the rows a batch reads."""

from keras_infnet.optimizers.adagrad import EmbeddingAdagrad, RowwiseAdagrad
from keras_infnet.optimizers.embedding_optimizer import EmbeddingOptimizer
from keras_infnet.optimizers.lazy_adam import LazyAdam
from keras_infnet.optimizers.row_gradients import RowGradients
from keras_infnet.optimizers.row_sparse_optimizer import RowSparseOptimizer

__all__ = [
    "EmbeddingAdagrad",
    "EmbeddingOptimizer",
    "LazyAdam",
    "RowGradients",
    "RowSparseOptimizer",
    "RowwiseAdagrad",
]
