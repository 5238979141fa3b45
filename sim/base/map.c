/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Entries lie densely in the order of their insertion; a table of 32-bit slots finds them by key.
 * Removal marks the entry unused and closes the gap in the slots by moving later ones back (Knuth,
 * TAOCP 6.4, algorithm R), so no tombstones slow the search down. Unused entries are squeezed out
 * when the dense array is full; entries removed at its end are given back at once. The slots are at
 * most half full. The hash decides places only, never an order. */
#include "sim/base/map.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <stdlib.h>
#include <string.h>

#define ENTRIES_MIN 8
#define ENTRIES_MAX (UINT32_C(1) << 30)

void map_init(struct map *map)
{
    ASSERT(map != NULL);
    *map = (struct map){0};
}

void map_release(struct map *map)
{
    ASSERT(map != NULL);
    free(map->entries);
    free(map->slots);
    *map = (struct map){0};
}

void map_clear(struct map *map)
{
    ASSERT(map != NULL);
    if (map->slots != NULL) {
        memset(map->slots, 0, map->slot_count * sizeof(*map->slots));
    }
    map->entry_count = 0;
    map->count = 0;
}

static uint32_t home_of(const struct map *map, uint64_t key)
{
    return (uint32_t)hash_mix(key, 0) & (map->slot_count - 1);
}

/* The slot that holds `key`, or the empty slot where it belongs. */
static uint32_t slot_of(const struct map *map, uint64_t key)
{
    uint32_t slot = home_of(map, key);
    while (map->slots[slot] != 0 && map->entries[map->slots[slot] - 1].key != key) {
        slot = (slot + 1) & (map->slot_count - 1);
    }
    return slot;
}

/* Squeezes out unused entries, doubles the arrays when more than half is in use, and fills the
 * slots anew. */
static void make_room(struct map *map)
{
    uint32_t live = 0;
    for (uint32_t at = 0; at < map->entry_count; at++) {
        if (map->entries[at].used) {
            map->entries[live] = map->entries[at];
            live++;
        }
    }
    ASSERT(live == map->count);
    map->entry_count = live;
    if (live >= map->entry_capacity / 2) {
        uint32_t capacity = map->entry_capacity == 0 ? ENTRIES_MIN : map->entry_capacity * 2;
        ASSERT(capacity <= ENTRIES_MAX);
        struct map_entry *entries = realloc(map->entries, capacity * sizeof(*entries));
        uint32_t *slots = realloc(map->slots, (size_t)capacity * 2 * sizeof(*slots));
        if (entries == NULL || slots == NULL) {
            fprintf(stderr, "squall: out of memory (map of %u entries)\n", capacity);
            abort();
        }
        map->entries = entries;
        map->slots = slots;
        map->entry_capacity = capacity;
        map->slot_count = capacity * 2;
    }
    memset(map->slots, 0, map->slot_count * sizeof(*map->slots));
    for (uint32_t at = 0; at < live; at++) {
        map->slots[slot_of(map, map->entries[at].key)] = at + 1;
    }
}

void map_put(struct map *map, uint64_t key, uint64_t value)
{
    ASSERT(map != NULL);
    uint64_t *found = map_find(map, key);
    if (found != NULL) {
        *found = value;
        return;
    }
    if (map->entry_count == map->entry_capacity) {
        make_room(map);
    }
    ASSERT(map->entry_count < map->entry_capacity);
    uint32_t slot = slot_of(map, key);
    ASSERT(map->slots[slot] == 0);
    map->entries[map->entry_count] = (struct map_entry){key, value, true};
    map->entry_count++;
    map->slots[slot] = map->entry_count;
    map->count++;
}

uint64_t *map_find(const struct map *map, uint64_t key)
{
    ASSERT(map != NULL);
    if (map->count == 0) {
        return NULL;
    }
    uint32_t slot = slot_of(map, key);
    return map->slots[slot] == 0 ? NULL : &map->entries[map->slots[slot] - 1].value;
}

/* Empties `hole` and moves back what may not stay behind an empty slot. */
static void close_gap(struct map *map, uint32_t hole)
{
    const uint32_t mask = map->slot_count - 1;
    map->slots[hole] = 0;
    for (uint32_t at = (hole + 1) & mask; map->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t home = home_of(map, map->entries[map->slots[at] - 1].key);
        /* It may move when its home is not between the hole and its place. */
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            map->slots[hole] = map->slots[at];
            map->slots[at] = 0;
            hole = at;
        }
    }
}

bool map_remove(struct map *map, uint64_t key)
{
    ASSERT(map != NULL);
    if (map->count == 0) {
        return false;
    }
    uint32_t slot = slot_of(map, key);
    if (map->slots[slot] == 0) {
        return false;
    }
    uint32_t index = map->slots[slot] - 1;
    ASSERT(map->entries[index].used);
    close_gap(map, slot);
    map->entries[index].used = false;
    map->count--;
    while (map->entry_count > 0 && !map->entries[map->entry_count - 1].used) {
        map->entry_count--;
    }
    return true;
}

const struct map_entry *map_next(const struct map *map, uint32_t *at)
{
    ASSERT(map != NULL);
    ASSERT(at != NULL);
    while (*at < map->entry_count) {
        const struct map_entry *entry = &map->entries[*at];
        (*at)++;
        if (entry->used) {
            return entry;
        }
    }
    return NULL;
}
