"""Rows to measure with: a batch of fire signals as the decoder leaves them, always the same."""
from benchmarks.frames import frame
from codec.batch import Batch

RECEIVED_NS = 1_767_225_600_000_000_000
ROW_ARENA_BYTES = 256


def batch_of(rows: int) -> Batch:
    """Return `rows` fire signals of 10,000 transmitters at most, with the whole frame of each as raw."""
    batch = Batch(rows, rows * ROW_ARENA_BYTES)
    for index in range(rows):
        account = f"{index % 10_000:06X}"
        data = f"#{account}|Nri1/FA{index % 512:03d}"
        added = batch.add(protocol=1, path=index, sequence=index % 9999 + 1, received_ns=RECEIVED_NS + index,
                          account=account, point=f"1/{index % 512:03d}", native="FA", signal_class=1, condition=1,
                          state=1, identity=data.encode(),
                          raw=frame(f'"SIA-DCS"{index % 9999 + 1:04d}L0#{account}[{data}]'))
        assert added
    return batch
