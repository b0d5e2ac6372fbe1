/* BLAKE2s with a key of 32 bytes, a digest of 8 and a personalisation of 8: RFC 7693, 2.6 to 3.3, one call a message.

   Inputs of up to two parts, so that a reply can be bound to the request that it answers without copying either. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BLAKE2S_BLOCK_BYTES = 64 };

static const uint32_t blake2s_iv[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                       0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
static const uint8_t blake2s_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t blake2s_right(uint32_t word, int bits)
{
    return word >> bits | word << (32 - bits);
}

static inline void blake2s_mix(uint32_t *v, int a, int b, int c, int d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x, v[d] = blake2s_right(v[d] ^ v[a], 16);
    v[c] += v[d], v[b] = blake2s_right(v[b] ^ v[c], 12);
    v[a] += v[b] + y, v[d] = blake2s_right(v[d] ^ v[a], 8);
    v[c] += v[d], v[b] = blake2s_right(v[b] ^ v[c], 7);
}

static void blake2s_compress(uint32_t *h, const uint8_t *block, uint32_t count, int last)
{
    uint32_t m[16], v[16];
    for (int i = 0; i < 16; i++)         /* little endian, whatever the machine */
        m[i] = (uint32_t)block[4 * i] | (uint32_t)block[4 * i + 1] << 8 | (uint32_t)block[4 * i + 2] << 16
            | (uint32_t)block[4 * i + 3] << 24;
    memcpy(v, h, 32);
    memcpy(v + 8, blake2s_iv, 32);
    v[12] ^= count;
    v[14] ^= last ? 0xFFFFFFFF : 0;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        const uint8_t *s = blake2s_sigma[round];
        blake2s_mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        blake2s_mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        blake2s_mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        blake2s_mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        blake2s_mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        blake2s_mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        blake2s_mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        blake2s_mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (int i = 0; i < 8; i++)
        h[i] ^= v[i] ^ v[i + 8];
}

/* The tag of first and second, one after the other. */
static void blake2s_tag(const uint8_t *key, const char *person, const uint8_t *first, size_t first_size,
                        const uint8_t *second, size_t second_size, uint8_t *tag)
{
    uint8_t block[BLAKE2S_BLOCK_BYTES] = {0};
    uint32_t h[8], person_words[2], count = BLAKE2S_BLOCK_BYTES;
    size_t left = first_size + second_size, at = 0;
    for (int i = 0; i < 2; i++)
        person_words[i] = (uint32_t)(uint8_t)person[4 * i] | (uint32_t)(uint8_t)person[4 * i + 1] << 8
            | (uint32_t)(uint8_t)person[4 * i + 2] << 16 | (uint32_t)(uint8_t)person[4 * i + 3] << 24;
    memcpy(h, blake2s_iv, 32);
    h[0] ^= 8 | 32 << 8 | 1 << 16 | 1 << 24;     /* digest, key, fan-out and depth */
    h[6] ^= person_words[0];
    h[7] ^= person_words[1];
    memcpy(block, key, 32);
    blake2s_compress(h, block, count, left == 0);
    while (left) {
        size_t taken = left < BLAKE2S_BLOCK_BYTES ? left : BLAKE2S_BLOCK_BYTES;
        memset(block, 0, sizeof block);
        for (size_t i = 0; i < taken;) {
            size_t in_first = at + i < first_size ? first_size - at - i : 0;
            size_t part = in_first ? (in_first < taken - i ? in_first : taken - i) : taken - i;
            memcpy(block + i, in_first ? first + at + i : second + (at + i - first_size), part);
            i += part;
        }
        at += taken;
        left -= taken;
        count += (uint32_t)taken;
        blake2s_compress(h, block, count, left == 0);
    }
    for (int i = 0; i < 8; i++)
        tag[i] = (uint8_t)(h[i / 4] >> 8 * (i % 4));
}

/* Whether two tags are the same, in a time that says nothing of where they differ. */
static int blake2s_same(const uint8_t *one, const uint8_t *other)
{
    uint8_t differ = 0;
    for (int i = 0; i < 8; i++)
        differ |= (uint8_t)(one[i] ^ other[i]);
    return differ == 0;
}
