/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `look-aside`: an application that looks into a cache before it asks a database. It has no
 * state but the requests that are under way.
 *
 *     read      ask the cache node that has the key -> there: answer
 *               not there, or no answer: `queriesPerMiss` queries to the database, one after the
 *               other -> answer, and set the key in the cache (without waiting for it)
 *     update    the database -> delete the key in the cache -> answer
 *
 * The options `cache` and `database` name groups, and the group's `clients` have a policy for each.
 *
 * A request may take `timeLimit`. Then it is answered `timeout`, and with fillAfterTimeout: false
 * (as a PHP script that its server ends) nothing more is done for it: what it has asked the
 * database is worked on all the same, but the answer is not put into the cache. That is what keeps
 * a cache empty: Bronson et al., "Metastable Failures in Distributed Systems", HotOS 2021, section
 * 2.2, and the look-aside experiment of Huang et al., OSDI 2022, where a miss is a hundred queries.
 * With fillAfterTimeout: true the queries go on, and the cache is filled for those who come later.
 *
 * With singleFlight: true a read that misses while another one is asking the database for its key
 * waits for what that one gets, be it an error, instead of asking too; not for one that began
 * before an update of the key. It is answered `timeout` at its own limit all the same.
 *
 * invalidateOnError deletes the key when the database fails, as clients do that take every failure
 * for a broken value in the cache.
 *
 * WHAT IT PROMISES. Nothing but that: an update and a read of the same key may leave the older
 * value in the cache, for there are no leases.
 *
 * Not here: threads of the application (put a `server` with holdsWorker in front), several
 * databases. */
#include "../models.h"
#include "tier.h"

#define BUCKETS 4096 /* a power of two */

enum option {
    OPTION_CACHE,
    OPTION_DATABASE,
    OPTION_QUERIES_PER_MISS,
    OPTION_TIME_LIMIT,
    OPTION_FILL_AFTER_TIMEOUT,
    OPTION_INVALIDATE_ON_ERROR,
    OPTION_MAX_IN_FLIGHT,
    OPTION_SINGLE_FLIGHT,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_CACHE] = {"cache", SQ_OPTION_TEXT, "cache", NULL,
                      "group of `memcache` nodes; one that the group's `clients` target"},
    [OPTION_DATABASE] = {"database", SQ_OPTION_TEXT, "store", NULL,
                         "group that is asked for what is not in the cache; one that the group's "
                         "`clients` target"},
    [OPTION_QUERIES_PER_MISS] = {"queriesPerMiss", SQ_OPTION_COUNT, "1", NULL,
                                 "queries to the database for a read that missed, one after the "
                                 "other; at least 1"},
    [OPTION_TIME_LIMIT] = {"timeLimit", SQ_OPTION_DURATION, "0s", NULL,
                           "a request that takes longer is answered 'timeout'; 0s: none"},
    [OPTION_FILL_AFTER_TIMEOUT] = {"fillAfterTimeout", SQ_OPTION_BOOLEAN, "false", NULL,
                                   "a read goes on after its time limit, and fills the cache"},
    [OPTION_INVALIDATE_ON_ERROR] = {"invalidateOnError", SQ_OPTION_BOOLEAN, "false", NULL,
                                    "a failure of the database deletes the key in the cache"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "100000", NULL,
                              "requests under way; more get `overloaded`"},
    [OPTION_SINGLE_FLIGHT] = {"singleFlight", SQ_OPTION_BOOLEAN, "false", NULL,
                              "reads that miss the same key together ask the database once"},
};

/* A request under way. */
struct visit {
    struct visit *newer; /* of those whose limit may yet strike */
    struct visit *older;
    struct visit *next_flight; /* in its bucket of flights */
    struct visit *next; /* in a flight: who gets the same answer, the first of them, and so on */
    struct visit *last; /* of those, or NULL */
    struct sq_reply_to reply_to;
    struct sq_kv_request kv;
    sq_time limit;    /* INT64_MAX: none */
    int64_t queries;  /* to be answered yet */
    bool is_flight;   /* others may wait for it; next_flight means something */
    bool is_listed;   /* newer and older mean something */
    bool is_answered; /* the limit has struck, the work goes on */
    uint64_t value;
    size_t size;
    uint8_t data[];
};

struct look_aside {
    struct visit *newest; /* in order of their limits, nearly that of arrival */
    struct visit *oldest;
    struct visit **flights; /* BUCKETS of reads that ask the database; NULL without singleFlight */
    int64_t in_flight;
    uint32_t cache_nodes;
    bool has_timer;
};

static int64_t option(const struct sq_env *env, enum option name)
{
    return env->options[name].number;
}

/* --------------------------------------------------------------------------- visits, the limit */

static void unlist(struct look_aside *app, struct visit *visit)
{
    if (visit->is_listed) {
        *(visit->newer != NULL ? &visit->newer->older : &app->newest) = visit->older;
        *(visit->older != NULL ? &visit->older->newer : &app->oldest) = visit->newer;
        visit->is_listed = false;
    }
}

