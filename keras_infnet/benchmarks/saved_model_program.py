"""A C++ program that serves models: compiled, called, its answers read.

It loads SavedModels and calls them with the functions that TensorFlow Serving
calls, without Python. Requests go to it, and answers come back, as messages
of TensorFlow, so that also what no Python client would let through can be
sent.
"""

import dataclasses
import importlib.util
import json
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "Answer",
    "Crashed",
    "Declared",
    "SavedModelProgram",
    "compile_program",
    "problem",
    "tensor_proto",
]

SOURCE = Path(__file__).parent / "cpp" / "load_saved_model.cc"
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


class Crashed(RuntimeError):
    """The program ended by itself.

    `answered` is the number of requests that it answered before.
    """

    def __init__(self, message: str, answered: int) -> None:
        super().__init__(message)
        self.answered = answered


@dataclasses.dataclass(frozen=True)
class Answer:
    """Outputs of a request, or why there are none."""

    code: str
    message: str
    outputs: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Declared:
    """What a signature declares.

    `inputs` and `outputs` map names to pairs of a dtype and a shape, -1 where
    it is free; `defaults` maps names to arrays.
    """

    method: str
    inputs: dict[str, tuple[str, list[int]]]
    outputs: dict[str, tuple[str, list[int]]]
    defaults: dict[str, np.ndarray]


# ---------------------------------------------------------------- compiling


def problem() -> str | None:
    """Tells why the program cannot be compiled here, if it cannot."""
    if shutil.which("g++") is None:
        return "there is no g++"
    for library in _LIBRARIES:
        if not (_tensorflow() / library).is_file():
            return f"this TensorFlow comes without {library}"
    return None


def compile_program(folder: Path) -> Path:
    """Compiles into `folder`, once: another process is waited for."""
    import fcntl  # Not on Windows, which has another library as well.

    program = folder / "load_saved_model"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        tensorflow, new = _tensorflow(), program.with_suffix(".new")
        command = ["g++", "-std=c++17", "-O2", "-w"]
        # As the wheel is compiled.
        command += ["-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64"]
        command += [f"-I{tensorflow / 'include'}", str(SOURCE), "-o", str(new)]
        # Kernels register themselves: nothing refers to their library.
        command += [f"-L{tensorflow}", "-Wl,--no-as-needed"]
        command += [f"-l:{name}" for name in _LIBRARIES]
        command += [f"-Wl,-rpath,{tensorflow}"]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            raise RuntimeError(f"g++ failed:\n{result.stderr[-3000:]}")
        new.replace(program)
    return program


def _tensorflow() -> Path:
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        return Path("tensorflow-is-not-installed")
    return Path(spec.submodule_search_locations[0])


# ----------------------------------------------------------------- messages


def tensor_proto(array: Any) -> Any:
    """Makes the message of an array, of text where its dtype is object."""
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2

    array = np.asarray(array)
    if array.dtype.kind in "US":
        array = array.astype(object)
    proto = tensor_pb2.TensorProto()
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if array.dtype == object:
        proto.dtype = tf.string.as_datatype_enum
        proto.string_val.extend(
            text.encode() if isinstance(text, str) else text
            for text in array.ravel()
        )
    else:
        proto.dtype = tf.as_dtype(array.dtype).as_datatype_enum
        proto.tensor_content = array.tobytes()
    return proto


def _request_bytes(signature: str, inputs: Mapping[str, Any]) -> bytes:
    from tensorflow.core.framework import tensor_pb2
    from tensorflow.core.protobuf import named_tensor_pb2

    parts = [_blob(signature.encode()), struct.pack("<Q", len(inputs))]
    for name, value in inputs.items():
        if not isinstance(value, tensor_pb2.TensorProto):
            value = tensor_proto(value)
        message = named_tensor_pb2.NamedTensorProto(name=name, tensor=value)
        parts.append(_blob(message.SerializeToString()))
    return b"".join(parts)


