"""Answers and descriptions of SavedModels, from the C++ program."""

import dataclasses
import io
import struct

import numpy as np

from keras_infnet.benchmarks.saved_model_program import (
    Crashed,
    SavedModelProgram,
)

__all__ = ["Answer", "CppProgram", "Signature", "tensor_proto"]


@dataclasses.dataclass(frozen=True)
class Answer:
    """Outputs of a request, or the code and message of its error."""

    code: str
    message: str
    outputs: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Signature:
    """Dtypes and shapes of a signature, with -1 for free axes."""

    method: str
    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]
    defaults: dict[str, np.ndarray]


class CppProgram(SavedModelProgram):
    """Describes SavedModels and answers requests to them."""

    def describe(self, model):
        """Returns the tags and the signatures of a SavedModel."""
        import tensorflow as tf
        from tensorflow.core.protobuf import meta_graph_pb2

        out = self.folder / "description"
        self.call(["describe", model, out])
        graph = meta_graph_pb2.MetaGraphDef.FromString(out.read_bytes())

        def infos(tensors):
            return {
                name: (
                    tf.as_dtype(info.dtype).name,
                    [dim.size for dim in info.tensor_shape.dim],
                )
                for name, info in tensors.items()
            }

        return set(graph.meta_info_def.tags), {
            name: Signature(
                found.method_name,
                infos(found.inputs),
                infos(found.outputs),
                {k: tf.make_ndarray(v) for k, v in found.defaults.items()},
            )
            for name, found in graph.signature_def.items()
            if not name.startswith("__")
        }

    def run(self, model, requests):
        """Answers requests, pairs of a signature and its inputs.

        `Crashed` has the number of requests that were `answered`.
        """
        count, path = self.write(requests), self.folder / "answers"
        path.unlink(missing_ok=True)
        message = "the program ended early"
        try:
            self.call(["run", model, self.folder / "requests", path])
            crashed = False
        except Crashed as error:
            message, crashed = str(error), True
        answers = read_answers(path.read_bytes()) if path.exists() else []
        if crashed or len(answers) != count:
            error = Crashed(f"{len(answers)} of {count} answered. {message}")
            error.answered = len(answers)
            raise error
        return answers


def read_answers(content):
    import tensorflow as tf
    from tensorflow.core.protobuf import named_tensor_pb2

    names = {
        value: name.removesuffix("_CODE")
        for name, value in vars(tf.errors).items()
        if isinstance(value, int)
    }
    stream, answers = io.BytesIO(content), []

    def number():
        return struct.unpack("<Q", stream.read(8))[0]

    def blob():
        size = number()
        found = stream.read(size)
        if len(found) < size:
            raise EOFError
        return found

    try:
        while stream.tell() < len(content):
            code = names.get(number(), "UNHEARD_OF")
            message = blob().decode(errors="replace")
            outputs = {}
            for _ in range(number()):
                output = named_tensor_pb2.NamedTensorProto.FromString(blob())
                outputs[output.name] = tf.make_ndarray(output.tensor)
            answers.append(Answer(code, message, outputs))
    except (EOFError, struct.error):
        pass  # the process died while it wrote
    return answers


def tensor_proto(array):
    """A message with `tensor_content` also for a single number."""
    import tensorflow as tf

    array = np.asarray(array)
    proto = tf.make_tensor_proto(array)
    if array.dtype.kind not in "OUS":
        proto = type(proto)(
            dtype=proto.dtype,
            tensor_shape=proto.tensor_shape,
            tensor_content=array.tobytes(),
        )
    return proto
