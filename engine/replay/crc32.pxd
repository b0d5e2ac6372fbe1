# CRC-32 as in zip and Ethernet, eight bytes a step; for pieces so small that calling a library costs more than they do.
# "123456789" -> 0xCBF43926. The table is computed when the library is loaded. See codec/crc16.pxd for the why.

from libc.stdint cimport uint8_t, uint32_t

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>
    #include <string.h>

    static uint32_t crc32_table[8][256];

    __attribute__((constructor)) static void crc32_fill(void)
    {
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t crc = i;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) ? 0xEDB88320u : 0);
            crc32_table[0][i] = crc;
        }
        for (int slice = 1; slice < 8; slice++)
            for (int i = 0; i < 256; i++) {
                uint32_t crc = crc32_table[slice - 1][i];
                crc32_table[slice][i] = (crc >> 8) ^ crc32_table[0][crc & 0xFF];
            }
    }

    static inline uint32_t crc32_update(uint32_t crc, const uint8_t *data, size_t size)
    {
        crc = ~crc;
        for (; size >= 8; size -= 8, data += 8) {
            uint32_t low, high;
            memcpy(&low, data, 4);
            memcpy(&high, data + 4, 4);
            low ^= crc;
            crc = crc32_table[7][low & 0xFF] ^ crc32_table[6][low >> 8 & 0xFF]
                ^ crc32_table[5][low >> 16 & 0xFF] ^ crc32_table[4][low >> 24]
                ^ crc32_table[3][high & 0xFF] ^ crc32_table[2][high >> 8 & 0xFF]
                ^ crc32_table[1][high >> 16 & 0xFF] ^ crc32_table[0][high >> 24];
        }
        for (; size; size--, data++)
            crc = (crc >> 8) ^ crc32_table[0][(crc ^ *data) & 0xFF];
        return ~crc;
    }
    """
    # Goes on from an earlier checksum, 0 at first. Little-endian machines only, as all of the journal's layout.
    uint32_t crc32_update(uint32_t crc, const uint8_t* data, size_t size) noexcept nogil
