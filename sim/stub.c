/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A call is a small state machine with one timer. It is WAITING for the answer to the attempt it
 * sent last, or BACKING OFF before the next one; the timer stands at the end of that phase or at
 * the call's deadline, whichever is earlier. So a call costs one pending event, however many
 * attempts it makes, and its end cancels one handle.
 *
 *     stub_call: send -> WAITING
 *     WAITING, SQ_OK to any attempt              -> done
 *     WAITING, not-leader, hint, redirects left  -> send to the hint -> WAITING
 *     WAITING, time-out, or other answer to the
 *              last attempt, retried             -> BACKING OFF
 *                            not retried         -> done, with that status
 *     BACKING OFF, delay over                    -> send -> WAITING
 *     BACKING OFF, delay over, retries off       -> done, with the status of the last attempt
 *     BACKING OFF, SQ_OK to any attempt          -> done
 *     either, the deadline passes                -> done, SQ_E_TIMEOUT
 *
 * Late answers. An answer to an earlier attempt of a call that goes on ends the call when it is
 * SQ_OK: the operation did happen, and a client that hears it would be foolish to go on. Other late
 * answers say nothing about the attempts that are still out, and are ignored. A policy may ignore
 * the SQ_OK as well (lateAnswers: ignore), as a client does that closes its connection, or resets
 * its stream, at a time-out: it never hears of it.
 *
 * Definite or not. An attempt that was not answered within its time-out, or with a status that
 * leaves the matter open (last column of SQ_STATUS_MAP), taints the call: if the call does not end
 * with SQ_OK its outcome is indefinite, even when the last attempt was refused. A call whose
 * deadline had passed before it started sends nothing and is definite.
 *
 * Back-off. Before retry n: c = min(initial * multiplier^(n-1), max) with the product floored at
 * every step, then jitter: full U[0, c]; equal c/2 + U[0, c - c/2]; proportional c - xc + U[0,
 * 2xc]; decorrelated, which has a law of its own, min(max, U[initial, 3 * previous]) with previous
 * = initial at first (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog 2015; gRPC
 * proposal A6). A retry whose back-off ends after the deadline waits for the deadline, as gRPC
 * does: a late SQ_OK may still come.
 *
 * Budget. A token bucket that all calls of the stub share (AWS SDKs, retries/quota): it starts
 * full, a retry takes tokens before it backs off, a success gives some back; a call that finds too
 * few ends with the status it has. Redirects are free. Tokens are counted in thousandths.
 *
 * Belief. Routing to the leader is one belief for all calls of the stub, as in a client library
 * with one leader cache. A failure moves it on only if it still points at the node that failed: a
 * hundred calls that time out together must turn it by one node, not by a hundred.
 *
 * Names of calls on the wire are slot:24 | ordinal:28 | incarnation:12, so finding a call is one
 * array access, and an answer to a call that ended, or of an earlier incarnation of a calling node,
 * finds a different name and is dropped.
 *
 * Relief. While the spec's relief switches retries off (a probe arm), stubs of loads send nothing
 * again but redirects; nothing is drawn for what is not sent.
 *
 * A node that is paused repeats nothing: the timers of its calls wait with the rest of its work.
 *
 * Not here: hedging, circuit breakers, connections. */
#include "sim/stub.h"

#include "sim/base/base.h"
#include "sim/base/vec.h"
#include "sim/node.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_CALLS    64
#define SLOT_BITS      24
#define ORDINAL_BITS   28
#define SLOT_COUNT_MAX (UINT32_C(1) << SLOT_BITS)
#define ORDINAL_MASK   ((UINT64_C(1) << ORDINAL_BITS) - 1)
#define PAYLOAD_STEP   64
#define MILLI          1000

/* A slot of the slab. Its address never changes; the payload's buffer stays with the slot when a
 * call ends. */
struct call {
    struct stub *stub;
    uint64_t id;      /* name on the wire; 0 = the slot is free */
    uint64_t late_id; /* of the call whose timer fired while its process was stopped */
    sched_handle timer;
    int64_t deadline_at_ns;
    int64_t sent_ns;     /* when the last attempt left */
    int64_t backoff_ns;  /* of the next retry, before jitter */
    int64_t previous_ns; /* decorrelated jitter: the delay before */
    uint32_t attempts;
    uint32_t redirects;
    uint32_t slot;
    sq_node node;   /* where the last attempt went */
    bool is_pinned; /* every attempt goes to `node` */
    bool is_waiting;
    bool is_tainted;       /* an attempt may have taken effect, or may yet */
    enum sq_status status; /* of the attempt before the back-off */
    uint32_t size;
    uint32_t capacity;
    unsigned char *data;
    void (*on_attempt)(void *context, uint64_t word);
    void (*on_done)(void *context, uint64_t word, const struct stub_result *result);
    void *context;
    uint64_t word;
    struct call *next_free;
};

