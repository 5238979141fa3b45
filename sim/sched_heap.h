/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Implicit 4-ary heap of keys. Four children are one cache line. The memory belongs to the caller.
 * */
#ifndef SQUALL_SIM_SCHED_HEAP_H
#define SQUALL_SIM_SCHED_HEAP_H

#include "sim/sched_key.h"

/* The root sits at index 3, so that the children of node i are 4i-8 .. 4i-5: an aligned group of
 * four. */
#define SCHED_HEAP_ROOT 3
/* Keys of memory that a heap of `limit` keys needs. */
#define SCHED_HEAP_ROOM(limit) ((size_t)(limit) + 8)

struct sched_heap {
    sched_key *keys; /* aligned to 64 bytes */
    uint32_t count;
    uint32_t limit; /* more than this many keys is an assertion */
    uint32_t peak;  /* largest count since init */
};

void sched_heap_init(struct sched_heap *heap, sched_key *keys, uint32_t limit);
void sched_heap_clear(struct sched_heap *heap);
void sched_heap_push(struct sched_heap *heap, sched_key key);
/* The smallest key; the heap must not be empty. */
sched_key sched_heap_pop(struct sched_heap *heap);

/* SCHED_KEY_MAX when empty. */
static inline sched_key sched_heap_front(const struct sched_heap *heap)
{
    return heap->keys[SCHED_HEAP_ROOT];
}

#endif
