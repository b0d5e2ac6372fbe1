# ANSI/SIA DC-09: what other modules may use of it. The wire format is drawn in dc09.pyx.

from libc.stdint cimport uint8_t
from codec.frame cimport Format, Span

cdef enum:
    LF = 0x0A
    CR = 0x0D
    QUOTE = 0x22
    PREAMBLE_HEXADECIMAL = 9 # bytes before the first quote, with the checksum as four hex digits
    PREAMBLE_BINARY = 7      # and as two raw bytes

cdef enum Form:              # Frame.form: which variant the sender speaks
    FORM_BINARY = 1          # checksum as two raw bytes; the reply has the same
    FORM_COVERS_CR = 2       # checksum, and mostly the length, include the closing CR; the reply is plain

cdef enum Token:             # Frame.token
    TOKEN_UNKNOWN = 0
    TOKEN_NULL = 1
    TOKEN_XNM = 2
    TOKEN_SIA_DCS = 3
    TOKEN_ADM_CID = 4
    TOKEN_OTHER_DATA = 5     # a data token of the standard whose content we do not read
    TOKEN_ACK = 6
    TOKEN_NAK = 7
    TOKEN_DUH = 8
    TOKEN_RSP = 9

cdef struct Content:         # of a data field, after the account inside it
    Span account             # empty when the data names none
    Span rest                # what follows its bar

cdef Content content_of(const uint8_t* start, Span data) noexcept nogil

cdef Format DC09
