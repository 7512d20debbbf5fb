"""Environments of the processes that tests start."""

import os

__all__ = ["environment_of", "quick_to_compile"]


def quick_to_compile(backend):
    """Variables that make a backend compile fast rather than run fast.

    Compiling is most of what small tests do on JAX.
    """
    if backend != "jax":
        return {}
    return {
        "XLA_FLAGS": "--xla_backend_optimization_level=0 "
        "--xla_cpu_use_fusion_emitters=false"
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
