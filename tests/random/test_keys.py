"""Random bits and keys: against the published known answers, against JAX, and in every tier."""

from __future__ import annotations

import numpy as np
import pytest

import tracejit as tj
from tracejit.ops.random_bits import counters, random_bits, threefry2x32
from tracejit.random import bits, fold_in, key, key_data, split, wrap_key_data


def word(high: int, low: int) -> np.uint64:
    return np.uint64(high << 32 | low)


# Random123 1.14, tests/kat_vectors: threefry2x32 of 20 rounds; counter, key, result.
KNOWN_ANSWERS = [
    ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
]


@pytest.mark.parametrize("counter, k, expected", KNOWN_ANSWERS)
def test_known_answers_of_random123(counter, k, expected):
    counter, k, expected = word(*counter), word(*k), word(*expected)
    assert threefry2x32(k, counter) == expected
    assert (threefry2x32(np.full(3, k), np.full(3, counter)) == expected).all()
    assert tj.jit(random_bits)(k, counter) == expected
    assert (tj.jit(random_bits)(k, np.full(19, counter)) == expected).all()
    assert (tj.jit(random_bits)(np.full((2, 1), k), np.full(19, counter)) == expected).all()


@pytest.mark.parametrize("n", [1, 7, 8, 1000, 300_000])
def test_every_tier_has_the_same_bits(n):
    # 300 000 elements run in several threads.
    drawn = tj.jit(lambda k: random_bits(k, counters(k, n)))(key(5))
    np.testing.assert_array_equal(drawn, threefry2x32(key(5), np.arange(n, dtype=np.uint64)))
    np.testing.assert_array_equal(drawn, bits(key(5), (n,), np.uint64))


def test_a_counter_beyond_32_bits_uses_the_high_word():
    far = np.array([1 << 32, (1 << 32) + 1, 1 << 63], np.uint64)
    drawn = tj.jit(random_bits)(key(0), far)
    np.testing.assert_array_equal(drawn, threefry2x32(key(0), far))
    assert drawn[0] != random_bits(key(0), np.uint64(0))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "uint64"])
def test_bits_keys_and_splits_are_those_of_jax(dtype):
    jax = pytest.importorskip("jax")
    if not jax.config.jax_threefry_partitionable:
        pytest.skip("an older stream of jax.random")
    for seed in (0, 1, 123456789):
        theirs = jax.random.key(seed)
        np.testing.assert_array_equal(key_data(key(seed)), jax.random.key_data(theirs))
        np.testing.assert_array_equal(key_data(split(key(seed), (2, 3))), jax.random.key_data(jax.random.split(theirs, (2, 3))))
        np.testing.assert_array_equal(key_data(fold_in(key(seed), 77)), jax.random.key_data(jax.random.fold_in(theirs, 77)))
        with jax.enable_x64(True):
            np.testing.assert_array_equal(bits(key(seed), (3, 5), dtype), np.asarray(jax.random.bits(theirs, (3, 5), dtype)))


def test_keys_are_numbers_of_64_bits():
    assert key(-1) == np.uint64((1 << 64) - 1) and key(1 << 64) == key(0)
    assert tj.jit(key)(7) == key(7) and key(np.int32(7)) == key(7)
    assert wrap_key_data(key_data(split(key(3), 4))).tolist() == split(key(3), 4).tolist()
    assert [fold_in(key(3), i) for i in range(4)] == list(split(key(3), 4))
    assert tj.jit(fold_in)(key(3), 2) == fold_in(key(3), 2)
    assert split(key(0), 0).shape == (0,) and bits(key(0), (2, 0)).shape == (2, 0)


def test_keys_under_vmap_and_scan():
    keys = split(key(0), 3)
    one = lambda k: tj.random.normal(k, (4,))
    np.testing.assert_allclose(tj.vmap(one)(keys), [one(k) for k in keys], rtol=1e-14)
    np.testing.assert_allclose(tj.map(one, keys), [one(k) for k in keys], rtol=1e-14)
    chained = tj.jit(lambda k: tj.scan(lambda k, _: tuple(split(k)), k, None, 5)[1])(key(0))
    k, expected = key(0), []
    for _ in range(5):
        k, drawn = split(k)
        expected.append(drawn)
    assert list(chained) == expected


@pytest.mark.parametrize(
    "call, error, said",
    [
        (lambda: tj.random.normal(3), TypeError, "takes a key first, got int"),
        (lambda: tj.random.normal(np.zeros(2)), TypeError, "takes a key first"),
        (lambda: tj.random.normal(split(key(0))), TypeError, "tracejit.vmap"),
        (lambda: key(0.5), TypeError, "one integer"),
        (lambda: tj.jit(key)(0.5), TypeError, "one integer"),
        (lambda: fold_in(key(0), 0.5), TypeError, "one integer"),
        (lambda: bits(key(0), (2,), np.int32), TypeError, "uint32"),
        (lambda: bits(key(0), (-1,)), ValueError, "negative"),
        (lambda: bits(key(0), (1.5,)), TypeError, "shape"),
        (lambda: tj.jit(lambda n: bits(key(0), (n,)))(np.float64(3)), TypeError, "shape"),
        (lambda: wrap_key_data(np.zeros(3)), TypeError, "uint32"),
    ],
)  # fmt: skip
def test_errors(call, error, said):
    with pytest.raises(error, match=said) as raised:
        call()
    assert "test_keys.py" in str(raised.value)
