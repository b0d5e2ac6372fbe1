"""Patched heartbeats are the bytes of the ordinary writer."""

import random

import pytest

from loadgen.dc09_client import heartbeat_frame
from loadgen.patches import patched_heartbeat

SECOND = 1_767_225_600


@pytest.mark.parametrize("digits", range(4, 16))
def test_patched_frames_are_those_of_the_writer(digits):
    draw = random.Random(digits)
    for _ in range(300):
        account, sequence = draw.getrandbits(4 * digits), draw.randint(0, 9999)
        second = draw.randint(0, 4_000_000_000)
        assert (patched_heartbeat(account, digits, sequence, second)
                == heartbeat_frame(account, digits, sequence, second))


@pytest.mark.parametrize(("account", "sequence"), [(0, 0), (0xFFFF, 9999), (0x9A9A, 1), (0x0001, 1000)])
def test_patched_frames_at_the_edges(account, sequence):
    assert patched_heartbeat(account, 4, sequence, SECOND) == heartbeat_frame(account, 4, sequence, SECOND)
