"""Hashing of ids into a fixed number of buckets.

The same functions exist as TensorFlow operations, so that an exported model
hashes as the pipeline did: integers by `splitmix64` (shifts, exclusive ors and
products of unsigned 64-bit integers), strings by
`tf.strings.to_hash_bucket_strong(x, num_buckets, key=HASH_KEY)`.
"""

import numpy as np
import pandas as pd

__all__ = ["HASH_KEY", "hash_ids", "siphash", "splitmix64"]

_KEY = "keras_infnet.ids"  # 16 bytes, the key of SipHash

#: The key of the string hash as two integers, the form TensorFlow takes.
HASH_KEY: tuple[int, int] = (
    int.from_bytes(_KEY.encode()[:8], "little"),
    int.from_bytes(_KEY.encode()[8:], "little"),
)

_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def splitmix64(values: np.ndarray) -> np.ndarray:
    """Mixes the bits of 64-bit integers (the finalizer of SplitMix64).

    ```
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB
    x = x ^ (x >> 31)
    ```

    in unsigned 64-bit arithmetic. A bijection: distinct integers stay
    distinct.
    """
    x = np.asarray(values).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FIRST)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_SECOND)
    return x ^ (x >> np.uint64(31))


def _unmix(values: np.ndarray) -> np.ndarray:
    """Inverts `splitmix64`."""
    first = np.uint64(pow(_FIRST, -1, 1 << 64))
    second = np.uint64(pow(_SECOND, -1, 1 << 64))
    x = values ^ (values >> np.uint64(31)) ^ (values >> np.uint64(62))
    x = x * second
    x = (x ^ (x >> np.uint64(27)) ^ (x >> np.uint64(54))) * first
    return x ^ (x >> np.uint64(30)) ^ (x >> np.uint64(60))


def siphash(values: np.ndarray) -> np.ndarray:
    """Hashes strings by SipHash-2-4 of their UTF-8 bytes under `HASH_KEY`."""
    values = np.asarray(values, dtype=object)
    hashed = pd.util.hash_array(
        values.ravel(), encoding="utf8", hash_key=_KEY, categorize=False
    )
    # pandas mixes the SipHash once more; TensorFlow does not.
    return _unmix(hashed).reshape(values.shape)


def hash_ids(values: np.ndarray, num_buckets: int) -> np.ndarray:
    """Hashes ids into buckets 1 to `num_buckets`; missing ids into 0.

    `1 + splitmix64(id) mod num_buckets` for integers and
    `1 + siphash(id) mod num_buckets` for strings.

    Args:
        values: array of integers (negative ones are missing) or of `str`
            objects (the empty string and `None` are missing).
        num_buckets: integer. Number of buckets.

    Returns:
        Array of int32 with the shape of `values`.

    Raises:
        ValueError: If `num_buckets` is less than one, or `values` holds
            neither integers nor strings.

    Example:

    >>> hash_ids(np.array([7, 8, -1]), 1000)
    array([605, 121,   0], dtype=int32)
    >>> hash_ids(np.array(["seven", ""], object), 1000)
    array([693,   0], dtype=int32)
    """
    if num_buckets < 1:
        raise ValueError(
            f"`num_buckets` must be at least 1. Received: {num_buckets}."
        )
    values = np.asarray(values)
    if values.dtype.kind in "iu":
        missing = values < 0
        hashed = splitmix64(values)
    elif values.dtype.kind in "OU":
        values = values.astype(object)
        missing = np.asarray(pd.isna(values) | (values == ""), dtype=bool)
        hashed = siphash(np.where(missing, "", values))
    else:
        raise ValueError(
            "`values` must be integers or strings. Received an array of "
            f"dtype {values.dtype}."
        )
    buckets = (hashed % np.uint64(num_buckets)).astype(np.int32) + np.int32(1)
    return np.where(missing, np.int32(0), buckets)
