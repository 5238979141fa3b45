/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keyed random streams. A stream is named by (seed, entity, incarnation, purpose); its n-th draw is
 * a function of that name and n alone, so a draw added in one place moves nothing elsewhere.
 * xoshiro256** (Blackman & Vigna 2018), keyed by splitmix64 over the hashed name. Not for
 * cryptography. One draw per C statement. */
#ifndef SQUALL_BASE_RNG_H
#define SQUALL_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

/* `entity` and `purpose` are texts like "net n1>n2" and "delay"; `incarnation` is 0 where it has no
 * meaning. */
struct rng rng_stream(uint64_t seed, const char *entity, uint32_t incarnation, const char *purpose);
/* The same for hot places that hash their names beforehand with hash_text. */
struct rng rng_keyed(uint64_t seed, uint64_t entity, uint32_t incarnation, uint64_t purpose);

static inline uint64_t rng_rotate(uint64_t value, int count)
{
    return (value << count) | (value >> (64 - count));
}

/* Uniform in [0, 2^64). */
static inline uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rng_rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rng_rotate(s[3], 45);
    return result;
}

/* Uniform in [0, bound), bound >= 1; unbiased (Lemire 2019, "Fast random integer generation in an
 * interval"). */
uint64_t rng_below(struct rng *rng, uint64_t bound);

/* Probabilities are integers out of 2^32: RNG_ALWAYS is one, 0 is never. Draws exactly once. */
#define RNG_ALWAYS (UINT64_C(1) << 32)
static inline bool rng_chance(struct rng *rng, uint64_t probability)
{
    return (rng_u64(rng) >> 32) < probability;
}

/* Counter-based: the draw number `ordinal` of the stream `key`, with random access (splitmix64
 * finaliser). */
uint64_t rng_at(uint64_t key, uint64_t ordinal);

#endif