struct stub {
    struct world *world;
    const struct spec_client *policy;
    uint32_t endpoint;
    uint32_t slot;
    uint32_t incarnation;
    sq_node group_first;
    uint32_t group_size;
    uint32_t belief; /* LEADER: index in the group */
    uint32_t in_flight;
    uint64_t ordinal; /* calls so far */
    uint64_t tokens_milli;
    struct rng jitter;
    struct rng route;
    struct vec chunks; /* struct call *, CHUNK_CALLS each */
    struct call *free;
};

static const bool status_is_definite[SQ_STATUS_COUNT] = {
#define STATUS_DEFINITE(code, number, name, definite) [code] = definite,
    SQ_STATUS_MAP(STATUS_DEFINITE)
#undef STATUS_DEFINITE
};

static_assert(SQ_STATUS_COUNT <= 64, "retry_on has a bit for each status");

static int64_t add_saturated(int64_t left, int64_t right)
{
    ASSERT(right >= 0);
    return left > INT64_MAX - right ? INT64_MAX : left + right;
}

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "squall: out of memory (%zu calls of %zu bytes)\n", count, size);
        abort();
    }
    return memory;
}

/* -------------------------------------------------------------------------------- slab of calls */

static struct call *call_at(const struct stub *stub, uint32_t slot)
{
    struct call *const *chunk = vec_at(&stub->chunks, slot / CHUNK_CALLS);
    return &(*chunk)[slot % CHUNK_CALLS];
}

static void grow(struct stub *stub)
{
    uint32_t first = stub->chunks.count * CHUNK_CALLS;
    struct call *chunk = allocate(CHUNK_CALLS, sizeof(*chunk));
    vec_append(&stub->chunks, &chunk);
    for (uint32_t i = CHUNK_CALLS; i > 0; i--) {
        chunk[i - 1].stub = stub;
        chunk[i - 1].slot = first + i - 1;
        chunk[i - 1].next_free = stub->free;
        stub->free = &chunk[i - 1];
    }
}

static struct call *call_take(struct stub *stub)
{
    if (stub->free == NULL) {
        grow(stub);
    }
    struct call *call = stub->free;
    ASSERT(call->id == 0);
    stub->free = call->next_free;
    stub->in_flight++;
    /* From 1 to the mask, then from 1 again: a name is never 0. */
    uint64_t ordinal = stub->ordinal % ORDINAL_MASK + 1;
    stub->ordinal++;
    call->id = call->slot | ordinal << SLOT_BITS |
               (uint64_t)stub->incarnation << (SLOT_BITS + ORDINAL_BITS);
    return call;
}

static void call_release(struct call *call)
{
    struct stub *stub = call->stub;
    ASSERT(call->id != 0);
    ASSERT(stub->in_flight > 0);
    if (call->timer != 0) {
        sched_cancel(&stub->world->sched, call->timer);
        call->timer = 0;
    }
    call->id = 0;
    call->next_free = stub->free;
    stub->free = call;
    stub->in_flight--;
}

static void copy_payload(struct call *call, const void *data, size_t size)
{
    ASSERT(size <= UINT32_MAX - PAYLOAD_STEP);
    if (size > call->capacity) {
        free(call->data);
        call->capacity = ((uint32_t)size + PAYLOAD_STEP - 1) / PAYLOAD_STEP * PAYLOAD_STEP;
        call->data = allocate(call->capacity, 1);
    }
    if (size > 0) {
        memcpy(call->data, data, size);
    }
    call->size = (uint32_t)size;
}

/* --------------------------------------------------------------------------------------- policy */

/* Tokens for one more retry after `status`; false when there are too few. */
static bool budget_take(struct stub *stub, enum sq_status status)
{
    const struct spec_client *policy = stub->policy;
    if (!policy->budget_enabled) {
        return true;
    }
    uint64_t tokens =
        status == SQ_E_TIMEOUT ? policy->budget_timeout_cost : policy->budget_retry_cost;
    if (stub->tokens_milli < tokens * MILLI) {
        return false;
    }
    stub->tokens_milli -= tokens * MILLI;
    return true;
}

