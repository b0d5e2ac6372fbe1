"""All formats in plain Python, from the same specifications as the codec: the oracle of the tests.

Slow and short on purpose; each format has its own file. Never imported by the engine.
"""
import re

from codec import reference_dc09, reference_gbt26875, reference_surgard, reference_tocsin
from codec.reference_contents import Fields
from codec.reference_shared import Bad, Profile

__all__ = ["Bad", "Profile", "read_frames"]


def read_frames(data: bytes, now_ns: int = 0, profile: Profile | None = None) -> list[Fields]:
    """Read everything in `data`, whatever its formats, as codec.reading.read_frames does."""
    profile = profile or Profile()
    names = {0x0A: "dc09", 0x40: "gbt26875", 0x53: "dc09", 0xC1: "tocsin"}
    found: list[Fields] = []
    garbage = at = 0
    while at < len(data):
        try:
            result = (reference_gbt26875.read_frame(data[at:], now_ns, profile.clock) if data[at] == 0x40
                      else reference_tocsin.read_frame(data[at:], profile.key) if data[at] == 0xC1
                      else reference_surgard.read_frame(data[at:], profile) if data[at] == 0x53
                      else reference_dc09.read_frame(data[at:], now_ns, profile))
        except Bad as bad:
            if str(bad) == "start":
                garbage += 1
                at += 1
                continue
            following = re.compile(rb"[\n@\xc1]|S(?=R|\Z)").search(data, at + 1)
            result = {"protocol": names[data[at]], "status": str(bad),
                      "length": (following.start() if following else len(data)) - at}
        if garbage:
            found.append({"status": "garbage", "length": garbage})
            garbage = 0
        found.append(result)
        at += result["length"]
    if garbage:
        found.append({"status": "garbage", "length": garbage})
    return found
