"""The last refused frames: what `GET /v1/rejected` shows."""
import ipaddress

from libc.stdlib cimport calloc, free

from codec.status import STATUS_TEXT
from codec.words import PROTOCOL_TEXT

REFUSAL_TEXT = (*STATUS_TEXT, "unknown_account", "garbage_limit", "frame_timeout", "not_served")
ANSWER_TEXT = ("none", "accept", "refuse", "unable")


cdef class RefusedFrames:
    def __cinit__(self):
        self.frames = <RefusedFrame*>calloc(REFUSED_SOURCES * REFUSED_PER_SOURCE, sizeof(RefusedFrame))
        self.turn = <uint8_t*>calloc(REFUSED_SOURCES, 1)
        if self.frames == NULL or self.turn == NULL:
            raise MemoryError()

    def __dealloc__(self):
        free(self.frames)
        free(self.turn)

    cdef RefusedFrame* next_slot(self, uint32_t peer, int64_t received_ns) noexcept nogil:
        """Return the slot that the next frame of this source takes, with its time; its oldest one is overwritten."""
        cdef uint32_t source = (peer >> 1) % REFUSED_SOURCES  # the lowest bit of a peer's hash is always set
        cdef uint32_t slot = source * REFUSED_PER_SOURCE + self.turn[source]
        self.turn[source] = (self.turn[source] + 1) % REFUSED_PER_SOURCE
        # Frames of one wake-up arrive at one time: a nanosecond parts them, and the newest stays the newest.
        self.latest_ns = max(self.latest_ns + 1, received_ns)
        self.frames[slot].received_ns = self.latest_ns
        return &self.frames[slot]

    def newest(self):
        """Return every kept frame as a dictionary, newest first."""
        cdef uint32_t i
        cdef RefusedFrame* frame
        kept = []
        for i in range(REFUSED_SOURCES * REFUSED_PER_SOURCE):
            frame = &self.frames[i]
            if frame.received_ns == 0:
                continue
            address = ipaddress.IPv6Address(<bytes>frame.address[:16])
            kept.append({
                "received_ns": frame.received_ns, "peer": str(address.ipv4_mapped or address), "port": frame.port,
                "protocol": PROTOCOL_TEXT[frame.protocol] if frame.protocol else None,
                "reason": REFUSAL_TEXT[frame.status], "answered": ANSWER_TEXT[frame.answer], "size": frame.size,
                "bytes": <bytes>frame.bytes[:min(frame.size, <uint32_t>REFUSED_BYTES_MAX)],
            })
        kept.sort(key=lambda entry: entry["received_ns"], reverse=True)
        return kept
