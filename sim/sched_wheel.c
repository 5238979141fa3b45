/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A radix heap (Ahuja, Mehlhorn, Orlin & Tarjan 1990) of base 256 over the 64 bits of the time, used as a timing wheel
 * (Varghese & Lauck 1987) whose far levels are split only when time reaches them. It needs no tuning of a bucket width
 * and no resizing, and a key is moved at most once per level: for n pending events about log256 of their spread.
 *
 * The lowest bucket that is not empty holds the next keys. If it is small it is sorted: the distance to the start of
 * the bucket and the place in it are packed into one word, and words are sorted; arrival order breaks ties, which is
 * the order of the sequence numbers unless the bucket is marked as disordered, when one pass of insertion over the
 * whole keys repairs the ties. If it is large it is split into the level below. At level 0 all keys of a bucket tie: in
 * order they are handed out chunk by chunk, disordered ones are left to the caller's heap.
 *
 * Splits are stable: a bucket is split only when all lower levels are empty, and in order of arrival.
 *
 * Reading a large bucket would wait for memory at each chunk (they are recycled, so their addresses are random); the
 * next chunk is prefetched while one is read. */
#include "sim/sched_wheel.h"

#include <string.h>

#define NO_CHUNK UINT32_MAX
#define PACK_BITS 7
static_assert(SCHED_WHEEL_SPLIT < 1 << PACK_BITS, "a place in a small bucket fits");
static_assert(SCHED_WHEEL_SPLIT >= SCHED_CHUNK_KEYS, "one chunk fits where a small bucket does");

void sched_wheel_init(struct sched_wheel *wheel, struct sched_chunk *chunks, uint32_t chunk_limit)
{
    memset(wheel, 0, sizeof(*wheel));
    wheel->chunks = chunks;
    wheel->chunk_limit = chunk_limit;
    wheel->chunk_free = NO_CHUNK;
    for (uint32_t id = 0; id < SCHED_WHEEL_BUCKETS; id++) {
        wheel->buckets[id].used = SCHED_CHUNK_KEYS;
    }
}

static bool bucket_is_disordered(const struct sched_wheel *wheel, uint32_t id)
{
    return (wheel->disordered[id / SCHED_WHEEL_FAN][(id / 64) % 4] >> (id % 64)) & 1;
}

static void bucket_occupy(struct sched_wheel *wheel, uint32_t id)
{
    uint32_t level = id / SCHED_WHEEL_FAN;
    wheel->occupied[level][(id / 64) % 4] |= UINT64_C(1) << (id % 64);
    wheel->levels |= 1U << level;
}

static void bucket_clear(struct sched_wheel *wheel, uint32_t id)
{
    uint32_t level = id / SCHED_WHEEL_FAN;
    uint64_t *words = wheel->occupied[level];
    wheel->count -= wheel->buckets[id].count;
    wheel->buckets[id] = (struct sched_bucket){.used = SCHED_CHUNK_KEYS};
    words[(id / 64) % 4] &= ~(UINT64_C(1) << (id % 64));
    wheel->disordered[level][(id / 64) % 4] &= ~(UINT64_C(1) << (id % 64));
    if ((words[0] | words[1] | words[2] | words[3]) == 0) {
        wheel->levels &= ~(1U << level);
    }
}

/* The first bucket of a level that is not empty. */
static uint32_t level_first(const struct sched_wheel *wheel, uint32_t level)
{
    const uint64_t *words = wheel->occupied[level];
    uint32_t word = 0;
    while (words[word] == 0) {
        word++;
        ASSERT(word < SCHED_WHEEL_FAN / 64);
    }
    return level * SCHED_WHEEL_FAN + word * 64 + (uint32_t)__builtin_ctzll(words[word]);
}

static uint32_t wheel_first(const struct sched_wheel *wheel)
{
    ASSERT(wheel->levels != 0);
    return level_first(wheel, (uint32_t)__builtin_ctz(wheel->levels));
}

void sched_wheel_clear(struct sched_wheel *wheel)
{
    while (wheel->levels != 0) {
        bucket_clear(wheel, wheel_first(wheel));
    }
    ASSERT(wheel->count == 0);
    wheel->base = 0;
    wheel->chunk_free = NO_CHUNK;
    wheel->chunk_fresh = 0;
}

