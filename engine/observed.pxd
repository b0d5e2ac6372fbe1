# How long a path is silent when all is well: kept beside the path table a quarter of an hour at a time, so that nothing
# is added to the way of a heartbeat.

from libc.stdint cimport int64_t, uint16_t, uint32_t

cdef enum:
    QUARTERS_KEPT = 4
    FRAMES_MIN = 3               # frames after which a path's interval is known
    SECONDS_MAX = 0xFFFF         # a longer silence counts as so long: 18 h
    FRAMES_KEPT_MAX = 0xFFFF     # then the average begins anew

cdef struct Observed:            # 16 bytes; quarters of an hour in which the path did not speak leave no trace
    uint16_t silence_s[QUARTERS_KEPT]    # longest silence that ended in each, rounded up, newest first
    uint16_t quarters            # how many there were, up to 65535
    uint16_t frames              # since `begin_s`
    uint32_t begin_s             # listening time of the last frame of a quarter before

cdef struct Interval:            # what is known of a path's silences, ms
    uint32_t frames              # that were seen
    uint32_t longest_ms
    uint32_t usual_ms            # the longest, without what happened in one quarter of an hour alone
    uint32_t typical_ms          # from frame to frame on the average; 0: not known before the second quarter


cdef inline void observed_end_quarter(Observed* observed, uint16_t frames, uint32_t silence_ms,
                                      int64_t heard_ms) noexcept nogil:
    """Take in a quarter of an hour that is over, in which the path spoke."""
    cdef int i
    for i in range(QUARTERS_KEPT - 1, 0, -1):
        observed.silence_s[i] = observed.silence_s[i - 1]
    observed.silence_s[0] = <uint16_t>min((silence_ms + 999) // 1000, <uint32_t>SECONDS_MAX)
    if observed.quarters == 0 or observed.frames + frames > FRAMES_KEPT_MAX:
        observed.begin_s = <uint32_t>(heard_ms // 1000)
        observed.frames = 0
    else:
        observed.frames += frames
    observed.quarters += observed.quarters < 0xFFFF

cdef inline Interval interval_of(const Observed* observed, uint16_t frames, uint32_t silence_ms,
                                 int64_t heard_ms) noexcept nogil:
    """Return what is known of a path; the arguments are of the quarter of an hour that has not ended."""
    cdef Interval interval
    cdef uint32_t silences[QUARTERS_KEPT + 1]
    cdef uint32_t count = min(<uint32_t>observed.quarters, <uint32_t>QUARTERS_KEPT), i, second = 0
    cdef uint32_t since = <uint32_t>observed.frames + frames
    cdef int64_t span_ms = heard_ms - <int64_t>observed.begin_s * 1000
    for i in range(count):
        silences[i] = <uint32_t>observed.silence_s[i] * 1000
    if frames:
        silences[count] = silence_ms
        count += 1
    interval.frames = since + (observed.quarters != 0)
    interval.longest_ms = interval.typical_ms = 0
    for i in range(count):
        if silences[i] >= interval.longest_ms:
            second = interval.longest_ms
            interval.longest_ms = silences[i]
        elif silences[i] > second:
            second = silences[i]
    interval.usual_ms = second if count > 2 else interval.longest_ms
    if observed.quarters and since and span_ms > 0:
        interval.typical_ms = <uint32_t>min(span_ms // since, <int64_t>0x7FFFFFFF)
    return interval
