"""Models whose embedding tables are trained by rows."""

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
    """Base class: `compile` and `fit` that train the tables by rows.

    The tables are those of its `keras_infnet.layers.StackedEmbedding`
    layers, which read inputs of the model.
    """

    jit_compile: Any
    # Whether XLA compiles the step on TensorFlow, but for the tables.
    _compiles = False

    def compile(
        self,
        optimizer: Any = "adamw",
        *args: Any,
        embedding_optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        """Configures training; embedding tables are trained by rows.

        Time and memory of a step then depend on the batch and not on the
        vocabulary.

        Args:
            optimizer: Keras optimizer, or its name, for the dense weights; or
                `keras_infnet.optimizers.RowSparseOptimizer` for all. Defaults
                to `"adamw"`.
            *args: Further arguments of `keras.Model.compile`.
            embedding_optimizer: optimizer of `keras_infnet.optimizers` for
                the tables, `None` for `RowwiseAdagrad`, or `"dense"` to give
                `optimizer` the whole tables, as Keras does. Defaults to
                `None`.
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If an optimizer is of a wrong kind, or asks for what
                tables that are trained by rows do not have.
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
                "`optimizer` has an optimizer for the tables already: "
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
        # Writing an `.h5` file, Keras removes the optimizer from them.
        if self.compiled and "optimizer" not in self._compile_config.config:
            self._compile_config.config["optimizer"] = self.optimizer
        return super().get_compile_config()

    def compile_from_config(self, config: Any) -> None:
        """Compiles as `get_compile_config` describes."""
        config = keras.saving.deserialize_keras_object(config)
        if not isinstance(config["optimizer"], RowSparseOptimizer):
            config["embedding_optimizer"] = "dense"
        self.compile(**config)
        self.optimizer.build(self.trainable_variables)

    def train_step(self, *args: Any) -> Any:
        """One step of training; by rows, where the optimizer does so."""
        layers = self._tables_by_rows()
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
            or not self._tables_by_rows()
        ):
            return super().make_train_function(force)
        # XLA would copy a table that is read and written inside.
        self._compiles, self.jit_compile = self.jit_compile, False
        try:
            return super().make_train_function(force)
        finally:
            self.jit_compile = self._compiles

    def _tables_by_rows(self) -> list[Any]:
        """Layers whose tables the optimizer trains by rows."""
        if not isinstance(self.optimizer, RowSparseOptimizer):
            return []
        return [
            layer
            for layer in self.layers
            if isinstance(layer, StackedEmbedding) and layer.trainable
        ]
