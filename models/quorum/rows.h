/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rows: keys with the newest version seen of each, in the node's memory. */
#ifndef SQUALL_MODELS_QUORUM_ROWS_H
#define SQUALL_MODELS_QUORUM_ROWS_H

#include "squall.h"

struct row {
    uint64_t key;
    uint64_t time;   /* of the coordinator's clock when it was written; 0: no such row */
    uint64_t writer; /* coordinator: decides between equal times */
    uint64_t value;
};

/* Is `left` a later version than `right`? */
static inline bool row_is_newer(const struct row *left, const struct row *right)
{
    return left->time != right->time ? left->time > right->time : left->writer > right->writer;
}

struct rows {
    struct row *slots; /* open addressing; time 0: free */
    uint32_t capacity; /* a power of two, or 0 */
    uint32_t count;
};

/* The row of this key, time 0 when there is none. */
struct row rows_find(const struct rows *rows, uint64_t key);
/* Keeps `row` when it is newer than what is there; false when it is not. */
bool rows_put(struct sq_env *env, struct rows *rows, const struct row *row);
/* Removes the row of this key when it is not newer than `row`; false when nothing was removed. */
bool rows_remove(struct rows *rows, const struct row *row);

#endif
