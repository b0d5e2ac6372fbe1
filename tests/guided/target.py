"""Invariant: no crash, no report of a sanitizer, the bytes of all frames add up, linear time, the twins agree.

FORMAT in the environment names an entry of tests/fuzz/formats.py. Run as a program it writes that format's known and
some generated frames as a corpus, and the marks of all formats as a dictionary: `python -m tests.guided.target PLACE`.
"""
from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from codec.reading import count_steps
from tests.fuzz.formats import FORMATS, MARKS, differing

STEPS_PER_BYTE = 200                 # tests/fuzz/test_linear.py has the worst patterns
NAME = os.environ["FORMAT"]
WIRE = FORMATS[NAME]
PROFILES = [WIRE.profile(random.Random(number)) for number in range(8)]
GENERATED = 300


def stop(unraisable: sys.UnraisableHookArgs) -> None:
    """A failed assert in code that cannot raise."""
    sys.__unraisablehook__(unraisable)
    os.abort()


def target(data: bytes) -> None:
    """Check one input: as it is, and with what it lacks to be looked at further in."""
    profile = PROFILES[len(data) % len(PROFILES)]
    for each in (data, WIRE.wrap(data)):
        wrong = differing(each, profile)
        assert not wrong, f"{NAME}, {profile}: {each.hex()}\n{wrong}"
        assert count_steps(each) <= STEPS_PER_BYTE * (len(each) + 1), each.hex()


def write_corpus(place: Path) -> None:
    corpus = place / NAME
    corpus.mkdir(parents=True, exist_ok=True)
    rng = random.Random(NAME)
    for number, data in enumerate([*WIRE.seeds(), *(WIRE.frame(rng) for _ in range(GENERATED))]):
        (corpus / f"seed-{number:03}").write_bytes(data)
    (place / "dictionary").write_text("".join(
        '"' + "".join(f"\\x{byte:02x}" for byte in mark) + '"\n' for mark in MARKS))


sys.unraisablehook = stop
if __name__ == "__main__":
    write_corpus(Path(sys.argv[1]))
