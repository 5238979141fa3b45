/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Growable array of equal items. Every vector is created with a limit: reaching it is an assertion,
 * not a surprise. */
#ifndef SQUALL_BASE_VEC_H
#define SQUALL_BASE_VEC_H

#include "sim/base/base.h"

#include <stdint.h>

struct vec {
    void *items;
    uint32_t count;
    uint32_t capacity;
    uint32_t item_size; /* bytes */
    uint32_t limit;     /* items */
};

void vec_init(struct vec *vec, uint32_t item_size, uint32_t limit);
void vec_release(struct vec *vec);
/* Forgets the items, keeps the memory. */
void vec_clear(struct vec *vec);
/* Appends a zeroed item; the pointer is good until the next push. */
void *vec_push(struct vec *vec);
/* Appends a copy of `item`. */
void vec_append(struct vec *vec, const void *item);
static inline void *vec_at(const struct vec *vec, uint32_t index)
{
    ASSERT(index < vec->count);
    return (unsigned char *)vec->items + (size_t)index * vec->item_size;
}
/* Removes and returns the last item; good until the next push. */
void *vec_pop(struct vec *vec);
/* Stable merge sort: equal items keep their order. `compare` as for qsort. */
void vec_sort(struct vec *vec, int (*compare)(const void *left, const void *right));
void sort_stable(void *items, uint32_t count, uint32_t item_size,
                 int (*compare)(const void *left, const void *right));

#endif
