/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A server to overload: requests wait in a queue and are served by a number of workers, each for a
 * time drawn from a law. Nothing is stored but numbers in memory; what it is for is its behaviour
 * under load, on which queueing theory has a say. With the option `target` it stands in front of
 * another group, and passes a request on when its own service is done.
 *
 *     request -> limiter? -> queue full? -> queue -> worker: stall? service -> target? -> answer
 *                   |            |            |                                  |
 *                   +---refuse---+            +--- expired, or CoDel: drop ------+--> failure
 *
 * Workers are fibers. They are made when first needed and keep to themselves: take a job, serve it,
 * take the next, park when there is none. A service is work of the host's processor (uses:
 * processor), so a slow or contended processor slows it down; or it is time of the server's own
 * that needs no core (uses: time, cpu->pass). A pause of the node and a cut of the host's capacity
 * delay what is in service in either case. With uses: processor the scenario gives the host as many
 * cores as there are servers and sets cpu.perMessage, perByte and perTimer to 0, or else handling
 * messages competes with serving them.
 *
 * The work of a request is drawn when it arrives, refused or not, so variants of a scenario that
 * differ in the discipline only give the n-th request the same work.
 *
 * What failures cost. A failed request (refused, dropped by CoDel, expired, refused by the target)
 * costs errorCost, done by a worker before any waiting request is looked at, and only then is
 * answered. What is dropped silently because the queue is full costs nothing: nobody ran.
 *
 * The pool of workers. Whom an idle pool calls matters when workers leave after keepAlive and new
 * ones cost startCost: the one that came back last (mru) lets the others go and a burst finds a
 * cold pool; the one that has waited longest (lru) keeps all of them. Those that are to leave do so
 * when the next request comes.
 *
 * Stalls. A heap of gcHeap requests fills by one with every request; when one does not fit beside
 * what was live at the last collection and was allocated since, everything stops for gcPause +
 * gcPausePerRequest * live. A service delayed by a stall is delayed by all of it: after its time
 * the worker waits for as long as it was stalled. The more requests wait, the longer the pauses and
 * the shorter the time between them. A stall is a span of time, whatever the capacity. A request
 * that waits may weigh less than one that is served
 * (gcWaiting). With gcUses: processor a collection is work of the processor instead, for which more
 * workers than cores compete: services that were handed to it come first, then the collection, and
 * nothing begins or ends its hold before that is done. On one core the capacity is then exactly
 * 1 / (service + pause / (gcHeap - live)) (analysis/predict_laws.h: law_gc_capacity).
 *
 * Pushback. With an 'overloaded' of its own (not its target's) the server may say when to try
 * again: a fixed time, never, or once what is in it, error paths included, is done. That is counted
 * when the answer leaves, at the mean service time; stalls, and what a target takes, are not
 * foreseen.
 *
 * What it shows: gauges server.queue (requests that wait), with keepAlive server.workers, and, when
 * there is a heap, server.gc-share (of the time from the last but one collection to the last, in
 * thousandths, at each).
 *
 * Not here: work that is taken back in the middle (a cancellation finds only requests that wait),
 * priorities, connections, more than one target. */
#include "law.h"
#include "limit.h"
#include "queue.h"

#include <assert.h>

extern const struct sq_model model_server;

#define VALUES_MAX   (UINT64_C(1) << 20) /* keys whose value is kept; others read as absent */
#define PUSHBACK_MAX (INT32_MAX * INT64_C(1000000)) /* grpc-retry-pushback-ms: 32 bits, signed */

enum option {
    OPTION_SERVICE_TIME,
    OPTION_SERVICE_LAW,
    OPTION_SERVICE_SPREAD,
    OPTION_SERVERS,
    OPTION_WORKER_SELECTION,
    OPTION_KEEP_ALIVE,
    OPTION_START_COST,
    OPTION_USES,
    OPTION_HOLD_TIME,
    OPTION_LOAD_FACTOR,
    OPTION_QUEUE_LIMIT,
    OPTION_ON_FULL,
    OPTION_DISCIPLINE,
    OPTION_CODEL_TARGET,
    OPTION_CODEL_INTERVAL,
    OPTION_CANCELLATION,
    OPTION_CANCEL_DELAY,
    OPTION_DEADLINE_SLACK,
    OPTION_LIMITER,
    OPTION_LIMIT,
    OPTION_LIMIT_MIN,
    OPTION_LIMIT_MAX,
    OPTION_ERROR_COST,
    OPTION_PUSHBACK,
    OPTION_RETRY_AFTER,
    OPTION_GC_HEAP,
    OPTION_GC_PAUSE,
    OPTION_GC_PAUSE_PER_REQUEST,
    OPTION_GC_WAITING,
    OPTION_GC_USES,
    OPTION_TARGET,
    OPTION_HOLDS_WORKER,
    OPTION_PROPAGATES_DEADLINE,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_SERVICE_TIME] = {"serviceTime", SQ_OPTION_DURATION, "1ms", NULL,
                             "mean time to serve a request"},
    [OPTION_SERVICE_LAW] = {"serviceLaw", SQ_OPTION_CHOICE, "exponential",
                            "deterministic|exponential|uniform|lognormal",
                            "how service times vary around their mean"},
    [OPTION_SERVICE_SPREAD] = {"serviceSpread", SQ_OPTION_PERCENT, "50%", NULL,
                               "uniform: mean plus or minus this much; lognormal: standard "
                               "deviation of the logarithm, 100% = 1"},
    [OPTION_SERVERS] = {"servers", SQ_OPTION_COUNT, "1", NULL,
                        "requests served at once; each needs a core of the host (uses: processor)"},
    [OPTION_WORKER_SELECTION] = {"workerSelection", SQ_OPTION_CHOICE, "mru", "mru|lru|random",
                                 "which idle worker is called: the one that has been idle for the "
                                 "shortest time, for the longest, or any"},
    [OPTION_KEEP_ALIVE] = {"keepAlive", SQ_OPTION_DURATION, "0s", NULL,
                           "a worker that has been idle for so long is gone; 0s: it stays"},
    [OPTION_START_COST] = {"startCost", SQ_OPTION_DURATION, "0s", NULL,
                           "work of a worker that is new, before its first request"},
    [OPTION_USES] = {"uses", SQ_OPTION_CHOICE, "processor", "processor|time",
                     "what a service takes: the host's processor, or time that just passes"},
    [OPTION_HOLD_TIME] = {"holdTime", SQ_OPTION_DURATION, "0s", NULL,
                          "after its service a request keeps its worker for so long, and no "
                          "processor"},
    [OPTION_LOAD_FACTOR] = {"loadFactor", SQ_OPTION_PERCENT, "0%", NULL,
                            "a service takes this much longer for each other request in the "
                            "server when it begins"},
    [OPTION_QUEUE_LIMIT] = {"queueLimit", SQ_OPTION_COUNT, "0", NULL,
                            "requests in the server, waiting or served; 0: any number. Where "
                            "services keep all processors busy (uses: processor), what costs "
                            "host.cpu.perMessage waits in the host's inbox first (host.queue)"},
    [OPTION_ON_FULL] = {"onFull", SQ_OPTION_CHOICE, "reject", "drop|reject",
                        "a request that finds the queue full, or that CoDel drops: lost, or "
                        "answered 'overloaded'; a full lifo queue drops its oldest instead"},
    [OPTION_DISCIPLINE] = {"discipline", SQ_OPTION_CHOICE, "fifo", "fifo|lifo|codel|deadline",
                           "who is served next; deadline: the earliest first, expired ones are "
                           "dropped"},
    [OPTION_CODEL_TARGET] = {"codelTarget", SQ_OPTION_DURATION, "5ms", NULL,
                             "codel: delay that is acceptable for good"},
    [OPTION_CODEL_INTERVAL] = {"codelInterval", SQ_OPTION_DURATION, "100ms", NULL,
                               "codel: for how long more than that is acceptable"},
    [OPTION_CANCELLATION] = {"cancellation", SQ_OPTION_CHOICE, "none", "none|client|deadline",
                             "requests that wait and whose caller has given up: served, removed "
                             "when its cancellation comes, or dropped when their turn comes"},
    [OPTION_CANCEL_DELAY] = {"cancelDelay", SQ_OPTION_DURATION, "0s", NULL,
                             "cancellation client: from the caller's giving up to its effect"},
    [OPTION_DEADLINE_SLACK] = {"deadlineSlack", SQ_OPTION_DURATION, "0s", NULL,
                               "a request with less than this left to its deadline is dropped as "
                               "expired (discipline or cancellation deadline)"},
    [OPTION_LIMITER] = {"limiter", SQ_OPTION_CHOICE, "none", "none|static|aimd|vegas|gradient",
                        "limit of the requests in the server; what is above is answered "
                        "'overloaded'"},
    [OPTION_LIMIT] = {"limit", SQ_OPTION_COUNT, "20", NULL, "the limiter's first limit"},
    [OPTION_LIMIT_MIN] = {"limitMin", SQ_OPTION_COUNT, "0", NULL,
                          "its smallest limit; 0: 20, vegas 1"},
    [OPTION_LIMIT_MAX] = {"limitMax", SQ_OPTION_COUNT, "0", NULL,
                          "its largest limit; 0: 200, vegas 1000"},
    [OPTION_ERROR_COST] = {"errorCost", SQ_OPTION_DURATION, "0s", NULL,
                           "work of a worker for each request that fails"},
    [OPTION_PUSHBACK] = {"pushback", SQ_OPTION_CHOICE, "none", "none|wait|never|drain",
                         "what the server says with its own 'overloaded': nothing; try again after "
                         "retryAfter; never; or when what is in it now will be done (a client "
                         "listens or not: client.retry.pushback)"},
    [OPTION_RETRY_AFTER] = {"retryAfter", SQ_OPTION_DURATION, "1s", NULL,
                            "pushback wait: after how long"},
    [OPTION_GC_HEAP] = {"gcHeap", SQ_OPTION_COUNT, "0", NULL,
                        "requests that fill the heap; then garbage is collected; 0: never"},
    [OPTION_GC_PAUSE] = {"gcPause", SQ_OPTION_DURATION, "0s", NULL,
                         "everything stops for so long at each collection"},
    [OPTION_GC_PAUSE_PER_REQUEST] = {"gcPausePerRequest", SQ_OPTION_DURATION, "0s", NULL,
                                     "and for so much longer for each request in the server"},
    [OPTION_GC_WAITING] = {"gcWaiting", SQ_OPTION_PERCENT, "100%", NULL,
                           "share of a request's memory that it takes while it waits; the rest is "
                           "allocated by its service"},
    [OPTION_GC_USES] = {"gcUses", SQ_OPTION_CHOICE, "time", "time|processor",
                        "a collection stops everything for its time, or is work of the host's "
                        "processor, before which nothing more begins or ends"},
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "", NULL,
                       "group that a request is passed to after its service; empty: none"},
    [OPTION_HOLDS_WORKER] = {"holdsWorker", SQ_OPTION_BOOLEAN, "true", NULL,
                             "a worker waits for the target's answer (a thread a request)"},
    [OPTION_PROPAGATES_DEADLINE] = {"propagatesDeadline", SQ_OPTION_BOOLEAN, "false", NULL,
                                    "a call to the target ends when the request's caller gives "
                                    "up"},
};

