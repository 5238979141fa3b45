/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A radix heap (Ahuja, Mehlhorn, Orlin & Tarjan 1990) of base 256 over the 64 bits of the time,
 * used as a timing wheel (Varghese & Lauck 1987) whose far levels are split only when time reaches
 * them. It needs no tuning of a bucket width and no resizing, and a key is moved at most once per
 * level: for n pending events about log256 of their spread.
 *
 * The lowest bucket that is not empty holds the next keys. If it is small it is sorted: the
 * distance to the start of the bucket and the place in it are packed into one word, and words are
 * sorted; arrival order breaks ties, which is the order of the sequence numbers unless the bucket
 * is marked as disordered, when one pass of insertion over the whole keys repairs the ties. If it
 * is large it is split into the level below. At level 0 all keys of a bucket tie: in order they are
 * handed out chunk by chunk, disordered ones are left to the caller's heap.
 *
 * Splits are stable: a bucket is split only when all lower levels are empty, and in order of
 * arrival.
 *
 * Reading a large bucket would wait for memory at each chunk (they are recycled, so their addresses
 * are random); the next chunk is prefetched while one is read. */
#include "sim/sched_wheel.h"

#include <string.h>

#define NO_CHUNK UINT32_MAX
/* A bucket with at most RANK_MOST keys is sorted by ranks. A larger one that still is a small part
 * of the wheel is sorted by counting. Anything else is split. */
#define RANK_MOST 96
#define COUNTERS  2048
/* Distance and place in one non-negative 32-bit word. */
#define PLACE_BITS    7
#define DISTANCE_BITS 24
static_assert(RANK_MOST <= 1 << PLACE_BITS, "a place in a small bucket fits");
static_assert(PLACE_BITS + DISTANCE_BITS == 31, "a word is not negative");
static_assert(SCHED_WHEEL_TAKE_MOST >= SCHED_CHUNK_KEYS, "one chunk fits where a bucket does");
static_assert(SCHED_WHEEL_TAKE_MOST < UINT16_MAX, "counters do not overflow");

typedef int32_t lanes __attribute__((vector_size(16)));

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

/* Always inlined: GCC takes a function that only prefetches for one without effect and drops the
 * call. */
__attribute__((always_inline)) static inline void chunk_prefetch(const struct sched_chunk *chunk)
{
    const char *bytes = (const char *)chunk;
    for (size_t at = 0; at < sizeof(*chunk); at += 64) {
        __builtin_prefetch(bytes + at);
    }
}

/* Insertion: repairs what is nearly in order. */
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

/* The rank of each of `count` different words among them. Four at a time, without a branch that
 * depends on them: insertion mispredicts once for every key, which costs more than all these
 * comparisons. */
static void words_rank(const int32_t *words, uint32_t count, int32_t *ranks)
{
    for (uint32_t i = 0; i < count; i += 4) {
        lanes four;
        lanes rank = {0};
        memcpy(&four, words + i, sizeof(four));
        for (uint32_t k = 0; k < count; k++) {
            int32_t word = words[k];
            rank -= (lanes){word, word, word, word} < four;
        }
        memcpy(ranks + i, &rank, sizeof(rank));
    }
}

/* The keys of a bucket, one chunk after the other. */
struct chunk_walk {
    const struct sched_wheel *wheel;
    const struct sched_bucket *bucket;
    const sched_key *keys; /* of the present chunk */
    uint32_t count;
    uint32_t chunk; /* the next one */
    bool is_done;   /* there is no next one */
};

static struct chunk_walk bucket_walk(const struct sched_wheel *wheel,
                                     const struct sched_bucket *bucket)
{
    return (struct chunk_walk){.wheel = wheel, .bucket = bucket, .chunk = bucket->head};
}

