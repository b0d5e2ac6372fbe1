/* The yardstick for checksums: CRC-16/ARC by one table of 256 entries, a byte a step, over frames of equal size. */
#include <stdint.h>

static uint16_t table[256];

static void fill_table(void)
{
    for (int value = 0; value < 256; value++) {
        uint16_t step = (uint16_t)value;
        for (int bit = 0; bit < 8; bit++)
            step = (uint16_t)(step & 1 ? step >> 1 ^ 0xA001 : step >> 1);
        table[value] = step;
    }
}

/* Sum of the checksums of bytes [from, until) of each frame. */
uint64_t crc_frames(const uint8_t *bytes, uint32_t frames, uint32_t frame_bytes, uint32_t from, uint32_t until)
{
    uint64_t sum = 0;
    if (table[1] == 0)
        fill_table();
    for (uint32_t i = 0; i < frames; i++, bytes += frame_bytes) {
        uint16_t crc = 0;
        for (uint32_t at = from; at < until; at++)
            crc = (uint16_t)(crc >> 8 ^ table[(crc ^ bytes[at]) & 0xFF]);
        sum += crc;
    }
    return sum;
}
