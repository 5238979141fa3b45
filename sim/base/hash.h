/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hashes: a 64-bit multiply-mix for chains (digests), XXH3 for bytes, SHA-256 for identities that
 * people compare. */
#ifndef SQUALL_BASE_HASH_H
#define SQUALL_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Mixes two words through a 64x64->128 multiply and folds. About 2 ns; not commutative. */
static inline uint64_t hash_mix(uint64_t left, uint64_t right)
{
    unsigned __int128 product = (unsigned __int128)(left ^ UINT64_C(0x9e3779b97f4a7c15)) *
                                (right ^ UINT64_C(0xe7037ed1a0b428db));
    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ right;
}

/* XXH3-64 with seed 0. */
uint64_t hash_bytes(const void *data, size_t size);
uint64_t hash_text(const char *text);

struct sha256 {
    char hex[65];
};
/* FIPS 180-4. */
struct sha256 sha256_of(const void *data, size_t size);

#endif
