/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A hash table with chains, and one list through all entries from the newest to the oldest. The
 * table has as many buckets as keys may be kept, within bounds, and does not grow: a cache is full
 * most of its life. Nothing depends on the order of the buckets; a flush goes along the list.
 *
 * Not here: sizes of values, classes of them (slabs), expiry by time. */
#include "lru.h"

#define BUCKETS_MIN UINT64_C(16)
#define BUCKETS_MAX (UINT64_C(1) << 16)

static struct lru_entry **bucket_of(const struct lru *lru, uint64_t key)
{
    return &lru->buckets[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 40 & lru->bucket_mask];
}

void lru_init(struct lru *lru, struct sq_env *env, int64_t capacity)
{
    uint64_t count = BUCKETS_MIN;
    while (count < BUCKETS_MAX && count < (uint64_t)capacity) {
        count *= 2;
    }
    *lru = (struct lru){.bucket_mask = count - 1, .capacity = capacity};
    lru->buckets = env->mem->alloc(env, count * sizeof(struct lru_entry *));
    memset(lru->buckets, 0, count * sizeof(struct lru_entry *));
}

struct lru_entry *lru_find(const struct lru *lru, uint64_t key)
{
    struct lru_entry *entry = *bucket_of(lru, key);
    while (entry != NULL && entry->key != key) {
        entry = entry->next_in_bucket;
    }
    return entry;
}

static void unlink_age(struct lru *lru, struct lru_entry *entry)
{
    *(entry->newer != NULL ? &entry->newer->older : &lru->newest) = entry->older;
    *(entry->older != NULL ? &entry->older->newer : &lru->oldest) = entry->newer;
}

static void link_newest(struct lru *lru, struct lru_entry *entry)
{
    entry->newer = NULL;
    entry->older = lru->newest;
    *(lru->newest != NULL ? &lru->newest->newer : &lru->oldest) = entry;
    lru->newest = entry;
}

void lru_touch(struct lru *lru, struct lru_entry *entry)
{
    unlink_age(lru, entry);
    link_newest(lru, entry);
}

void lru_drop(struct lru *lru, struct sq_env *env, struct lru_entry *entry)
{
    struct lru_entry **link = bucket_of(lru, entry->key);
    while (*link != entry) {
        link = &(*link)->next_in_bucket;
    }
    *link = entry->next_in_bucket;
    unlink_age(lru, entry);
    lru->count--;
    env->mem->free(env, entry);
}

bool lru_keep(struct lru *lru, struct sq_env *env, uint64_t key, uint64_t value)
{
    struct lru_entry *entry = lru_find(lru, key);
    if (entry != NULL) {
        entry->value = value;
        lru_touch(lru, entry);
        return false;
    }
    if (lru->capacity == 0) {
        return false;
    }
    const bool is_full = lru->count >= lru->capacity;
    if (is_full) {
        lru_drop(lru, env, lru->oldest);
    }
    entry = env->mem->alloc(env, sizeof(*entry));
    struct lru_entry **bucket = bucket_of(lru, key);
    *entry = (struct lru_entry){.next_in_bucket = *bucket, .key = key, .value = value};
    *bucket = entry;
    link_newest(lru, entry);
    lru->count++;
    return is_full;
}

uint64_t lru_flush(struct lru *lru, struct sq_env *env, uint64_t keys)
{
    uint64_t dropped = 0;
    struct lru_entry *entry = lru->newest;
    while (entry != NULL) {
        struct lru_entry *older = entry->older;
        if (keys == 0 || entry->key < keys) {
            lru_drop(lru, env, entry);
            dropped++;
        }
        entry = older;
    }
    return dropped;
}
