"""INFNet blocks with any number of tokens, and calls that time them."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_infnet.benchmarks.compiled_calls import compiled_call
from keras_infnet.benchmarks.memory import (
    peak_memory,
    reset_peak,
    resident_memory,
)
from keras_infnet.layers import AllToAllBlock, HubBlock, ProxyBlock

__all__ = ["BLOCKS", "block_call", "call_seconds", "memory_of_block"]

#: Blocks by their name in tables.
BLOCKS: dict[str, Callable[[], Any]] = {
    "hub": HubBlock,
    "all-to-all, hub": lambda: AllToAllBlock("hub"),
    "proxy": ProxyBlock,
    "all-to-all, proxy": lambda: AllToAllBlock("proxy"),
}
_TASKS = 3
# Numbers of hubs and proxies of the default `INFNet` with three behaviors.
_COMPACT = {
    "hub": {
        "categorical_hubs": 16,
        "sequence_hubs": 3,
        "task_hubs": _TASKS + 4,
    },
    "proxy": {
        "categorical_proxies": 4,
        "sequence_proxies": 3,
        "task_proxies": 2,
    },
}
_LEAST_SECONDS = 0.02


def block_call(
    block: str,
    count: int,
    length: int,
    batch_size: int,
    dim: int,
    training: bool = False,
) -> Callable[[], None]:
    """Builds a block and returns a function that calls it."""
    rng = np.random.default_rng(0)
    tokens = {"categorical": count, "sequence": length, "task": _TASKS}
    tokens |= _COMPACT.get(block, {})
    state: dict[str, Any] = {
        group: rng.standard_normal((batch_size, size, dim), np.float32)
        for group, size in tokens.items()
    }
    layer = BLOCKS[block]()
    layer.build(**{f"{name}_shape": x.shape for name, x in state.items()})
    state["sequence_mask"] = np.ones((batch_size, length), bool)
    return compiled_call(layer, state, training)


def call_seconds(call: Callable[[], None]) -> Callable[[], float]:
    """Returns a function that times a call, averaged if it is short."""
    times = 0

    def run() -> float:
        nonlocal times
        if not times:
            call()  # compiles
            started = time.perf_counter()
            call()
            seconds = time.perf_counter() - started
            times = 1 + int(_LEAST_SECONDS / max(seconds, 1e-6))
        started = time.perf_counter()
        for _ in range(times):
            call()
        return (time.perf_counter() - started) / times

    return run


def memory_of_block(batch_size: int, **arguments: Any) -> int | None:
    """Measures the memory that a call adds to this process."""
    # Excludes what the backend loads and compiles.
    block_call(batch_size=1, **arguments)()
    call = block_call(batch_size=batch_size, **arguments)
    before = resident_memory()
    if before is None or not reset_peak():
        return None
    call()
    # Memory that other threads release in the meantime is not the call's.
    return max(peak_memory() - before, 0)
