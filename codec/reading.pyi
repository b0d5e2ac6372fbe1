from collections.abc import Sequence

from codec.batch import Batch

def read_frames(data: bytes, now_ns: int) -> list[dict[str, object]]:
    """Read everything in `data` and return one object for each thing found, in order; lengths add up to the input's.

    now_ns   wall clock, ns since 1970 UTC
    Frame    protocol, status ("ok", or why the content could not be read), kind, account, sequence, token, encrypted,
             receiver, line, network (hex digits as sent, or None), timestamp, occurred (ISO 8601 or None),
             signals [{class, condition, state, point, native, flags}], length;
             GB/T 26875.3 also levels [{point, word}], its status words, whose set bits stand among the
             signals as if nothing had been set before
    Bad      protocol, status (length, checksum, field; need_data where the input ends too early), length up to the
             next possible start
    Garbage  status "garbage", length
    """

def decode_stream(data: bytes, batch: Batch, now_ns: int) -> int:
    """Append the signals of all frames in `data` to `batch`, without a Python object for any of them.

    data     frames one after the other; bytes that are none are passed over
    batch    filled; a frame whose rows do not fit ends the reading, with none of them added
    now_ns   wall clock, ns since 1970 UTC; stands in every row as the time of receipt
    Returns  how many frames were read
    """

def encode_reply(frame: bytes, answer: int, now_ns: int) -> bytes:
    """Return the reply to the frame at the beginning of `frame`; empty when the answer is none.

    answer   Answer of frame.pxd: 0 none, 1 accept, 2 refuse, 3 unable
    now_ns   wall clock, ns since 1970 UTC; what a refusal tells the transmitter
    Raises   ValueError when no whole and sound frame stands there
    """

def build_frame(token: str, account: str | None, data: bytes = b"", *, sequence: int = 1, receiver: str | None = None,
                line: str | None = "0", stamp_ns: int | None = None, extended: Sequence[bytes] = (),
                binary_crc: bool = False) -> bytes:
    """Return a DC-09 frame with its checksum and length.

    account   of the header; None leaves it out
    data      what stands between the brackets, with the account it may hold: b"#0123|Nri1/FA017"
    receiver  hex digits, or None to leave the field out; likewise line
    extended  fields behind the data, each with its letter: b"H13:59:58,12-31-2012"
    Raises    ValueError when the body is longer than 4095 bytes
    """

def split_status(data: bytes) -> tuple[str, int]:
    """Return the status of the frame at the beginning of `data`, and its bytes when it is "ok", else 0."""

def count_steps(data: bytes) -> int:
    """Return how many bytes split looks at while it goes through all of `data`; for tests of linear time."""

def checksum(data: bytes) -> int:
    """Return the CRC-16/ARC of `data`."""
