"""The keyed hash as Python sees it, for tests and tools; the engine uses the inline function of the .pxd."""
import struct

from cpython.bytes cimport PyBytes_AS_STRING


def hash_bytes(bytes key not None, bytes data not None):
    cdef HashKey parts
    parts.first, parts.second = struct.unpack("<QQ", key)
    return siphash(&parts, <const uint8_t*>PyBytes_AS_STRING(data), len(data))
