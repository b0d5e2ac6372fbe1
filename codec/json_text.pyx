"""The same JSON for callers in Python: rare lines of a stream, and the tests of `json_text.pxd`."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize


def string(bytes text not None):
    cdef bytes out = PyBytes_FromStringAndSize(NULL, len(text) * JSON_BYTES_PER_BYTE + 2)
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
    cdef uint8_t* end = json_string(start, <const uint8_t*>text, <uint32_t>len(text))
    return out[:end - start]


def number(uint64_t value):
    cdef uint8_t[20] out
    cdef uint8_t* end = json_number(out, value)
    return (<char*>out)[:end - out]


def time(int64_t ns):
    cdef uint8_t[JSON_TIME_BYTES] out
    cdef uint8_t* end = json_time(out, ns)
    return (<char*>out)[:end - out]
