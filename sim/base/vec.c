/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Growable array and the stable sort. Capacity doubles up to the limit. The sort is a bottom-up
 * merge sort over runs of a few items that insertion sort has put in order: no recursion, one
 * buffer, equal items never change places, so a result does not depend on the C library's qsort. */
#include "sim/base/vec.h"

#include "sim/base/base.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 8
#define RUN_ITEMS    8

void vec_init(struct vec *vec, uint32_t item_size, uint32_t limit)
{
    ASSERT(vec != NULL);
    ASSERT(item_size > 0);
    ASSERT(limit > 0);
    *vec = (struct vec){.item_size = item_size, .limit = limit};
}

void vec_release(struct vec *vec)
{
    ASSERT(vec != NULL);
    free(vec->items);
    *vec = (struct vec){.item_size = vec->item_size, .limit = vec->limit};
}

void vec_clear(struct vec *vec)
{
    ASSERT(vec != NULL);
    vec->count = 0;
}

static void *item_of(const struct vec *vec, uint32_t index)
{
    return (unsigned char *)vec->items + (size_t)index * vec->item_size;
}

static void grow(struct vec *vec)
{
    ASSERT(vec->count < vec->limit);
    uint32_t capacity = vec->capacity < CAPACITY_MIN ? CAPACITY_MIN : vec->capacity;
    if (vec->capacity >= CAPACITY_MIN) {
        capacity = vec->capacity > vec->limit / 2 ? vec->limit : vec->capacity * 2;
    }
    if (capacity > vec->limit) {
        capacity = vec->limit;
    }
    ASSERT(capacity > vec->capacity);
    void *items = realloc(vec->items, (size_t)capacity * vec->item_size);
    if (items == NULL) {
        fprintf(stderr, "squall: out of memory (%u items of %u bytes)\n", capacity, vec->item_size);
        abort();
    }
    vec->items = items;
    vec->capacity = capacity;
}

void *vec_push(struct vec *vec)
{
    ASSERT(vec != NULL);
    ASSERT(vec->item_size > 0);
    if (vec->count == vec->capacity) {
        grow(vec);
    }
    void *item = item_of(vec, vec->count);
    vec->count++;
    memset(item, 0, vec->item_size);
    return item;
}

void vec_append(struct vec *vec, const void *item)
{
    ASSERT(vec != NULL);
    ASSERT(item != NULL);
    const unsigned char *source = item;
    const unsigned char *items = vec->items;
    bool is_inside =
        items != NULL && source >= items && source < items + (size_t)vec->count * vec->item_size;
    if (vec->count == vec->capacity) {
        size_t offset = is_inside ? (size_t)(source - items) : 0;
        grow(vec);
        if (is_inside) {
            source = (const unsigned char *)vec->items + offset;
        }
    }
    memcpy(item_of(vec, vec->count), source, vec->item_size);
    vec->count++;
}

void *vec_pop(struct vec *vec)
{
    ASSERT(vec != NULL);
    ASSERT(vec->count > 0);
    vec->count--;
    return item_of(vec, vec->count);
}

void vec_sort(struct vec *vec, int (*compare)(const void *left, const void *right))
{
    ASSERT(vec != NULL);
    sort_stable(vec->items, vec->count, vec->item_size, compare);
}

/* A sort in progress: items go from `from` to `to` and back. */
struct sort {
    unsigned char *from;
    unsigned char *to;
    size_t count;
    size_t size;
    int (*compare)(const void *left, const void *right);
};

/* Insertion sort of each run of RUN_ITEMS items; `spare` holds one item. */
static void sort_runs(const struct sort *sort, unsigned char *spare)
{
    const size_t size = sort->size;
    for (size_t start = 0; start < sort->count; start += RUN_ITEMS) {
        size_t end = sort->count - start < RUN_ITEMS ? sort->count : start + RUN_ITEMS;
        for (size_t at = start + 1; at < end; at++) {
            size_t to = at;
            while (to > start &&
                   sort->compare(sort->from + (to - 1) * size, sort->from + at * size) > 0) {
                to--;
            }
            if (to < at) {
                unsigned char *hole = sort->from + to * size;
                memcpy(spare, sort->from + at * size, size);
                memmove(hole + size, hole, (at - to) * size);
                memcpy(hole, spare, size);
            }
        }
    }
}

/* Merges [start, middle) and [middle, end) of `from` into `to`; on equality the left one goes
 * first. */
static void merge(const struct sort *sort, size_t start, size_t middle, size_t end)
{
    const size_t size = sort->size;
    size_t left = start;
    size_t right = middle;
    unsigned char *out = sort->to + start * size;
    while (left < middle && right < end) {
        const unsigned char *left_item = sort->from + left * size;
        const unsigned char *right_item = sort->from + right * size;
        bool is_left = sort->compare(left_item, right_item) <= 0;
        memcpy(out, is_left ? left_item : right_item, size);
        out += size;
        left += is_left ? 1 : 0;
        right += is_left ? 0 : 1;
    }
    memcpy(out, sort->from + left * size, (middle - left) * size);
    out += (middle - left) * size;
    memcpy(out, sort->from + right * size, (end - right) * size);
}

void sort_stable(void *items, uint32_t count, uint32_t item_size,
                 int (*compare)(const void *left, const void *right))
{
    ASSERT(item_size > 0);
    ASSERT(compare != NULL);
    if (count < 2) {
        return;
    }
    ASSERT(items != NULL);
    unsigned char *buffer = malloc((size_t)count * item_size);
    if (buffer == NULL) {
        fprintf(stderr, "squall: out of memory (sorting %u items)\n", count);
        abort();
    }
    struct sort sort = {items, buffer, count, item_size, compare};
    sort_runs(&sort, buffer);
    for (size_t width = RUN_ITEMS; width < count; width *= 2) {
        for (size_t start = 0; start < count; start += 2 * width) {
            size_t middle = count - start < width ? count : start + width;
            size_t end = count - start < 2 * width ? count : start + 2 * width;
            merge(&sort, start, middle, end);
        }
        unsigned char *swapped = sort.from;
        sort.from = sort.to;
        sort.to = swapped;
    }
    if (sort.from != items) {
        memcpy(items, sort.from, (size_t)count * item_size);
    }
    free(buffer);
}
