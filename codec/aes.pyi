def encrypt_cbc(key: bytes, data: bytes, *, plain: bool = False) -> bytes:
    """Return `data` encrypted by AES in CBC mode with an IV of 16 zero bytes, nothing padded.

    key     16, 24 or 32 bytes
    data    whole blocks of 16 bytes
    plain   take the plain C also where the processor has instructions for it
    Raises  ValueError for a key or data of another size
    """

def decrypt_cbc(key: bytes, data: bytes, *, plain: bool = False) -> bytes:
    """Undo encrypt_cbc."""

def has_instructions() -> bool:
    """Return whether the processor has instructions for AES and they are used."""
