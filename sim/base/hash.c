/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * XXH3 comes from libxxhash; its result does not depend on the byte order or the vector unit of the
 * machine. SHA-256 is written out here (FIPS 180-4, sections 5 and 6.2): it names runs and files
 * for people, a few kilobytes at a time, and is not worth a cryptographic library. It is not
 * hardened against anything. */
#include "sim/base/hash.h"

#include "sim/base/base.h"

#include <string.h>
#include <xxhash.h>

#define BLOCK_BYTES 64

/* FIPS 180-4, section 4.2.2: fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

uint64_t hash_bytes(const void *data, size_t size)
{
    ASSERT(data != NULL || size == 0);
    return XXH3_64bits(data, size);
}

uint64_t hash_text(const char *text)
{
    ASSERT(text != NULL);
    return XXH3_64bits(text, strlen(text));
}

static uint32_t rotate_right(uint32_t word, int count)
{
    return (word >> count) | (word << (32 - count));
}

/* Section 6.2.2: one block of 64 bytes. */
static void add_block(uint32_t state[8], const unsigned char *block)
{
    uint32_t schedule[64];
    for (int at = 0; at < 16; at++) {
        schedule[at] = (uint32_t)block[at * 4] << 24 | (uint32_t)block[at * 4 + 1] << 16 |
                       (uint32_t)block[at * 4 + 2] << 8 | (uint32_t)block[at * 4 + 3];
    }
    for (int at = 16; at < 64; at++) {
        uint32_t early = schedule[at - 15];
        uint32_t late = schedule[at - 2];
        uint32_t small0 = rotate_right(early, 7) ^ rotate_right(early, 18) ^ (early >> 3);
        uint32_t small1 = rotate_right(late, 17) ^ rotate_right(late, 19) ^ (late >> 10);
        schedule[at] = schedule[at - 16] + small0 + schedule[at - 7] + small1;
    }
    uint32_t s[8]; /* a .. h of the standard */
    memcpy(s, state, sizeof(s));
    for (int at = 0; at < 64; at++) {
        uint32_t big1 = rotate_right(s[4], 6) ^ rotate_right(s[4], 11) ^ rotate_right(s[4], 25);
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t first = s[7] + big1 + choice + round_constants[at] + schedule[at];
        uint32_t big0 = rotate_right(s[0], 2) ^ rotate_right(s[0], 13) ^ rotate_right(s[0], 22);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += first;
        s[0] = first + big0 + majority;
    }
    for (int at = 0; at < 8; at++) {
        state[at] += s[at];
    }
}

struct sha256 sha256_of(const void *data, size_t size)
{
    ASSERT(data != NULL || size == 0);
    uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *bytes = data;
    size_t whole = size / BLOCK_BYTES * BLOCK_BYTES;
    for (size_t at = 0; at < whole; at += BLOCK_BYTES) {
        add_block(state, bytes + at);
    }
    unsigned char tail[2 * BLOCK_BYTES] = {0};
    size_t rest = size - whole;
    if (rest > 0) {
        memcpy(tail, bytes + whole, rest);
    }
    tail[rest] = 0x80;
    size_t tail_size = rest + 1 + 8 <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
    uint64_t bits = (uint64_t)size * 8;
    for (size_t at = 0; at < 8; at++) {
        tail[tail_size - 1 - at] = (unsigned char)(bits >> (8 * at));
    }
    for (size_t at = 0; at < tail_size; at += BLOCK_BYTES) {
        add_block(state, tail + at);
    }
    struct sha256 result;
    for (size_t at = 0; at < 64; at++) {
        result.hex[at] = "0123456789abcdef"[(state[at / 8] >> (28 - 4 * (at % 8))) & 15];
    }
    result.hex[64] = '\0';
    return result;
}