void sched_wheel_extend(struct sched_wheel *wheel, uint32_t id)
{
    struct sched_bucket *bucket = &wheel->buckets[id];
    uint32_t chunk = wheel->chunk_free;
    if (chunk != NO_CHUNK) {
        wheel->chunk_free = wheel->chunks[chunk].next;
    } else {
        chunk = wheel->chunk_fresh++;
        ASSERT(chunk < wheel->chunk_limit); /* too many pending events */
        if (wheel->chunk_fresh > wheel->chunk_peak) {
            wheel->chunk_peak = wheel->chunk_fresh;
        }
    }
    if (bucket->count == 0) {
        bucket->head = chunk;
        bucket_occupy(wheel, id);
    } else {
        wheel->chunks[bucket->tail].next = chunk;
        wheel->chunks[bucket->tail].count = bucket->used;
    }
    bucket->tail = chunk;
    bucket->used = 0;
}

static void chunk_recycle(struct sched_wheel *wheel, uint32_t chunk)
{
    wheel->chunks[chunk].next = wheel->chunk_free;
    wheel->chunk_free = chunk;
}

/* Time at which the bucket starts: the bytes of base above its level, its own byte, zeros. */
static uint64_t bucket_start(const struct sched_wheel *wheel, uint32_t id)
{
    uint32_t shift = id / SCHED_WHEEL_FAN * 8;
    uint64_t above = shift == 56 ? 0 : wheel->base >> (shift + 8) << (shift + 8);
    return above | ((uint64_t)(id % SCHED_WHEEL_FAN) << shift);
}

static void chunk_prefetch(const struct sched_chunk *chunk)
{
    const char *bytes = (const char *)chunk;
    for (size_t at = 0; at < sizeof(*chunk); at += 64) {
        __builtin_prefetch(bytes + at);
    }
}

static void bucket_split(struct sched_wheel *wheel, uint32_t id)
{
    struct sched_bucket bucket = wheel->buckets[id];
    bool disordered = bucket_is_disordered(wheel, id);
    wheel->base = bucket_start(wheel, id);
    bucket_clear(wheel, id);
    for (uint32_t chunk = bucket.head;;) {
        const struct sched_chunk *source = &wheel->chunks[chunk];
        bool is_last = chunk == bucket.tail;
        uint32_t count = is_last ? bucket.used : source->count;
        uint32_t next = source->next;
        if (!is_last) {
            chunk_prefetch(&wheel->chunks[next]);
        }
        for (uint32_t i = 0; i < count; i++) {
            sched_wheel_push(wheel, source->keys[i], disordered);
        }
        chunk_recycle(wheel, chunk);
        if (is_last) {
            break;
        }
        chunk = next;
    }
}

/* Sorts words, a few dozen of them: insertion. */
static void words_sort(uint64_t *words, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        uint64_t word = words[i];
        uint32_t hole = i;
        while (hole > 0 && words[hole - 1] > word) {
            words[hole] = words[hole - 1];
            hole--;
        }
        words[hole] = word;
    }
}

/* Repairs ties that are not in order of sequence. */
static void keys_repair(sched_key *keys, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        sched_key key = keys[i];
        uint32_t hole = i;
        while (hole > 0 && keys[hole - 1] > key) {
            keys[hole] = keys[hole - 1];
            hole--;
        }
        keys[hole] = key;
    }
}

/* Empties a bucket of at most SCHED_WHEEL_SPLIT keys into `out`, sorted. */
static uint32_t bucket_take_sorted(struct sched_wheel *wheel, uint32_t id, sched_key *out)
{
    struct sched_bucket bucket = wheel->buckets[id];
    uint64_t start = bucket_start(wheel, id);
    sched_key keys[SCHED_WHEEL_SPLIT];
    uint64_t words[SCHED_WHEEL_SPLIT];
    uint32_t total = 0;
    for (uint32_t chunk = bucket.head;;) {
        const struct sched_chunk *source = &wheel->chunks[chunk];
        bool is_last = chunk == bucket.tail;
        uint32_t count = is_last ? bucket.used : source->count;
        uint32_t next = source->next;
        for (uint32_t i = 0; i < count; i++, total++) {
            keys[total] = source->keys[i];
            words[total] = (sched_key_time(keys[total]) - start) << PACK_BITS | total;
        }
        chunk_recycle(wheel, chunk);
        if (is_last) {
            break;
        }
        chunk = next;
    }
    ASSERT(total == bucket.count);
    words_sort(words, total);
    for (uint32_t i = 0; i < total; i++) {
        out[i] = keys[words[i] & ((1U << PACK_BITS) - 1)];
    }
    if (bucket_is_disordered(wheel, id)) {
        keys_repair(out, total);
    }
    wheel->base = start;
    bucket_clear(wheel, id);
    return total;
}

