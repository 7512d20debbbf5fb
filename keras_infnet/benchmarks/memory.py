"""Memory of this process and of the machine."""

import contextlib
import os
import pathlib
import sys

__all__ = [
    "available_memory",
    "peak_memory",
    "reset_peak",
    "resident_memory",
    "total_memory",
]

_STATUS = pathlib.Path("/proc/self/status")
_MACHINE = pathlib.Path("/proc/meminfo")


def peak_memory() -> int:
    """Returns the largest resident memory of this process so far, in bytes.

    Example:

    >>> peak_memory() > 1_000_000
    True
    """
    # On Linux a child process inherits `ru_maxrss` from its parent.
    found = _entry(_STATUS, "VmHWM")
    if found is not None:
        return found
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def reset_peak() -> bool:
    """Resets the peak that `peak_memory` returns, if supported."""
    before = _entry(_STATUS, "VmHWM")
    with contextlib.suppress(OSError):
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        return before is not None
    return False


def resident_memory() -> int | None:
    """Returns the resident memory of this process in bytes, if known."""
    return _entry(_STATUS, "VmRSS")


def available_memory() -> int | None:
    """Returns the available memory of the machine in bytes, if known."""
    return _entry(_MACHINE, "MemAvailable")


def total_memory() -> int | None:
    """Returns the memory of the machine in bytes, if known."""
    found = _entry(_MACHINE, "MemTotal")
    if found is None and hasattr(os, "sysconf"):
        with contextlib.suppress(ValueError, OSError):
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return found


def _entry(path: pathlib.Path, name: str) -> int | None:
    """Reads a line such as `VmRSS:   1234 kB`."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return None
