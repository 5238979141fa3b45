/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A 4-ary heap (Johnson 1975; LaMarca & Ladner 1996 for the alignment). The last group of four is
 * filled up with SCHED_KEY_MAX, so that the smallest child is found by three conditional moves and
 * no branch. Removal walks the hole to a leaf and lets the last key rise from there (Wegener's
 * bottom-up variant): the key that replaces the root comes from a leaf and nearly always belongs
 * near one, so asking at each level whether to stop would only mispredict. */
#include "sim/sched_heap.h"

#include "sim/base/base.h"

void sched_heap_init(struct sched_heap *heap, sched_key *keys, uint32_t limit)
{
    ASSERT(((uintptr_t)keys & 63) == 0);
    *heap = (struct sched_heap){.keys = keys, .limit = limit};
    sched_heap_clear(heap);
}

void sched_heap_clear(struct sched_heap *heap)
{
    heap->count = 0;
    heap->keys[SCHED_HEAP_ROOT] = SCHED_KEY_MAX;
}

static inline void heap_rise(sched_key *keys, uint32_t hole, sched_key key)
{
    while (hole > SCHED_HEAP_ROOT) {
        uint32_t parent = hole / 4 + 2;
        if (keys[parent] < key) {
            break;
        }
        keys[hole] = keys[parent];
        hole = parent;
    }
    keys[hole] = key;
}

void sched_heap_push(struct sched_heap *heap, sched_key key)
{
    ASSERT(heap->count < heap->limit);
    sched_key *keys = heap->keys;
    uint32_t hole = SCHED_HEAP_ROOT + heap->count++;
    if (heap->count > heap->peak) {
        heap->peak = heap->count;
    }
    if (hole % 4 == 0) { /* a new group */
        keys[hole + 1] = SCHED_KEY_MAX;
        keys[hole + 2] = SCHED_KEY_MAX;
        keys[hole + 3] = SCHED_KEY_MAX;
    }
    heap_rise(keys, hole, key);
}

sched_key sched_heap_pop(struct sched_heap *heap)
{
    ASSERT(heap->count > 0);
    sched_key *keys = heap->keys;
    sched_key top = keys[SCHED_HEAP_ROOT];
    uint32_t last = SCHED_HEAP_ROOT + --heap->count;
    sched_key moved = keys[last];
    keys[last] = SCHED_KEY_MAX;
    if (last == SCHED_HEAP_ROOT) {
        return top;
    }
    uint32_t hole = SCHED_HEAP_ROOT;
    uint32_t child;
    while ((child = 4 * hole - 8) < last) {
        uint32_t left = keys[child + 1] < keys[child] ? child + 1 : child;
        uint32_t right = keys[child + 3] < keys[child + 2] ? child + 3 : child + 2;
        uint32_t best = keys[right] < keys[left] ? right : left;
        keys[hole] = keys[best];
        hole = best;
    }
    heap_rise(keys, hole, moved);
    return top;
}
