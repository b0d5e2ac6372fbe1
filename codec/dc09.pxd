# ANSI/SIA DC-09: what other modules may use of it. The wire format is drawn in dc09.pyx.

from codec.frame cimport Format

cdef Format DC09
