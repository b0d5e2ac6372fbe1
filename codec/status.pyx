"""Reading results, visible to Python as `codec.status.Status`."""
# The texts under which a status is counted (`frames_rejected_total{reason}`) and shown by `tocsin decode`.
STATUS_TEXT = ("ok", "need_data", "batch_full", "start", "length", "checksum", "field", "crypto", "time")
assert len(STATUS_TEXT) == STATUS_COUNT
