/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Linear probing; a removal moves the rows behind it up (Knuth, The Art of Computer Programming,
 * 6.4, algorithm R), so there are no tombstones. */
#include "rows.h"

#include <assert.h>

#define CAPACITY_FIRST 64

static uint32_t home_of(const struct rows *rows, uint64_t key)
{
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (rows->capacity - 1);
}

/* The slot that has the key, or the free one where it belongs. */
static uint32_t place_of(const struct rows *rows, uint64_t key)
{
    uint32_t at = home_of(rows, key);
    while (rows->slots[at].time != 0 && rows->slots[at].key != key) {
        at = (at + 1) & (rows->capacity - 1);
    }
    return at;
}

static void grow(struct sq_env *env, struct rows *rows)
{
    struct rows old = *rows;
    rows->capacity = old.capacity == 0 ? CAPACITY_FIRST : 2 * old.capacity;
    rows->slots = env->mem->alloc(env, rows->capacity * sizeof(struct row));
    memset(rows->slots, 0, rows->capacity * sizeof(struct row));
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (old.slots[i].time != 0) {
            rows->slots[place_of(rows, old.slots[i].key)] = old.slots[i];
        }
    }
    env->mem->free(env, old.slots);
}

struct row rows_find(const struct rows *rows, uint64_t key)
{
    struct row none = {.key = key};
    struct row found = rows->capacity == 0 ? none : rows->slots[place_of(rows, key)];
    found.key = key;
    return found;
}

bool rows_put(struct sq_env *env, struct rows *rows, const struct row *row)
{
    assert(row->time != 0);
    if (2 * (rows->count + 1) > rows->capacity) {
        grow(env, rows);
    }
    struct row *slot = &rows->slots[place_of(rows, row->key)];
    if (slot->time != 0 && !row_is_newer(row, slot)) {
        return false;
    }
    rows->count += slot->time == 0;
    *slot = *row;
    return true;
}

bool rows_remove(struct rows *rows, const struct row *row)
{
    if (rows->capacity == 0) {
        return false;
    }
    uint32_t mask = rows->capacity - 1;
    uint32_t hole = place_of(rows, row->key);
    if (rows->slots[hole].time == 0 || row_is_newer(&rows->slots[hole], row)) {
        return false;
    }
    for (uint32_t at = (hole + 1) & mask; rows->slots[at].time != 0; at = (at + 1) & mask) {
        uint32_t home = home_of(rows, rows->slots[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            rows->slots[hole] = rows->slots[at];
            hole = at;
        }
    }
    rows->slots[hole].time = 0;
    rows->count--;
    return true;
}