static void arm(struct sq_env *env, struct look_aside *app)
{
    if (!app->has_timer && app->oldest != NULL) {
        const sq_time left = app->oldest->limit - env->clock->monotonic(env);
        env->clock->start(env, left > 0 ? left : 0, 0);
        app->has_timer = true;
    }
}

/* Its answer will be given at the limit, while the work goes on. */
static void list(struct sq_env *env, struct look_aside *app, struct visit *visit)
{
    struct visit *older = app->newest;
    while (older != NULL && older->limit > visit->limit) {
        older = older->older;
    }
    visit->older = older;
    visit->newer = older != NULL ? older->newer : app->oldest;
    *(visit->newer != NULL ? &visit->newer->older : &app->newest) = visit;
    *(older != NULL ? &older->newer : &app->oldest) = visit;
    visit->is_listed = true;
    arm(env, app);
}

static void on_timer(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    struct look_aside *app = env->state;
    app->has_timer = false;
    const sq_time now = env->clock->monotonic(env);
    while (app->oldest != NULL && app->oldest->limit <= now) {
        struct visit *visit = app->oldest;
        unlist(app, visit);
        visit->is_answered = true;
        env->call->reply(env, visit->reply_to, SQ_E_TIMEOUT, SQ_NODE_NONE, NULL, 0);
    }
    arm(env, app);
}

/* ---------------------------------------------------------------------------- shared flights */

static struct visit **bucket_of(const struct look_aside *app, uint64_t key)
{
    return &app->flights[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 52 & (BUCKETS - 1)];
}

/* The read of the key that others may wait for, or NULL. */
static struct visit *flight_of(const struct look_aside *app, uint64_t key)
{
    struct visit *one = app->flights != NULL ? *bucket_of(app, key) : NULL;
    while (one != NULL && one->kv.key != key) {
        one = one->next_flight;
    }
    return one;
}

static void begin_flight(const struct look_aside *app, struct visit *visit)
{
    struct visit **bucket = bucket_of(app, visit->kv.key);
    visit->next_flight = *bucket;
    visit->is_flight = true;
    *bucket = visit;
}

/* From now on nobody joins it. */
static void close_flight(const struct look_aside *app, struct visit *visit)
{
    if (visit != NULL && visit->is_flight) {
        struct visit **link = bucket_of(app, visit->kv.key);
        while (*link != visit) {
            link = &(*link)->next_flight;
        }
        *link = visit->next_flight;
        visit->is_flight = false;
    }
}

/* The read waits for the answer to another one, until its limit. */
static void follow(struct sq_env *env, struct visit *leader, struct visit *visit)
{
    struct look_aside *app = env->state;
    *(leader->last != NULL ? &leader->last->next : &leader->next) = visit;
    leader->last = visit;
    if (visit->limit != INT64_MAX && !visit->is_listed && !visit->is_answered) {
        list(env, app, visit);
    }
    env->trace->sometimes(env, "look-aside.followed");
}

static void end(struct sq_env *env, struct visit *visit, enum sq_status status)
{
    struct look_aside *app = env->state;
    unlist(app, visit);
    if (!visit->is_answered) {
        const struct sq_kv_reply reply = {visit->value};
        env->call->reply(env, visit->reply_to, tier_status(status), SQ_NODE_NONE, &reply,
                         status == SQ_OK ? sizeof(reply) : 0);
    }
    app->in_flight--;
    env->mem->free(env, visit);
}

/* Answers the visit and all that wait for it. */
static void finish(struct sq_env *env, struct visit *visit, enum sq_status status)
{
    const uint64_t value = visit->value;
    close_flight(env->state, visit);
    while (visit != NULL) {
        struct visit *next = visit->next;
        visit->value = value;
        end(env, visit, status);
        visit = next;
    }
}

static struct visit *visit_new(struct sq_env *env, const struct sq_request *request,
                               const struct sq_kv_request *kv)
{
    struct look_aside *app = env->state;
    struct visit *visit = env->mem->alloc(env, sizeof(*visit) + request->size);
    *visit = (struct visit){
        .reply_to = request->reply_to,
        .kv = *kv,
        .limit = INT64_MAX,
        .queries = kv->kind == SQ_KV_READ ? option(env, OPTION_QUERIES_PER_MISS) : 1,
        .size = request->size,
    };
    memcpy(visit->data, request->data, request->size);
    app->in_flight++;
    if (option(env, OPTION_TIME_LIMIT) > 0) {
        visit->limit = env->clock->monotonic(env) + option(env, OPTION_TIME_LIMIT);
        if (option(env, OPTION_FILL_AFTER_TIMEOUT) != 0) {
            list(env, app, visit);
        }
    }
    return visit;
}

/* ------------------------------------------------------------------------------------- the cache
 */

static void on_nothing(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                       size_t size)
{
    (void)env, (void)argument, (void)status, (void)data, (void)size;
}

