/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stable radix wheel of keys: 8 levels of 256 buckets, one level for each byte of the time. A key
 * lies at the level of the highest byte in which its time differs from `base`, in the bucket of
 * that byte; so all keys of a lower level come before all keys of a higher one, and within a level
 * the buckets are in order. `base` never exceeds the time of any key.
 *
 * A bucket is a list of chunks of keys. Keys are in it in order of arrival, which is order of
 * sequence unless the bucket is marked as disordered. The memory of the chunks belongs to the
 * caller. */
#ifndef SQUALL_SIM_SCHED_WHEEL_H
#define SQUALL_SIM_SCHED_WHEEL_H

#include "sim/base/base.h"
#include "sim/sched_key.h"

#define SCHED_WHEEL_LEVELS  8
#define SCHED_WHEEL_FAN     256
#define SCHED_WHEEL_BUCKETS (SCHED_WHEEL_LEVELS * SCHED_WHEEL_FAN)
#define SCHED_CHUNK_KEYS    67
/* Most keys that sched_wheel_take gives at once. */
#define SCHED_WHEEL_TAKE_MOST 1536

/* 17 cache lines: an odd number, so that the first keys of many chunks do not compete for the same
 * cache sets. */
struct sched_chunk {
    uint32_t next;  /* index of the next chunk of the bucket, meaningless in the last */
    uint32_t count; /* keys; set when the chunk is no longer the last */
    uint64_t unused;
    sched_key keys[SCHED_CHUNK_KEYS];
};
static_assert(sizeof(struct sched_chunk) == 17 * 64, "a chunk is 17 cache lines");

struct sched_bucket {
    uint32_t head;
    uint32_t tail;
    uint32_t used; /* keys in the tail chunk; SCHED_CHUNK_KEYS in an empty bucket */
    uint32_t count;
};

struct sched_wheel {
    uint64_t base;
    uint32_t count;       /* keys in all buckets */
    uint32_t chunk_free;  /* LIFO; UINT32_MAX when empty */
    uint32_t chunk_fresh; /* chunks from here on were not used since the last clear */
    uint32_t chunk_limit; /* more than this many chunks is an assertion */
    uint32_t chunk_peak;
    uint32_t levels; /* bit l: level l is not empty */
    struct sched_chunk *chunks;
    uint64_t occupied[SCHED_WHEEL_LEVELS][SCHED_WHEEL_FAN / 64];
    uint64_t disordered[SCHED_WHEEL_LEVELS][SCHED_WHEEL_FAN / 64];
    struct sched_bucket buckets[SCHED_WHEEL_BUCKETS];
};

void sched_wheel_init(struct sched_wheel *wheel, struct sched_chunk *chunks, uint32_t chunk_limit);
/* Forgets all keys, base becomes 0. */
void sched_wheel_clear(struct sched_wheel *wheel);
/* Takes the next keys in order, at least one and at most SCHED_WHEEL_TAKE_MOST, to `out`, sorted,
 * and moves base up to them; the wheel must not be empty. Returns 0 (and nothing in `out`) when
 * many keys tie in time and are disordered: then the caller drains the bucket with
 * sched_wheel_drain. */
uint32_t sched_wheel_take(struct sched_wheel *wheel, sched_key *out);
/* Calls on_key for every key of the lowest bucket, in no order, and empties it. */
void sched_wheel_drain(struct sched_wheel *wheel, void *context, void (*on_key)(void *, sched_key));
/* Forgets the keys of which `keep` says false. */
void sched_wheel_filter(struct sched_wheel *wheel, void *context, bool (*keep)(void *, sched_key));
/* Moves base down to `base`. Any base will do for an empty wheel. */
void sched_wheel_rewind(struct sched_wheel *wheel, uint64_t base);
/* The bucket's tail chunk is full or there is none: appends a chunk. */
void sched_wheel_extend(struct sched_wheel *wheel, uint32_t id);

/* `disordered`: keys with a larger sequence number may have been pushed before. */
static inline void sched_wheel_push(struct sched_wheel *wheel, sched_key key, bool disordered)
{
    uint64_t time = sched_key_time(key);
    uint64_t differs = (time ^ wheel->base) | 1;
    uint32_t level = (uint32_t)(63 - __builtin_clzll(differs)) / 8;
    uint32_t id = level * SCHED_WHEEL_FAN + (uint32_t)((time >> (level * 8)) & 255);
    struct sched_bucket *bucket = &wheel->buckets[id];
    if (bucket->used == SCHED_CHUNK_KEYS) {
        sched_wheel_extend(wheel, id);
    }
    wheel->chunks[bucket->tail].keys[bucket->used++] = key;
    bucket->count++;
    if (disordered) {
        wheel->disordered[level][(id / 64) % 4] |= UINT64_C(1) << (id % 64);
    }
    wheel->count++;
}

#endif