def _blob(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


class _Reader:
    """Reads numbers and bytes; what is cut short raises `EOFError`."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.position = 0

    def __bool__(self) -> bool:
        return self.position < len(self.content)

    def take(self, count: int) -> bytes:
        part = self.content[self.position : self.position + count]
        if len(part) < count:
            raise EOFError
        self.position += count
        return part

    def number(self) -> int:
        (value,) = struct.unpack("<Q", self.take(8))
        return value

    def blob(self) -> bytes:
        return self.take(self.number())


def _read_answers(content: bytes) -> list[Answer]:
    import tensorflow as tf
    from tensorflow.core.protobuf import named_tensor_pb2

    names = {
        value: name.removesuffix("_CODE")
        for name, value in vars(tf.errors).items()
        if isinstance(value, int)
    }
    reader, answers = _Reader(content), []
    try:
        while reader:
            code = names.get(reader.number(), "UNHEARD_OF")
            message = reader.blob().decode(errors="replace")
            outputs = {}
            for _ in range(reader.number()):
                output = named_tensor_pb2.NamedTensorProto()
                output.ParseFromString(reader.blob())
                outputs[output.name] = tf.make_ndarray(output.tensor)
            answers.append(Answer(code, message, outputs))
    except EOFError:  # The process died while it wrote.
        pass
    return answers


# ------------------------------------------------------------------ calling


class SavedModelProgram:
    """Loads and calls SavedModels in processes without Python."""

    def __init__(self, path: Path, folder: Path, threads: int = 1) -> None:
        self.path = path
        self.folder = folder
        self.threads = threads

    def describe(self, model: Path) -> tuple[set[str], dict[str, Declared]]:
        """Returns the tags and the signatures of a SavedModel."""
        import tensorflow as tf
        from tensorflow.core.protobuf import meta_graph_pb2

        out = self.folder / "description"
        self._call(["describe", model, out])
        graph = meta_graph_pb2.MetaGraphDef.FromString(out.read_bytes())

        def infos(tensors: Any) -> dict[str, tuple[str, list[int]]]:
            return {
                name: (
                    tf.as_dtype(info.dtype).name,
                    [dim.size for dim in info.tensor_shape.dim],
                )
                for name, info in tensors.items()
            }

        return set(graph.meta_info_def.tags), {
            name: Declared(
                found.method_name,
                infos(found.inputs),
                infos(found.outputs),
                {k: tf.make_ndarray(v) for k, v in found.defaults.items()},
            )
            for name, found in graph.signature_def.items()
            if not name.startswith("__")
        }

    def run(
        self, model: Path, requests: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> list[Answer]:
        """Answers requests: pairs of a signature and its inputs.

        Inputs are arrays, or messages where these must be odd.
        """
        count, answers = self._write(requests), self.folder / "answers"
        answers.unlink(missing_ok=True)
        error = None
        try:
            self._call(["run", model, self.folder / "requests", answers])
        except Crashed as crash:
            error = crash
        found = _read_answers(answers.read_bytes()) if answers.exists() else []
        if error is not None or len(found) != count:
            message = error or "the program ended early"
            raise Crashed(
                f"{len(found)} of {count} requests were answered. {message}",
                len(found),
            )
        return found

    def time(
        self,
        models: Iterable[Path],
        requests: Iterable[tuple[str, Mapping[str, Any]]],
        repeats: int = 100,
        warm_up: int = 10,
    ) -> list[dict[str, Any]]:
        """Times calls; one dict for a model and a request, as it is printed."""
        self._write(requests)
        output = self._call(
            ["--repeats", repeats, "--warm-up", warm_up]
            + ["time", self.folder / "requests", *models]
        )
        return [json.loads(line) for line in output.splitlines()]

    def _write(self, requests: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        count = 0
        with open(self.folder / "requests", "wb") as file:
            for signature, inputs in requests:
                file.write(_request_bytes(signature, inputs))
                count += 1
        return count

    def _call(self, arguments: list[Any]) -> str:
        threads = str(self.threads)
        result = subprocess.run(
            [
                *(str(self.path), "--intra", threads, "--inter", threads),
                *(str(argument) for argument in arguments),
            ],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=600,
        )
        status = result.returncode
        if status:
            how = (
                f"was killed by {signal.Signals(-status).name}"
                if status < 0
                else f"ended with status {status}"
            )
            raise Crashed(f"The program {how}:\n{result.stderr[-3000:]}", 0)
        return result.stdout
