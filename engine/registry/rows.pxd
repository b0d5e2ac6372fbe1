# From the lines of a text COPY to rows of a batch: what the registry says, on its way into the journal.
#
# A line is a row of a table, its columns with a tab between two. The statement takes tabs, line ends and backslashes
# out of free texts, so a backslash in a line is nonsense that somebody wrote past the table's checks; such a line, and
# one with a key, an id or a time that cannot be, is refused: it is counted, and the first ones are named.
# Times and windows are texts of which few differ: each is read by Python once and then found in a table of answers. So
# do the ends of transmitters' lines, all behind key and facility: what the row says of one is found in another table.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from codec.batch cimport Batch

cdef enum:
    LINE_BYTES_MAX = 1024        # a longer one is refused; those with sane texts have at most 300
    FIELDS_MAX = 9
    ROW_BYTES_MAX = 1280         # texts of one row
    ANSWERS = 256
    ANSWER_BYTES_MAX = 21
    ENDS = 256
    END_BYTES_MAX = 96           # a longer one is taken apart each time
    NAMED_MAX = 20               # refused rows that are named; the others are counted

cdef enum Line:                  # what the lines of a COPY are
    LINE_FACILITY = 0            # id, province, commune, team, kind, verification, name
    LINE_TRANSMITTER = 1         # key, facility, supervision, network, window_past, window_future, check_clear_stamps,
    LINE_POINT = 2               # (t or f) encrypted_only, stale. Of a point: transmitter, point, condition, zone
    LINE_FACILITY_GONE = 3       # id
    LINE_TRANSMITTER_GONE = 4    # key
    LINE_POINT_GONE = 5          # transmitter, point
    LINE_COUNT = 6

cdef struct Field:               # of the line that is being read
    const uint8_t* at
    uint32_t size

cdef struct Answer:              # what Python said of a text
    uint8_t  size
    uint8_t  text[ANSWER_BYTES_MAX]
    uint8_t  kind                # of the question + 1; 0: free
    uint8_t  good
    uint8_t  told_size
    uint8_t  told[39]            # its numbers as the row says them, a tab before each

cdef struct End:                 # of a transmitter's line: from the tab behind its facility on
    uint8_t  size                # 0: free
    uint8_t  told_size
    uint8_t  text[END_BYTES_MAX]
    uint8_t  told[END_BYTES_MAX]     # what the row's native says behind the facility

cdef class ChangeRows:
    cdef readonly Batch batch
    cdef readonly uint64_t refused   # lines since `begin_reading`
    cdef readonly list named         # [(kind, key, why)] of the first of them
    cdef Line line
    cdef int64_t received_ns
    cdef uint8_t partial[LINE_BYTES_MAX]     # the beginning of a line whose end has not come
    cdef uint32_t partial_size
    cdef bint too_long               # what is left of the line is passed over
    cdef Field field[FIELDS_MAX]
    cdef uint8_t fields              # FIELDS_MAX + 1: too many
    cdef Answer answers[ANSWERS]
    cdef End ends[ENDS]

    cdef bint has_room(self) noexcept nogil
    cdef int take_line(self, const uint8_t* line, uint32_t size) except -1
    cdef bint take_known(self, const uint8_t* line, const uint8_t* end) noexcept nogil
    cdef void keep_end(self, const uint8_t* text, uint32_t size, const uint8_t* told,
                       uint32_t told_size) noexcept nogil
    cdef const char* push(self, const uint8_t* line, uint32_t size) except? NULL
    cdef const char* push_transmitter(self) except? NULL
    cdef const char* push_named(self, int change, const uint8_t* native, uint32_t size, const Field* point) noexcept
    cdef void push_row(self, int change, int protocol, const Field* account, const Field* realm, const Field* point,
                       const uint8_t* native, uint32_t size) noexcept nogil
    cdef void gather(self, const uint8_t* piece, uint32_t size) noexcept nogil
    cdef int end_gathered(self) except -1
    cdef const Answer* ask(self, int kind, const Field* field) except NULL
    cdef int refuse(self, const Field* key, str why) except -1
