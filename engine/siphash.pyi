def hash_bytes(key: bytes, data: bytes) -> int:
    """Return the SipHash-2-4 of `data` under a key of 16 bytes, as an unsigned 64-bit number. Raises struct.error."""