/* Takes the first chunk of a bucket of level 0 whose keys are in order and in more than one chunk. */
static uint32_t bucket_take_chunk(struct sched_wheel *wheel, uint32_t id, sched_key *out)
{
    struct sched_bucket *bucket = &wheel->buckets[id];
    ASSERT(bucket->head != bucket->tail);
    uint32_t chunk = bucket->head;
    const struct sched_chunk *source = &wheel->chunks[chunk];
    uint32_t count = source->count;
    memcpy(out, source->keys, count * sizeof(*out));
    wheel->base = bucket_start(wheel, id);
    wheel->count -= count;
    bucket->count -= count;
    bucket->head = source->next;
    chunk_prefetch(&wheel->chunks[bucket->head]);
    chunk_recycle(wheel, chunk);
    return count;
}

uint32_t sched_wheel_take(struct sched_wheel *wheel, sched_key *out)
{
    for (;;) {
        uint32_t id = wheel_first(wheel);
        const struct sched_bucket *bucket = &wheel->buckets[id];
        if (bucket->count <= SCHED_WHEEL_SPLIT) {
            return bucket_take_sorted(wheel, id, out);
        }
        if (id < SCHED_WHEEL_FAN) {
            return bucket_is_disordered(wheel, id) ? 0 : bucket_take_chunk(wheel, id, out);
        }
        bucket_split(wheel, id);
    }
}

void sched_wheel_drain(struct sched_wheel *wheel, void *context, void (*on_key)(void *, sched_key))
{
    uint32_t id = wheel_first(wheel);
    struct sched_bucket bucket = wheel->buckets[id];
    wheel->base = bucket_start(wheel, id);
    bucket_clear(wheel, id);
    for (uint32_t chunk = bucket.head;;) {
        const struct sched_chunk *source = &wheel->chunks[chunk];
        bool is_last = chunk == bucket.tail;
        uint32_t count = is_last ? bucket.used : source->count;
        uint32_t next = source->next;
        for (uint32_t i = 0; i < count; i++) {
            on_key(context, source->keys[i]);
        }
        chunk_recycle(wheel, chunk);
        if (is_last) {
            break;
        }
        chunk = next;
    }
}

/* Appends the chunks of bucket `from` to those of bucket `to`, and empties `from`. */
static void bucket_append(struct sched_wheel *wheel, uint32_t to, uint32_t from)
{
    struct sched_bucket moved = wheel->buckets[from];
    struct sched_bucket *bucket = &wheel->buckets[to];
    bucket_clear(wheel, from);
    if (bucket->count == 0) {
        bucket->head = moved.head;
        bucket_occupy(wheel, to);
    } else {
        wheel->chunks[bucket->tail].next = moved.head;
        wheel->chunks[bucket->tail].count = bucket->used;
    }
    wheel->disordered[to / SCHED_WHEEL_FAN][(to / 64) % 4] |= UINT64_C(1) << (to % 64);
    bucket->tail = moved.tail;
    bucket->used = moved.used;
    bucket->count += moved.count;
    wheel->count += moved.count;
}

/* Let L be the level at which the old and the new base differ. Keys at L and above keep their buckets: they differ
 * from both bases at the same byte. Keys below L agree with the old base at byte L, so that is now their bucket. */
void sched_wheel_rewind(struct sched_wheel *wheel, uint64_t base)
{
    uint64_t differs = base ^ wheel->base;
    if (wheel->count > 0 && differs != 0) {
        ASSERT(base < wheel->base);
        uint32_t level = (uint32_t)(63 - __builtin_clzll(differs)) / 8;
        uint32_t to = level * SCHED_WHEEL_FAN + (uint32_t)((wheel->base >> (level * 8)) & 255);
        uint32_t below = (1U << level) - 1;
        while ((wheel->levels & below) != 0) {
            bucket_append(wheel, to, wheel_first(wheel));
        }
    }
    wheel->base = base;
}
