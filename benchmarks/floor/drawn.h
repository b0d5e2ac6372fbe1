/* Frames that no file has to hold: heartbeats of accounts drawn at random, so that no cache foresees whose comes next. */
#ifndef TOCSIN_FLOOR_DRAWN_H
#define TOCSIN_FLOOR_DRAWN_H

#include "common.h"

enum { DRAWN_BYTES = 32, CRC_STEPS = 8, ACCOUNTS_MAX = 1 << 24 };

/* CRC-16/ARC, as in DC-09: polynomial 0x8005 reflected, start 0. */
static inline uint16_t crc_of(const uint8_t *bytes, size_t size)
{
    static uint16_t table[256];
    if (table[1] == 0) {
        for (int value = 0; value < 256; value++) {
            uint16_t step = (uint16_t)value;
            for (int i = 0; i < CRC_STEPS; i++)
                step = (uint16_t)(step >> 1 ^ (step & 1 ? 0xA001 : 0));
            table[value] = step;
        }
    }
    uint16_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = (uint16_t)(value >> 8 ^ table[(value ^ bytes[i]) & 0xFF]);
    return value;
}

/* SplitMix64 by Steele, Lea and Flood. */
static inline uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

/* `count` heartbeats as `benchmarks.frames.heartbeats` makes them, of accounts 0..accounts-1, one behind the other in
 * memory in the order in which they are sent: the client itself misses no cache. */
static inline Frames draw_heartbeats(uint32_t accounts, uint32_t count, uint64_t seed)
{
    Frames frames = {.count = count};
    stop_unless(accounts >= 1 && accounts <= ACCOUNTS_MAX && count >= 1, "--draw");
    uint8_t *bytes = malloc((size_t)count * DRAWN_BYTES);
    frames.start = malloc(count * sizeof *frames.start);
    frames.size = malloc(count * sizeof *frames.size);
    stop_unless(bytes && frames.start && frames.size, "memory");
    for (uint32_t i = 0; i < count; i++) {
        char body[DRAWN_BYTES], whole[2 * DRAWN_BYTES];
        int size = snprintf(body, sizeof body, "\"NULL\"0001L0#%06X[]", (uint32_t)(draw(&seed) % accounts));
        size = snprintf(whole, sizeof whole, "\n%04X0%03X%s\r", crc_of((uint8_t *)body, (size_t)size),
                        (uint32_t)size, body);
        stop_unless(size <= DRAWN_BYTES, "a drawn frame");
        frames.start[i] = memcpy(bytes + (size_t)i * DRAWN_BYTES, whole, (size_t)size);
        frames.size[i] = (uint16_t)size;
        frames.longest = (uint32_t)size;
    }
    return frames;
}

#endif
