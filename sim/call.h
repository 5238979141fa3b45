/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Calls in progress, as the stub keeps them: slots of a slab whose addresses never change, names on
 * the wire, attempts that are out, and the lines in which calls wait. What happens to a call is the
 * stub's affair. */
#ifndef SQUALL_SIM_CALL_H
#define SQUALL_SIM_CALL_H

#include "sim/backoff.h"
#include "sim/base/vec.h"
#include "sim/sched.h"
#include "sim/spec.h"

struct stub;
struct stub_result;

enum call_phase {
    CALL_QUEUED,      /* waits to begin: too many operations are under way */
    CALL_PACED,       /* an attempt waits for the pacer */
    CALL_PENDING,     /* an attempt waits for a connection */
    CALL_WAITING,     /* attempts are out */
    CALL_BACKING_OFF, /* none is out */
    CALL_REFUSED,     /* ends when its timer fires, which is due */
};

/* An attempt that is out: sent, not answered and not timed out. */
struct call_attempt {
    uint32_t ordinal; /* on the wire, from 1 */
    sq_node node;
    int64_t sent_ns;
    uint32_t permit;   /* of the circuit breaker, 0 = none */
    uint32_t previous; /* attempts of the call before it */
    bool is_retry;     /* or a hedge: counts against the budget of retries */
};

/* A slot of the slab. The payload's buffer stays with the slot when a call ends. */
struct call {
    struct stub *stub;
    uint64_t id;      /* name on the wire; 0 = the slot is free */
    uint64_t late_id; /* of the call whose timer fired while its process was stopped */
    sched_handle timer;
    int64_t deadline_at_ns;
    enum call_phase phase;
    struct call_attempt out[SPEC_HEDGES_MAX]; /* in order of sending */
    uint32_t out_count;
    struct backoff backoff;
    uint32_t attempts; /* sends so far */
    uint32_t tries;    /* the same without redirects and transparent retries */
    uint32_t redirects;
    uint32_t refusals; /* attempts that the circuit breaker did not permit */
    uint32_t slot;
    sq_node node;          /* where the last attempt went */
    bool is_pinned;        /* every attempt goes to `node` */
    bool is_running;       /* counts among the operations under way */
    bool is_retry;         /* what it does next is a retry: counts against the budget */
    bool is_tainted;       /* an attempt may have taken effect, or may yet */
    bool is_resent;        /* its one transparent retry was made */
    bool is_hedged;        /* decided at its start */
    uint32_t hedges;       /* hedged: attempts without redirects */
    int64_t hedge_at_ns;   /* hedged: when the next one leaves; INT64_MAX = never */
    uint64_t cost_milli;   /* tokens that its last retry took */
    enum sq_status status; /* of the last attempt that ended */
    uint32_t size;
    uint32_t capacity;
    unsigned char *data;
    void (*on_attempt)(void *context, uint64_t word);
    void (*on_done)(void *context, uint64_t word, const struct stub_result *result);
    void *context;
    uint64_t word;
    struct call_line *line; /* it waits in, or NULL */
    struct call *after;     /* in the line */
    struct call *before;
    struct call *next_free;
};

/* First come, first served; anyone may leave. */
struct call_line {
    struct call *first;
    struct call *last;
    uint32_t count;
};

struct call_slab {
    struct vec chunks; /* struct call * */
    struct call *free;
    uint64_t ordinal;   /* calls so far */
    uint32_t in_flight; /* slots in use */
};

void call_slab_init(struct call_slab *slab);
/* Cancels the timers of what is in use. */
void call_slab_release(struct call_slab *slab, struct sched *sched);
/* A slot with a name of its own; what the last user left in it stays. Asserts a limit of 2^24. */
struct call *call_take(struct call_slab *slab, struct stub *stub, uint32_t incarnation);
/* Gives the slot back. Its timer must not be pending, and it must wait in no line. */
void call_give(struct call_slab *slab, struct call *call);
/* The call of this name, whether it goes on or not (compare the id); NULL: there never was one. */
struct call *call_find(const struct call_slab *slab, uint64_t id);
/* All slots, in use or not, from 0 to the size. */
uint32_t call_slab_size(const struct call_slab *slab);
struct call *call_slab_at(const struct call_slab *slab, uint32_t slot);
void call_set_payload(struct call *call, const void *data, size_t size);

void call_line_join(struct call_line *line, struct call *call);
/* Nothing when it waits in none. */
void call_line_leave(struct call *call);

#endif
