# The Sur-Gard style heartbeat on a DC-09 socket. The form is drawn in surgard.pyx.

from codec.frame cimport Format

cdef enum:
    SURGARD_ACK = 0x06

cdef Format SURGARD
