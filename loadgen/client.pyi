from enum import IntEnum

Fields = list[tuple[int, int, int]]

class FieldKind(IntEnum):
    FIELD_ACCOUNT = 0
    FIELD_SEQUENCE = 1
    FIELD_STAMP = 2
    FIELD_NUMBER = 3
    FIELD_ZONE = 4
    FIELD_ACCOUNT_LOW = 5
    FIELD_SERIAL_LOW = 6
    FIELD_SERIAL_HIGH = 7
    FIELD_TAG = 8
    FIELD_TAG_BCD = 9
    FIELD_NUMBER_LOW = 10
    FIELD_KEY_ID = 11
    FIELD_COUNTER = 12
    FIELD_KINDS = 13

class Close(IntEnum):
    CLOSE_HEX = 0
    CLOSE_BINARY = 1
    CLOSE_SUM = 2
    CLOSE_TAG = 3

class Speaker:
    """What a group of like transmitters says.

    heartbeat, signal  (bytes, [(offset, FieldKind, bytes)], where the encrypted part begins or 0); 1..200 bytes
    close              Close
    tail               a NUL behind each frame
    over_end           the checksum takes the CR in
    serial_high        GB/T 26875.3: the serial stands with its high byte first
    account_first      number of the first account; the others follow it
    count              transmitters
    keys               of 16, 24 or 32 bytes (32 with CLOSE_TAG), one for each transmitter; None: in clear
    clocks             s that each transmitter's clock is ahead; None: all are right
    counter_first      Tocsin profile: the counter of a message is this and its sequence, 32 bits
    Raises             ValueError for a template, a key or a number of them that does not fit
    """

    def __init__(self, heartbeat: tuple[bytes, Fields, int], signal: tuple[bytes, Fields, int], *, close: int,
                 tail: bool = False, over_end: bool = False, serial_high: bool = False, account_first: int, count: int,
                 keys: list[bytes] | None = None, clocks: list[int] | None = None,
                 counter_first: int = 0) -> None: ...
    def frame(self, transmitter: int, sequence: int, second: int, *, number: int | None = None, zone: int = 1) -> bytes:
        """Return the frame of transmitter 0..count-1: signal `number`, without one a heartbeat; s since 1970 UTC."""
    def reply(self, data: bytes, second: int) -> tuple[int, int, int]:
        """Read one whole frame as a reply at `second`: (ReplyKind, sequence, account as a number).

        A tag of the Tocsin profile is not looked at: see `proves`.
        """
    def proves(self, data: bytes, frame: bytes, transmitter: int) -> bool:
        """Whether an acknowledgement that `reply` read is one of `frame`: its tag, in the Tocsin profile."""
    def frame_bytes(self, data: bytes) -> int:
        """Return the size of the frame that begins at data[0], 0 when more is needed, 1 when none begins there."""
