"""Settings that must stand before any backend is imported."""

import gc
import os
import sys

import pytest
from other_processes import quick_to_compile

pytest_plugins = ["other_backends"]

for _name, _value in {
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "MPLBACKEND": "Agg",
    # Processes run beside each other: one thread each.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
}.items():
    os.environ.setdefault(_name, _value)

for _name, _value in quick_to_compile(os.environ["KERAS_BACKEND"]).items():
    os.environ.setdefault(_name, _value)

# Read as plugins only, not for doctests as well: as modules, the `conftest.py`
# of several folders would all have one name.
collect_ignore_glob = ["*conftest.py"]

# Linux lets a process map 65,530 pieces of memory. Compiled programs take
# some each, and JAX keeps all: beyond, it aborts.
_MOST_MAPS = 20_000


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Marks tests that compile the C++ program as long, long ones as slow."""
    for item in items:
        # The C++ program takes a minute to compile.
        if "compiled" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.long)
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.slow)  # for `-m "not slow"`


@pytest.fixture(autouse=True)
def _forget_compiled_programs():
    yield
    if os.environ["KERAS_BACKEND"] != "jax" or "jax" not in sys.modules:
        return
    try:
        with open("/proc/self/maps", "rb") as file:
            maps = sum(1 for _ in file)
    except OSError:  # not Linux
        return
    if maps > _MOST_MAPS:
        gc.collect()
        sys.modules["jax"].clear_caches()
