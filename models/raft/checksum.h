/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The 64-bit checksum of everything that a raft node stores, and the hash by which the checkers
 * know an entry. Built from multiplications 64x64->128 that are folded, as in wyhash (Wang Yi,
 * 2019); not cryptographic. Bytes are read as little-endian words, so that the result is part of
 * the file format (FORMAT.md). */
#ifndef SQUALL_MODELS_RAFT_CHECKSUM_H
#define SQUALL_MODELS_RAFT_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t checksum_mix(uint64_t left, uint64_t right)
{
    unsigned __int128 product = (unsigned __int128)(left ^ UINT64_C(0x2d358dccaa6c78a5)) *
                                (right ^ UINT64_C(0x8bb84b93962eacc9));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Reads up to 8 bytes, the rest is zero. */
static inline uint64_t checksum_word(const uint8_t *data, size_t size)
{
    uint64_t word = 0;
    memcpy(&word, data, size < 8 ? size : 8);
    return word;
}

/* Of `size` bytes at `data` (NULL when size is 0), chained to `seed`. Every single changed byte
 * changes it. */
static inline uint64_t checksum_bytes(uint64_t seed, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t sum = checksum_mix(seed, size);
    size_t left = size;
    while (left >= 16) {
        sum = checksum_mix(checksum_word(at, 8) ^ sum, checksum_word(at + 8, 8) + sum) ^ sum * 3;
        at += 16;
        left -= 16;
    }
    if (left > 8) {
        sum = checksum_mix(checksum_word(at, 8) ^ sum, checksum_word(at + 8, left - 8) + sum) ^
              sum * 3;
    } else if (left > 0) {
        sum = checksum_mix(checksum_word(at, left) ^ sum, ~sum);
    }
    return checksum_mix(sum, UINT64_C(0x4b33a62ed433d4a3));
}

/* The name of a log entry towards the checkers: the same on every node that holds the entry. */
static inline uint64_t checksum_entry(uint64_t term, uint32_t type, const void *data, size_t size)
{
    return checksum_bytes(checksum_mix(term, type), data, size);
}

#endif
