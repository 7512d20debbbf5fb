"""Settings that must stand before any backend is imported."""

import os

# Two workers of pytest-xdist on two cores: one thread each.
_THREADS = "1" if "PYTEST_XDIST_WORKER" in os.environ else "2"

for _name, _value in {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "MPLBACKEND": "Agg",
    "OMP_NUM_THREADS": _THREADS,
    "TF_NUM_INTRAOP_THREADS": _THREADS,
    "TF_NUM_INTEROP_THREADS": _THREADS,
}.items():
    os.environ.setdefault(_name, _value)

if os.environ["KERAS_BACKEND"] == "jax":
    # Compiling is most of what small tests do on JAX.
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 "
        "--xla_cpu_use_fusion_emitters=false",
    )

# Read as plugins only, not for doctests as well: as modules, the `conftest.py`
# of several folders would all have one name.
collect_ignore_glob = ["*conftest.py"]
