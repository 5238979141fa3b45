/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Events, handles and re-arming, above a queue of keys (sched_queue).
 *
 * A key in the queue is current when the event in its slot carries the same sequence number; else
 * it is garbage and is dropped when it comes up. So cancelling is: mark the slot free. A slot may
 * be used again while old keys for it are still queued, because sequence numbers never repeat. When
 * garbage outweighs the rest, the wheel is swept, so the queue's memory follows the number of
 * pending events however far ahead the cancelled ones were. A handle is (sequence of the push,
 * slot).
 *
 * Re-arming to a later time leaves the key in the queue as an anchor and writes the deadline, with
 * the sequence number that a push would have got now, to a side table. When the anchor comes up, a
 * key for the deadline is queued. A time-out that every message moves costs one store per message
 * and one queue operation per period. Re-arming to an earlier time queues a new anchor at once; the
 * old key has become garbage. The side table also remembers the sequence of the push, because
 * handles name it. Its memory is touched only for events that are re-armed.
 *
 * A reset does not visit the slots: they are taken in order again, and the sequence numbers in keys
 * and handles go on where they were (sequence_base), so handles from before match nothing. The
 * count of pushes that `sched->sequence` shows starts again, and nothing that a run can see depends
 * on the base.
 *
 * All memory is one reservation of addresses; pages come when touched. The slab beyond its first 2
 * MiB and the chunks beyond theirs ask for 2 MiB pages: with a million pending events the page
 * walks would cost as much as the loads.
 *
 * Deliberately absent: threads, other orders, events larger than one cache line. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE, madvise */
#include "sim/sched.h"

#include "sim/base/base.h"
#include "sim/sched_queue.h"

#include <stdlib.h>
#include <sys/mman.h>

static_assert(sizeof(struct sched_event) == 64, "an event is one cache line");

/* How far ahead of the front the event, and then what it points to, are prefetched. */
#define AHEAD_EVENT   12
#define AHEAD_CONTEXT 6
static_assert(AHEAD_EVENT < SCHED_RUN_LOW, "the run is always known that far");

/* So much garbage may be in the queue beside as much as there are events. */
#define GARBAGE_FREE 32768
#define SLOTS_MAX    (UINT32_C(1) << SCHED_SLOT_BITS)
#define SLOTS_MIN    (UINT32_C(1) << 16)
#define PAGE_BYTES   ((size_t)4096)
#define HUGE_BYTES   ((size_t)2 << 20)
/* Above this the sequence numbers of keys start again at a reset; handles that old are not kept by
 * anyone. */
#define SEQUENCE_BASE_MAX (SCHED_SEQUENCE_MAX / 2)

struct rearm {
    int64_t deadline_ns;
    uint64_t sequence; /* of the last re-arm */
    uint64_t origin;   /* sequence of the push */
};

struct sched_store {
    struct sched_event *events;
    uint32_t slot_free;  /* LIFO through time_ns; 0 when empty: slot 0 is never used */
    uint32_t slot_fresh; /* slots from here on were not used since the reset */
    uint32_t slot_limit;
    uint32_t slot_peak;
    uint64_t sequence_base;
    struct rearm *rearms; /* by slot */
    uint32_t rearm_peak;  /* slots below it may have been re-armed */
    void *mapping;
    size_t mapping_bytes;
    struct sched_queue queue;
};

/* Where the parts lie in the mapping, for a number of slots. */
struct layout {
    size_t heap_at;
    size_t rearms_at;
    size_t chunks_at;
    size_t events_at;
    size_t bytes;
    uint32_t key_limit;
    uint32_t chunk_limit;
};

static size_t round_up(size_t value, size_t unit)
{
    return (value + unit - 1) / unit * unit;
}

static struct layout layout_of(uint32_t slots)
{
    struct layout layout;
    layout.key_limit = 4 * slots; /* with the keys of cancelled events */
    layout.chunk_limit = layout.key_limit / SCHED_CHUNK_KEYS + 2 * SCHED_WHEEL_BUCKETS;
    layout.heap_at = round_up(sizeof(struct sched_store), PAGE_BYTES);
    layout.rearms_at = layout.heap_at +
                       round_up(SCHED_HEAP_ROOM(layout.key_limit) * sizeof(sched_key), PAGE_BYTES);
    layout.chunks_at = round_up(layout.rearms_at + slots * sizeof(struct rearm), HUGE_BYTES);
    layout.events_at =
        round_up(layout.chunks_at + layout.chunk_limit * sizeof(struct sched_chunk), HUGE_BYTES);
    layout.bytes = layout.events_at + slots * sizeof(struct sched_event);
    return layout;
}

/* Fewer slots when addresses are scarce (ulimit -v, strict overcommit). */
static void *store_map(uint32_t *slots, struct layout *layout)
{
    for (*slots = SLOTS_MAX; *slots >= SLOTS_MIN; *slots /= 2) {
        *layout = layout_of(*slots);
        void *mapping = mmap(NULL, layout->bytes + HUGE_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapping != MAP_FAILED) {
            return mapping;
        }
    }
    fprintf(stderr, "squall: out of memory for the scheduler\n");
    abort();
}