enum { ON_FULL_DROP, ON_FULL_REJECT };
enum { CANCELLATION_NONE, CANCELLATION_CLIENT, CANCELLATION_DEADLINE };
enum { USES_PROCESSOR, USES_TIME };
enum { SELECT_MRU, SELECT_LRU, SELECT_RANDOM };
enum { GC_USES_TIME, GC_USES_PROCESSOR };
enum { PUSHBACK_NONE, PUSHBACK_WAIT, PUSHBACK_NEVER, PUSHBACK_DRAIN };

#define ONE_REQUEST (UINT64_C(1) << 32) /* of memory */

/* A cancellation that is awaited. Timers are named by the number of their slot: an address in the
 * trace would differ from run to run. */
struct slot {
    struct job *job; /* NULL: free */
    uint32_t next_free;
};

struct worker {
    struct worker *next_idle;
    struct worker *next_stopped;
    sq_fiber fiber;
    sq_time idle_since;
    bool is_dismissed; /* it ends when it is called */
};

struct server {
    struct sq_env *env;
    struct law law;
    struct limit limit;
    struct queue queue;
    struct job *failed_first; /* wait for their error path */
    struct job *failed_last;
    uint32_t failed_count;
    struct worker *idle; /* the last to park on top */
    uint32_t idle_count;
    uint32_t worker_count;
    uint32_t workers_shown; /* the gauge server.workers */
    uint32_t in_system;     /* admitted, neither answered nor dropped */
    uint64_t live;          /* memory of admitted requests, in parts of a request */
    uint64_t used;          /* what was live at the last collection, and was allocated since */
    bool is_collecting;     /* gcUses: processor */
    struct worker *stopped_first; /* wait for the end of the collection */
    struct worker *stopped_last;
    sq_time collected_at; /* begin of the last collection; -1: there was none */
    sq_time pause;        /* of that collection */
    uint32_t shown;       /* the gauge server.queue */
    sq_time stall_end;
    sq_time stall_total; /* of all stalls begun so far, each to its end */
    struct slot *slots;
    uint32_t slot_count;
    uint32_t slot_free; /* the first free one; slot_count: none */
    uint64_t *values;
    uint64_t value_count;
};

