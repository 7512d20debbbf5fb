"""Environments of the processes that tests start."""

import os
import pathlib
import tempfile

__all__ = ["environment_of", "quick_to_compile"]


def quick_to_compile(backend):
    """Variables that make a backend compile fast rather than run fast.

    Compiling is most of what small tests do on JAX.
    """
    if backend != "jax":
        return {}
    # Programs are kept: several processes, and the next run, compile the same.
    programs = pathlib.Path(tempfile.gettempdir()) / "keras_infnet_jax_programs"
    return {
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1",
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