static void ask_for_huge_pages(char *begin, const char *end)
{
#ifdef MADV_HUGEPAGE
    if (begin + HUGE_BYTES < end) {
        (void)madvise(begin + HUGE_BYTES, (size_t)(end - begin) - HUGE_BYTES, MADV_HUGEPAGE);
    }
#else
    (void)begin;
    (void)end;
#endif
}

void sched_init(struct sched *sched, enum sched_queue_kind kind)
{
    uint32_t slots;
    struct layout layout;
    void *mapping = store_map(&slots, &layout);
    char *base = (char *)round_up((size_t)(uintptr_t)mapping, HUGE_BYTES);
    struct sched_store *store = (struct sched_store *)(void *)base;
    store->mapping = mapping;
    store->mapping_bytes = layout.bytes + HUGE_BYTES;
    store->events = (struct sched_event *)(void *)(base + layout.events_at);
    store->rearms = (struct rearm *)(void *)(base + layout.rearms_at);
    store->slot_limit = slots;
    ask_for_huge_pages(base + layout.chunks_at, base + layout.events_at);
    ask_for_huge_pages(base + layout.events_at, base + layout.bytes);
    sched_queue_init(&store->queue, kind, (sched_key *)(void *)(base + layout.heap_at),
                     layout.key_limit, (struct sched_chunk *)(void *)(base + layout.chunks_at),
                     layout.chunk_limit);
    *sched = (struct sched){.sequence = 1, .store = store};
    store->slot_fresh = 1;
    store->slot_peak = 1;
}

void sched_release(struct sched *sched)
{
    struct sched_store *store = sched->store;
    ASSERT(store != NULL);
    munmap(store->mapping, store->mapping_bytes);
    *sched = (struct sched){0};
}

void sched_reset(struct sched *sched)
{
    struct sched_store *store = sched->store;
    sched_queue_clear(&store->queue);
    store->slot_free = 0;
    store->slot_fresh = 1;
    store->sequence_base += sched->sequence;
    if (store->sequence_base > SEQUENCE_BASE_MAX) {
        store->sequence_base = 0;
    }
    *sched = (struct sched){.sequence = 1, .store = store};
}

static inline uint64_t sequence_next(struct sched *sched)
{
    uint64_t sequence = sched->store->sequence_base + sched->sequence++;
    ASSERT(sequence <= SCHED_SEQUENCE_MAX); /* too many events in one run */
    return sequence;
}

static inline uint32_t slot_take(struct sched_store *store)
{
    uint32_t slot = store->slot_free;
    if (slot != 0) {
        store->slot_free = (uint32_t)store->events[slot].time_ns;
        return slot;
    }
    slot = store->slot_fresh++;
    ASSERT(slot < store->slot_limit); /* too many pending events */
    if (store->slot_fresh > store->slot_peak) {
        store->slot_peak = store->slot_fresh;
    }
    return slot;
}

static inline void slot_give(struct sched_store *store, uint32_t slot)
{
    struct sched_event *event = &store->events[slot];
    event->sequence = 0; /* that of no key and no handle */
    event->is_rearmed = 0;
    event->time_ns = store->slot_free;
    store->slot_free = slot;
}

/* The event that the handle names, or NULL when it is no longer pending. */
static struct sched_event *event_find(const struct sched_store *store, sched_handle handle)
{
    uint32_t slot = sched_key_slot(handle);
    if (slot == 0 || slot >= store->slot_fresh) {
        return NULL;
    }
    struct sched_event *event = &store->events[slot];
    uint64_t origin = event->is_rearmed ? store->rearms[slot].origin : event->sequence;
    return origin == handle >> SCHED_SLOT_BITS ? event : NULL;
}

struct sched_event *sched_push(struct sched *sched, int64_t time_ns, sched_handle *handle)
{
    ASSERT(time_ns >= sched->now_ns);
    struct sched_store *store = sched->store;
    uint32_t slot = slot_take(store);
    uint64_t sequence = sequence_next(sched);
    struct sched_event *event = &store->events[slot];
    *event = (struct sched_event){.time_ns = time_ns, .sequence = sequence};
    sched_queue_push(&store->queue, sched_key_make(time_ns, sequence, slot), false);
    sched->pending++;
    sched->stats.pushed++;
    if (handle != NULL) {
        *handle = sequence << SCHED_SLOT_BITS | slot;
    }
    return event;
}

static bool key_is_current(void *context, sched_key key)
{
    const struct sched_store *store = context;
    return store->events[sched_key_slot(key)].sequence == sched_key_sequence(key);
}

/* Garbage was made. A sweep visits at most twice as many keys as it removes. */
static inline void store_sweep(struct sched *sched)
{
    struct sched_wheel *wheel = &sched->store->queue.wheel;
    if (__builtin_expect(wheel->count / 2 > sched->pending + GARBAGE_FREE, 0)) {
        sched_wheel_filter(wheel, sched->store, key_is_current);
    }
}