static int64_t option(const struct server *server, enum option which)
{
    return server->env->options[which].number;
}

static sq_time now_of(const struct server *server)
{
    return server->env->clock->monotonic(server->env);
}

/* ----------------------------------------------------------------------------- the end of a job */

static uint32_t slot_take(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    if (server->slot_free == server->slot_count) {
        const uint32_t count = server->slot_count > 0 ? server->slot_count * 2 : 64;
        server->slots = env->mem->realloc(env, server->slots, count * sizeof(*server->slots));
        for (uint32_t i = server->slot_count; i < count; i++) {
            server->slots[i] = (struct slot){NULL, i + 1};
        }
        server->slot_count = count;
    }
    const uint32_t slot = server->slot_free;
    server->slot_free = server->slots[slot].next_free;
    server->slots[slot].job = job;
    return slot;
}

/* The job's timer has fired or was cancelled. */
static void slot_release(struct server *server, struct job *job)
{
    assert(server->slots[job->slot].job == job);
    server->slots[job->slot] = (struct slot){NULL, server->slot_free};
    server->slot_free = job->slot;
    job->timer = 0;
}

static void job_free(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    assert(!job->is_queued);
    if (job->timer != 0) {
        if (!env->clock->cancel(env, job->timer)) {
            job->is_gone = true; /* the timer waits in the inbox and still names the job */
            return;
        }
        slot_release(server, job);
    }
    env->mem->free(env, job);
}

