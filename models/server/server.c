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
 * Stalls. A heap of gcHeap requests fills by one with every request; when what was allocated since
 * the last collection reaches what live requests leave free, everything stops for gcPause +
 * gcPausePerRequest * live. A service delayed by a stall is delayed by all of it: after its time
 * the worker waits for as long as it was stalled. The more requests wait, the longer the pauses and
 * the shorter the time between them. A stall is a span of time, whatever the capacity.
 *
 * Not here: work that is taken back in the middle (a cancellation finds only requests that wait),
 * priorities, connections, more than one target. */
#include "law.h"
#include "limit.h"
#include "queue.h"

#include <assert.h>

extern const struct sq_model model_server;

#define VALUES_MAX (UINT64_C(1) << 20) /* keys whose value is kept; others read as absent */

enum option {
    OPTION_SERVICE_TIME,
    OPTION_SERVICE_LAW,
    OPTION_SERVICE_SPREAD,
    OPTION_SERVERS,
    OPTION_USES,
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
    OPTION_GC_HEAP,
    OPTION_GC_PAUSE,
    OPTION_GC_PAUSE_PER_REQUEST,
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
    [OPTION_USES] = {"uses", SQ_OPTION_CHOICE, "processor", "processor|time",
                     "what a service takes: the host's processor, or time that just passes"},
    [OPTION_LOAD_FACTOR] = {"loadFactor", SQ_OPTION_PERCENT, "0%", NULL,
                            "a service takes this much longer for each other request in the "
                            "server when it begins"},
    [OPTION_QUEUE_LIMIT] = {"queueLimit", SQ_OPTION_COUNT, "0", NULL,
                            "requests in the server, waiting or served; 0: any number"},
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
    [OPTION_GC_HEAP] = {"gcHeap", SQ_OPTION_COUNT, "0", NULL,
                        "requests that fill the heap; then garbage is collected; 0: never"},
    [OPTION_GC_PAUSE] = {"gcPause", SQ_OPTION_DURATION, "0s", NULL,
                         "everything stops for so long at each collection"},
    [OPTION_GC_PAUSE_PER_REQUEST] = {"gcPausePerRequest", SQ_OPTION_DURATION, "0s", NULL,
                                     "and for so much longer for each request in the server"},
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

/* A cancellation that is awaited. Timers are named by the number of their slot: an address in the
 * trace would differ from run to run. */
struct slot {
    struct job *job; /* NULL: free */
    uint32_t next_free;
};

struct worker {
    struct worker *next_idle;
    sq_fiber fiber;
};

struct server {
    struct sq_env *env;
    struct law law;
    struct limit limit;
    struct queue queue;
    struct job *failed_first; /* wait for their error path */
    struct job *failed_last;
    struct worker *idle; /* the last to park on top */
    uint32_t worker_count;
    uint32_t in_system; /* admitted, neither answered nor dropped */
    uint64_t allocated; /* requests since the last collection */
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
    limit_sample(&server->limit, server->env, now_of(server) - job->arrived, job->in_flight,
                 did_drop);
}

static void answer_failure(struct server *server, struct job *job)
{
    struct sq_env *env = server->env;
    env->call->reply(env, job->reply_to, job->status, SQ_NODE_NONE, NULL, 0);
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
    wake_worker(server);
}

/* Not admitted, or thrown out, because there are too many. */
static void turn_away(struct server *server, struct job *job)
{
    if (option(server, OPTION_ON_FULL) == ON_FULL_REJECT) {
        fail(server, job, SQ_E_OVERLOADED);
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

/* A request is allocated; when the heap is full, everything stops. */
static void allocate(struct server *server)
{
    const uint64_t heap = (uint64_t)option(server, OPTION_GC_HEAP);
    if (heap == 0) {
        return;
    }
    server->allocated++;
    if (server->allocated + server->in_system <= heap) {
        return;
    }
    server->allocated = 0;
    const sq_time now = now_of(server);
    const sq_time pause = option(server, OPTION_GC_PAUSE) +
                          option(server, OPTION_GC_PAUSE_PER_REQUEST) * server->in_system;
    server->stall_end = (server->stall_end > now ? server->stall_end : now) + pause;
    server->stall_total += pause;
}

/* Spends `ns` of service on the calling fiber, and the stalls that come in between. */
static void spend(struct server *server, sq_time ns)
{
    struct sq_env *env = server->env;
    for (sq_time now = now_of(server); server->stall_end > now; now = now_of(server)) {
        env->clock->sleep(env, server->stall_end - now);
    }
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

static void run_error_paths(struct server *server)
{
    struct job *failed = failed_take(server);
    while (failed != NULL) {
        spend(server, option(server, OPTION_ERROR_COST));
        answer_failure(server, failed);
        failed = failed_take(server);
    }
}

static void serve(struct server *server, struct job *job)
{
    assert(server->in_system > 0);
    const uint64_t factor = (uint64_t)option(server, OPTION_LOAD_FACTOR);
    const __int128 extra = (__int128)job->work * (__int128)factor * (server->in_system - 1);
    spend(server, job->work + (sq_time)(extra >> 32));
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
    for (;;) {
        run_error_paths(server);
        struct job *job = next_job(server);
        run_error_paths(server);
        if (job != NULL) {
            serve(server, job);
        } else {
            worker->next_idle = server->idle;
            server->idle = worker;
            env->fiber->park(env);
        }
    }
}

/* There is work: calls an idle worker, or hires one. */
static void wake_worker(struct server *server)
{
    struct sq_env *env = server->env;
    struct worker *worker = server->idle;
    if (worker != NULL) {
        server->idle = worker->next_idle;
        env->fiber->unpark(env, worker->fiber);
    } else if (server->worker_count < option(server, OPTION_SERVERS)) {
        server->worker_count++;
        worker = env->mem->alloc(env, sizeof(*worker));
        *worker = (struct worker){0};
        env->fiber->spawn(env, work, worker);
    }
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
        fail(server, job, SQ_E_OVERLOADED);
        return;
    }
    if (!make_room(server)) {
        turn_away(server, job);
        return;
    }
    server->in_system++;
    job->in_flight = server->in_system;
    allocate(server);
    await_cancellation(server, job);
    queue_put(&server->queue, job);
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
    *server = (struct server){.env = env};
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
