/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Map from 64-bit keys to 64-bit values (open addressing, linear probing, tombstone-free deletion).
 * Iteration is in order of insertion, so it is deterministic; after removals the order of the
 * survivors is kept. */
#ifndef SQUALL_BASE_MAP_H
#define SQUALL_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct map_entry {
    uint64_t key;
    uint64_t value;
    bool used;
};

struct map {
    struct map_entry *entries; /* dense, in order of insertion; removed ones have used == false */
    uint32_t *slots;           /* index + 1 into entries, 0 = empty */
    uint32_t entry_count;      /* dense entries, removed ones included */
    uint32_t entry_capacity;
    uint32_t slot_count; /* power of two */
    uint32_t count;      /* live entries */
};

void map_init(struct map *map);
void map_release(struct map *map);
void map_clear(struct map *map);
/* Sets or replaces. */
void map_put(struct map *map, uint64_t key, uint64_t value);
/* NULL if absent; the pointer is good until the next put or remove. */
uint64_t *map_find(const struct map *map, uint64_t key);
/* False if it was absent. */
bool map_remove(struct map *map, uint64_t key);
/* for (uint32_t at = 0; (entry = map_next(map, &at));) */
const struct map_entry *map_next(const struct map *map, uint32_t *at);

#endif
