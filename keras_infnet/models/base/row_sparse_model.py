"""Models with row-sparse updates of embedding tables."""

from typing import Any

import keras

from keras_infnet.layers import StackedEmbedding
from keras_infnet.optimizers import RowSparseOptimizer
from keras_infnet.training.row_sparse_step.jax_step import jax_step
from keras_infnet.training.row_sparse_step.tensorflow_step import (
    tensorflow_step,
)
from keras_infnet.training.row_sparse_step.torch_step import torch_step

__all__ = ["RowSparseModel"]


class RowSparseModel(keras.Model):
    """Base class of models that update only the table rows a batch reads.

    The tables are those of `keras_infnet.layers.StackedEmbedding` layers that
    read inputs of the model.
    """

    jit_compile: Any
    # Whether XLA compiles the TensorFlow step, except for the tables.
    _compiles = False

    def compile(
        self,
        optimizer: Any = "adamw",
        *args: Any,
        embedding_optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        """Configures training with row-sparse updates of embedding tables.

        Time and memory of a step depend on the batch and not on the size of
        the tables.

        Args:
            optimizer: Keras optimizer, or its name, for the dense weights; or
                `keras_infnet.optimizers.RowSparseOptimizer` for all weights.
                Defaults to `"adamw"`.
            *args: Further arguments of `keras.Model.compile`.
            embedding_optimizer: optimizer of `keras_infnet.optimizers` for
                the tables, `None` for `RowwiseAdagrad`, or `"dense"` to let
                `optimizer` update whole tables, as Keras does. Defaults to
                `None`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If an optimizer has a wrong type, or an option that
                row-sparse updates do not support.
        """
        optimizer = keras.optimizers.get(optimizer)
        ready = isinstance(optimizer, RowSparseOptimizer)
        if isinstance(embedding_optimizer, str):
            if embedding_optimizer != "dense" or ready:
                raise ValueError(
                    "`embedding_optimizer` must be an optimizer of "
                    "`keras_infnet.optimizers`, or 'dense' beside a plain "
                    f"Keras optimizer. Received: {embedding_optimizer!r}."
                )
        elif ready and embedding_optimizer is not None:
            raise ValueError(
                "`optimizer` already has an optimizer for the tables: "
                f"{optimizer.embedding.name}. Received: "
                f"embedding_optimizer={embedding_optimizer!r}."
            )
        elif not ready:
            optimizer = RowSparseOptimizer(optimizer, embedding_optimizer)
        if isinstance(optimizer, RowSparseOptimizer):
            scaled = kwargs.get("auto_scale_loss", True)
            if scaled and self.dtype_policy.name == "mixed_float16":
                optimizer.scale_losses()
            kwargs["auto_scale_loss"] = False
        super().compile(optimizer, *args, **kwargs)

    def get_compile_config(self) -> Any:
        """Returns the arguments of `compile`, as `.keras` files keep them."""
        # Keras removes the optimizer when it writes an `.h5` file.
        if self.compiled and "optimizer" not in self._compile_config.config:
            self._compile_config.config["optimizer"] = self.optimizer
        return super().get_compile_config()

    def compile_from_config(self, config: Any) -> None:
        """Compiles from the result of `get_compile_config`."""
        config = keras.saving.deserialize_keras_object(config)
        if not isinstance(config["optimizer"], RowSparseOptimizer):
            config["embedding_optimizer"] = "dense"
        self.compile(**config)
        self.optimizer.build(self.trainable_variables)

    def train_step(self, *args: Any) -> Any:
        """Trains on a batch, with row-sparse updates if configured."""
        layers = self._row_sparse_layers()
        if not layers:
            return super().train_step(*args)
        match keras.backend.backend():
            case "tensorflow":
                return tensorflow_step(self, layers, args[0], self._compiles)
            case "jax":
                return jax_step(self, layers, args[0], args[1])
            case _:
                return torch_step(self, layers, args[0])

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the function that trains on a batch."""
        if (
            keras.backend.backend() != "tensorflow"
            or not self._row_sparse_layers()
        ):
            return super().make_train_function(force)
        # XLA would copy a table that a compiled function reads and writes.
        self._compiles, self.jit_compile = self.jit_compile, False
        try:
            return super().make_train_function(force)
        finally:
            self.jit_compile = self._compiles

    def _row_sparse_layers(self) -> list[Any]:
        """Returns the layers whose tables get row-sparse updates."""
        if not isinstance(self.optimizer, RowSparseOptimizer):
            return []
        return [
            layer
            for layer in self.layers
            if isinstance(layer, StackedEmbedding) and layer.trainable
        ]
