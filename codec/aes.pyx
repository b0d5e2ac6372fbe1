"""AES in CBC mode: the C of aes.h as functions of the codec, and as functions of Python for tests and tools."""
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy, memset

cdef extern from "aes.h" nogil:
    const int aes_has_instructions
    uint32_t aes_expand(const uint8_t* key, uint32_t key_size, uint8_t* schedule) noexcept
    void aes_cbc_encrypt(const uint8_t* schedule, uint32_t rounds, uint8_t* data, size_t blocks, int plain) noexcept
    void aes_cbc_decrypt(const uint8_t* schedule, uint32_t rounds, uint8_t* data, size_t blocks, int plain) noexcept


cdef bint aes_key_set(AesKey* key, const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Expand a key of 16, 24 or 32 bytes into `key`. Return False for any other size; then `key` holds none."""
    memset(key, 0, sizeof(AesKey))
    if size != 16 and size != 24 and size != 32:
        return False
    key.rounds = aes_expand(bytes, size, key.schedule)
    return True


cdef void aes_encrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil:
    """Encrypt `blocks` blocks of 16 bytes in place, chained from a block of zeros."""
    aes_cbc_encrypt(key.schedule, key.rounds, data, blocks, False)


cdef void aes_decrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil:
    """Undo aes_encrypt, in place."""
    aes_cbc_decrypt(key.schedule, key.rounds, data, blocks, False)


def has_instructions():
    return bool(aes_has_instructions)


cdef bytes converted(bytes key, bytes data, bint plain, bint back):
    cdef AesKey expanded
    cdef bytes out = PyBytes_FromStringAndSize(NULL, len(data))
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(out)
    if not aes_key_set(&expanded, <const uint8_t*>PyBytes_AS_STRING(key), len(key)):
        raise ValueError(f"key of {len(key)} bytes: AES takes 16, 24 or 32")
    if len(data) % AES_BLOCK_BYTES:
        raise ValueError(f"{len(data)} bytes are no whole blocks of {AES_BLOCK_BYTES}")
    memcpy(start, PyBytes_AS_STRING(data), len(data))
    if back:
        aes_cbc_decrypt(expanded.schedule, expanded.rounds, start, len(data) // AES_BLOCK_BYTES, plain)
    else:
        aes_cbc_encrypt(expanded.schedule, expanded.rounds, start, len(data) // AES_BLOCK_BYTES, plain)
    return out


def encrypt_cbc(bytes key not None, bytes data not None, *, bint plain=False):
    return converted(key, data, plain, False)


def decrypt_cbc(bytes key not None, bytes data not None, *, bint plain=False):
    return converted(key, data, plain, True)
