/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The queue of keys: heap and wheel behind one front. What it holds is split at `limit`: keys up to
 * it are near, in the sorted run or in the heap; keys above it are in the wheel. While few keys are
 * pending the limit is SCHED_KEY_MAX: everything is in the heap. */
#ifndef SQUALL_SIM_SCHED_QUEUE_H
#define SQUALL_SIM_SCHED_QUEUE_H

#include "sim/sched.h"
#include "sim/sched_heap.h"
#include "sim/sched_wheel.h"

/* The run is filled up when fewer keys are left, so that the prefetch always sees that far. */
#define SCHED_RUN_LOW 16
/* ... by at least this many. */
#define SCHED_RUN_FILL 32
#define SCHED_RUN_ROOM (SCHED_RUN_LOW + SCHED_RUN_FILL + SCHED_WHEEL_TAKE_MOST + 1)

struct sched_queue {
    sched_key limit;
    uint32_t run_head;
    uint32_t run_count;
    uint32_t heap_bound; /* a heap with more keys overflows into the wheel */
    enum sched_queue_kind kind;
    struct sched_heap heap;
    sched_key run[SCHED_RUN_ROOM]; /* keys of [run_head, run_count), then SCHED_KEY_MAX */
    struct sched_wheel wheel;
};

void sched_queue_init(struct sched_queue *queue, enum sched_queue_kind kind, sched_key *heap_keys,
                      uint32_t heap_limit, struct sched_chunk *chunks, uint32_t chunk_limit);
void sched_queue_clear(struct sched_queue *queue);
/* The heap has outgrown its bound: the first keys become the run, the others go to the wheel. */
void sched_queue_overflow(struct sched_queue *queue);
/* Appends to the run from the wheel, which must not be empty. */
void sched_queue_fill(struct sched_queue *queue);

/* `late`: keys with a larger sequence number may have been pushed before. The key must not lie
 * before one that was popped. */
static inline void sched_queue_push(struct sched_queue *queue, sched_key key, bool late)
{
    if (key > queue->limit) {
        sched_wheel_push(&queue->wheel, key, late);
        return;
    }
    sched_heap_push(&queue->heap, key);
    if (__builtin_expect(queue->heap.count > queue->heap_bound, 0)) {
        sched_queue_overflow(queue);
    }
}

/* The smallest key; SCHED_KEY_MAX when empty. */
static inline sched_key sched_queue_front(struct sched_queue *queue)
{
    if (queue->run_count - queue->run_head < SCHED_RUN_LOW && queue->wheel.count > 0) {
        sched_queue_fill(queue);
    }
    sched_key run = queue->run[queue->run_head];
    sched_key heap = sched_heap_front(&queue->heap);
    return run < heap ? run : heap;
}

/* Removes the key that sched_queue_front has just returned. */
static inline void sched_queue_pop(struct sched_queue *queue, sched_key front)
{
    if (queue->run[queue->run_head] == front) {
        queue->run_head++;
    } else {
        (void)sched_heap_pop(&queue->heap);
    }
}

/* The key that comes `ahead` places after the front of the run, or 0 (which is no key) when that is
 * not known. */
static inline sched_key sched_queue_ahead(const struct sched_queue *queue, uint32_t ahead)
{
    uint32_t place = queue->run_head + ahead;
    return place < queue->run_count ? queue->run[place] : 0;
}

#endif
