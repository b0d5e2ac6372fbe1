"""What the store asks of a batch and its outcome besides their bytes for COPY."""
from libc.stdint cimport int64_t, uint32_t

from codec.batch cimport Batch, Columns, Text
from codec.words cimport ROW_SIGNAL
from engine.filter.outcome cimport NO_ROW, Outcome
from engine.store.copy cimport sane

cdef int64_t DAY_NS = 86400 * <int64_t>1000000000


def days(Batch batch not None):
    """The days on which the signals of a batch were received."""
    cdef Columns* c = &batch.columns
    cdef uint32_t i
    cdef int64_t day, last = -1
    found = set()
    for i in range(c.count):
        if c.kind[i] == ROW_SIGNAL and sane(c.received_ns[i]):
            day = c.received_ns[i] // DAY_NS
            if day != last:                  # nearly always the day of the row before
                found.add(day)
                last = day
    return found


def raw_of(Batch batch not None, uint32_t index):
    """The frame of one row as it came."""
    cdef Columns* c = &batch.columns
    if index >= c.count:
        raise IndexError(index)
    cdef Text raw = c.raw[index]
    return <bytes>c.arena[raw.at:raw.at + raw.size]


def is_signal(Batch batch not None, uint32_t index):
    """Whether a row is written at all."""
    if index >= batch.columns.count:
        raise IndexError(index)
    return batch.columns.kind[index] == ROW_SIGNAL


def numbers_of(Outcome outcome not None, uint32_t index):
    """The numbers of one event and of the signal behind it."""
    if index >= outcome.events_count:
        raise IndexError(index)
    return outcome.events.number[index], outcome.events.signal[index]


def first_signal(Outcome outcome not None, uint32_t begin, uint32_t end):
    """The number of the first signal of the batch behind one of the events [begin, end); None when there is none."""
    cdef uint32_t i
    for i in range(begin, min(end, outcome.events_count)):
        if outcome.events.row[i] != NO_ROW:
            return outcome.events.signal[i]
    return None


def json_of(Outcome outcome not None, uint32_t index):
    """The JSON of one event as it came."""
    if index >= outcome.events_count:
        raise IndexError(index)
    cdef Text json = outcome.events.json[index]
    return <bytes>outcome.arena[json.at:json.at + json.size]
