/* AES (FIPS 197) in CBC mode (SP 800-38A, 6.2) with an IV of 16 zero bytes, for whole blocks, in place.
 *
 * Two ways to the same bytes: the instructions of x86 where the processor has them (asked once, when the library is
 * loaded, so that no build needs -maes), else plain C with two tables of 256 bytes, which are computed and not copied.
 * The plain way is some 20 times slower, and its time depends on the key by way of the cache; it is for machines that
 * have no choice.
 *
 * A schedule holds the rounds of encryption alone. What decryption needs differs by one cheap instruction for each
 * round; keeping it too would double the memory that a frame of a key not in the cache waits for.
 */
#ifndef CODEC_AES_H
#define CODEC_AES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__) && !defined(AES_WITHOUT_INSTRUCTIONS)
#define AES_INSTRUCTIONS 1
#include <emmintrin.h>
#include <wmmintrin.h>
#else
#define AES_INSTRUCTIONS 0
#endif

static uint8_t aes_box[256], aes_unbox[256];
static int aes_has_instructions __attribute__((unused));

static inline uint8_t aes_double(uint8_t x)
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1B : 0));
}

/* Fill both tables: p runs through all powers of 3, q through their inverses (FIPS 197, 4.2 and 5.1.1). */
__attribute__((constructor)) static void aes_fill(void)
{
    uint8_t p = 1, q = 1;
    do {
        p = (uint8_t)(p ^ aes_double(p));
        q ^= (uint8_t)(q << 1);
        q ^= (uint8_t)(q << 2);
        q ^= (uint8_t)(q << 4);
        if (q & 0x80)
            q ^= 0x09;
        uint8_t box = (uint8_t)(0x63 ^ q ^ (q << 1 | q >> 7) ^ (q << 2 | q >> 6) ^ (q << 3 | q >> 5)
                                ^ (q << 4 | q >> 4));
        aes_box[p] = box;
        aes_unbox[box] = p;
    } while (p != 1);
    aes_box[0] = 0x63;
    aes_unbox[0x63] = 0;
#if AES_INSTRUCTIONS
    __builtin_cpu_init();
    aes_has_instructions = __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse2");
#endif
}

/* Expand a key of 16, 24 or 32 bytes into schedule[rounds + 1][16]; return the rounds (FIPS 197, 5.2). */
static uint32_t aes_expand(const uint8_t *key, uint32_t key_size, uint8_t *schedule)
{
    uint32_t rounds = key_size / 4 + 6, size = 16 * (rounds + 1), at;
    uint8_t constant = 1, word[4], first;
    memcpy(schedule, key, key_size);
    for (at = key_size; at < size; at += 4) {
        memcpy(word, schedule + at - 4, 4);
        if (at % key_size == 0) {
            first = word[0];
            word[0] = aes_box[word[1]] ^ constant;
            word[1] = aes_box[word[2]];
            word[2] = aes_box[word[3]];
            word[3] = aes_box[first];
            constant = aes_double(constant);
        } else if (key_size == 32 && at % key_size == 16) {
            for (int i = 0; i < 4; i++)
                word[i] = aes_box[word[i]];
        }
        for (int i = 0; i < 4; i++)
            schedule[at + i] = schedule[at - key_size + i] ^ word[i];
    }
    return rounds;
}

/* ---- plain C ------------------------------------------------------------------------------------------------- */

static inline void aes_add(uint8_t *state, const uint8_t *other)
{
    for (int i = 0; i < 16; i++)
        state[i] ^= other[i];
}

static void aes_encrypt_plain(const uint8_t *schedule, uint32_t rounds, uint8_t *state)
{
    uint8_t next[16], *column, all, first;
    aes_add(state, schedule);
    for (uint32_t round = 1; round <= rounds; round++) {
        for (int i = 0; i < 16; i++)
            next[i] = aes_box[state[(i + 4 * (i & 3)) & 15]];
        for (column = next; round < rounds && column < next + 16; column += 4) {
            all = column[0] ^ column[1] ^ column[2] ^ column[3];
            first = column[0];
            column[0] ^= all ^ aes_double(column[0] ^ column[1]);
            column[1] ^= all ^ aes_double(column[1] ^ column[2]);
            column[2] ^= all ^ aes_double(column[2] ^ column[3]);
            column[3] ^= all ^ aes_double(column[3] ^ first);
        }
        memcpy(state, next, 16);
        aes_add(state, schedule + 16 * round);
    }
}

static void aes_decrypt_plain(const uint8_t *schedule, uint32_t rounds, uint8_t *state)
{
    uint8_t next[16], *column, all, first, even, odd;
    for (uint32_t round = rounds; round; round--) {
        aes_add(state, schedule + 16 * round);
        for (column = state; round < rounds && column < state + 16; column += 4) {
            even = aes_double(aes_double(column[0] ^ column[2]));
            odd = aes_double(aes_double(column[1] ^ column[3]));
            column[0] ^= even;
            column[2] ^= even;
            column[1] ^= odd;
            column[3] ^= odd;
            all = column[0] ^ column[1] ^ column[2] ^ column[3];
            first = column[0];
            column[0] ^= all ^ aes_double(column[0] ^ column[1]);
            column[1] ^= all ^ aes_double(column[1] ^ column[2]);
            column[2] ^= all ^ aes_double(column[2] ^ column[3]);
            column[3] ^= all ^ aes_double(column[3] ^ first);
        }
        for (int i = 0; i < 16; i++)
            next[(i + 4 * (i & 3)) & 15] = aes_unbox[state[i]];
        memcpy(state, next, 16);
    }
    aes_add(state, schedule);
}

