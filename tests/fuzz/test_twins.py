"""Invariant: the Cython codec and the plain Python one find the same in any bytes: frames, statuses, garbage, rows.

N=inputs and SEED=number in the environment, or of `make fuzz`, make it longer and another; the names of the tests tell
the seed, and a failing input is shown as hex.
"""
from __future__ import annotations

import os
import random

import pytest

from codec import reference_dc09
from tests.fuzz.formats import FORMATS, differing, inputs, statuses

INPUTS = int(os.environ.get("N") or 100_000)          # of all formats together
SEED = int(os.environ.get("SEED") or 26875)
ROUND = 1000


@pytest.mark.slow
@pytest.mark.timeout(120 + INPUTS // 200)
@pytest.mark.parametrize("seed", [SEED])
@pytest.mark.parametrize("name", FORMATS)
def test_twins_agree(name: str, seed: int) -> None:
    seen: set[str] = set()
    for number in range(-(-INPUTS * FORMATS[name].percent // 100 // ROUND)):
        for data, profile in inputs(random.Random(f"{seed} {name} {number}"), name, ROUND):
            wrong = differing(data, profile)
            assert not wrong, f"seed {seed}, {name}, round {number}, {profile}: {data.hex()}\n{wrong}"
            if not seen >= FORMATS[name].statuses:
                seen |= statuses(data, profile)
    assert seen >= FORMATS[name].statuses or INPUTS < 100_000


def test_a_difference_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary: a reference that takes one heartbeat for something else is caught."""
    monkeypatch.setattr(reference_dc09, "HEARTBEATS", {b"NULL"})
    assert any(differing(data, profile) for data, profile in inputs(random.Random(1), "dc09", ROUND))
