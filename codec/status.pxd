# What reading bytes can end with. A reader returns one of these; it never raises and never waits.

cpdef enum Status:
    OK = 0
    NEED_DATA = 1        # a good beginning; nothing is consumed
    BATCH_FULL = 2       # no room for all rows of the frame; nothing was added
    # From here on the bytes are at fault. One byte is skipped and the search for a start goes on.
    BAD_START = 3        # no format begins like this
    BAD_LENGTH = 4       # a length field that is impossible or that the end mark contradicts
    BAD_CHECKSUM = 5
    BAD_FIELD = 6        # frame sound, but a header field cannot be read
    BAD_CRYPTO = 7       # does not decrypt under the transmitter's key, or no key is known
    BAD_TIME = 8         # stamp outside the transmitter's window
    STATUS_COUNT = 9