static void budget_credit(struct stub *stub)
{
    const uint64_t full = (uint64_t)stub->policy->budget_capacity * MILLI;
    stub->tokens_milli += stub->policy->budget_success_milli;
    if (stub->tokens_milli > full) {
        stub->tokens_milli = full;
    }
}

/* Uniform in [low, high]. */
static int64_t draw_between(struct rng *rng, int64_t low, int64_t high)
{
    ASSERT(low >= 0);
    ASSERT(low <= high);
    return low + (int64_t)rng_below(rng, (uint64_t)(high - low) + 1);
}

static int64_t decorrelated_delay(struct call *call)
{
    const struct spec_client *policy = call->stub->policy;
    const int64_t base = policy->backoff_initial_ns;
    const int64_t cap = policy->backoff_max_ns > base ? policy->backoff_max_ns : base;
    int64_t high = call->previous_ns > INT64_MAX / 4 ? INT64_MAX / 4 * 3 : call->previous_ns * 3;
    int64_t delay = draw_between(&call->stub->jitter, base, high);
    call->previous_ns = delay > cap ? cap : delay;
    return call->previous_ns;
}

static int64_t with_jitter(struct call *call, int64_t delay)
{
    struct rng *rng = &call->stub->jitter;
    switch (call->stub->policy->jitter) {
    case SPEC_JITTER_NONE:
        return delay;
    case SPEC_JITTER_FULL:
        return draw_between(rng, 0, delay);
    case SPEC_JITTER_EQUAL:
        return draw_between(rng, delay / 2, delay);
    case SPEC_JITTER_DECORRELATED:
        return decorrelated_delay(call);
    case SPEC_JITTER_PROPORTIONAL: {
        unsigned __int128 product =
            (unsigned __int128)(uint64_t)delay * call->stub->policy->jitter_proportion;
        int64_t spread = (int64_t)(product >> 32);
        return draw_between(rng, delay - spread, add_saturated(delay, spread));
    }
    }
    UNREACHABLE();
}

/* Delay before the next retry; moves the sequence on. */
static int64_t backoff_next(struct call *call)
{
    const struct spec_client *policy = call->stub->policy;
    if (policy->backoff == SPEC_BACKOFF_NONE) {
        return 0;
    }
    int64_t delay = call->backoff_ns;
    if (policy->backoff == SPEC_BACKOFF_EXPONENTIAL) {
        unsigned __int128 next =
            (unsigned __int128)(uint64_t)delay * policy->backoff_multiplier_milli / MILLI;
        bool is_capped = next > (uint64_t)policy->backoff_max_ns;
        call->backoff_ns = is_capped ? policy->backoff_max_ns : (int64_t)next;
    }
    return with_jitter(call, delay);
}

static int64_t backoff_first(const struct spec_client *policy)
{
    bool is_capped = policy->backoff == SPEC_BACKOFF_EXPONENTIAL &&
                     policy->backoff_initial_ns > policy->backoff_max_ns;
    return is_capped ? policy->backoff_max_ns : policy->backoff_initial_ns;
}

/* -------------------------------------------------------------------------------------- routing */

static sq_node next_in_group(const struct stub *stub, sq_node node)
{
    ASSERT(node - stub->group_first < stub->group_size);
    return stub->group_first + (node - stub->group_first + 1) % stub->group_size;
}

/* Where the next attempt goes. */
static sq_node choose_node(struct call *call)
{
    struct stub *stub = call->stub;
    if (call->is_pinned) {
        return call->node;
    }
    switch (stub->policy->route) {
    case SPEC_ROUTE_LEADER:
        return stub->group_first + stub->belief;
    case SPEC_ROUTE_RANDOM:
        return stub->group_first + (sq_node)rng_below(&stub->route, stub->group_size);
    case SPEC_ROUTE_FIRST:
        return call->attempts == 0 ? stub->group_first : next_in_group(stub, call->node);
    }
    UNREACHABLE();
}

/* The node failed as a leader: believe in the next one, unless the belief moved on already. */
static void distrust(struct stub *stub, sq_node node)
{
    if (stub->group_first + stub->belief == node) {
        stub->belief = next_in_group(stub, node) - stub->group_first;
    }
}

