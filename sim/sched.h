/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scheduler: the pending-event set. Order is total: (time, sequence number of the push). Two
 * structures with provably the same order: an implicit 4-ary heap of 16-byte keys while few events
 * are pending, a stable radix wheel with look-ahead prefetch above; the set migrates by itself in
 * both directions (hysteresis).
 *
 * An event is 64 bytes: a function, a pointer of context, what kind it is, and 32 bytes of inline
 * payload. Events live in a slab; a handle names the push, so cancelling an event that has fired is
 * a harmless false. sched_cancel is O(1): it frees the event at once and lets the key go when it
 * comes up.
 *
 * At most 2^24 - 1 events may be pending at a time and 2^39 pushes and re-arms may happen in a run;
 * beyond is an assertion. Memory is reserved as addresses at init and taken from the system when it
 * is first touched. */
#ifndef SQUALL_SIM_SCHED_H
#define SQUALL_SIM_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Names one push; 0 is never a valid handle. */
typedef uint64_t sched_handle;

struct sched_event {
    int64_t time_ns;
    void (*fire)(void *context, struct sched_event *event);
    void *context;
    uint64_t sequence : 40;  /* owned by the scheduler */
    uint64_t is_rearmed : 1; /* owned by the scheduler */
    uint64_t kind : 23;      /* for the digest and the recorder: what this is, never an address */
    uint64_t words[4];       /* payload of the owner; words[0] goes into the digest */
};

struct sched_ops_stats {
    uint64_t pushed;
    uint64_t fired;
    uint64_t cancelled;
    uint64_t rearmed;
};

struct sched {
    int64_t now_ns;
    uint64_t sequence; /* of the next push or re-arm; the first is 1 */
    uint32_t pending;  /* live events, cancelled ones not counted */
    struct sched_ops_stats stats;
    struct sched_store *store; /* slab of events, queue of keys */
};

enum sched_queue_kind {
    SCHED_QUEUE_AUTO, /* heap while few are pending, wheel above */
    SCHED_QUEUE_HEAP, /* for tests and benchmarks: fixed */
    SCHED_QUEUE_WHEEL,
};

/* Out of address space ends the program. */
void sched_init(struct sched *sched, enum sched_queue_kind kind);
void sched_release(struct sched *sched);
/* Back to time 0 with nothing pending; keeps the memory warm. Handles from before are dead. Costs
 * at most a visit to each occupied bucket of the wheel, whatever was pending. */
void sched_reset(struct sched *sched);

/* A new event at time_ns >= now; the caller fills fire, context, kind and words before it returns
 * to the loop (what it does not fill is zero). The pointer is good until the next call of the
 * scheduler. `handle` may be NULL. The wheel prefetches the line at `context` shortly before the
 * event fires. */
struct sched_event *sched_push(struct sched *sched, int64_t time_ns, sched_handle *handle);

/* True when the event was pending and now will not fire. O(1). */
bool sched_cancel(struct sched *sched, sched_handle handle);
/* Is it pending? */
bool sched_is_pending(const struct sched *sched, sched_handle handle);
/* Moves a pending event to another time >= now as if cancelled and pushed again now (it gets a new
 * sequence number; the handle stays). Lazy: when the new time is not earlier, no queue operation
 * happens until the old one comes up. The observable order is that of cancel + push. Returns false
 * when the handle is dead. */
bool sched_rearm(struct sched *sched, sched_handle handle, int64_t time_ns);

/* Time of the next live event, or INT64_MAX. */
int64_t sched_next_time(struct sched *sched);
/* Takes the next event whose time is <= limit_ns (>= 0) out of the set, advances now_ns, copies it
 * to *event (its slot is free for reuse when this returns). False when there is none (now_ns is
 * left alone). The caller calls event->fire(event->context, event). */
bool sched_pop(struct sched *sched, int64_t limit_ns, struct sched_event *event);
/* Bytes of memory taken from the system, at most (what was touched at the largest), for the
 * benchmark. */
size_t sched_memory_bytes(const struct sched *sched);

#endif
