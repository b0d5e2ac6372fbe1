from codec.batch import Batch

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
