import numpy as np
import pytest

from keras_infnet.data.encoding.hashing import (
    HASH_KEY,
    hash_ids,
    siphash,
    splitmix64,
)

MASK = (1 << 64) - 1


def rotate(x, bits):
    return ((x << bits) | (x >> (64 - bits))) & MASK


def siphash_reference(data, key):
    """SipHash-2-4 as in the paper of Aumasson and Bernstein."""
    k0, k1 = key
    v = [
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    ]

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = rotate(v[1], 13) ^ v[0]
            v[0] = rotate(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = rotate(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = rotate(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = rotate(v[1], 17) ^ v[2]
            v[2] = rotate(v[2], 32)

    tail = data[len(data) // 8 * 8 :]
    words = [
        int.from_bytes(data[i : i + 8], "little")
        for i in range(0, len(data) // 8 * 8, 8)
    ]
    last = tail + bytes(7 - len(tail)) + bytes([len(data) & 255])
    for word in [*words, int.from_bytes(last, "little")]:
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def splitmix_reference(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


TEXTS = ["a", "héllo", "日本語", "12345678", "x" * 1000, "a\x00b", " "]
NUMBERS = [0, 1, 7, 2**31, 2**62, 2**63 - 1]


def test_reference_gives_the_published_vector():
    # Appendix A of the paper: key 00..0f, input 00..0e.
    key = bytes(range(16))
    halves = tuple(int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    expected = 0xA129CA6149BE45E5
    assert siphash_reference(bytes(range(15)), halves) == expected


def test_strings_are_siphash_of_their_bytes():
    expected = [siphash_reference(t.encode(), HASH_KEY) for t in TEXTS]
    assert siphash(np.array(TEXTS, object)).tolist() == expected


def test_integers_are_splitmix():
    expected = [splitmix_reference(x) for x in NUMBERS]
    assert splitmix64(np.array(NUMBERS)).tolist() == expected


def test_buckets():
    ids = hash_ids(np.array([*NUMBERS, -1, -(2**63)]), 1000)
    expected = [splitmix_reference(x) % 1000 + 1 for x in NUMBERS]
    assert ids.tolist() == [*expected, 0, 0]
    assert ids.dtype == np.int32
    ids = hash_ids(np.array([*TEXTS, "", None], object), 13)
    expected = [siphash_reference(t.encode(), HASH_KEY) % 13 for t in TEXTS]
    assert ids.tolist() == [*(e + 1 for e in expected), 0, 0]


def test_shape_is_kept():
    values = np.arange(6).reshape(2, 3)
    assert (hash_ids(values, 5).ravel() == hash_ids(values.ravel(), 5)).all()
    texts = values.astype(str)
    assert hash_ids(texts, 5).shape == (2, 3)


def test_buckets_are_used_evenly():
    counts = np.bincount(hash_ids(np.arange(100_000), 100))
    assert counts[0] == 0 and 850 < counts[1:].min() <= counts.max() < 1150


def test_bad_arguments():
    with pytest.raises(ValueError, match="num_buckets.*at least 1.*0"):
        hash_ids(np.array([1]), 0)
    with pytest.raises(ValueError, match="integers or strings.*float64"):
        hash_ids(np.array([1.0]), 3)


def test_tensorflow_hashes_alike():
    tf = pytest.importorskip("tensorflow")
    hashed = tf.strings.to_hash_bucket_strong(TEXTS, 1000, key=list(HASH_KEY))
    expected = hash_ids(np.array(TEXTS, object), 1000)
    assert (hashed.numpy() + 1 == expected).all()

    x = tf.cast(tf.constant(NUMBERS, tf.int64), tf.uint64)
    for shift, factor in (
        (30, 0xBF58476D1CE4E5B9),
        (27, 0x94D049BB133111EB),
        (31, 1),
    ):
        shifted = tf.bitwise.right_shift(x, tf.constant(shift, tf.uint64))
        x = tf.bitwise.bitwise_xor(x, shifted)
        x *= tf.constant(factor, tf.uint64)
    buckets = tf.math.floormod(x, tf.constant(1000, tf.uint64)).numpy() + 1
    assert (buckets == hash_ids(np.array(NUMBERS), 1000)).all()
