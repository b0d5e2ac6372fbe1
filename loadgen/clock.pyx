"""The clocks of clock.pxd for Python callers."""


def monotonic_ns():
    return monotonic_now()


def wall_ns():
    return wall_now()
