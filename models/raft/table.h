/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Table: a map from 64-bit keys to rows that remembers the order of insertion; nothing is ever
 * removed. In env->mem. */
#ifndef SQUALL_MODELS_RAFT_TABLE_H
#define SQUALL_MODELS_RAFT_TABLE_H

#include "squall.h"

struct table_row {
    uint64_t key;
    uint64_t value;
    uint64_t extra;
};

struct table {
    struct table_row *rows; /* in the order of insertion */
    uint32_t count;
    uint32_t capacity;
    uint32_t *slots; /* row + 1, 0 = free; open addressing */
    uint32_t slot_mask;
};

/* NULL when absent. Good until the next table_put. */
struct table_row *table_find(const struct table *table, uint64_t key);
/* Finds or adds the row (value and extra 0). *is_new may be NULL. */
struct table_row *table_put(struct sq_env *env, struct table *table, uint64_t key, bool *is_new);
/* Empties it, keeps its memory. */
void table_clear(struct table *table);

#endif
