"""A C++ program that calls SavedModels without Python, as a server does."""

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

__all__ = ["Crashed", "SavedModelProgram", "compile_program", "problem"]

SOURCE = Path(__file__).parent / "cpp" / "load_saved_model.cc"
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")

# Signature and inputs.
Request = tuple[str, Mapping[str, Any]]


class Crashed(RuntimeError):
    """Raised when the program does not exit with status 0."""


def problem() -> str | None:
    """Returns why the program cannot be compiled here, or `None`."""
    if shutil.which("g++") is None:
        return "there is no g++"
    for library in _LIBRARIES:
        if not (_tensorflow() / library).is_file():
            return f"this TensorFlow has no {library}"
    return None


def compile_program(folder: Path) -> Path:
    """Compiles into `folder`, unless another process has done so."""
    import fcntl  # not on Windows, whose TensorFlow lacks the libraries

    program = folder / "load_saved_model"
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if program.exists():
            return program
        tensorflow, new = _tensorflow(), program.with_suffix(".new")
        command = ["g++", "-std=c++17", "-O2", "-w"]
        # Must match the options of the wheel.
        command += ["-D_GLIBCXX_USE_CXX11_ABI=1", "-DEIGEN_MAX_ALIGN_BYTES=64"]
        command += [f"-I{tensorflow / 'include'}", str(SOURCE), "-o", str(new)]
        # Kernels register themselves, without any reference to their library.
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


class SavedModelProgram:
    """Calls SavedModels in processes without Python.

    Inputs of requests are arrays or `TensorProto` messages.
    """

    def __init__(self, path: Path, folder: Path, threads: int = 1) -> None:
        self.path = path
        self.folder = folder
        self.threads = threads

    def time(
        self,
        models: Iterable[Path],
        requests: Iterable[Request],
        repeats: int = 100,
        warm_up: int = 10,
    ) -> list[dict[str, Any]]:
        """Times calls; returns the line of each model and request."""
        self.write(requests)
        output = self.call(
            ["--repeats", repeats, "--warm-up", warm_up]
            + ["time", self.folder / "requests", *models]
        )
        return [json.loads(line) for line in output.splitlines()]

    def write(self, requests: Iterable[Request]) -> int:
        """Writes the file of requests and returns their number."""
        count = 0
        with open(self.folder / "requests", "wb") as file:
            for signature, inputs in requests:
                file.write(_request_bytes(signature, inputs))
                count += 1
        return count

    def call(self, arguments: Iterable[Any]) -> str:
        """Runs the program and returns its output."""
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
            raise Crashed(f"The program {how}:\n{result.stderr[-3000:]}")
        return result.stdout


def _request_bytes(signature: str, inputs: Mapping[str, Any]) -> bytes:
    import tensorflow as tf
    from tensorflow.core.framework import tensor_pb2
    from tensorflow.core.protobuf import named_tensor_pb2

    parts = [_blob(signature.encode()), struct.pack("<Q", len(inputs))]
    for name, value in inputs.items():
        if not isinstance(value, tensor_pb2.TensorProto):
            value = tf.make_tensor_proto(value)
        message = named_tensor_pb2.NamedTensorProto(name=name, tensor=value)
        parts.append(_blob(message.SerializeToString()))
    return b"".join(parts)


def _blob(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content
