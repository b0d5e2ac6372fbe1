# CRC-16/ARC: polynomial 0x8005 reflected (0xA001), initial value 0, nothing xored at the end; "123456789" -> 0xBB3D.
#
# The table is computed when the library is loaded, never copied: the one printed in DC-07 and DC-09 has a wrong entry.
# Eight bytes a step ("slicing by 8"): one byte a step is a chain of dependent loads, and costs three times as much
# on the 45 bytes of a heartbeat. 4 KB of table for each module that uses it.

from libc.stdint cimport uint8_t, uint16_t

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    static uint16_t crc16_table[8][256];

    __attribute__((constructor)) static void crc16_fill(void)
    {
        for (int i = 0; i < 256; i++) {
            uint16_t crc = (uint16_t)i;
            for (int bit = 0; bit < 8; bit++)
                crc = (uint16_t)((crc >> 1) ^ ((crc & 1) ? 0xA001 : 0));
            crc16_table[0][i] = crc;
        }
        for (int slice = 1; slice < 8; slice++)
            for (int i = 0; i < 256; i++) {
                uint16_t crc = crc16_table[slice - 1][i];
                crc16_table[slice][i] = (uint16_t)((crc >> 8) ^ crc16_table[0][crc & 0xFF]);
            }
    }

    static inline uint16_t crc16_update(uint16_t crc, const uint8_t *data, size_t size)
    {
        for (; size >= 8; size -= 8, data += 8)
            crc = crc16_table[7][data[0] ^ (crc & 0xFF)] ^ crc16_table[6][data[1] ^ (crc >> 8)]
                ^ crc16_table[5][data[2]] ^ crc16_table[4][data[3]] ^ crc16_table[3][data[4]]
                ^ crc16_table[2][data[5]] ^ crc16_table[1][data[6]] ^ crc16_table[0][data[7]];
        if (size >= 4) {
            crc = crc16_table[3][data[0] ^ (crc & 0xFF)] ^ crc16_table[2][data[1] ^ (crc >> 8)]
                ^ crc16_table[1][data[2]] ^ crc16_table[0][data[3]];
            size -= 4, data += 4;
        }
        for (; size; size--, data++)
            crc = (uint16_t)((crc >> 8) ^ crc16_table[0][(crc ^ *data) & 0xFF]);
        return crc;
    }
    """
    uint16_t crc16_update(uint16_t crc, const uint8_t* data, size_t size) noexcept nogil

cdef inline uint16_t crc16(const uint8_t* data, size_t size) noexcept nogil:
    """The checksum of `size` bytes; `crc16_update` goes on from an earlier one."""
    return crc16_update(0, data, size)
