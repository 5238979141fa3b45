/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys of streams and the draws that are not inline. A key is a chain of multiply-mixes over the
 * parts of the name in the order of the arguments; splitmix64 spreads it over the 256 bits of
 * state, as the authors of xoshiro256** advise. Four consecutive outputs of splitmix64 are
 * different, so the state is never all zero. */
#include "sim/base/rng.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#define GOLDEN_GAMMA UINT64_C(0x9e3779b97f4a7c15)

/* The finaliser of splitmix64 (Steele, Lea & Flood 2014, variant 13 of Stafford): a bijection. */
static uint64_t splitmix_finish(uint64_t word)
{
    word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
    return word ^ (word >> 31);
}

struct rng rng_stream(uint64_t seed, const char *entity, uint32_t incarnation, const char *purpose)
{
    ASSERT(entity != NULL);
    ASSERT(purpose != NULL);
    return rng_keyed(seed, hash_text(entity), incarnation, hash_text(purpose));
}

struct rng rng_keyed(uint64_t seed, uint64_t entity, uint32_t incarnation, uint64_t purpose)
{
    uint64_t key = splitmix_finish(seed + GOLDEN_GAMMA);
    key = hash_mix(key, entity);
    key = hash_mix(key, incarnation);
    key = hash_mix(key, purpose);
    struct rng rng;
    for (int at = 0; at < 4; at++) {
        key += GOLDEN_GAMMA;
        rng.state[at] = splitmix_finish(key);
    }
    return rng;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    ASSERT(rng != NULL);
    ASSERT(bound >= 1);
    unsigned __int128 product = (unsigned __int128)rng_u64(rng) * bound;
    if ((uint64_t)product < bound) {
        /* Rare: only below 2^64 mod bound would a value have one preimage too many. */
        uint64_t threshold = (0 - bound) % bound;
        while ((uint64_t)product < threshold) {
            product = (unsigned __int128)rng_u64(rng) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

uint64_t rng_at(uint64_t key, uint64_t ordinal)
{
    /* The key is finished first: keys a multiple of the gamma apart must not share draws. */
    return splitmix_finish(splitmix_finish(key) + (ordinal + 1) * GOLDEN_GAMMA);
}
