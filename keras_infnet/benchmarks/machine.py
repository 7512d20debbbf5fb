"""Hardware and software of a benchmark run."""

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
from typing import Any

import keras

from keras_infnet.benchmarks.memory import total_memory
from keras_infnet.version import __version__

__all__ = ["accelerator", "describe_machine", "machine_lines"]

_PACKAGES = ("keras", "numpy", "pandas", "pyarrow")
# Environment variables that affect the speed of a backend.
_VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "JAX_",
    "MKL_",
    "OMP_",
    "TF_ENABLE_",
    "TF_NUM_",
    "TF_XLA_",
    "TORCH_",
    "XLA_",
)


def describe_machine() -> dict[str, Any]:
    """Describes machine, system and versions.

    Example:

    >>> describe_machine()["cores"] >= 1
    True
    """
    backend = keras.backend.backend()
    versions = {"python": platform.python_version()}
    versions["keras_infnet"] = __version__
    for package in (*_PACKAGES, backend):
        versions[package] = _version(package)
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(
            timespec="seconds"
        ),
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_bytes": total_memory(),
        "accelerator": accelerator(),
        "system": platform.platform(),
        "backend": backend,
        "versions": versions,
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_VARIABLES)
        },
    }


def machine_lines(machine: dict[str, Any]) -> list[str]:
    """Formats the result of `describe_machine` for the terminal."""
    memory = machine["memory_bytes"]
    parts = [machine["cpu"], f"{machine['cores']} cores"]
    if memory is not None:
        parts.append(f"{memory / 2**30:.0f} GiB memory")
    parts.append(machine["accelerator"] or "no accelerator")
    versions = [f"{k} {v}" for k, v in machine["versions"].items()]
    lines = [", ".join(parts), machine["system"], ", ".join(versions)]
    settings = [f"{k}={v}" for k, v in machine["environment"].items()]
    if settings:
        lines.append(" ".join(settings))
    return [*lines, machine["date"]]


def accelerator() -> str | None:
    """Returns the name of the accelerator that Keras uses, if any."""
    match keras.backend.backend():
        case "torch":
            import torch

            if torch.cuda.is_available():
                return str(torch.cuda.get_device_name(0))
        case "jax":
            import jax

            if jax.default_backend() != "cpu":
                return str(jax.devices()[0].device_kind)
        case "tensorflow":
            import tensorflow as tf

            for device in tf.config.list_physical_devices("GPU"):
                details = tf.config.experimental.get_device_details(device)
                return str(details.get("device_name", device.name))
    return None


def _version(package: str) -> str:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    with contextlib.suppress(OSError):
        text = pathlib.Path("/proc/cpuinfo").read_text("utf-8")
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "unknown"