static bool is_leadership_failure(enum sq_status status)
{
    return status == SQ_E_TIMEOUT || status == SQ_E_REFUSED || status == SQ_E_UNAVAILABLE ||
           status == SQ_E_NOT_LEADER;
}

/* A hint leads to another node of the group, and this call may still follow one. */
static bool may_follow(const struct call *call, sq_node leader)
{
    const struct stub *stub = call->stub;
    bool is_inside = leader >= stub->group_first && leader - stub->group_first < stub->group_size;
    return is_inside && leader != call->node && !call->is_pinned &&
           call->redirects < stub->policy->redirects_max;
}

/* ------------------------------------------------------------------------------- life of a call */

static void on_timer(void *context, struct sched_event *event);

/* Sets the call's one timer to `at_ns` or its deadline. */
static void arm(struct call *call, int64_t at_ns)
{
    struct sched *sched = &call->stub->world->sched;
    int64_t time_ns = at_ns < call->deadline_at_ns ? at_ns : call->deadline_at_ns;
    if (time_ns == INT64_MAX) {
        if (call->timer != 0) {
            sched_cancel(sched, call->timer);
            call->timer = 0;
        }
        return;
    }
    if (call->timer != 0 && sched_rearm(sched, call->timer, time_ns)) {
        return;
    }
    struct sched_event *event = sched_push(sched, time_ns, &call->timer);
    event->fire = on_timer;
    event->context = call;
    event->kind = TRACE_STUB;
    event->words[0] = call->id;
}

static void send(struct call *call, sq_node node)
{
    struct stub *stub = call->stub;
    struct world *world = stub->world;
    call->node = node;
    call->attempts++;
    call->is_waiting = true;
    call->sent_ns = world_now(world);
    arm(call, add_saturated(call->sent_ns, stub->policy->timeout_ns));
    if (call->on_attempt != NULL) {
        call->on_attempt(call->context, call->word);
    }
    int64_t patience_ns = add_saturated(call->sent_ns, stub->policy->timeout_ns);
    struct sq_reply_to reply_to = {call->id, stub->endpoint, call->attempts};
    world_request(world, stub->endpoint, stub->slot, node, reply_to, call->data, call->size,
                  patience_ns < call->deadline_at_ns ? patience_ns : call->deadline_at_ns);
}

/* Ends the call; `packet` is the answer that ended it, or NULL. The slot is free before on_done
 * runs. */
static void finish(struct call *call, enum sq_status status, const struct packet *packet)
{
    struct stub_result result = {
        .status = status,
        .is_definite = status == SQ_OK || !call->is_tainted,
        .attempts = call->attempts,
        .replied_by = packet != NULL ? packet->from : SQ_NODE_NONE,
        .data = packet != NULL ? packet->data : NULL,
        .size = packet != NULL ? packet->size : 0,
    };
    void (*on_done)(void *, uint64_t, const struct stub_result *) = call->on_done;
    void *context = call->context;
    uint64_t word = call->word;
    call_release(call);
    on_done(context, word, &result);
}

/* Is this the stub of a load, and does it say so of its operations? Not of the closing audit's. */
static bool is_load(const struct stub *stub)
{
    return stub->endpoint >= stub->world->node_count && stub->slot == 0;
}

static bool are_retries_off(const struct stub *stub)
{
    const struct spec_relief *relief = &stub->world->spec->relief;
    int64_t now = world_now(stub->world);
    return relief->is_retries_off && now >= relief->from_ns && now < relief->until_ns &&
           is_load(stub);
}

static void tell_timeout(const struct stub *stub)
{
    const struct sq_observer *observer = stub->world->observer;
    if (observer->on_timeout != NULL && is_load(stub)) {
        uint32_t load = stub->endpoint - stub->world->node_count;
        observer->on_timeout(observer->context, load, world_now(stub->world));
    }
}

static void tell_unwanted(const struct stub *stub)
{
    const struct sq_observer *observer = stub->world->observer;
    if (observer->on_unwanted != NULL && is_load(stub)) {
        uint32_t load = stub->endpoint - stub->world->node_count;
        observer->on_unwanted(observer->context, load, world_now(stub->world));
    }
}

static bool may_retry(const struct call *call, enum sq_status status)
{
    const struct spec_client *policy = call->stub->policy;
    if (are_retries_off(call->stub)) {
        return false;
    }
    return (policy->retry_on >> status & 1) != 0 && call->attempts < policy->attempts_max;
}

