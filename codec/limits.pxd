# The limits of the codec. A length read from the wire is held against one of these before it is used.

cdef enum:
    # Frames.
    ACCOUNT_BYTES_MAX = 16        # DC-09 allows 16 hex digits; GB/T addresses take 15 decimal ones
    DC09_FRAME_BYTES_MAX = 4106   # LF, 4 CRC, 0LLL, 0xFFF bytes of body, CR, and one CR counted by ELDES panels
    DC09_BODY_BYTES_MIN = 9       # "X"0000[]
    DC09_TOKEN_BYTES_MAX = 16     # the longest of the standard has 8
    DC09_ACCOUNT_BYTES_MIN = 3
    FRAME_BYTES_MAX = 4106        # the largest of all formats
    REPLY_BYTES_MAX = 256         # the longest reply that any format encodes
    COMMAND_BYTES_MAX = 200       # of what a centre sends along with a reply
    DC09_COMMAND_BYTES_MAX = 40   # sealed, its hex digits have to find room in a reply
    FRAME_SIGNALS_MAX = 128       # signals in one frame; a frame with more is BAD_FIELD

    # Batches.
    BATCH_ROWS_MAX = 16384        # rows of the largest batch that anything may ask for
    BATCH_ARENA_BYTES_MAX = 16777216
    POINT_BYTES_MAX = 64          # longer point text is cut, and FLAG_CUT says so
    DETAILS_BYTES_MAX = 4096      # a row's details, as JSON; what does not fit is left out field by field
    NATIVE_BYTES_MAX = 512        # the transmitter's own code and text; cut likewise
