# AES-128, -192 and -256 in CBC mode with an IV of zero bytes, as DC-09 encrypts; whole blocks, in place.
# How it is done, with instructions or without, stands in aes.h.

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    AES_BLOCK_BYTES = 16
    AES_KEY_BYTES_MAX = 32
    AES_ROUNDS_MAX = 14

cdef struct AesKey:          # an expanded key, 256 bytes: made once for each transmitter, never once for each frame
    uint32_t rounds          # 10, 12 or 14 for keys of 16, 24 or 32 bytes; 0 in a slot without a key
    uint8_t  unused[12]
    uint8_t  schedule[240]   # rounds + 1 round keys of 16 bytes; decryption takes the same, from the end

cdef extern from *:
    """
    static inline void aes_prefetch_lines(const void *key)
    {
        for (int at = 0; at < 256; at += 64)
            __builtin_prefetch((const char *)key + at);
    }
    """
    void aes_prefetch_lines(const void* key) noexcept nogil

cdef inline void aes_prefetch(const AesKey* key) noexcept nogil:
    """Ask for a key that is wanted one or two frames later: of 100,000 keys nearly each one is far away."""
    aes_prefetch_lines(key)

cdef bint aes_key_set(AesKey* key, const uint8_t* bytes, uint32_t size) noexcept nogil
cdef void aes_encrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil
cdef void aes_decrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil
