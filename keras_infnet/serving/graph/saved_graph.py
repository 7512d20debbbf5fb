"""The signatures of an exported model as a TensorFlow graph."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from keras_infnet.models.graph_rewrites.shared_inputs import share_inputs
from keras_infnet.schema import InputSpec, Schema
from keras_infnet.serving.calibration.calibration import Calibration
from keras_infnet.serving.graph.example_parsing import parse_examples
from keras_infnet.serving.graph.fusion import Fusion
from keras_infnet.serving.graph.preprocessing import GraphEncoder, tidy_inputs
from keras_infnet.serving.graph.signatures import (
    ENCODED,
    EXAMPLES,
    INDEX,
    RANK,
    RANK_TOP_K,
    RAW,
    SCORE,
    Signature,
    missing_value,
    shared_raw_inputs,
    signatures_of,
)

if TYPE_CHECKING:
    from keras_infnet.data.encoding.encoder import Encoder

__all__ = ["save_graph"]


def save_graph(
    model: Any,
    schema: Schema,
    encoder: "Encoder | None",
    path: str,
    fusion: Fusion | None = None,
    calibration: Calibration | None = None,
    jit_compile: bool = False,
) -> None:
    """Writes a SavedModel that needs neither Keras nor this package.

    Without an encoder there are no signatures of raw values. `fusion` is
    computed from calibrated predictions; `None` is the sum of the tasks.
    """
    import tensorflow as tf

    graph = _Graph(model, schema, encoder, fusion, calibration, jit_compile)
    declared = signatures_of(schema, encoder is not None)
    signatures = {
        name: _named_function(
            graph.calls[name], signature, graph.shared.get(name, ())
        )
        for name, signature in declared.items()
    }
    module = tf.Module()
    if graph.encoder is not None:
        # Only tracked tables are filled after loading.
        module.tables = graph.encoder.tables
    module.model_variables = graph.variables()
    tf.saved_model.save(module, path, signatures=signatures)


class _Graph:
    """The functions of the signatures.

    `calls` maps each signature to a function that takes and returns a dict of
    tensors. `shared` maps the ranking signatures to the inputs that have one
    row, which all candidates share.
    """

    def __init__(
        self,
        model: Any,
        schema: Schema,
        encoder: "Encoder | None",
        fusion: Fusion | None,
        calibration: Calibration | None,
        jit_compile: bool,
    ) -> None:
        self.schema = schema
        self.jit_compile = jit_compile or None
        self.calibration = calibration or Calibration(())
        self.fusion = fusion or Fusion.sum_of(schema.task_names)
        self.encoder = None if encoder is None else GraphEncoder(encoder)
        self._predict = self._function(model, ())
        self.calls: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            ENCODED: lambda inputs: self._predict(tidy_inputs(inputs, schema)),
            RAW: self._raw,
            EXAMPLES: self._examples,
            RANK: self._rank,
            RANK_TOP_K: self._rank_top_k,
        }
        one = schema.shared_inputs
        if encoder is not None:
            one = shared_raw_inputs(schema)
        self.shared = dict.fromkeys((RANK, RANK_TOP_K), one)
        if schema.candidates:
            shared = schema.shared_inputs
            # Without shared inputs the model is that of rows.
            own = share_inputs(model, shared) if shared else model
            self._predict_candidates = self._function(own, shared)

    def _function(self, model: Any, shared: tuple[str, ...]) -> Any:
        """Returns a function whose graph several signatures share."""
        import tensorflow as tf

        @tf.function(
            input_signature=[
                {
                    name: tf.TensorSpec(
                        [1 if name in shared else None, *spec.shape],
                        spec.dtype,
                        name,
                    )
                    for name, spec in self.schema.inputs.items()
                }
            ],
            autograph=False,
            jit_compile=self.jit_compile,
        )
        def predict(encoded: dict[str, Any]) -> dict[str, Any]:
            outputs = model(encoded, training=False)
            answers = {
                task: tf.ensure_shape(
                    tf.cast(outputs[task], tf.float32), [None, 1]
                )
                for task in self.schema.task_names
            }
            return self.calibration.apply_tensors(answers)

        return predict

    def variables(self) -> list[Any]:
        """Returns the variables of the model, the only ones in signatures.

        The signatures are not traced for it, since saving traces them again.
        """
        functions = [self._predict]
        if self.schema.candidates:
            functions.append(self._predict_candidates)
        found = {
            id(variable): variable
            for function in functions
            for variable in function.get_concrete_function().variables
        }
        return list(found.values())

    def _raw(self, inputs: dict[str, Any]) -> dict[str, Any]:
        assert self.encoder is not None
        return self._predict(self.encoder.encode(inputs))

    def _examples(self, inputs: dict[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        outputs = self._raw(parse_examples(inputs["inputs"], self.schema))
        names = self.schema.task_names
        scores = tf.concat([outputs[task] for task in names], axis=1)
        classes = tf.broadcast_to(tf.constant([[*names]]), tf.shape(scores))
        return {
            "classes": tf.ensure_shape(classes, [None, len(names)]),
            "scores": scores,
        }

    def _rank(self, inputs: dict[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        schema, shared = self.schema, self.shared[RANK]
        inputs = {
            # Checked before; this sets the static shape.
            name: tf.ensure_shape(tensor, [1, *tensor.shape[1:]])
            if name in shared
            else tensor
            for name, tensor in inputs.items()
        }
        names = schema.shared_inputs
        if self.encoder is None:
            encoded = tidy_inputs(inputs, schema, names)
        else:
            encoded = self.encoder.encode(inputs, names)
        outputs = {
            task: tf.squeeze(values, axis=1)
            for task, values in self._predict_candidates(encoded).items()
        }
        return {**outputs, SCORE: self.fusion.in_graph(outputs)}

    def _rank_top_k(self, inputs: dict[str, Any]) -> dict[str, Any]:
        import tensorflow as tf

        inputs = dict(inputs)
        wanted = inputs.pop("k")
        outputs = self._rank(inputs)
        at_least = tf.debugging.assert_non_negative(
            wanted, "k, the number of candidates, must not be negative"
        )
        with tf.control_dependencies([at_least]):
            count = tf.minimum(wanted, tf.shape(outputs[SCORE])[0])
        _, places = tf.math.top_k(outputs[SCORE], count)
        best = {n: tf.gather(values, places) for n, values in outputs.items()}
        return {
            n: tf.ensure_shape(values, [None])
            for n, values in {**best, INDEX: places}.items()
        }


def _check_rows(
    inputs: Mapping[str, Any], scalars: tuple[str, ...], shared: tuple[str, ...]
) -> dict[str, Any]:
    """Checks that inputs have equally many rows or one, and `shared` one.

    This comes first: a tensor of empty lists takes no bytes, whatever its
    number of rows, but would fill the memory once it is padded.
    """
    import tensorflow as tf

    names = [name for name in inputs if name not in scalars]
    if len(names) == 1:
        return dict(inputs)
    sizes = tf.stack([tf.shape(inputs[n], tf.int64)[0] for n in names])
    empty = tf.reduce_min(sizes) == 0
    rows = tf.where(empty, tf.zeros_like(sizes[0]), tf.reduce_max(sizes))
    fits = (sizes == 1) | (sizes == rows)
    rule = "inputs must have equally many rows, or one row for all."
    if shared:
        fits &= (sizes == 1) | tf.constant([n not in shared for n in names])
        rule += (
            " Inputs that all candidates share must have one row: "
            f"{', '.join(shared)}."
        )
    # The raw operation, since others add a branch to the graph.
    check = tf.raw_ops.Assert(
        condition=tf.reduce_all(fits),
        data=[f"{rule} Received, in the order of {', '.join(names)}:", sizes],
        summarize=len(names),
    )
    with tf.control_dependencies([check]):
        return {
            name: tensor if name in scalars else tf.identity(tensor)
            for name, tensor in inputs.items()
        }


def _named_function(
    function: Callable[[dict[str, Any]], dict[str, Any]],
    signature: Signature,
    shared: tuple[str, ...],
) -> Any:
    """Makes a `tf.function` with one argument per input, of free rows."""
    import tensorflow as tf

    specs, optional = signature.inputs, signature.optional
    # Arguments with a default value come last.
    names = sorted(specs, key=lambda name: name in optional)

    shapes = {
        name: [*([] if name in signature.scalars else [None]), *spec.shape]
        for name, spec in specs.items()
    }

    def call(*tensors: Any) -> dict[str, Any]:
        # Sessions feed tensors of any shape, and some wrong ones would be
        # accepted. The name is part of the error.
        inputs = {
            name: tf.ensure_shape(tensor, shapes[name], name=f"shape_of_{name}")
            for name, tensor in zip(names, tensors, strict=True)
        }
        return function(_check_rows(inputs, signature.scalars, shared))

    def default(name: str, spec: InputSpec) -> Any:
        if name not in optional:
            return inspect.Parameter.empty
        return tf.constant(missing_value(spec), spec.dtype)

    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name,
                inspect.Parameter.POSITIONAL_OR_KEYWORD,
                default=default(name, specs[name]),
            )
            for name in names
        ]
    )
    return tf.function(
        call,
        input_signature=[
            tf.TensorSpec(shapes[name], specs[name].dtype, name)
            for name in names
        ],
        autograph=False,
    )
