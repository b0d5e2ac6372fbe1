def patched_heartbeat(account: int, digits: int, sequence: int, second: int) -> bytes:
    """Return the NULL frame of an account of 4..15 hex digits; sequence 0..9999, `second` since 1970 UTC."""