static inline bool chunk_next(struct chunk_walk *walk)
{
    if (walk->is_done) {
        return false;
    }
    const struct sched_chunk *chunk = &walk->wheel->chunks[walk->chunk];
    walk->keys = chunk->keys;
    walk->is_done = walk->chunk == walk->bucket->tail;
    walk->count = walk->is_done ? walk->bucket->used : chunk->count;
    walk->chunk = chunk->next;
    return true;
}

static void bucket_split(struct sched_wheel *wheel, uint32_t id)
{
    struct sched_bucket bucket = wheel->buckets[id];
    bool disordered = bucket_is_disordered(wheel, id);
    wheel->base = bucket_start(wheel, id);
    bucket_clear(wheel, id);
    struct chunk_walk walk = bucket_walk(wheel, &bucket);
    uint32_t chunk = walk.chunk;
    while (chunk_next(&walk)) {
        if (!walk.is_done) {
            chunk_prefetch(&wheel->chunks[walk.chunk]);
        }
        for (uint32_t i = 0; i < walk.count; i++) {
            sched_wheel_push(wheel, walk.keys[i], disordered);
        }
        chunk_recycle(wheel, chunk);
        chunk = walk.chunk;
    }
}

/* All chunks of the bucket become free; the bucket is empty. */
static void bucket_discard(struct sched_wheel *wheel, uint32_t id)
{
    const struct sched_bucket *bucket = &wheel->buckets[id];
    wheel->chunks[bucket->tail].next = wheel->chunk_free;
    wheel->chunk_free = bucket->head;
    wheel->base = bucket_start(wheel, id);
    bucket_clear(wheel, id);
}

/* Empties a bucket of at most RANK_MOST keys into `out`, sorted by rank of (distance, place).
 * Distances of more than 24 bits are cut, which may put keys that nearly tie in order of arrival:
 * repaired. */
static uint32_t bucket_take_small(struct sched_wheel *wheel, uint32_t id, sched_key *out)
{
    const struct sched_bucket *bucket = &wheel->buckets[id];
    uint32_t total = bucket->count;
    if (total == 1) {
        out[0] = wheel->chunks[bucket->head].keys[0];
        bucket_discard(wheel, id);
        return 1;
    }
    uint64_t start = bucket_start(wheel, id);
    uint32_t width = id / SCHED_WHEEL_FAN * 8;
    uint32_t cut = width > DISTANCE_BITS ? width - DISTANCE_BITS : 0;
    int32_t words[RANK_MOST + 4];
    int32_t ranks[RANK_MOST + 4];
    uint32_t place = 0;
    struct chunk_walk walk = bucket_walk(wheel, bucket);
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++, place++) {
            uint64_t distance = (sched_key_time(walk.keys[i]) - start) >> cut;
            words[place] = (int32_t)(distance << PLACE_BITS | place);
        }
    }
    ASSERT(place == total);
    memset(words + total, 0, 4 * sizeof(words[0])); /* their ranks are not used */
    words_rank(words, total, ranks);
    const int32_t *rank = ranks;
    walk = bucket_walk(wheel, bucket);
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++) {
            out[*rank++] = walk.keys[i];
        }
    }
    if (cut > 0 || bucket_is_disordered(wheel, id)) {
        keys_repair(out, total);
    }
    bucket_discard(wheel, id);
    return total;
}

/* Empties a bucket of a few hundred keys into `out`: a counting sort by as many leading bits of the
 * distance as give each key a place of its own on average, then a pass of insertion. */
static uint32_t bucket_take_large(struct sched_wheel *wheel, uint32_t id, sched_key *out)
{
    const struct sched_bucket *bucket = &wheel->buckets[id];
    uint32_t total = bucket->count;
    uint64_t start = bucket_start(wheel, id);
    uint32_t width = id / SCHED_WHEEL_FAN * 8;
    uint32_t bits = total > 512 ? 11 : 9;
    bits = bits < width ? bits : width;
    uint32_t cut = width - bits;
    uint16_t places[COUNTERS] = {0};
    struct chunk_walk walk = bucket_walk(wheel, bucket);
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++) {
            places[(sched_key_time(walk.keys[i]) - start) >> cut]++;
        }
    }
    uint16_t place = 0;
    for (uint32_t i = 0; i < 1U << bits; i++) {
        uint16_t count = places[i];
        places[i] = place;
        place = (uint16_t)(place + count);
    }
    ASSERT(place == total);
    walk = bucket_walk(wheel, bucket);
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++) {
            out[places[(sched_key_time(walk.keys[i]) - start) >> cut]++] = walk.keys[i];
        }
    }
    keys_repair(out, total);
    bucket_discard(wheel, id);
    return total;
}

