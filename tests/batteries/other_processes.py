"""Environments of the processes that tests start."""

import importlib.metadata
import os
import pathlib
import tempfile

__all__ = ["environment_of", "quick_to_compile"]


def quick_to_compile(backend):
    """Returns variables that make JAX compile fast rather than run fast.

    Small tests on JAX spend most of their time compiling.
    """
    if backend != "jax":
        return {}
    flags = "--xla_backend_optimization_level=0"
    flags += " --xla_cpu_parallel_codegen_split_count=1"
    version = importlib.metadata.version("jaxlib").split(".")
    if [int(part) for part in version[:2]] < [0, 11]:
        # XLA ends the process for a flag that it does not know.
        flags += " --xla_cpu_use_fusion_emitters=false"
    # Compiled programs are cached for other processes and the next run.
    programs = pathlib.Path(tempfile.gettempdir()) / "keras_infnet_jax_programs"
    return {
        "XLA_FLAGS": flags,
        "JAX_COMPILATION_CACHE_DIR": str(programs),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "0",
    }


def environment_of(backend, **variables):
    """Environment of a process on a backend.

    Args:
        backend: `"tensorflow"`, `"jax"` or `"torch"`.
        **variables: strings, beside those of this process.

    Returns:
        Dict of strings.
    """
    return {
        **quick_to_compile(backend),
        **os.environ,
        "KERAS_BACKEND": backend,
        **variables,
    }