/* Admitted jobs: `job` leaves the server. */
static void leave(struct server *server, const struct job *job, bool did_drop)
{
    assert(server->in_system > 0);
    server->in_system--;
    server->live -= job->memory;
    limit_sample(&server->limit, server->env, now_of(server) - job->arrived, job->in_flight,
                 did_drop);
}

/* Until everything that is in the server now is done, at the mean service time. */
static sq_time drain_time(const struct server *server)
{
    const __int128 work = (__int128)server->in_system * option(server, OPTION_SERVICE_TIME) +
                          (__int128)server->failed_count * option(server, OPTION_ERROR_COST);
    const __int128 time = work / option(server, OPTION_SERVERS);
    return time > PUSHBACK_MAX ? PUSHBACK_MAX : (sq_time)time;
}

/* With what this server says about when to try again. */
static void answer_failure(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    struct sq_reply_options reply = {.to = job->reply_to, .status = job->status};
    reply.has_retry_after = job->is_turned_away;
    switch (job->is_turned_away ? option(server, OPTION_PUSHBACK) : PUSHBACK_NONE) {
    case PUSHBACK_WAIT:
        reply.retry_after = option(server, OPTION_RETRY_AFTER);
        break;
    case PUSHBACK_NEVER:
        reply.retry_after = -1;
        break;
    case PUSHBACK_DRAIN:
        reply.retry_after = drain_time(server);
        break;
    default:
        reply.has_retry_after = false;
        break;
    }
    env->call->reply_with(env, &reply);
    job_free(server, job);
}

