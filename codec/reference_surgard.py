"""The Sur-Gard style heartbeat in plain Python, from the specification in surgard.pyx."""
import re

from codec.reference_contents import Fields
from codec.reference_shared import Bad, Profile

SURGARD = (b"S", b"R", *[b"[0-9]"] * 4, b"L", *[b"[0-9]"] * 4, b" {1,8}", *[b"[0-9A-Za-z]"] * 6, b"X", b"X", b" {1,8}",
           rb"\[", b"I", b"D", b"[0-9A-Za-z]{1,16}", rb"\]")


def read_frame(data: bytes, profile: Profile) -> Fields:
    """Read the heartbeat of surgard.pyx at the beginning of `data`. Raises Bad."""
    found = re.match(b"".join(SURGARD), data)
    if found is None:
        pattern = b""
        for piece in reversed(SURGARD):
            pattern = piece + (b"(?:%b)?" % pattern if pattern else b"")
        raise Bad("need_data" if re.fullmatch(pattern, data) else "start")
    account = found[0][11:].lstrip()[:6]
    return {"protocol": "dc09", "status": "crypto" if profile.encrypted_only else "ok", "kind": "heartbeat",
            "account": account.decode().upper(), "sequence": 0, "token": "SR", "encrypted": False,
            "receiver": data[2:6].decode(), "line": data[7:11].decode(), "network": None, "timestamp": None,
            "occurred": None, "signals": [], "length": found.end()}