/* The attempt in flight ended with `status`; `packet` is the answer, NULL after a time-out. */
static void fail_attempt(struct call *call, enum sq_status status, const struct packet *packet)
{
    struct stub *stub = call->stub;
    ASSERT(call->is_waiting);
    ASSERT(status != SQ_OK);
    call->is_waiting = false;
    call->is_tainted |= !status_is_definite[status];
    call->status = status;
    if (status == SQ_E_NOT_LEADER && may_follow(call, packet->leader)) {
        call->redirects++;
        stub->belief = packet->leader - stub->group_first;
        send(call, packet->leader);
        return;
    }
    if (is_leadership_failure(status)) {
        distrust(stub, call->node);
    }
    if (!may_retry(call, status) || !budget_take(stub, status)) {
        finish(call, status, packet);
        return;
    }
    int64_t delay = backoff_next(call);
    if (delay == 0) {
        send(call, choose_node(call));
        return;
    }
    arm(call, add_saturated(world_now(stub->world), delay));
}

/* The deadline passed. */
static void expire(struct call *call)
{
    struct stub *stub = call->stub;
    const struct spec_client *policy = stub->policy;
    if (call->is_waiting) {
        /* An attempt that the deadline cut short says little about its node; one that had all the
         * time that an attempt can have is a time-out like any other. */
        int64_t patience =
            policy->timeout_ns < policy->deadline_ns ? policy->timeout_ns : policy->deadline_ns;
        if (world_now(stub->world) - call->sent_ns >= patience) {
            distrust(stub, call->node);
        }
        call->is_tainted = true;
        tell_timeout(stub);
    }
    finish(call, SQ_E_TIMEOUT, NULL);
}

/* The phase of the call is over. */
static void end_phase(struct call *call)
{
    struct stub *stub = call->stub;
    if (world_now(stub->world) >= call->deadline_at_ns) {
        expire(call);
    } else if (call->is_waiting) {
        tell_timeout(stub);
        fail_attempt(call, SQ_E_TIMEOUT, NULL);
    } else if (are_retries_off(stub)) {
        finish(call, call->status, NULL);
    } else {
        send(call, choose_node(call));
    }
}

/* A process that was stopped when the timer fired goes on. Meanwhile an answer that waited in its
 * inbox may have ended the call, or moved it into another phase. */
static void end_phase_late(struct sq_env *env, void *argument)
{
    (void)env;
    struct call *call = argument;
    if (call->id != 0 && call->id == call->late_id && call->timer == 0) {
        end_phase(call);
    }
}

static void on_timer(void *context, struct sched_event *event)
{
    struct call *call = context;
    struct stub *stub = call->stub;
    struct world *world = stub->world;
    ASSERT(call->id == event->words[0]);
    call->timer = 0;
    world_trace(world, TRACE_STUB, stub->endpoint, call->id,
                (uint64_t)call->attempts << 1 | (call->is_waiting ? 1 : 0));
    if (stub->endpoint < world->node_count && world->nodes[stub->endpoint].is_paused) {
        call->late_id = call->id;
        node_post(&world->nodes[stub->endpoint],
                  (struct item){.kind = ITEM_POST, .run = end_phase_late, .argument = call});
        return;
    }
    end_phase(call);
}

/* --------------------------------------------------------------------------------------- public */

static void check_policy(const struct spec_client *policy)
{
    ASSERT(policy->timeout_ns > 0);
    ASSERT(policy->deadline_ns > 0);
    ASSERT(policy->attempts_max >= 1);
    ASSERT(policy->backoff_initial_ns >= 0);
    ASSERT(policy->backoff_max_ns >= 0);
    ASSERT(policy->jitter_proportion <= RNG_ALWAYS);
}

struct stub *stub_new(struct world *world, uint32_t caller, uint32_t slot,
                      const struct spec_client *policy, const char *name, uint32_t incarnation)
{
    ASSERT(world != NULL);
    ASSERT(policy->target_group < world->spec->group_count);
    check_policy(policy);
    const struct spec_group *group = &world->spec->groups[policy->target_group];
    ASSERT(group->count >= 1);
    struct stub *stub = allocate(1, sizeof(*stub));
    *stub = (struct stub){
        .world = world,
        .policy = policy,
        .endpoint = caller,
        .slot = slot,
        .incarnation = incarnation,
        .group_first = group->first,
        .group_size = group->count,
        .tokens_milli = (uint64_t)policy->budget_capacity * MILLI,
        .jitter = rng_stream(world->seed, name, incarnation, "jitter"),
        .route = rng_stream(world->seed, name, incarnation, "route"),
    };
    vec_init(&stub->chunks, sizeof(struct call *), SLOT_COUNT_MAX / CHUNK_CALLS);
    if (policy->route == SPEC_ROUTE_LEADER) {
        stub->belief = (uint32_t)rng_below(&stub->route, group->count);
    }
    return stub;
}

