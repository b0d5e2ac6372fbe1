# What only paths that are not alone, or whose transmitter has times of its own, need: kept beside the path table, so
# that all others pay nothing for it. `MARK_ROLE` of a path's marks says that there is such an entry.

from libc.stdint cimport uint8_t, uint32_t

cdef enum SystemState:       # of a transmitter; one of its paths holds it. What is on its way has a state of its own
    SYSTEM_UP = 0
    SYSTEM_RAISING = 1
    SYSTEM_FAULT = 2         # every supervised path of it is in fault
    SYSTEM_CLEARING = 3

cdef struct PathTimes:       # supervision times of a transmitter, ms
    uint32_t primary_ms
    uint32_t alternate_ms    # of its other paths while the primary is up; 0: every path has primary_ms
    uint32_t alone_ms        # of its other paths while the primary is in fault

cdef struct PathRole:        # 24 bytes, as they stand in snapshots
    uint32_t  number         # of the path
    PathTimes times          # zeros: nobody named any; the path has its own
    uint32_t  lead           # the transmitter's primary path, or NO_PATH: it has one time for all
    uint8_t   system         # SystemState
    uint8_t   alternate      # the path is not the primary one
    uint8_t   several        # the transmitter has other paths, too
    uint8_t   unused

cdef enum:
    CHAIN_MAX = 256

cdef struct Members:         # of a transmitter: its paths, without one that only stood for it
    uint32_t count
    uint32_t first           # lowest number
    uint32_t expected        # the path that stands, or stood, for it; or NO_PATH
    uint32_t path[CHAIN_MAX]