static void wake_worker(struct server *server);

/* `job`, which is in no list and not counted, fails: after the error path it is answered. */
static void fail(struct server *server, struct job *job, enum sq_status status)
{
    job->status = status;
    if (option(server, OPTION_ERROR_COST) == 0) {
        answer_failure(server, job);
        return;
    }
    job->next = NULL;
    if (server->failed_last != NULL) {
        server->failed_last->next = job;
    } else {
        server->failed_first = job;
    }
    server->failed_last = job;
    server->failed_count++;
    wake_worker(server);
}

/* Not admitted, or thrown out, because there are too many; it is told so. */
static void refuse(struct server *server, struct job *job)
{
    job->is_turned_away = true;
    fail(server, job, SQ_E_OVERLOADED);
}

/* Because the queue is full, or too slow: as the option onFull says. */
static void turn_away(struct server *server, struct job *job)
{
    if (option(server, OPTION_ON_FULL) == ON_FULL_REJECT) {
        refuse(server, job);
    } else {
        job_free(server, job);
    }
}

static uint64_t *value_at(struct server *server, uint64_t key)
{
    struct sq_env *env = server->env;
    if (key >= VALUES_MAX) {
        return NULL;
    }
    if (key >= server->value_count) {
        uint64_t count = server->value_count > 0 ? server->value_count : 64;
        while (count <= key) {
            count *= 2;
        }
        server->values = env->mem->realloc(env, server->values, count * sizeof(*server->values));
        memset(server->values + server->value_count, 0,
               (count - server->value_count) * sizeof(*server->values));
        server->value_count = count;
    }
    return &server->values[key];
}