/* Calls the node that has the visit's key; without on_reply nobody waits for the answer. */
static void call_cache(struct sq_env *env, struct visit *visit, uint32_t kind,
                       void (*on_reply)(struct sq_env *env, void *argument, enum sq_status status,
                                        const void *data, size_t size))
{
    struct look_aside *app = env->state;
    const bool is_cut = on_reply != NULL && !visit->is_listed && !visit->is_answered;
    struct sq_kv_request request = {
        .kind = kind,
        .key = visit->kv.key,
        .value = kind == SQ_KV_UPDATE ? visit->value : 0,
        .session = visit->kv.session,
        .sequence = visit->kv.sequence,
    };
    env->call->call_with(
        env, &(struct sq_call_options){.group = env->options[OPTION_CACHE].text,
                                       .data = &request,
                                       .size = sizeof(request),
                                       .on_reply = on_reply != NULL ? on_reply : on_nothing,
                                       .argument = visit,
                                       .has_deadline = is_cut && visit->limit != INT64_MAX,
                                       .deadline = visit->limit,
                                       .has_index = true,
                                       .index = tier_shard(visit->kv.key, app->cache_nodes)});
}

/* ---------------------------------------------------------------------------------- the database
 */

static void on_deleted(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                       size_t size)
{
    (void)status, (void)data, (void)size;
    finish(env, argument, SQ_OK);
}

static void query(struct sq_env *env, struct visit *visit);

static void on_queried(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                       size_t size)
{
    struct visit *visit = argument;
    struct sq_kv_reply reply = {0};
    if (status != SQ_OK) {
        env->trace->sometimes(env, "look-aside.failed");
        if (option(env, OPTION_INVALIDATE_ON_ERROR) != 0) {
            call_cache(env, visit, TIER_DELETE, NULL);
        }
        finish(env, visit, status);
        return;
    }
    env->cpu->charge(env, 0, size);
    if (size >= sizeof(reply)) {
        memcpy(&reply, data, sizeof(reply));
    }
    visit->queries--;
    if (visit->queries > 0) {
        query(env, visit);
    } else if (visit->kv.kind == SQ_KV_UPDATE) {
        call_cache(env, visit, TIER_DELETE, on_deleted);
    } else {
        visit->value = reply.value;
        call_cache(env, visit, SQ_KV_UPDATE, NULL);
        env->trace->sometimes(env, "look-aside.filled");
        finish(env, visit, SQ_OK);
    }
}

/* The next query of a visit. One whose limit has come ends here: nothing is sent any more. */
static void query(struct sq_env *env, struct visit *visit)
{
    const bool is_cut = !visit->is_listed && !visit->is_answered;
    env->call->call_before(env, env->options[OPTION_DATABASE].text, visit->data, visit->size,
                           on_queried, visit, is_cut ? visit->limit : INT64_MAX);
}

static void miss(struct sq_env *env, struct visit *visit)
{
    const struct look_aside *app = env->state;
    struct visit *leader = flight_of(app, visit->kv.key);
    if (leader != NULL) {
        follow(env, leader, visit);
        return;
    }
    if (app->flights != NULL) {
        begin_flight(app, visit);
    }
    query(env, visit);
}

static void on_looked_up(struct sq_env *env, void *argument, enum sq_status status,
                         const void *data, size_t size)
{
    struct visit *visit = argument;
    struct tier_reply reply = {0};
    if (status == SQ_OK && size == sizeof(reply)) {
        memcpy(&reply, data, sizeof(reply));
    }
    if (reply.is_hit != 0) {
        visit->value = reply.kv.value;
        finish(env, visit, SQ_OK);
    } else {
        miss(env, visit);
    }
}

/* ----------------------------------------------------------------------------------------- model
 */

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct look_aside *app = env->state;
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    if (app->in_flight >= option(env, OPTION_MAX_IN_FLIGHT)) {
        env->trace->sometimes(env, "look-aside.overloaded");
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct visit *visit = visit_new(env, request, &kv);
    env->cpu->charge(env, 1, request->size);
    if (kv.kind == SQ_KV_READ) {
        call_cache(env, visit, SQ_KV_READ, on_looked_up);
    } else {
        close_flight(app, flight_of(app, kv.key));
        query(env, visit);
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct look_aside *app = env->mem->alloc(env, sizeof(*app));
    *app = (struct look_aside){0};
    env->state = app;
    if (option(env, OPTION_SINGLE_FLIGHT) != 0) {
        app->flights = env->mem->alloc(env, BUCKETS * sizeof(*app->flights));
        for (uint32_t i = 0; i < BUCKETS; i++) {
            app->flights[i] = NULL;
        }
    }
    app->cache_nodes = env->call->group_size(env, env->options[OPTION_CACHE].text);
    if (app->cache_nodes == 0 || option(env, OPTION_QUERIES_PER_MISS) < 1) {
        env->trace->log(env, "cache: needs a policy in `clients`; queriesPerMiss: at least 1");
        return SQ_E_INVALID;
    }
    return SQ_OK;
}

const struct sq_model model_look_aside = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "look-aside",
    .version = "1",
    .description = "an application with a cache beside its database; fills what it misses",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .timer = on_timer,
};
