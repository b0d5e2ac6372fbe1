# Frames over many TCP connections, several transmitters on each.
#
#   tcp_space -> the caller writes a frame there -> tcp_add -> ... -> tcp_flush      out, one write a connection
#   tcp_receive                                                                      in, cut anywhere
#
# A connection that breaks is marked and given back to Python, which opens it again between two slices of the loop.

from libc.stdint cimport int64_t, uint8_t, uint32_t
from loadgen.transmitters cimport Book

cdef enum:
    TCP_OUT_BYTES = 32768
    TCP_IN_BYTES = 16384         # holds the longest frame several times, so that reading always gets on

cdef struct Connection:
    int      fd                  # -1: broken
    uint32_t out_at              # bytes of `out` already written
    uint32_t out_used
    uint32_t in_used
    uint8_t  dirty               # in the list of those with something to write
    uint8_t* out
    uint8_t* into

cdef struct Tcp:
    uint32_t count
    Connection* connections
    uint32_t* dirty              # indices
    uint32_t dirty_count
    uint8_t* scratch             # where frames for a full or broken connection go
    int64_t  messages            # writes
    int64_t  unsendable          # frames that met a full or broken connection
    int64_t  broken              # connections lost
    int64_t  garbage             # bytes between replies

cdef uint8_t* tcp_space(Tcp* tcp, uint32_t connection) noexcept nogil
cdef void tcp_add(Tcp* tcp, uint32_t connection, uint32_t size) noexcept nogil
cdef void tcp_flush(Tcp* tcp) noexcept nogil
cdef void tcp_receive(Tcp* tcp, uint32_t connection, Book* book) noexcept nogil

cdef class TcpConnections:
    cdef Tcp tcp
