/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * World: one run is one value. It owns the scheduler, nodes, network, disks, loads, faults and the
 * trace; it is made once per process and reused for many seeds (world_reset keeps memory warm),
 * and several may live side by side. */
#ifndef SQUALL_SIM_WORLD_H
#define SQUALL_SIM_WORLD_H

#include "sim/base/arena.h"
#include "sim/disk.h"
#include "sim/fiber.h"
#include "sim/history.h"
#include "sim/load.h"
#include "sim/sched.h"
#include "sim/spec.h"
#include "sim/stub.h"
#include "sim/trace.h"
#include "squall_check.h"

struct node;
struct net;
struct load;
struct fault_set;
struct audit;
struct host;
struct item;

/* Address on the network: a node, or node_count + index of a load. */
typedef uint32_t endpoint;

enum packet_kind {
    PACKET_MESSAGE, /* node to node */
    PACKET_REQUEST, /* caller to node */
    PACKET_REPLY,   /* node to caller */
};

/* What travels. Reference-counted, from the world's pool; the payload follows. */
struct packet {
    struct packet *next;       /* free list */
    struct packet *all;        /* every packet that exists */
    struct packet *all_before; /* NULL: the first of them */
    endpoint from;
    endpoint to;
    uint16_t kind; /* enum packet_kind */
    uint16_t references;
    uint32_t capacity;
    uint32_t size;
    uint32_t status;     /* REPLY: enum sq_status */
    sq_node leader;      /* REPLY: hint */
    bool is_turned_away; /* REPLY: by a full inbox; the process never saw the request */
    bool has_retry_after;
    int64_t retry_after_ns; /* REPLY, with has_retry_after: pushback; negative = never again */
    int64_t deadline_ns;    /* REQUEST: when the caller stops waiting for it; INT64_MAX = never */
    uint32_t previous_attempts; /* REQUEST: as in struct sq_request */
    uint32_t slot;              /* REQUEST, REPLY: which stub of the caller (group called) */
    struct sq_reply_to reply_to;
    uint8_t data[];
};

enum world_end {
    WORLD_RUNNING,
    WORLD_TIME_LIMIT, /* the normal end: time.limit reached */
    WORLD_EVENT_LIMIT,
    WORLD_CPU_LIMIT,
    WORLD_STOPPED, /* world_stop, or a loop without end at one instant */
};

struct world {
    const struct run_spec *spec;
    uint64_t seed;
    struct sched sched;
    struct trace trace;
    struct history history;
    struct arena arena; /* lives for one run */
    struct fiber_pool fibers;
    struct node *nodes; /* node_count */
    uint32_t node_count;
    uint32_t node_capacity; /* nodes ever initialised */
    struct net *net;
    struct load **loads;
    uint32_t load_count;    /* of the run that made them, whose spec may be gone */
    struct zipf_cache zipf; /* outlives the run */
    struct fault_set *faults;
    const struct sq_observer *observer; /* never NULL during a run */
    enum world_end end;
    bool stop_asked;
    bool is_auditing; /* past the time limit: loads are silent, faults healed, written keys are read
                         back */
    struct audit *audit;
    uint64_t steps;     /* at this instant, see world_step */
    uint64_t steps_max; /* set by world_new, may be changed */
    bool is_spinning;
    struct host *hosts;
    uint32_t host_count;
    struct item *free_items; /* of the arena */
    uint32_t heap_slot; /* picks the address range of node heaps; set before the first reset (0) */
    int heap_fill;      /* byte that node memory is filled with, -1 = none */
    int64_t (*cpu_clock_ns)(
        void); /* the real processor clock, for time.cpuLimit; NULL: not watched */
};

/* Sum of two durations, or of a time and a duration, all >= 0; "never" stays "never". */
static inline int64_t time_add(int64_t left, int64_t right)
{
    int64_t sum;
    return __builtin_add_overflow(left, right, &sum) ? INT64_MAX : sum;
}

/* count * factor / divisor of what is not negative, without overflow between; nearly always without
 * a division of 128 bits, which is a call. */
static inline int64_t time_scale(uint64_t count, int64_t factor, int64_t divisor)
{
    uint64_t product;
    if (__builtin_mul_overflow(count, (uint64_t)factor, &product)) {
        return (int64_t)((__int128)count * factor / divisor);
    }
    return (int64_t)(product / (uint64_t)divisor);
}

static inline int64_t world_now(const struct world *world)
{
    return world->sched.now_ns;
}

/* Number of the event being dispatched, for observers. */
static inline uint64_t world_event(const struct world *world)
{
    return world->sched.stats.fired;
}

struct world *world_new(void);
void world_free(struct world *world);
/* Prepares a run: nodes boot at time 0, loads start as the spec says. `observer` and `spec` must
 * outlive the run: they are not looked at by a later reset or by world_free. */
void world_reset(struct world *world, const struct run_spec *spec, uint64_t seed,
                 const struct sq_observer *observer);
/* Runs until the time limit, `until_ns` (INT64_MAX: no other bound), event `until_event`
 * (UINT64_MAX) or world_stop; nothing happens when a bound lies behind. May be called again to go
 * on: in pieces a run is the same as in one. A run that has ended stays as it is.
 *
 * A run in which time stands still (steps_max) is stopped; the observer is told that the
 * invariant "engine.time-advances" does not hold. */
enum world_end world_run(struct world *world, int64_t until_ns, uint64_t until_event);
/* Closes the history (open operations become INFO). Once, after the last world_run. */
void world_finish(struct world *world);
/* Ends world_run after the current event. */
void world_stop(struct world *world);
/* The determinism witness: digest of the event stream so far. */
uint64_t world_digest(const struct world *world);

/* ---------------------------------------------------------------------------- inside the engine */

struct request_options {
    endpoint from;
    uint32_t slot;
    sq_node to;
    struct sq_reply_to reply_to; /* `caller` is filled in */
    const void *data;
    size_t size;
    int64_t deadline_ns; /* the caller waits for the answer until then */
    uint32_t previous_attempts;
};

/* Sends a request from a caller. Bytes are copied. */
void world_request(struct world *world, const struct request_options *options);
/* Answers a request from the node `from`. Bytes are copied. */
void world_reply(struct world *world, sq_node from, const struct sq_reply_options *options);
/* Answers SQ_E_OVERLOADED in place of the process at `from`, which never sees the request. */
void world_turn_away(struct world *world, sq_node from, struct sq_reply_to to);
/* An answer arrived at a load. */
void world_load_reply(struct world *world, const struct packet *packet);
/* Tells trace and observer what became of a node. */
void world_life(struct world *world, struct node *node, enum sq_life what);
/* One more thing (event, piece of node code, look at a clock) happens at this instant, to `node` or
 * to nobody (NULL). False: it is one too many,
 * the run ends after the present event, and what called must give up. */
bool world_step(struct world *world, struct node *node);
/* Records in the trace, at the present time. */
void world_trace(struct world *world, enum trace_kind kind, uint32_t node, uint64_t word,
                 uint64_t extra);

#endif