/* Takes the first chunk of a bucket of level 0 whose keys are in order and in more than one chunk.
 * */
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
        if (bucket->count <= RANK_MOST) {
            return bucket_take_small(wheel, id, out);
        }
        if (id < SCHED_WHEEL_FAN) {
            return bucket_is_disordered(wheel, id) ? 0 : bucket_take_chunk(wheel, id, out);
        }
        if (bucket->count <= SCHED_WHEEL_TAKE_MOST && bucket->count <= wheel->count / 8) {
            return bucket_take_large(wheel, id, out);
        }
        bucket_split(wheel, id);
    }
}

void sched_wheel_drain(struct sched_wheel *wheel, void *context, void (*on_key)(void *, sched_key))
{
    uint32_t id = wheel_first(wheel);
    struct chunk_walk walk = bucket_walk(wheel, &wheel->buckets[id]);
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++) {
            on_key(context, walk.keys[i]);
        }
    }
    bucket_discard(wheel, id);
}

/* Keys go back to the bucket that they were in. A chunk is recycled when it has been read, so that
 * hardly any memory is needed on the way. */
static void bucket_filter(struct sched_wheel *wheel, uint32_t id, void *context,
                          bool (*keep)(void *, sched_key))
{
    struct sched_bucket bucket = wheel->buckets[id];
    bool disordered = bucket_is_disordered(wheel, id);
    bucket_clear(wheel, id);
    struct chunk_walk walk = bucket_walk(wheel, &bucket);
    uint32_t chunk = walk.chunk;
    while (chunk_next(&walk)) {
        for (uint32_t i = 0; i < walk.count; i++) {
            if (keep(context, walk.keys[i])) {
                sched_wheel_push(wheel, walk.keys[i], disordered);
            }
        }
        chunk_recycle(wheel, chunk);
        chunk = walk.chunk;
    }
}

void sched_wheel_filter(struct sched_wheel *wheel, void *context, bool (*keep)(void *, sched_key))
{
    for (uint32_t id = 0; id < SCHED_WHEEL_BUCKETS; id++) {
        if (wheel->buckets[id].count > 0) {
            bucket_filter(wheel, id, context, keep);
        }
    }
}

/* Appends the chunks of bucket `from` to those of bucket `to`, and empties `from`. Ties are in one
 * bucket, so what was in order stays so. */
static void bucket_append(struct sched_wheel *wheel, uint32_t to, uint32_t from)
{
    struct sched_bucket moved = wheel->buckets[from];
    struct sched_bucket *bucket = &wheel->buckets[to];
    if (bucket_is_disordered(wheel, from)) {
        wheel->disordered[to / SCHED_WHEEL_FAN][(to / 64) % 4] |= UINT64_C(1) << (to % 64);
    }
    bucket_clear(wheel, from);
    if (bucket->count == 0) {
        bucket->head = moved.head;
        bucket_occupy(wheel, to);
    } else {
        wheel->chunks[bucket->tail].next = moved.head;
        wheel->chunks[bucket->tail].count = bucket->used;
    }
    bucket->tail = moved.tail;
    bucket->used = moved.used;
    bucket->count += moved.count;
    wheel->count += moved.count;
}

/* Let L be the level at which the old and the new base differ. Keys at L and above keep their
 * buckets: they differ from both bases at the same byte. Keys below L agree with the old base at
 * byte L, so that is now their bucket. */
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
