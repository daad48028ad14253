"""The only source of chance: keyed, counter-based, the same for a patient whatever else is drawn."""

import hashlib

import numpy as np
import pytest
from scipy import stats

from afterglow import streams


def philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """One block of Philox-4x64-10, written from the paper's table: the independent judge."""
    full = 2**64
    k0, k1 = key
    c0, c1, c2, c3 = counter
    for _ in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * c0, full)
        high1, low1 = divmod(0xCA5A826395121157 * c2, full)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) % full, (k1 + 0xBB67AE8584CAA73B) % full
    return [c0, c1, c2, c3]


def test_the_known_answer_of_the_generator():
    """Known-answer vector published with the generator (philox4x64-10, all zero)."""
    zero = philox((0, 0), (0, 0, 0, 0))
    assert [f"{x:016x}" for x in zero] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


@pytest.mark.parametrize("patient", [0, 1, 17, 2**40])
def test_draws_are_those_of_the_generator(patient):
    digest = hashlib.blake2b(b"7/3/eta/CL", digest_size=16).digest()
    key = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:], "little")
    words = [
        w for block in (0, 1) for w in philox(key, (patient + 1, block, 0, 0))
    ]  # the counter steps before it is used
    expected = [((w >> 11) + 0.5) / 2**53 for w in words[:6]]
    assert streams.uniform(7, 3, range(patient, patient + 1), "eta/CL", 6)[0].tolist() == expected


def test_a_patient_keeps_his_luck():
    whole = streams.uniform(1, 0, range(100), "x", 6)
    assert np.array_equal(whole[40:50], streams.uniform(1, 0, range(40, 50), "x", 6))
    assert np.array_equal(whole[:7], streams.uniform(1, 0, range(7), "x", 6))
    assert np.array_equal(whole[:, :3], streams.uniform(1, 0, range(100), "x", 3))
    assert np.array_equal(whole[:, :1], streams.uniform(1, 0, range(100), "x"))


@pytest.mark.parametrize("other", [(2, 0, "x"), (1, 1, "x"), (1, 0, "y"), (10, 0, "x"), (1, 0, "x "), (-1, 0, "x")])
def test_another_seed_replicate_or_purpose_is_another_stream(other):
    seed, replicate, purpose = other
    here = streams.uniform(1, 0, range(2000), "x")[:, 0]
    there = streams.uniform(seed, replicate, range(2000), purpose)[:, 0]
    assert not np.isin(here, there).any()
    assert abs(np.corrcoef(here, there)[0, 1]) < 0.08


def test_keys_do_not_run_into_each_other():
    """Seed 1, replicate 11 is not seed 11, replicate 1."""
    assert streams.uniform(1, 11, range(1), "x")[0, 0] != streams.uniform(11, 1, range(1), "x")[0, 0]


def test_uniform_and_independent():
    draws = streams.uniform(5, 0, range(20_000), "judge", 5)
    assert draws.shape == (20_000, 5)
    assert (draws > 0).all()
    assert (draws < 1).all()
    for column in draws.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(draws.T) - np.eye(5)).max() < 0.03
    assert abs(np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]) < 0.03


def test_normal_is_the_quantile_of_uniform():
    u, z = (f(5, 2, range(10_000), "judge", 2) for f in (streams.uniform, streams.normal))
    assert stats.norm.cdf(z) == pytest.approx(u, abs=1e-12)
    assert stats.kstest(z[:, 0], "norm").pvalue > 1e-3
    assert np.isfinite(z).all()


def test_no_patients():
    assert streams.uniform(1, 0, range(0), "x", 3).shape == (0, 3)


def test_patients_are_consecutive():
    with pytest.raises(ValueError, match="range with step 1"):
        streams.uniform(1, 0, range(0, 10, 2), "x")
