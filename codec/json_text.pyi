def string(text: bytes) -> bytes:
    """Return UTF-8 as a JSON string with its quotes; a byte that is no UTF-8 becomes U+FFFD."""

def number(value: int) -> bytes:
    """Return a number of 64 bits without sign."""

def time(ns: int) -> bytes:
    """Return ns since 1970 as RFC 3339 in UTC, in quotes, cut to microseconds."""
