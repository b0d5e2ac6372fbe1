"""The last refused frames: what `GET /v1/rejected` shows."""
import ipaddress

from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from codec.status import STATUS_TEXT
from codec.words import PROTOCOL_TEXT
from engine.memory cimport memory_release, memory_reserve

REFUSAL_TEXT = (*STATUS_TEXT, "unknown_account", "garbage_limit", "frame_timeout", "not_served")


cdef class RefusedFrames:
    def __cinit__(self):
        self.frames = <RefusedFrame*>memory_reserve(REFUSED_SOURCES * REFUSED_PER_SOURCE * sizeof(RefusedFrame))
        self.turn = <uint8_t*>calloc(REFUSED_SOURCES, 1)
        if self.turn == NULL:
            raise MemoryError()

    def __dealloc__(self):
        memory_release(self.frames, REFUSED_SOURCES * REFUSED_PER_SOURCE * sizeof(RefusedFrame))
        free(self.turn)

    cdef void note(self, const uint8_t* data, uint32_t size, uint8_t protocol, uint8_t status, const Frame* frame,
                   uint32_t peer, const uint8_t* address, uint16_t port, int64_t received_ns) noexcept nogil:
        """Keep a refused frame; the oldest of its source is overwritten.

        data   the frame, or what was passed over; size bytes of it
        frame  its header where that could be read, else NULL
        """
        cdef uint32_t source = (peer >> 1) % REFUSED_SOURCES  # the lowest bit of a peer's hash is always set
        cdef uint32_t row = source * REFUSED_PER_SOURCE, kept = min(size, <uint32_t>REFUSED_BYTES_MAX)
        cdef RefusedFrame* slot = &self.frames[row + (self.turn[source] + REFUSED_PER_SOURCE - 1) % REFUSED_PER_SOURCE]
        # Frames of one wake-up arrive at one time: a nanosecond parts them, and the newest stays the newest.
        self.latest_ns = max(self.latest_ns + 1, received_ns)
        if slot.received_ns and slot.status == status and slot.size == size and memcmp(slot.address, address, 16) == 0 \
                and memcmp(slot.bytes, data, kept) == 0:
            slot.count += 1
        else:
            slot = &self.frames[row + self.turn[source]]
            self.turn[source] = (self.turn[source] + 1) % REFUSED_PER_SOURCE
            slot.count = 1
            memcpy(slot.address, address, 16)
            slot.protocol = protocol
            slot.status = status
            slot.size = size
            memcpy(slot.bytes, data, kept)
        slot.received_ns = self.latest_ns
        slot.port = port
        slot.answer_size = 0
        slot.account_size = 0
        if frame != NULL:
            slot.account_size = frame.account_size
            memcpy(slot.account, frame.account, frame.account_size)
        self.latest = slot

    cdef void note_answer(self, const uint8_t* reply, uint32_t size) noexcept nogil:
        """Keep what the newest frame was answered with."""
        if self.latest != NULL:
            self.latest.answer_size = min(size, <uint32_t>REFUSED_ANSWER_BYTES_MAX)
            memcpy(self.latest.answer, reply, self.latest.answer_size)

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
                "received_ns": frame.received_ns, "count": frame.count,
                "peer": str(address.ipv4_mapped or address), "port": frame.port,
                "protocol": PROTOCOL_TEXT[frame.protocol] if frame.protocol else None,
                "reason": REFUSAL_TEXT[frame.status], "size": frame.size,
                "account": (<bytes>frame.account[:frame.account_size]).decode("ascii", "replace") or None,
                "bytes": <bytes>frame.bytes[:min(frame.size, <uint32_t>REFUSED_BYTES_MAX)],
                "answered": <bytes>frame.answer[:frame.answer_size],
            })
        kept.sort(key=lambda entry: entry["received_ns"], reverse=True)
        return kept
