"""Random streams keyed by (seed, replicate, patient, purpose): the only source of chance.

Philox is counter-based: the key is the seed, the replicate and the purpose; the patient chooses the place in the
counter. So a patient has the same luck in every arm, at any batch size and thread count, and a new purpose or one more
patient moves nobody else's draws.

Source: Salmon JK et al. (2011) Parallel random numbers: as easy as 1, 2, 3. SC'11. doi:10.1145/2063384.2063405
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Generator = np.random.Generator

MOST_KEPT = 4096  # numbers of one draw; larger ones are not kept


def _key(seed: int, replicate: int, purpose: str) -> NDArray[np.uint64]:
    digest = hashlib.blake2b(f"{seed}/{replicate}/{purpose}".encode(), digest_size=16).digest()
    return np.frombuffer(digest, dtype=np.uint64)


def uniform(seed: int, replicate: int, patients: range, purpose: str, size: int = 1) -> FloatArray:
    """Uniform draws in (0, 1), array [len(patients), size]; `patients` is a range with step 1.

    Args:
        seed: the run's seed.
        replicate: number of the trial replicate (0 for a single run).
        patients: numbers of the patients.
        purpose: what the draws are for, e.g. "eta/ketamine_s.CL" or "rater/MADRS".
        size: draws per patient; raising it does not change the first ones.
    """
    if patients.step != 1:
        raise ValueError(f"patients must be a range with step 1, not {patients}")
    out = np.empty((len(patients), size))
    # One Philox block holds four 64-bit words. A patient's draws sit in the block row `patient` of column `k // 4`.
    for column in range(0, size, 4):
        start = np.array([patients.start, column // 4, 0, 0], dtype=np.uint64)
        bits = np.random.Philox(key=_key(seed, replicate, purpose), counter=start)
        words = bits.random_raw(4 * len(patients)).reshape(-1, 4)
        take = min(4, size - column)
        out[:, column : column + take] = ((words[:, :take] >> np.uint64(11)) + 0.5) * 2.0**-53
    return out


def normal(seed: int, replicate: int, patients: range, purpose: str, size: int = 1) -> FloatArray:
    """Standard normal draws, array [len(patients), size], not to be written to; see `uniform`."""
    keep = patients.step == 1 and len(patients) * size <= MOST_KEPT
    draw = _kept if keep else _kept.__wrapped__
    return draw(seed, replicate, patients, purpose, size)


@lru_cache(maxsize=512)  # the arms of a study ask for the same people's luck again and again; 16 MB at most
def _kept(seed: int, replicate: int, patients: range, purpose: str, size: int) -> FloatArray:
    from scipy.special import ndtri

    draws = ndtri(uniform(seed, replicate, patients, purpose, size))
    draws.setflags(write=False)
    return draws


def generator(seed: int, *purpose: object) -> Generator:
    """A stream for studies that draw other things than patients (a sampler's moves, a design), keyed by its purpose."""
    return Generator(np.random.Philox(key=_key(seed, 0, "/".join(map(str, purpose)))))


def twister_state(seed: int, *purpose: object) -> tuple[str, NDArray[np.uint32], int, int, float]:
    """The same as the state of a Mersenne twister, for libraries that ask for one (emcee)."""
    words = generator(seed, *purpose).integers(0, 2**32, 624, dtype=np.uint32)
    return "MT19937", words, 624, 0, 0.0
