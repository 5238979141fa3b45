/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Keys and values in memory, up to a number of them; the least recently used one goes first. All
 * memory is the node's, so a crash forgets it. */
#ifndef SQUALL_MODELS_TIER_LRU_H
#define SQUALL_MODELS_TIER_LRU_H

#include "squall.h"

struct lru_entry {
    struct lru_entry *next_in_bucket;
    struct lru_entry *newer;
    struct lru_entry *older;
    uint64_t key;
    uint64_t value;
};

struct lru {
    struct lru_entry **buckets;
    uint64_t bucket_mask;
    struct lru_entry *newest;
    struct lru_entry *oldest;
    int64_t count;
    int64_t capacity;
};

/* Empty; keeps up to `capacity` keys (0: keeps none). */
void lru_init(struct lru *lru, struct sq_env *env, int64_t capacity);
/* The key's entry, or NULL; its age stays as it is. */
struct lru_entry *lru_find(const struct lru *lru, uint64_t key);
/* Makes the entry the most recently used one. */
void lru_touch(struct lru *lru, struct lru_entry *entry);
/* Forgets the entry. */
void lru_drop(struct lru *lru, struct sq_env *env, struct lru_entry *entry);
/* Keeps a value, new or in place of the key's old one, as the most recently used. True: another key
 * had to go for it. */
bool lru_keep(struct lru *lru, struct sq_env *env, uint64_t key, uint64_t value);
/* Forgets the keys below `keys`, or all when it is 0; gives how many there were. */
uint64_t lru_flush(struct lru *lru, struct sq_env *env, uint64_t keys);

#endif
