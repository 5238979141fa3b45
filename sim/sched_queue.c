/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which structure holds a key is decided by one comparison with `limit`, and the front is the
 * smaller of two fronts; both structures order by the whole key. So the order of the keys does not
 * depend on where they were, and moving the limit (which is all that migration is) cannot change
 * it.
 *
 * Three things move the limit:
 * - fill: the next keys of the wheel are appended to the run, the limit follows the run's last key.
 *   When hardly anything would be left in the wheel, everything goes to the heap and the limit to
 *   SCHED_KEY_MAX.
 * - overflow: the heap outgrew its bound. In a small set that is the migration to the wheel. In a
 *   large one it means that the run spans a long time (it was filled with rare far timers) and a
 *   burst of near events came since: the limit goes back to the first few dozen keys, and the
 *   wheel's base with it.
 * - a tie of many disordered keys is drained to the heap.
 *
 * The cost of an overflow is proportional to the heap, which has grown by about as many pushes
 * since the last one. */
#include "sim/sched_queue.h"

#include <string.h>

/* Hysteresis of the migration, in keys. Between them the heap and the wheel cost the same. */
#define HEAP_MOST   192
#define WHEEL_LEAST 80
/* The heap beside a run may grow to this before the run is cut short. */
#define NEAR_MOST 1024

static uint32_t heap_bound_of(const struct sched_queue *queue)
{
    switch (queue->kind) {
    case SCHED_QUEUE_AUTO:
        return HEAP_MOST;
    case SCHED_QUEUE_HEAP:
        return UINT32_MAX;
    case SCHED_QUEUE_WHEEL:
        return NEAR_MOST;
    }
    UNREACHABLE();
}

void sched_queue_init(struct sched_queue *queue, enum sched_queue_kind kind, sched_key *heap_keys,
                      uint32_t heap_limit, struct sched_chunk *chunks, uint32_t chunk_limit)
{
    queue->kind = kind;
    sched_heap_init(&queue->heap, heap_keys, heap_limit);
    sched_wheel_init(&queue->wheel, chunks, chunk_limit);
    sched_queue_clear(queue);
}

void sched_queue_clear(struct sched_queue *queue)
{
    sched_heap_clear(&queue->heap);
    sched_wheel_clear(&queue->wheel);
    queue->run_head = 0;
    queue->run_count = 0;
    queue->run[0] = SCHED_KEY_MAX;
    queue->limit = queue->kind == SCHED_QUEUE_WHEEL ? 0 : SCHED_KEY_MAX;
    queue->heap_bound = heap_bound_of(queue);
}

void sched_queue_overflow(struct sched_queue *queue)
{
    sched_key first[SCHED_RUN_FILL];
    for (uint32_t i = 0; i < SCHED_RUN_FILL; i++) {
        sched_key run = queue->run[queue->run_head];
        bool is_run = run < sched_heap_front(&queue->heap);
        queue->run_head += is_run;
        first[i] = is_run ? run : sched_heap_pop(&queue->heap);
    }
    sched_key limit = first[SCHED_RUN_FILL - 1];
    ASSERT(limit != SCHED_KEY_MAX);
    struct sched_wheel *wheel = &queue->wheel;
    if (wheel->count == 0 || sched_key_time(limit) < wheel->base) {
        sched_wheel_rewind(wheel, sched_key_time(limit));
    }
    for (uint32_t i = queue->run_head; i < queue->run_count; i++) {
        sched_wheel_push(wheel, queue->run[i], true);
    }
    for (uint32_t i = 0; i < queue->heap.count; i++) {
        sched_wheel_push(wheel, queue->heap.keys[SCHED_HEAP_ROOT + i], true);
    }
    sched_heap_clear(&queue->heap);
    memcpy(queue->run, first, sizeof(first));
    queue->run_head = 0;
    queue->run_count = SCHED_RUN_FILL;
    queue->run[queue->run_count] = SCHED_KEY_MAX;
    queue->limit = limit;
    queue->heap_bound = NEAR_MOST;
}

static void on_key_to_heap(void *context, sched_key key)
{
    struct sched_queue *queue = context;
    sched_heap_push(&queue->heap, key);
    if (key > queue->limit) {
        queue->limit = key;
    }
}

/* Everything goes to the heap; the run drains by itself. */
static void queue_leave_wheel(struct sched_queue *queue)
{
    while (queue->wheel.count > 0) {
        sched_wheel_drain(&queue->wheel, queue, on_key_to_heap);
    }
    queue->limit = SCHED_KEY_MAX;
    queue->heap_bound = heap_bound_of(queue);
}

void sched_queue_fill(struct sched_queue *queue)
{
    struct sched_wheel *wheel = &queue->wheel;
    ASSERT(wheel->count > 0);
    uint32_t count = queue->run_count - queue->run_head;
    ASSERT(count < SCHED_RUN_LOW);
    memmove(queue->run, queue->run + queue->run_head, count * sizeof(queue->run[0]));
    queue->run_head = 0;
    queue->run_count = count;
    queue->run[count] = SCHED_KEY_MAX;
    if (queue->kind == SCHED_QUEUE_AUTO && wheel->count + queue->heap.count < WHEEL_LEAST) {
        queue_leave_wheel(queue);
        return;
    }
    uint32_t goal = count + SCHED_RUN_FILL;
    while (queue->run_count < goal && wheel->count > 0) {
        uint32_t taken = sched_wheel_take(wheel, queue->run + queue->run_count);
        if (taken == 0) {
            sched_wheel_drain(wheel, queue, on_key_to_heap);
            uint32_t bound = 2 * queue->heap.count;
            queue->heap_bound = bound > NEAR_MOST ? bound : NEAR_MOST;
            break;
        }
        queue->run_count += taken;
        queue->limit = queue->run[queue->run_count - 1];
    }
    queue->run[queue->run_count] = SCHED_KEY_MAX;
    ASSERT(queue->run_count < SCHED_RUN_ROOM);
}
