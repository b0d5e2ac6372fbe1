# Rows of the journal that are the engine's own findings, and no part of what a frame said.

from libc.stdint cimport uint32_t
from codec.batch cimport Columns
from codec.words cimport CONDITION_COMMUNICATION_FAULT, CONDITION_LINE_FAULT, CONDITION_SYSTEM_FAULT, ROW_SIGNAL

cdef inline bint is_own_line_fault(const Columns* c, uint32_t row) noexcept nogil:
    """Tell whether a row is a line fault that SUPERVISE found: one that a frame reports has the frame's identity."""
    return c.kind[row] == ROW_SIGNAL and c.condition[row] == CONDITION_LINE_FAULT and c.identity[row].size == 0

cdef inline bint is_own_system_fault(const Columns* c, uint32_t row) noexcept nogil:
    """Tell whether a row says that a transmitter has no path left, or one again; its path holds the state."""
    return c.kind[row] == ROW_SIGNAL and c.condition[row] == CONDITION_SYSTEM_FAULT and c.identity[row].size == 0

cdef inline bint tells_unreadable_token(const Columns* c, uint32_t row) noexcept nogil:
    """Tell whether a row is the fault that LISTEN adds to a frame: it alone is no part of what the frame says."""
    return c.kind[row] == ROW_SIGNAL and c.condition[row] == CONDITION_COMMUNICATION_FAULT and c.identity[row].size == 0
