cdef bint network_event_push(Outcome outcome, const Loss* loss, uint64_t number, int64_t now_ns, const uint8_t* source, uint32_t source_size) noexcept nogil:
    return True
