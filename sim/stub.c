/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A call is a small state machine with one timer. The timer stands at the end of the call's phase
 * or at the call's deadline, whichever is earlier. So a call costs one pending event, however many
 * attempts it makes, and its end cancels one handle.
 *
 *     stub_call: room among the operations         -> its first attempt
 *                room in the queue                 -> QUEUED
 *                neither                           -> REFUSED, SQ_E_OVERLOADED
 *     QUEUED, an operation ends                    -> its first attempt
 *     QUEUED, the queue's time-out                 -> done, SQ_E_OVERLOADED
 *     an attempt: the pacer has no token           -> PACED
 *                 all connections are busy         -> PENDING
 *                 too many wait for one, or are out-> REFUSED, SQ_E_OVERLOADED
 *                 the breaker is open              -> BACKING OFF, or REFUSED, SQ_E_UNAVAILABLE
 *                 else                             -> sent, WAITING
 *     WAITING, SQ_OK to any attempt                -> done
 *     WAITING, not-leader, hint, redirects left    -> send to the hint -> WAITING
 *     WAITING, turned away for the first time      -> choose a node, send -> WAITING
 *     WAITING, time-out, or other answer to the
 *              last attempt, retried               -> BACKING OFF
 *                            not retried           -> done, with that status
 *     BACKING OFF, delay over                      -> an attempt, or the next hedge
 *     BACKING OFF, delay over, retries off         -> done, with the status of the last attempt
 *     BACKING OFF, SQ_OK to any attempt            -> done
 *     REFUSED, as soon as the loop comes round     -> done
 *     any, the deadline passes                     -> done, SQ_E_TIMEOUT
 *
 * Late answers. An answer to an earlier attempt of a call that goes on ends the call when it is
 * SQ_OK: the operation did happen, and a client that hears it would be foolish to go on. Other late
 * answers say nothing about the attempts that are still out, and are ignored. A policy may ignore
 * the SQ_OK as well (lateAnswers: ignore), as a client does that closes its connection, or resets
 * its stream, at a time-out: it never hears of it.
 *
 * Definite or not. An attempt that was not answered within its time-out, or with a status that
 * leaves the matter open (last column of SQ_STATUS_MAP), taints the call: if the call does not end
 * with SQ_OK its outcome is indefinite, even when the last attempt was refused. So does an attempt
 * that is still out when the call ends. A call whose deadline had passed before it started sends
 * nothing and is definite, and so is one that was refused before it sent anything.
 *
 * Hedging (gRPC A6). The next attempt leaves hedgingDelay after the one before, without waiting for
 * its answer, or as soon as a non-fatal answer (or time-out) has come; SQ_OK or a fatal answer to
 * any of them ends the call. With routes `random` and `first` it goes to a node where none is out
 * while there is one. A hedge that may not leave at once (budget, breaker, pacer, connections)
 * leaves never, and none after it: a copy that has to wait is of no use. Hedged calls make no
 * retries.
 *
 * Pushback (gRPC A6). An answer may say when to try again, or never. What is made of it is the
 * policy's: nothing; EXACT, as gRPC; BOUNDED, as the AWS SDKs (sim/backoff.c). It delays what would
 * be sent anyhow, and allows nothing: not another attempt than the most, none without tokens and
 * none after a status that is not retried. On this last A6 can be read either way: it checks every
 * failure "against the set of retryable status codes", and also lists pushback as a kind of answer
 * beside them. C-core (retry_filter_legacy_call_data.cc, ShouldRetry) and grpc-go (stream.go) look
 * at the status first, and so do we; grpc-java (RetriableStream.java) retries after any. EXACT and
 * negative is the end of the retries, takes no token, and is a failure to retryThrottling whatever
 * the status (A6, "Throttling"; C-core counts it only with a status that is retried). To a hedged
 * call it says that there will be no more hedges, those that are out go on; else it says when the
 * next leaves, be it sooner or later, and the following ones keep their distance to that (A6; of
 * late grpc-java sends it at once all the same). A fatal answer to a hedge is fatal. What comes
 * with SQ_OK, with an answer that is late, or with a redirect that is followed, is not heeded. Who
 * times out was told nothing, and backs off as ever.
 *
 * Transparent retries (gRPC A6). A6 tells apart three failures: the RPC never left the client; it
 * reached the server's library, but the application never saw it; the application failed it. Only
 * the third is retry policy. The second is retried at once, once in a call, and is no failure and
 * no attempt: not to the most attempts, nor to a budget, nor to the back-off. What the application
 * is and what its library, is clear here: the process of a model, and the inbox that its host keeps
 * for it. So "never seen" is what finds the inbox full (host.queue, onFull: reject): it is gRPC's
 * REFUSED_STREAM, that of a server with too many streams (RFC 9113, 5.1.2 and 8.7), and the host
 * marks its answer. No model can: that it turns a request away it decides after it was asked. Not
 * meant is a connection that is refused, though no process saw that request either: to gRPC a
 * subchannel without a connection is in TRANSIENT_FAILURE, an RPC that finds no other fails with
 * UNAVAILABLE (wait-for-ready.md), and one that was out when its connection broke does so too; both
 * are up to the policy. Nor an inbox that drops: nobody hears of that.
 *
 * Once in a call, in whichever attempt: so C-core (retry_filter_legacy_call_data.cc). A6 does not
 * say; grpc-go (stream.go, shouldRetry) does it for the first attempt only, grpc-java
 * (RetriableStream.java, noMoreTransparentRetry) until one was processed. Turned away for a second
 * time it is a failure like any other. The request goes where routing sends it now. It takes the
 * place of the one that was turned away, as a redirect does: its connection, its permit, its place
 * among the hedges; pacer and breaker, which gRPC has not, hear nothing. When the deadline has come
 * there is none.
 *
 * The first failure of A6, for which it allows any number of retries, does not happen here: a
 * request that may leave does leave. One for which there is no connection yet waits, until its
 * deadline, which comes to the same. What breaker, budget or limits do not permit was decided: it
 * is no failure of the transport (nor is to gRPC what its load balancing policy dropped).
 *
 * Budget, breaker, pacer, see there; all calls of the stub share them. To them a redirect is the
 * same attempt as the one that it follows: it is free, and no failure. To the most attempts it is
 * not: maxAttempts counts sends, all but the transparent retry, so that a call which was sent on
 * twice has two retries fewer (nor is a redirect held back when there are none left; only the
 * policy's `redirects` limit them). An attempt that the breaker does not permit is retried like one
 * that failed with SQ_E_UNAVAILABLE, but only after a back-off: at once nothing would be different.
 * Where the breaker is for retries only, the call ends with the status that it would have retried.
 * Other refusals are never retried, as in Envoy.
 *
 * Change of policy. The policy is read when something is decided, so a new one holds at once for
 * calls that are under way, except that a call is hedged or not for its whole life, and that a
 * timer that runs is not moved. Breaker and pacer begin anew when their own part has changed.
 *
 * Belief. Routing to the leader is one belief for all calls of the stub, as in a client library
 * with one leader cache. A failure moves it on only if it still points at the node that failed: a
 * hundred calls that time out together must turn it by one node, not by a hundred.
 *
 * Relief. While the spec's relief switches retries off (a probe arm), stubs of loads send nothing
 * again but redirects, not even transparently; nothing is drawn for what is not sent.
 *
 * A node that is paused repeats nothing: the timers of its calls wait with the rest of its work.
 *
 * Nothing of the stub is touched after on_done: it may end the caller, and the stub with it.
 *
 * Not here: connections that take time to be made. */
#include "sim/stub.h"

#include "sim/backoff.h"
#include "sim/base/base.h"
#include "sim/breaker.h"
#include "sim/budget.h"
#include "sim/call.h"
#include "sim/node.h"
#include "sim/pacer.h"

#include <stdlib.h>
#include <string.h>

struct stub {
    struct world *world;
    const struct spec_client *policy;
    uint32_t endpoint;
    uint32_t slot;
    uint32_t incarnation;
    sq_node group_first;
    uint32_t group_size;
    uint32_t belief;      /* LEADER: index in the group */
    uint32_t running;     /* operations under way */
    uint32_t outstanding; /* attempts that are out */
    struct budget budget;
    struct breaker breaker;
    struct pacer pacer;
    struct call_line queue;   /* QUEUED */
    struct call_line paced;   /* PACED; the timer of the first stands at the next token */
    struct call_line pending; /* PENDING */
    struct rng jitter;
    struct rng route;
    struct call_slab calls;
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

static bool has_status(uint64_t mask, enum sq_status status)
{
    return (mask >> status & 1) != 0;
}

/* ------------------------------------------------------------------------------------- observer */

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

/* A probe of the engine's own: `sometimes: {probe: client...}`. */
static void tell(const struct stub *stub, const char *probe)
{
    const struct world *world = stub->world;
    const struct sq_observer *observer = world->observer;
    if (observer->on_sometimes != NULL) {
        sq_node node = stub->endpoint < world->node_count ? stub->endpoint : SQ_NODE_NONE;
        observer->on_sometimes(observer->context, node, world_now(world), probe);
    }
}

static void tell_breaker(const struct stub *stub, enum breaker_state before)
{
    static const char *const probes[] = {
        [BREAKER_CLOSED] = "client.breaker-closed",
        [BREAKER_OPEN] = "client.breaker-opened",
        [BREAKER_HALF_OPEN] = "client.breaker-half-opened",
    };
    if (stub->breaker.state != before) {
        tell(stub, probes[stub->breaker.state]);
    }
}

/* -------------------------------------------------------------------------------------- routing */

static sq_node next_in_group(const struct stub *stub, sq_node node)
{
    ASSERT(node - stub->group_first < stub->group_size);
    return stub->group_first + (node - stub->group_first + 1) % stub->group_size;
}

static bool is_out_at(const struct call *call, sq_node node)
{
    for (uint32_t i = 0; i < call->out_count; i++) {
        if (call->out[i].node == node) {
            return true;
        }
    }
    return false;
}

/* The node, or the next one at which no attempt of the call is out; the node when there is none. */
static sq_node elsewhere(const struct call *call, sq_node node)
{
    const struct stub *stub = call->stub;
    for (uint32_t i = 0; i < stub->group_size && is_out_at(call, node); i++) {
        node = next_in_group(stub, node);
    }
    return node;
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
    case SPEC_ROUTE_RANDOM: {
        sq_node node = stub->group_first + (sq_node)rng_below(&stub->route, stub->group_size);
        return elsewhere(call, node);
    }
    case SPEC_ROUTE_FIRST:
        return call->attempts == 0 ? stub->group_first
                                   : elsewhere(call, next_in_group(stub, call->node));
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

/* A hint leads from the node to another of the group, and this call may still follow one. */
static bool may_follow(const struct call *call, sq_node node, sq_node leader)
{
    const struct stub *stub = call->stub;
    bool is_inside = leader >= stub->group_first && leader - stub->group_first < stub->group_size;
    return is_inside && leader != node && !call->is_pinned &&
           call->redirects < stub->policy->redirects_max;
}

/* ------------------------------------------------------------------------------------- attempts */

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

/* While attempts are out: the time-out of the oldest, or the next hedge. */
static void arm_waiting(struct call *call)
{
    ASSERT(call->out_count > 0);
    int64_t at_ns = add_saturated(call->out[0].sent_ns, call->stub->policy->timeout_ns);
    if (call->is_hedged && call->hedge_at_ns < at_ns) {
        at_ns = call->hedge_at_ns;
    }
    arm(call, at_ns);
}

/* Sends to the node; `as` has the attempt's permit, its number and whether it is a retry. */
static void send(struct call *call, sq_node node, struct call_attempt as)
{
    struct stub *stub = call->stub;
    struct world *world = stub->world;
    ASSERT(call->out_count < SPEC_HEDGES_MAX);
    as.ordinal = ++call->attempts;
    as.node = node;
    as.sent_ns = world_now(world);
    call->node = node;
    call->phase = CALL_WAITING;
    call->out[call->out_count++] = as;
    stub->outstanding++;
    stub->budget.retries += as.is_retry ? 1 : 0;
    arm_waiting(call);
    if (call->on_attempt != NULL) {
        call->on_attempt(call->context, call->word);
    }
    int64_t patience_ns = add_saturated(as.sent_ns, stub->policy->timeout_ns);
    world_request(
        world,
        &(struct request_options){
            .from = stub->endpoint,
            .slot = stub->slot,
            .to = node,
            .reply_to = {call->id, stub->endpoint, as.ordinal},
            .data = call->data,
            .size = call->size,
            .deadline_ns = patience_ns < call->deadline_at_ns ? patience_ns : call->deadline_at_ns,
            .previous_attempts = as.previous,
        });
}

/* The attempt is no longer out. */
static struct call_attempt take_attempt(struct call *call, uint32_t index)
{
    struct stub *stub = call->stub;
    ASSERT(index < call->out_count);
    ASSERT(stub->outstanding > 0);
    struct call_attempt attempt = call->out[index];
    call->out_count--;
    for (uint32_t i = index; i < call->out_count; i++) {
        call->out[i] = call->out[i + 1];
    }
    stub->outstanding--;
    stub->budget.retries -= attempt.is_retry ? 1 : 0;
    return attempt;
}

/* The attempt ended, SQ_E_TIMEOUT when its time had passed: breaker and pacer hear of it. */
static struct call_attempt end_attempt(struct call *call, uint32_t index, enum sq_status status)
{
    struct stub *stub = call->stub;
    const int64_t now = world_now(stub->world);
    struct call_attempt attempt = take_attempt(call, index);
    if (stub->policy->breaker.is_enabled) {
        const enum breaker_state before = stub->breaker.state;
        breaker_record(&stub->breaker, attempt.permit,
                       has_status(stub->policy->breaker.failure_on, status), now - attempt.sent_ns,
                       now);
        tell_breaker(stub, before);
    }
    if (stub->policy->pacing.is_enabled) {
        pacer_answered(&stub->pacer, status == SQ_E_OVERLOADED, now);
        if (stub->paced.first != NULL) {
            arm(stub->paced.first, pacer_ready_ns(&stub->pacer, now));
        }
    }
    return attempt;
}

/* The call ends with this status, but never from inside stub_call. */
static void refuse(struct call *call, enum sq_status status)
{
    call->phase = CALL_REFUSED;
    call->status = status;
    arm(call, world_now(call->stub->world));
}

/* Is there a pushback in the answer (NULL: there was none), for who listens? */
static bool is_pushback(const struct stub *stub, const struct packet *packet)
{
    return packet != NULL && packet->has_retry_after &&
           stub->policy->pushback != SPEC_PUSHBACK_IGNORE;
}

/* And does it say: never again? */
static bool is_never(const struct stub *stub, const struct packet *packet)
{
    return is_pushback(stub, packet) && stub->policy->pushback == SPEC_PUSHBACK_EXACT &&
           packet->retry_after_ns < 0;
}

static bool may_retry(const struct call *call, enum sq_status status)
{
    const struct spec_client *policy = call->stub->policy;
    if (are_retries_off(call->stub)) {
        return false;
    }
    return has_status(policy->retry_on, status) && !call->is_hedged &&
           (uint64_t)call->attempts - call->is_resent + call->refusals < policy->attempts_max;
}

/* Takes what a retry (or hedge) after `status` costs. */
static bool take_budget(struct call *call, enum sq_status status)
{
    struct stub *stub = call->stub;
    uint64_t cost_milli = 0;
    if (!budget_take(&stub->budget, stub->policy, status, stub->outstanding + stub->pending.count,
                     &cost_milli)) {
        tell(stub, "client.retry-throttled");
        return false;
    }
    call->cost_milli = cost_milli;
    return true;
}

/* The breaker did not permit an attempt. */
static void bear_refusal(struct call *call)
{
    struct stub *stub = call->stub;
    call->refusals++;
    tell(stub, "client.not-permitted");
    if (call->is_retry) {
        call->is_retry = false;
        stub->budget.retries--;
    }
    if (stub->policy->breaker.only_retries) {
        refuse(call, call->status);
        return;
    }
    if (stub->policy->backoff == SPEC_BACKOFF_NONE || !may_retry(call, SQ_E_UNAVAILABLE) ||
        !take_budget(call, SQ_E_UNAVAILABLE)) {
        refuse(call, SQ_E_UNAVAILABLE);
        return;
    }
    call->is_retry = true;
    stub->budget.retries++;
    call->status = SQ_E_UNAVAILABLE;
    call->phase = CALL_BACKING_OFF;
    int64_t delay = backoff_next(&call->backoff, stub->policy, false, &stub->jitter);
    arm(call, add_saturated(world_now(stub->world), delay > 0 ? delay : 1));
}

/* A permit for one more attempt: false when the breaker refuses it. */
static bool ask_breaker(struct stub *stub, bool is_retry, uint32_t *permit)
{
    const struct spec_breaker *policy = &stub->policy->breaker;
    *permit = 0;
    if (!policy->is_enabled || (policy->only_retries && !is_retry)) {
        return true;
    }
    const enum breaker_state before = stub->breaker.state;
    *permit = breaker_ask(&stub->breaker, world_now(stub->world));
    tell_breaker(stub, before);
    return *permit != 0;
}

static bool has_connection(const struct stub *stub)
{
    const uint32_t limit = stub->policy->limits.connections;
    return limit == 0 || stub->outstanding < limit;
}

static bool is_overfull(const struct stub *stub)
{
    const uint32_t limit = stub->policy->limits.requests;
    return limit != 0 && stub->outstanding >= limit;
}

static void schedule_hedge(struct call *call)
{
    const struct spec_hedging *hedging = &call->stub->policy->hedging;
    bool has_more = hedging->is_enabled && call->hedges < hedging->attempts_max;
    call->hedge_at_ns =
        has_more ? add_saturated(world_now(call->stub->world), hedging->delay_ns) : INT64_MAX;
}

/* The attempt has a connection: it leaves unless it is refused. */
static void launch(struct call *call)
{
    struct stub *stub = call->stub;
    uint32_t permit = 0;
    if (is_overfull(stub)) {
        tell(stub, "client.request-overflowed");
        refuse(call, SQ_E_OVERLOADED);
        return;
    }
    if (!ask_breaker(stub, call->is_retry, &permit)) {
        bear_refusal(call);
        return;
    }
    const bool is_retry = call->is_retry;
    if (is_retry) {
        call->is_retry = false; /* from now on the attempt is */
        stub->budget.retries--;
    }
    if (call->is_hedged) {
        call->hedges++;
        schedule_hedge(call);
    }
    send(call, choose_node(call),
         (struct call_attempt){.permit = permit, .previous = call->tries++, .is_retry = is_retry});
}

/* The attempt may be made now: it needs a connection. */
static void connect(struct call *call)
{
    struct stub *stub = call->stub;
    if (has_connection(stub) && stub->pending.first == NULL) {
        launch(call);
        return;
    }
    const uint32_t limit = stub->policy->limits.pending;
    if (limit != 0 && stub->pending.count >= limit) {
        tell(stub, "client.request-overflowed");
        refuse(call, SQ_E_OVERLOADED);
        return;
    }
    call->phase = CALL_PENDING;
    call_line_join(&stub->pending, call);
    arm(call, INT64_MAX);
}

static void start_attempt(struct call *call)
{
    struct stub *stub = call->stub;
    const int64_t now = world_now(stub->world);
    bool is_free = stub->paced.first == NULL &&
                   (!stub->policy->pacing.is_enabled || pacer_take(&stub->pacer, now));
    if (is_free) {
        connect(call);
        return;
    }
    tell(stub, "client.rate-limited");
    call->phase = CALL_PACED;
    call_line_join(&stub->paced, call);
    arm(call, stub->paced.first == call ? pacer_ready_ns(&stub->pacer, now) : INT64_MAX);
}

/* ------------------------------------------------------------------------------ lines of waiting
 */

static bool has_room(const struct stub *stub)
{
    const uint32_t limit = stub->policy->concurrency_max;
    return limit == 0 || stub->running < limit;
}

static void begin(struct call *call)
{
    call->is_running = true;
    call->stub->running++;
    start_attempt(call);
}

static void drain_paced(struct stub *stub)
{
    const int64_t now = world_now(stub->world);
    struct call *call = stub->paced.first;
    while (call != NULL && pacer_take(&stub->pacer, now)) {
        call_line_leave(call);
        connect(call);
        call = stub->paced.first;
    }
    if (call != NULL) {
        arm(call, pacer_ready_ns(&stub->pacer, now));
    }
}

/* Lets those go on for whom there is room. */
static void drain(struct stub *stub)
{
    while (stub->queue.first != NULL && has_room(stub)) {
        struct call *call = stub->queue.first;
        call_line_leave(call);
        begin(call);
    }
    if (stub->paced.first != NULL) {
        drain_paced(stub);
    }
    while (stub->pending.first != NULL && has_connection(stub)) {
        struct call *call = stub->pending.first;
        call_line_leave(call);
        launch(call);
    }
}

/* A call that has not begun: now, or when there is room. */
static void admit(struct call *call)
{
    struct stub *stub = call->stub;
    const struct spec_client *policy = stub->policy;
    if (has_room(stub) && stub->queue.first == NULL) {
        begin(call);
        return;
    }
    if (stub->queue.count >= policy->queue_limit) {
        tell(stub, "client.operation-dropped");
        refuse(call, SQ_E_OVERLOADED);
        return;
    }
    call_line_join(&stub->queue, call);
    const int64_t patience_ns = policy->queue_timeout_ns > 0 ? policy->queue_timeout_ns : INT64_MAX;
    arm(call, add_saturated(world_now(stub->world), patience_ns));
}

/* ------------------------------------------------------------------------------- life of a call */

static void release(struct call *call)
{
    struct stub *stub = call->stub;
    while (call->out_count > 0) {
        breaker_cancel(&stub->breaker, take_attempt(call, 0).permit);
    }
    if (call->timer != 0) {
        sched_cancel(&stub->world->sched, call->timer);
        call->timer = 0;
    }
    stub->running -= call->is_running ? 1 : 0;
    stub->budget.retries -= call->is_retry ? 1 : 0;
    call_line_leave(call);
    call_give(&stub->calls, call);
    if (stub->calls.in_flight == 0) {
        ASSERT(stub->outstanding == 0);
        ASSERT(stub->running == 0);
        ASSERT(stub->budget.retries == 0);
        ASSERT(stub->queue.count + stub->paced.count + stub->pending.count == 0);
    }
}

/* Ends the call; `packet` is the answer that ended it, or NULL. The slot is free before on_done
 * runs. */
static void finish(struct call *call, enum sq_status status, const struct packet *packet)
{
    struct stub *stub = call->stub;
    struct stub_result result = {
        .status = status,
        .is_definite = status == SQ_OK || (!call->is_tainted && call->out_count == 0),
        .attempts = call->attempts,
        .replied_by = packet != NULL ? packet->from : SQ_NODE_NONE,
        .data = packet != NULL ? packet->data : NULL,
        .size = packet != NULL ? packet->size : 0,
    };
    void (*on_done)(void *, uint64_t, const struct stub_result *) = call->on_done;
    void *context = call->context;
    uint64_t word = call->word;
    release(call);
    drain(stub);
    on_done(context, word, &result);
}

static void stop_hedging(struct call *call)
{
    call->hedges = UINT32_MAX;
    call->hedge_at_ns = INT64_MAX;
}

/* One more attempt of a hedged call; false: there will be none. */
static bool hedge(struct call *call)
{
    struct stub *stub = call->stub;
    const struct spec_hedging *hedging = &stub->policy->hedging;
    uint32_t permit = 0;
    bool may_leave = hedging->is_enabled && call->hedges < hedging->attempts_max &&
                     !are_retries_off(stub) && has_connection(stub) &&
                     stub->pending.first == NULL && !is_overfull(stub) &&
                     stub->paced.first == NULL && ask_breaker(stub, true, &permit);
    if (may_leave && take_budget(call, SQ_OK) && /* it follows no failure */
        pacer_take(&stub->pacer, world_now(stub->world))) {
        call->hedges++;
        schedule_hedge(call);
        tell(stub, "client.hedged");
        send(call, choose_node(call),
             (struct call_attempt){.permit = permit, .previous = call->tries++, .is_retry = true});
        return true;
    }
    breaker_cancel(&stub->breaker, permit);
    stop_hedging(call);
    return false;
}

/* The answer says when the next hedge leaves; false: there will be none. */
static bool postpone_hedge(struct call *call, const struct packet *packet)
{
    struct stub *stub = call->stub;
    const struct spec_client *policy = stub->policy;
    tell(stub, "client.pushed-back");
    if (is_never(stub, packet) || !policy->hedging.is_enabled || are_retries_off(stub) ||
        call->hedges >= policy->hedging.attempts_max) {
        stop_hedging(call);
        return false;
    }
    /* Its own delay would be none: it would leave at once. */
    int64_t delay_ns = packet->retry_after_ns > 0 ? packet->retry_after_ns : 0;
    if (policy->pushback == SPEC_PUSHBACK_BOUNDED && delay_ns > policy->pushback_max_ns) {
        delay_ns = policy->pushback_max_ns;
    }
    if (delay_ns == 0) {
        return hedge(call);
    }
    call->hedge_at_ns = add_saturated(world_now(stub->world), delay_ns);
    return true;
}

/* An attempt of a hedged call failed, and it is no longer out. */
static void fail_hedged(struct call *call, enum sq_status status, const struct packet *packet)
{
    struct stub *stub = call->stub;
    const bool is_fatal = !has_status(stub->policy->hedging.non_fatal, status);
    if (!is_fatal || is_never(stub, packet)) {
        budget_failed(&stub->budget, stub->policy);
    }
    if (is_fatal) {
        finish(call, status, packet);
        return;
    }
    bool has_next = is_pushback(stub, packet) ? postpone_hedge(call, packet) : hedge(call);
    if (!has_next && call->out_count == 0) {
        finish(call, status, packet);
        return;
    }
    if (call->out_count > 0) {
        arm_waiting(call);
    } else {
        call->phase = CALL_BACKING_OFF;
        arm(call, call->hedge_at_ns);
    }
    drain(stub);
}

/* Delay before the retry that follows the answer, or the time-out (NULL). */
static int64_t delay_after(struct call *call, enum sq_status status, const struct packet *packet)
{
    struct stub *stub = call->stub;
    const bool is_throttled = status == SQ_E_OVERLOADED;
    if (is_pushback(stub, packet)) {
        tell(stub, "client.pushed-back");
        return backoff_pushed(&call->backoff, stub->policy, is_throttled, packet->retry_after_ns,
                              &stub->jitter);
    }
    return backoff_next(&call->backoff, stub->policy, is_throttled, &stub->jitter);
}

/* The attempt did not get past the inbox (or it did: false), and takes another way. */
static bool resend(struct call *call, uint32_t index, const struct packet *packet)
{
    struct stub *stub = call->stub;
    if (packet == NULL || !packet->is_turned_away || !stub->policy->is_transparent ||
        call->is_resent || are_retries_off(stub) ||
        world_now(stub->world) >= call->deadline_at_ns) {
        return false;
    }
    call->is_resent = true;
    tell(stub, "client.retried-transparently");
    struct call_attempt attempt = take_attempt(call, index);
    send(call, choose_node(call), attempt);
    return true;
}

/* An attempt ended with `status`; `packet` is the answer, NULL after a time-out. */
static void fail_attempt(struct call *call, uint32_t index, enum sq_status status,
                         const struct packet *packet)
{
    struct stub *stub = call->stub;
    const struct spec_client *policy = stub->policy;
    ASSERT(call->phase == CALL_WAITING);
    ASSERT(status != SQ_OK);
    if (resend(call, index, packet)) {
        return;
    }
    call->is_tainted |= !status_is_definite[status];
    call->status = status;
    if (status == SQ_E_NOT_LEADER && may_follow(call, call->out[index].node, packet->leader)) {
        call->redirects++;
        stub->belief = packet->leader - stub->group_first;
        send(call, packet->leader, take_attempt(call, index));
        return;
    }
    struct call_attempt attempt = end_attempt(call, index, status);
    if (is_leadership_failure(status)) {
        distrust(stub, attempt.node);
    }
    if (call->is_hedged) {
        fail_hedged(call, status, packet);
        return;
    }
    const bool is_last = is_never(stub, packet);
    if (is_last) {
        tell(stub, "client.pushed-back");
    }
    if (is_last || has_status(policy->retry_on, status)) {
        budget_failed(&stub->budget, policy);
    }
    if (is_last || !may_retry(call, status) || !take_budget(call, status)) {
        finish(call, status, packet);
        return;
    }
    call->is_retry = true;
    stub->budget.retries++;
    call->phase = CALL_BACKING_OFF;
    int64_t delay = delay_after(call, status, packet);
    if (delay == 0) {
        start_attempt(call);
    } else {
        arm(call, add_saturated(world_now(stub->world), delay));
    }
    drain(stub);
}

/* The deadline passed. */
static void expire(struct call *call)
{
    struct stub *stub = call->stub;
    const struct spec_client *policy = stub->policy;
    /* An attempt that the deadline cut short says little about its node; one that had all the time
     * that an attempt can have is a time-out like any other. */
    const int64_t patience =
        policy->timeout_ns < policy->deadline_ns ? policy->timeout_ns : policy->deadline_ns;
    while (call->out_count > 0) {
        struct call_attempt attempt = end_attempt(call, 0, SQ_E_TIMEOUT);
        if (world_now(stub->world) - attempt.sent_ns >= patience) {
            distrust(stub, attempt.node);
        }
        if (has_status(call->is_hedged ? policy->hedging.non_fatal : policy->retry_on,
                       SQ_E_TIMEOUT)) {
            budget_failed(&stub->budget, policy);
        }
        call->is_tainted = true;
        tell_timeout(stub);
    }
    finish(call, SQ_E_TIMEOUT, NULL);
}

/* The timer fired while attempts are out. */
static void end_waiting(struct call *call)
{
    struct stub *stub = call->stub;
    const int64_t now = world_now(stub->world);
    if (now >= add_saturated(call->out[0].sent_ns, stub->policy->timeout_ns)) {
        tell_timeout(stub);
        fail_attempt(call, 0, SQ_E_TIMEOUT, NULL);
    } else if (!call->is_hedged || now < call->hedge_at_ns || !hedge(call)) {
        arm_waiting(call);
    }
}

/* The phase of the call is over. */
static void end_phase(struct call *call)
{
    struct stub *stub = call->stub;
    if (call->phase != CALL_REFUSED && world_now(stub->world) >= call->deadline_at_ns) {
        expire(call);
        return;
    }
    switch (call->phase) {
    case CALL_QUEUED:
        tell(stub, "client.operation-dropped");
        finish(call, SQ_E_OVERLOADED, NULL);
        return;
    case CALL_PACED:
        drain_paced(stub);
        return;
    case CALL_PENDING:
        arm(call, INT64_MAX);
        return;
    case CALL_WAITING:
        end_waiting(call);
        return;
    case CALL_BACKING_OFF:
        if (are_retries_off(stub) || (call->is_hedged && !hedge(call))) {
            finish(call, call->status, NULL);
        } else if (!call->is_hedged) {
            start_attempt(call);
        }
        return;
    case CALL_REFUSED:
        finish(call, call->status, NULL);
        return;
    }
    UNREACHABLE();
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

static bool is_stopped(const struct stub *stub)
{
    const struct world *world = stub->world;
    return stub->endpoint < world->node_count && world->nodes[stub->endpoint].is_paused;
}

static void on_timer(void *context, struct sched_event *event)
{
    struct call *call = context;
    struct stub *stub = call->stub;
    struct world *world = stub->world;
    ASSERT(call->id == event->words[0]);
    call->timer = 0;
    world_trace(world, TRACE_STUB, stub->endpoint, call->id,
                (uint64_t)call->attempts << 1 | (call->phase == CALL_WAITING ? 1 : 0));
    if (is_stopped(stub)) {
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
    ASSERT(policy->pushback_max_ns >= 0);
    ASSERT(policy->hedging.attempts_max <= SPEC_HEDGES_MAX);
}

struct stub *stub_new(struct world *world, uint32_t caller, uint32_t slot,
                      const struct spec_client *policy, const char *name, uint32_t incarnation)
{
    ASSERT(world != NULL);
    ASSERT(policy->target_group < world->spec->group_count);
    check_policy(policy);
    const struct spec_group *group = &world->spec->groups[policy->target_group];
    ASSERT(group->count >= 1);
    struct stub *stub = calloc(1, sizeof(*stub));
    ASSERT(stub != NULL);
    *stub = (struct stub){
        .world = world,
        .policy = policy,
        .endpoint = caller,
        .slot = slot,
        .incarnation = incarnation,
        .group_first = group->first,
        .group_size = group->count,
        .jitter = rng_stream(world->seed, name, incarnation, "jitter"),
        .route = rng_stream(world->seed, name, incarnation, "route"),
    };
    budget_init(&stub->budget, policy);
    breaker_adopt(&stub->breaker, &policy->breaker, world_now(world));
    pacer_adopt(&stub->pacer, &policy->pacing, world_now(world));
    call_slab_init(&stub->calls);
    if (policy->route == SPEC_ROUTE_LEADER) {
        stub->belief = (uint32_t)rng_below(&stub->route, group->count);
    }
    return stub;
}

void stub_set_policy(struct stub *stub, const struct spec_client *policy)
{
    const int64_t now = world_now(stub->world);
    check_policy(policy);
    ASSERT(policy->target_group == stub->policy->target_group);
    stub->policy = policy;
    budget_adopt(&stub->budget, policy);
    breaker_adopt(&stub->breaker, &policy->breaker, now);
    pacer_adopt(&stub->pacer, &policy->pacing, now);
    for (uint32_t slot = 0; slot < call_slab_size(&stub->calls); slot++) {
        backoff_start(&call_slab_at(&stub->calls, slot)->backoff, policy);
    }
    if (!is_stopped(stub)) {
        drain(stub);
    }
}

void stub_free(struct stub *stub)
{
    if (stub == NULL) {
        return;
    }
    call_slab_release(&stub->calls, &stub->world->sched);
    breaker_release(&stub->breaker);
    free(stub);
}

void stub_call(struct stub *stub, const struct stub_call_options *options)
{
    ASSERT(options->on_done != NULL);
    ASSERT(options->size == 0 || options->data != NULL);
    ASSERT(!options->has_index || options->index < stub->group_size);
    const struct spec_client *policy = stub->policy;
    struct call *call = call_take(&stub->calls, stub, stub->incarnation);
    call_set_payload(call, options->data, options->size);
    call->deadline_at_ns = add_saturated(options->intended_ns, policy->deadline_ns);
    if (options->has_end && options->end_ns < call->deadline_at_ns) {
        call->deadline_at_ns = options->end_ns;
    }
    backoff_start(&call->backoff, policy);
    call->phase = CALL_QUEUED;
    call->attempts = 0;
    call->tries = 0;
    call->redirects = 0;
    call->refusals = 0;
    call->is_pinned = options->has_index;
    call->node = options->has_index ? stub->group_first + options->index : SQ_NODE_NONE;
    call->is_running = false;
    call->is_retry = false;
    call->is_tainted = false;
    call->is_resent = false;
    call->is_hedged = policy->hedging.is_enabled;
    call->hedges = 0;
    call->hedge_at_ns = INT64_MAX;
    call->cost_milli = 0;
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
    admit(call);
}

/* Index of the attempt among those that are out; out_count when it is not. */
static uint32_t find_attempt(const struct call *call, uint32_t ordinal)
{
    uint32_t index = 0;
    while (index < call->out_count && call->out[index].ordinal != ordinal) {
        index++;
    }
    return index;
}

void stub_on_reply(struct stub *stub, const struct packet *packet)
{
    const uint64_t id = packet->reply_to.call;
    ASSERT(packet->status < SQ_STATUS_COUNT);
    struct call *call = call_find(&stub->calls, id);
    if (call == NULL) {
        return;
    }
    const bool is_over = call->id != id;
    const uint32_t index = is_over ? 0 : find_attempt(call, packet->reply_to.attempt);
    const bool is_late = !is_over && index == call->out_count;
    if (is_over || (is_late && stub->policy->ignores_late)) {
        if (packet->status == SQ_OK) {
            tell_unwanted(stub);
        }
        return;
    }
    if (packet->status == SQ_OK) {
        if (!is_late) {
            end_attempt(call, index, SQ_OK);
        }
        budget_succeeded(&stub->budget, stub->policy, call->cost_milli);
        finish(call, SQ_OK, packet);
    } else if (!is_late) {
        fail_attempt(call, index, (enum sq_status)packet->status, packet);
    }
}

uint32_t stub_in_flight(const struct stub *stub)
{
    return stub->calls.in_flight;
}