void stub_set_policy(struct stub *stub, const struct spec_client *policy)
{
    check_policy(policy);
    ASSERT(policy->target_group == stub->policy->target_group);
    const uint64_t full = (uint64_t)policy->budget_capacity * MILLI;
    if (!stub->policy->budget_enabled || stub->tokens_milli > full) {
        stub->tokens_milli = full;
    }
    stub->policy = policy;
    for (uint32_t slot = 0; slot < stub->chunks.count * CHUNK_CALLS; slot++) {
        call_at(stub, slot)->backoff_ns = backoff_first(policy);
        call_at(stub, slot)->previous_ns = policy->backoff_initial_ns;
    }
}

void stub_free(struct stub *stub)
{
    if (stub == NULL) {
        return;
    }
    for (uint32_t at = 0; at < stub->chunks.count; at++) {
        struct call *chunk = call_at(stub, at * CHUNK_CALLS);
        for (uint32_t i = 0; i < CHUNK_CALLS; i++) {
            if (chunk[i].timer != 0) {
                sched_cancel(&stub->world->sched, chunk[i].timer);
            }
            free(chunk[i].data);
        }
        free(chunk);
    }
    vec_release(&stub->chunks);
    free(stub);
}

void stub_call(struct stub *stub, const struct stub_call_options *options)
{
    ASSERT(options->on_done != NULL);
    ASSERT(options->size == 0 || options->data != NULL);
    const struct spec_client *policy = stub->policy;
    struct call *call = call_take(stub);
    copy_payload(call, options->data, options->size);
    call->deadline_at_ns = add_saturated(options->intended_ns, policy->deadline_ns);
    if (options->has_end && options->end_ns < call->deadline_at_ns) {
        call->deadline_at_ns = options->end_ns;
    }
    call->backoff_ns = backoff_first(policy);
    call->previous_ns = policy->backoff_initial_ns;
    call->attempts = 0;
    call->redirects = 0;
    ASSERT(!options->has_index || options->index < stub->group_size);
    call->is_pinned = options->has_index;
    call->node = options->has_index ? stub->group_first + options->index : SQ_NODE_NONE;
    call->is_waiting = false;
    call->is_tainted = false;
    call->status = SQ_E_TIMEOUT;
    call->on_attempt = options->on_attempt;
    call->on_done = options->on_done;
    call->context = options->context;
    call->word = options->word;
    int64_t now = world_now(stub->world);
    if (call->deadline_at_ns <= now) {
        /* Too late to send anything; the end comes from the loop, never from inside this call. */
        call->deadline_at_ns = now;
        arm(call, now);
        return;
    }
    send(call, choose_node(call));
}

void stub_on_reply(struct stub *stub, const struct packet *packet)
{
    const uint64_t id = packet->reply_to.call;
    const uint32_t slot = (uint32_t)(id & (SLOT_COUNT_MAX - 1));
    ASSERT(packet->status < SQ_STATUS_COUNT);
    if (id == 0 || slot / CHUNK_CALLS >= stub->chunks.count) {
        return;
    }
    struct call *call = call_at(stub, slot);
    if (call->id != id) {
        if (packet->status == SQ_OK) {
            tell_unwanted(stub);
        }
        return;
    }
    bool is_late = !call->is_waiting || packet->reply_to.attempt != call->attempts;
    if (is_late && stub->policy->ignores_late) {
        if (packet->status == SQ_OK) {
            tell_unwanted(stub);
        }
        return;
    }
    if (packet->status == SQ_OK) {
        budget_credit(stub);
        finish(call, SQ_OK, packet);
    } else if (call->is_waiting && packet->reply_to.attempt == call->attempts) {
        fail_attempt(call, (enum sq_status)packet->status, packet);
    }
}

uint32_t stub_in_flight(const struct stub *stub)
{
    return stub->in_flight;
}
