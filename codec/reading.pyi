from collections.abc import Sequence

from codec.batch import Batch

def read_frames(data: bytes, now_ns: int, *, key: bytes | None = None, window: tuple[int, int] = (40, 20),
                encrypted_only: bool = False, check_clear_stamps: bool = False,
                reject_stale: bool = False, clock: str | None = None) -> list[dict[str, object]]:
    """Read everything in `data` and return one object for each thing found, in order; lengths add up to the input's.

    key      of all encrypted frames, 16, 24 or 32 bytes; without it their status is "crypto"
    window   seconds that a stamp may lie before and behind now; it and the rest as in Profile of frame.pxd
    clock    "bcd" or "binary": how a GB/T 26875.3 transmitter was seen to write times that can be read both ways
    now_ns   wall clock, ns since 1970 UTC
    Frame    protocol, status ("ok", or why the content could not be read), kind, account, sequence, token, encrypted,
             receiver, line, network (hex digits as sent, or None), timestamp, occurred (ISO 8601 or None),
             signals [{class, condition, state, point, native, flags}], length;
             the Tocsin profile also lives [account], and its signals an account each;
             GB/T 26875.3 also levels [{point, word}], its status words, whose set bits stand among the
             signals as if nothing had been set before
    Bad      protocol, status (length, checksum, field; need_data where the input ends too early), length up to the
             next possible start
    Garbage  status "garbage", length
    Raises   ValueError for a key of another size
    """

def decode_stream(data: bytes, batch: Batch, now_ns: int, *, key: bytes | None = None) -> int:
    """Append the signals of all frames in `data` to `batch`, without a Python object for any of them.

    data     frames one after the other; bytes that are none are passed over
    batch    filled; a frame whose rows do not fit ends the reading, with none of them added
    now_ns   wall clock, ns since 1970 UTC; stands in every row as the time of receipt
    key      of all encrypted frames, as for read_frames
    Returns  how many frames were read
    """

def build_message(key_id: int, counter: int, key: bytes, body: bytes = b"") -> bytes:
    """Return a report of the Tocsin profile.

    key_id   1..16777215;  counter  0..2^32-1;  key  32 bytes
    body     MessagePack items one after the other, up to 1379 bytes; none: a heartbeat
    Raises   ValueError when one of them does not fit
    """

def encode_reply(frame: bytes, answer: int, now_ns: int, *, key: bytes | None = None, entropy: int = 0,
                 counter: int = 0, command: bytes = b"") -> bytes:
    """Return the reply to the frame at the beginning of `frame`; empty when the answer is none.

    answer   Answer of frame.pxd: 0 none, 1 accept, 2 refuse, 3 unable, 4 command
    command  what a command sends along: data of a DC-09 RSP, up to 40 bytes, or a frame of GB/T, up to 200
    now_ns   wall clock, ns since 1970 UTC; what a refusal tells the transmitter
    key      of an encrypted frame; without it it cannot be acknowledged, and the result is empty
    entropy  of the pad of an encrypted reply, 0..2^64-1; never the same twice under one key
    counter  what a refusal of the Tocsin profile tells: the highest one known
    Raises   ValueError when no whole and sound frame stands there, or for a key of another size
    """

def build_frame(token: str, account: str | None, data: bytes = b"", *, sequence: int = 1, receiver: str | None = None,
                line: str | None = "0", stamp_ns: int | None = None, extended: Sequence[bytes] = (),
                binary_crc: bool = False, key: bytes | None = None, pad: bytes | None = None) -> bytes:
    """Return a DC-09 frame with its checksum and length.

    account   of the header; None leaves it out
    data      what stands between the brackets, with the account it may hold: b"#0123|Nri1/FA017"
    receiver  hex digits, or None to leave the field out; likewise line
    extended  fields behind the data, each with its letter: b"H13:59:58,12-31-2012"
    key       16, 24 or 32 bytes: encrypt the frame and put the star before its token; it needs a stamp then
    pad       what stands before the bar in an encrypted frame, with which it must be whole blocks of 16; without it
              16..31 bytes that key, sequence and stamp decide
    Raises    ValueError when the body is longer than 4095 bytes, and where key, pad or stamp do not fit
    """

def enclose(body: bytes, *, binary_crc: bool = False) -> bytes:
    """Return a frame of a body as it is, right or wrong, with its checksum and length; 9..4095 bytes."""

def split_status(data: bytes) -> tuple[str, int]:
    """Return the status of the frame at the beginning of `data`, and its bytes when it is "ok", else 0."""

def count_steps(data: bytes) -> int:
    """Return how many bytes split looks at while it goes through all of `data`; for tests of linear time."""

def checksum(data: bytes) -> int:
    """Return the CRC-16/ARC of `data`."""

def reply_to(frame: bytes, now_ns: int, *, key: bytes | None = None, entropy: int = 0, encrypted_only: bool = False,
             check_clear_stamps: bool = False, reject_stale: bool = False) -> bytes:
    """Return what a receiver replies to the frame at the beginning of `frame`, read and answered as its format wants.

    Arguments as for read_frames and encode_reply. Empty where there is no answer, or no whole and sound frame.
    """
