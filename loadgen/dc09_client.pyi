from enum import IntEnum

class ReplyKind(IntEnum):
    REPLY_NONE = 0
    REPLY_ACK = 1
    REPLY_NAK = 2
    REPLY_DUH = 3

def heartbeat_frame(account: int, digits: int, sequence: int, second: int) -> bytes:
    """Return a NULL frame: account as `digits` hex digits, sequence 0..9999, stamped `second` since 1970 UTC."""

def signal_frame(account: int, digits: int, sequence: int, second: int, run: bytes, number: int, zone: int) -> bytes:
    """Return a SIA-DCS frame: a fire alarm in `zone` (1..9999), text `run`-`number`; run has 1..32 bytes."""

def frame(body: bytes) -> bytes:
    """Return `body` (from the first quote on) with its head and end.

    Raises  ValueError unless it has 1..4095 bytes
    """

def reply_of(data: bytes) -> tuple[int, int, int]:
    """Read one whole frame as a reply: (ReplyKind, sequence, account as a number)."""

def frame_bytes(data: bytes) -> int:
    """Return the size of the frame that begins at data[0], 0 when more is needed, 1 when none begins there."""
