# AES-128, -192 and -256 in CBC mode with an IV of zero bytes, as DC-09 encrypts; whole blocks, in place.
# How it is done, with instructions or without, stands in aes.h.

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    AES_BLOCK_BYTES = 16

cdef struct AesKey:          # an expanded key, 256 bytes: made once for each transmitter, never once for each frame
    uint32_t rounds          # 10, 12 or 14 for keys of 16, 24 or 32 bytes; 0 in a slot without a key
    uint8_t  unused[12]
    uint8_t  schedule[240]   # rounds + 1 round keys of 16 bytes; decryption takes the same, from the end

cdef bint aes_key_set(AesKey* key, const uint8_t* bytes, uint32_t size) noexcept nogil
cdef void aes_encrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil
cdef void aes_decrypt(const AesKey* key, uint8_t* data, uint32_t blocks) noexcept nogil
