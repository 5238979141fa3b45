/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Table: rows in one array, found through an index of open addressing with linear probing that is
 * at most half full. Whoever walks through the rows meets them in the order of insertion, never in
 * that of their hashes. */
#include "table.h"

#include <assert.h>

#include "checksum.h"

static uint32_t slot_of(const struct table *table, uint64_t key)
{
    uint32_t slot = (uint32_t)checksum_mix(key, 0) & table->slot_mask;
    while (table->slots[slot] != 0 && table->rows[table->slots[slot] - 1].key != key) {
        slot = (slot + 1) & table->slot_mask;
    }
    return slot;
}

static void grow(struct sq_env *env, struct table *table)
{
    assert(table->capacity < UINT32_MAX / 4);
    table->capacity = table->capacity == 0 ? 64 : table->capacity * 2;
    table->rows = env->mem->realloc(env, table->rows, table->capacity * sizeof(*table->rows));
    uint32_t slots = table->capacity * 2;
    table->slots = env->mem->realloc(env, table->slots, slots * sizeof(*table->slots));
    memset(table->slots, 0, slots * sizeof(*table->slots));
    table->slot_mask = slots - 1;
    for (uint32_t i = 0; i < table->count; i++) {
        table->slots[slot_of(table, table->rows[i].key)] = i + 1;
    }
}

struct table_row *table_find(const struct table *table, uint64_t key)
{
    if (table->count == 0) {
        return NULL;
    }
    uint32_t row = table->slots[slot_of(table, key)];
    return row == 0 ? NULL : &table->rows[row - 1];
}

struct table_row *table_put(struct sq_env *env, struct table *table, uint64_t key, bool *is_new)
{
    struct table_row *row = table_find(table, key);
    if (is_new != NULL) {
        *is_new = row == NULL;
    }
    if (row != NULL) {
        return row;
    }
    if (table->count == table->capacity) {
        grow(env, table);
    }
    row = &table->rows[table->count];
    *row = (struct table_row){.key = key};
    table->slots[slot_of(table, key)] = table->count + 1;
    table->count++;
    return row;
}

void table_clear(struct table *table)
{
    table->count = 0;
    if (table->slots != NULL) {
        memset(table->slots, 0, ((size_t)table->slot_mask + 1) * sizeof(*table->slots));
    }
}