/* The key-value workload, from memory; anything else is answered without content. */
static void answer(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    struct sq_kv_request request;
    struct sq_kv_reply reply = {0};
    if (sq_kv_decode(job->data, job->size, &request)) {
        uint64_t *value = value_at(server, request.key);
        if (value != NULL && request.kind == SQ_KV_UPDATE) {
            *value = request.value;
        }
        reply.value = value != NULL ? *value : 0;
    }
    leave(server, job, false);
    env->call->reply(env, job->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
    job_free(server, job);
}

/* ----------------------------------------------------------------------------------- the target */

static void on_target_reply(struct sq_env *env, void *argument, enum sq_status status,
                            const void *data, size_t size)
{
    struct server *server = env->state;
    struct job *job = argument;
    const bool is_held = job->is_downstream;
    const sq_fiber holder = job->holder;
    leave(server, job, status != SQ_OK);
    if (status == SQ_OK) {
        env->call->reply(env, job->reply_to, SQ_OK, SQ_NODE_NONE, data, size);
        job_free(server, job);
    } else {
        fail(server, job, status);
    }
    if (is_held) {
        env->fiber->unpark(env, holder);
    }
}

static void pass_on(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    const char *target = env->options[OPTION_TARGET].text;
    const bool is_held = option(server, OPTION_HOLDS_WORKER) != 0;
    const bool propagates = option(server, OPTION_PROPAGATES_DEADLINE) != 0;
    job->is_downstream = is_held;
    job->holder = env->fiber->self(env);
    env->call->call_before(env, target, job->data, job->size, on_target_reply, job,
                           propagates ? job->deadline : INT64_MAX);
    if (is_held) {
        env->fiber->park(env);
    }
}

/* -------------------------------------------------------------------------------------- workers */

static void show_queue(struct server *server)
{
    struct sq_env *env = server->env;
    if (server->queue.count != server->shown) {
        server->shown = server->queue.count;
        env->trace->see(env, SQ_SEE_GAUGE, server->shown, 0, 0, "server.queue");
    }
}

static void show_gc_share(struct server *server, sq_time now)
{
    struct sq_env *env = server->env;
    if (server->collected_at >= 0 && now > server->collected_at) {
        const sq_time cycle = now - server->collected_at;
        const sq_time share = server->pause < cycle ? server->pause * 1000 / cycle : 1000;
        env->trace->see(env, SQ_SEE_GAUGE, (uint64_t)share, 0, 0, "server.gc-share");
    }
}

/* Waits until no collection is under way. */
static void wait_for_collection(struct server *server, struct worker *worker)
{
    struct sq_env *env = server->env;
    for (sq_time now = now_of(server); server->stall_end > now; now = now_of(server)) {
        env->clock->sleep(env, server->stall_end - now);
    }
    while (server->is_collecting) {
        worker->next_stopped = NULL;
        if (server->stopped_last != NULL) {
            server->stopped_last->next_stopped = worker;
        } else {
            server->stopped_first = worker;
        }
        server->stopped_last = worker;
        env->fiber->park(env);
    }
}

/* A fiber: a collection that is work of the processor. */
static void collect(struct sq_env *env, void *argument)
{
    struct server *server = env->state;
    (void)argument;
    env->cpu->work(env, server->pause);
    server->is_collecting = false;
    struct worker *worker = server->stopped_first;
    server->stopped_first = NULL;
    server->stopped_last = NULL;
    while (worker != NULL) {
        struct worker *next = worker->next_stopped;
        env->fiber->unpark(env, worker->fiber);
        worker = next;
    }
}

static void begin_collection(struct server *server)
{
    struct sq_env *env = server->env;
    const sq_time now = now_of(server);
    const unsigned __int128 per_request =
        (unsigned __int128)server->live * (uint64_t)option(server, OPTION_GC_PAUSE_PER_REQUEST);
    show_gc_share(server, now);
    server->used = server->live;
    server->collected_at = now;
    server->pause = option(server, OPTION_GC_PAUSE) + (sq_time)(per_request / ONE_REQUEST);
    if (option(server, OPTION_GC_USES) == GC_USES_PROCESSOR) {
        server->is_collecting = true;
        env->fiber->spawn(env, collect, NULL);
    } else {
        server->stall_end = (server->stall_end > now ? server->stall_end : now) + server->pause;
        server->stall_total += server->pause;
    }
}

/* `job` allocates so many parts of a request; when the heap is full, everything stops. */
static void allocate(struct server *server, struct job *job, uint64_t parts)
{
    const uint64_t heap = (uint64_t)option(server, OPTION_GC_HEAP) * ONE_REQUEST;
    if (heap == 0 || parts == 0) {
        return;
    }
    job->memory += parts;
    server->live += parts;
    server->used += parts;
    if (server->used > heap && !server->is_collecting) {
        begin_collection(server);
    }
}

/* Spends `ns` of service on the calling fiber, and the stalls that come in between. */
static void spend(struct server *server, struct worker *worker, sq_time ns)
{
    struct sq_env *env = server->env;
    wait_for_collection(server, worker);
    sq_time seen = server->stall_total;
    if (option(server, OPTION_USES) == USES_PROCESSOR) {
        env->cpu->work(env, ns);
    } else {
        env->cpu->pass(env, ns);
    }
    while (server->stall_total > seen) {
        const sq_time owed = server->stall_total - seen;
        seen = server->stall_total;
        env->clock->sleep(env, owed);
    }
}

static struct job *failed_take(struct server *server)
{
    struct job *job = server->failed_first;
    if (job != NULL) {
        server->failed_first = job->next;
        if (server->failed_first == NULL) {
            server->failed_last = NULL;
        }
        job->next = NULL;
        server->failed_count--;
    }
    return job;
}

/* The next job; those that the discipline drops on the way fail, or are forgotten. */
static struct job *next_job(struct server *server)
{
    struct job *dropped;
    const sq_time now = now_of(server);
    struct job *job = queue_take(&server->queue, now, &dropped);
    while (dropped != NULL) {
        struct job *next = dropped->next;
        dropped->next = NULL;
        leave(server, dropped, true);
        if (queue_is_expired(&server->queue, dropped, now)) {
            fail(server, dropped, SQ_E_TIMEOUT);
        } else {
            turn_away(server, dropped);
        }
        dropped = next;
    }
    return job;
}

static void run_error_paths(struct server *server, struct worker *worker)
{
    struct job *failed = failed_take(server);
    while (failed != NULL) {
        spend(server, worker, option(server, OPTION_ERROR_COST));
        answer_failure(server, failed);
        failed = failed_take(server);
    }
}

static void serve(struct server *server, struct worker *worker, struct job *job)
{
    assert(server->in_system > 0);
    const uint64_t factor = (uint64_t)option(server, OPTION_LOAD_FACTOR);
    const __int128 extra = (__int128)job->work * (__int128)factor * (server->in_system - 1);
    allocate(server, job, ONE_REQUEST - (uint64_t)option(server, OPTION_GC_WAITING));
    spend(server, worker, job->work + (sq_time)(extra >> 32));
    if (option(server, OPTION_HOLD_TIME) > 0) {
        server->env->clock->sleep(server->env, option(server, OPTION_HOLD_TIME));
        wait_for_collection(server, worker);
    }
    if (server->env->options[OPTION_TARGET].text[0] != '\0') {
        pass_on(server, job);
    } else {
        answer(server, job);
    }
}

static void work(struct sq_env *env, void *argument)
{
    struct server *server = env->state;
    struct worker *worker = argument;
    worker->fiber = env->fiber->self(env);
    if (option(server, OPTION_START_COST) > 0) {
        spend(server, worker, option(server, OPTION_START_COST));
    }
    while (!worker->is_dismissed) {
        run_error_paths(server, worker);
        struct job *job = next_job(server);
        show_queue(server);
        run_error_paths(server, worker);
        if (job != NULL) {
            serve(server, worker, job);
        } else {
            worker->next_idle = server->idle;
            worker->idle_since = now_of(server);
            server->idle = worker;
            server->idle_count++;
            env->fiber->park(env);
        }
    }
    env->mem->free(env, worker);
}

/* Takes the worker that `link` points to out of the idle ones and calls it. */
static void call_worker(struct server *server, struct worker **link)
{
    struct worker *worker = *link;
    *link = worker->next_idle;
    server->idle_count--;
    server->env->fiber->unpark(server->env, worker->fiber);
}

/* Who has been idle for too long leaves; they are at the bottom. */
static void dismiss(struct server *server)
{
    const sq_time keep_alive = option(server, OPTION_KEEP_ALIVE);
    if (keep_alive == 0) {
        return;
    }
    struct worker **link = &server->idle;
    while (*link != NULL && now_of(server) - (*link)->idle_since < keep_alive) {
        link = &(*link)->next_idle;
    }
    while (*link != NULL) {
        (*link)->is_dismissed = true;
        server->worker_count--;
        call_worker(server, link);
    }
}

/* The idle worker that the selection means; there is one. */
static struct worker **select_worker(struct server *server)
{
    uint64_t skipped = 0;
    if (option(server, OPTION_WORKER_SELECTION) == SELECT_LRU) {
        skipped = server->idle_count - 1;
    } else if (option(server, OPTION_WORKER_SELECTION) == SELECT_RANDOM) {
        skipped = server->env->rand->below(server->env, server->idle_count);
    }
    struct worker **link = &server->idle;
    for (; skipped > 0; skipped--) {
        link = &(*link)->next_idle;
    }
    return link;
}

static void show_workers(struct server *server)
{
    if (option(server, OPTION_KEEP_ALIVE) > 0 && server->worker_count != server->workers_shown) {
        server->workers_shown = server->worker_count;
        server->env->trace->see(server->env, SQ_SEE_GAUGE, server->worker_count, 0, 0,
                                "server.workers");
    }
}

/* There is work: calls an idle worker, or hires one. */
static void wake_worker(struct server *server)
{
    struct sq_env *env = server->env;
    dismiss(server);
    if (server->idle != NULL) {
        call_worker(server, select_worker(server));
    } else if (server->worker_count < option(server, OPTION_SERVERS)) {
        server->worker_count++;
        struct worker *worker = env->mem->alloc(env, sizeof(*worker));
        *worker = (struct worker){0};
        env->fiber->spawn(env, work, worker);
    }
    show_workers(server);
}

/* ------------------------------------------------------------------------------------- arrivals */

static struct job *job_new(struct server *server, const struct sq_request *request)
{
    struct sq_env *env = server->env;
    struct job *job = env->mem->alloc(env, sizeof(*job) + request->size);
    *job = (struct job){
        .reply_to = request->reply_to,
        .arrived = now_of(server),
        .deadline = request->deadline,
        .work = law_sample(env, &server->law),
        .size = (uint32_t)request->size,
    };
    if (request->size > 0) {
        memcpy(job->data, request->data, request->size);
    }
    return job;
}

/* Makes room for one more, by turning away the oldest of a full lifo queue; false: there is none.
 */
static bool make_room(struct server *server)
{
    const int64_t most = option(server, OPTION_QUEUE_LIMIT);
    if (most == 0 || server->in_system < most) {
        return true;
    }
    struct job *oldest = queue_oldest(&server->queue);
    if (option(server, OPTION_DISCIPLINE) != DISCIPLINE_LIFO || oldest == NULL) {
        return false;
    }
    queue_remove(&server->queue, oldest);
    leave(server, oldest, true);
    turn_away(server, oldest);
    return true;
}

static void await_cancellation(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    if (option(server, OPTION_CANCELLATION) == CANCELLATION_CLIENT && job->deadline != INT64_MAX) {
        const sq_time left = job->deadline - now_of(server);
        const sq_time delay = (left > 0 ? left : 0) + option(server, OPTION_CANCEL_DELAY);
        job->slot = slot_take(server, job);
        job->timer = env->clock->start(env, delay, job->slot);
    }
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct server *server = env->state;
    struct job *job = job_new(server, request);
    if (server->in_system >= limit_now(&server->limit)) {
        refuse(server, job);
        return;
    }
    if (!make_room(server)) {
        turn_away(server, job);
        return;
    }
    server->in_system++;
    job->in_flight = server->in_system;
    await_cancellation(server, job);
    queue_put(&server->queue, job);
    allocate(server, job, (uint64_t)option(server, OPTION_GC_WAITING));
    if (server->idle == NULL && server->worker_count == option(server, OPTION_SERVERS)) {
        show_queue(server);
    }
    wake_worker(server);
}

/* The caller's cancellation: a request that waits is removed. */
static void on_timer(struct sq_env *env, uint64_t tag)
{
    struct server *server = env->state;
    assert(tag < server->slot_count);
    struct job *job = server->slots[tag].job;
    assert(job != NULL);
    slot_release(server, job);
    if (job->is_gone) {
        env->mem->free(env, job);
    } else if (job->is_queued) {
        queue_remove(&server->queue, job);
        leave(server, job, true);
        fail(server, job, SQ_E_TIMEOUT);
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct server *server = env->mem->alloc(env, sizeof(*server));
    *server = (struct server){.env = env, .collected_at = -1};
    env->state = server;
    if (option(server, OPTION_SERVERS) < 1) {
        env->trace->log(env, "servers: at least 1");
        return SQ_E_INVALID;
    }
    server->law = (struct law){
        .kind = (enum law_kind)option(server, OPTION_SERVICE_LAW),
        .mean = option(server, OPTION_SERVICE_TIME),
        .spread = (uint64_t)option(server, OPTION_SERVICE_SPREAD),
    };
    server->queue.discipline = (enum discipline)option(server, OPTION_DISCIPLINE);
    server->queue.drops_expired = option(server, OPTION_CANCELLATION) == CANCELLATION_DEADLINE;
    server->queue.slack = option(server, OPTION_DEADLINE_SLACK);
    server->queue.codel.target = option(server, OPTION_CODEL_TARGET);
    server->queue.codel.interval = option(server, OPTION_CODEL_INTERVAL);
    limit_init(&server->limit, env, (enum limit_kind)option(server, OPTION_LIMITER),
               (uint32_t)option(server, OPTION_LIMIT), (uint32_t)option(server, OPTION_LIMIT_MIN),
               (uint32_t)option(server, OPTION_LIMIT_MAX));
    env->trace->role(env, SQ_ROLE_LEADER);
    return SQ_OK;
}

const struct sq_model model_server = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "server",
    .version = "1",
    .description = "a queue and workers: what theory knows about overload, and a front for others",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .timer = on_timer,
};