static void aes_cbc_encrypt_plain(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks)
{
    for (size_t i = 0; i < blocks; i++, data += 16) {
        if (i)
            aes_add(data, data - 16);
        aes_encrypt_plain(schedule, rounds, data);
    }
}

static void aes_cbc_decrypt_plain(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks)
{
    for (uint8_t *block = data + 16 * blocks; block > data; ) {      /* from the last, so that no block needs a copy */
        block -= 16;
        aes_decrypt_plain(schedule, rounds, block);
        if (block > data)
            aes_add(block, block - 16);
    }
}

/* ---- instructions --------------------------------------------------------------------------------------------- */

#if AES_INSTRUCTIONS
#define AES_TARGET __attribute__((target("aes,sse2")))

static inline AES_TARGET __m128i aes_load(const uint8_t *from)
{
    return _mm_loadu_si128((const __m128i *)from);
}

static inline AES_TARGET void aes_store(uint8_t *to, __m128i block)
{
    _mm_storeu_si128((__m128i *)to, block);
}

static AES_TARGET void aes_cbc_encrypt_fast(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks)
{
    __m128i block = _mm_setzero_si128();
    for (size_t i = 0; i < blocks; i++, data += 16) {
        block = _mm_xor_si128(_mm_xor_si128(block, aes_load(data)), aes_load(schedule));
        for (uint32_t round = 1; round < rounds; round++)
            block = _mm_aesenc_si128(block, aes_load(schedule + 16 * round));
        block = _mm_aesenclast_si128(block, aes_load(schedule + 16 * rounds));
        aes_store(data, block);
    }
}

/* Blocks go four at a time: one round takes several cycles, but a new one can begin in each. */
static AES_TARGET void aes_cbc_decrypt_fast(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks)
{
    __m128i key[15], a, b, c, d, sent_a, sent_b, sent_c, sent_d, before = _mm_setzero_si128();
    key[0] = aes_load(schedule + 16 * rounds);
    for (uint32_t round = 1; round < rounds; round++)
        key[round] = _mm_aesimc_si128(aes_load(schedule + 16 * (rounds - round)));
    key[rounds] = aes_load(schedule);
    for (; blocks >= 4; blocks -= 4, data += 64) {
        sent_a = aes_load(data), sent_b = aes_load(data + 16), sent_c = aes_load(data + 32), sent_d = aes_load(data + 48);
        a = _mm_xor_si128(sent_a, key[0]), b = _mm_xor_si128(sent_b, key[0]);
        c = _mm_xor_si128(sent_c, key[0]), d = _mm_xor_si128(sent_d, key[0]);
        for (uint32_t round = 1; round < rounds; round++) {
            a = _mm_aesdec_si128(a, key[round]), b = _mm_aesdec_si128(b, key[round]);
            c = _mm_aesdec_si128(c, key[round]), d = _mm_aesdec_si128(d, key[round]);
        }
        aes_store(data, _mm_xor_si128(_mm_aesdeclast_si128(a, key[rounds]), before));
        aes_store(data + 16, _mm_xor_si128(_mm_aesdeclast_si128(b, key[rounds]), sent_a));
        aes_store(data + 32, _mm_xor_si128(_mm_aesdeclast_si128(c, key[rounds]), sent_b));
        aes_store(data + 48, _mm_xor_si128(_mm_aesdeclast_si128(d, key[rounds]), sent_c));
        before = sent_d;
    }
    for (; blocks; blocks--, data += 16) {
        sent_a = aes_load(data);
        a = _mm_xor_si128(sent_a, key[0]);
        for (uint32_t round = 1; round < rounds; round++)
            a = _mm_aesdec_si128(a, key[round]);
        aes_store(data, _mm_xor_si128(_mm_aesdeclast_si128(a, key[rounds]), before));
        before = sent_a;
    }
}
#endif

/* ---- either --------------------------------------------------------------------------------------------------- */

static void aes_cbc_encrypt(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks, int plain)
{
#if AES_INSTRUCTIONS
    if (aes_has_instructions && !plain) {
        aes_cbc_encrypt_fast(schedule, rounds, data, blocks);
        return;
    }
#endif
    (void)plain;
    aes_cbc_encrypt_plain(schedule, rounds, data, blocks);
}

static void aes_cbc_decrypt(const uint8_t *schedule, uint32_t rounds, uint8_t *data, size_t blocks, int plain)
{
#if AES_INSTRUCTIONS
    if (aes_has_instructions && !plain) {
        aes_cbc_decrypt_fast(schedule, rounds, data, blocks);
        return;
    }
#endif
    (void)plain;
    aes_cbc_decrypt_plain(schedule, rounds, data, blocks);
}

#endif