bool sched_cancel(struct sched *sched, sched_handle handle)
{
    if (event_find(sched->store, handle) == NULL) {
        return false;
    }
    ASSERT(sched->pending > 0);
    slot_give(sched->store, sched_key_slot(handle));
    sched->pending--;
    sched->stats.cancelled++;
    store_sweep(sched);
    return true;
}

bool sched_is_pending(const struct sched *sched, sched_handle handle)
{
    return event_find(sched->store, handle) != NULL;
}

bool sched_rearm(struct sched *sched, sched_handle handle, int64_t time_ns)
{
    ASSERT(time_ns >= sched->now_ns);
    struct sched_store *store = sched->store;
    struct sched_event *event = event_find(store, handle);
    if (event == NULL) {
        return false;
    }
    uint32_t slot = sched_key_slot(handle);
    uint64_t sequence = sequence_next(sched);
    struct rearm *rearm = &store->rearms[slot];
    *rearm = (struct rearm){time_ns, sequence, handle >> SCHED_SLOT_BITS};
    event->is_rearmed = 1;
    if (slot >= store->rearm_peak) {
        store->rearm_peak = slot + 1;
    }
    if (time_ns < event->time_ns) {
        event->time_ns = time_ns;
        event->sequence = sequence;
        sched_queue_push(&store->queue, sched_key_make(time_ns, sequence, slot), false);
        store_sweep(sched);
    }
    sched->stats.rearmed++;
    return true;
}

/* Does the key stand for an event to fire, and not for a cancelled one or for an anchor? */
static inline bool key_is_due(const struct sched_store *store, sched_key key)
{
    uint32_t slot = sched_key_slot(key);
    uint64_t sequence = sched_key_sequence(key);
    const struct sched_event *event = &store->events[slot];
    return event->sequence == sequence &&
           (!event->is_rearmed || store->rearms[slot].sequence == sequence);
}

/* A key that is not due has been popped: if it was an anchor, the deadline is queued. */
static void key_settle(struct sched_store *store, sched_key key)
{
    uint32_t slot = sched_key_slot(key);
    struct sched_event *event = &store->events[slot];
    if (event->sequence != sched_key_sequence(key)) {
        return;
    }
    const struct rearm *rearm = &store->rearms[slot];
    ASSERT(event->is_rearmed);
    ASSERT(rearm->deadline_ns >= event->time_ns);
    event->time_ns = rearm->deadline_ns;
    event->sequence = rearm->sequence;
    sched_queue_push(&store->queue, sched_key_make(event->time_ns, rearm->sequence, slot), true);
}

int64_t sched_next_time(struct sched *sched)
{
    struct sched_store *store = sched->store;
    for (;;) {
        sched_key key = sched_queue_front(&store->queue);
        if (key == SCHED_KEY_MAX) {
            ASSERT(sched->pending == 0);
            return INT64_MAX;
        }
        if (key_is_due(store, key)) {
            return (int64_t)sched_key_time(key);
        }
        sched_queue_pop(&store->queue, key);
        key_settle(store, key);
    }
}

/* Always inlined: GCC takes a function that only prefetches for one without effect and drops the
 * call. */
__attribute__((always_inline)) static inline void prefetch_ahead(const struct sched_store *store)
{
    sched_key far = sched_queue_ahead(&store->queue, AHEAD_EVENT);
    if (far != 0) {
        __builtin_prefetch(&store->events[sched_key_slot(far)]);
    }
    sched_key near = sched_queue_ahead(&store->queue, AHEAD_CONTEXT);
    if (near != 0) {
        __builtin_prefetch(store->events[sched_key_slot(near)].context);
    }
}

bool sched_pop(struct sched *sched, int64_t limit_ns, struct sched_event *event)
{
    ASSERT(limit_ns >= 0);
    struct sched_store *store = sched->store;
    for (;;) {
        sched_key key = sched_queue_front(&store->queue);
        if (sched_key_time(key) > (uint64_t)limit_ns) {
            return false;
        }
        sched_queue_pop(&store->queue, key);
        prefetch_ahead(store);
        if (!key_is_due(store, key)) {
            key_settle(store, key);
            continue;
        }
        uint32_t slot = sched_key_slot(key);
        *event = store->events[slot];
        ASSERT(event->fire != NULL);
        sched->now_ns = event->time_ns;
        slot_give(store, slot);
        sched->pending--;
        sched->stats.fired++;
        return true;
    }
}

size_t sched_memory_bytes(const struct sched *sched)
{
    const struct sched_store *store = sched->store;
    size_t events = store->slot_peak * sizeof(struct sched_event);
    size_t rearms = store->rearm_peak * sizeof(struct rearm);
    size_t heap = SCHED_HEAP_ROOM(store->queue.heap.peak) * sizeof(sched_key);
    size_t chunks = store->queue.wheel.chunk_peak * sizeof(struct sched_chunk);
    return round_up(sizeof(*store), PAGE_BYTES) + round_up(events, PAGE_BYTES) +
           round_up(rearms, PAGE_BYTES) + round_up(heap, PAGE_BYTES) + round_up(chunks, PAGE_BYTES);
}
