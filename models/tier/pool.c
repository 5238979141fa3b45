/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `pool`: an application that talks to a group over a pool of connections. The nodes of the
 * group stand for the links of one aggregated network path, and a database is behind them. A
 * connection is bound to a link for life, by a hash of its number, as a switch spreads connections
 * over the wires of a bundle by a hash of their addresses and ports.
 *
 *     request -> `queries` at once -> each takes an idle connection | opens one | waits for one
 *             -> link of the connection -> answer -> the connection is idle again
 *             -> the last answer: answer
 *
 * Which idle connection is taken (`selection`) is all that this model is about. mru takes the one
 * that came back last, which keeps the others free to be closed after idleTimeout. When a burst has
 * filled the links, those of the busiest come back last; so they are taken first by what comes
 * next, which keeps that link the busiest, while those of the other links are never taken and
 * closed. lru and random forget. This is the link imbalance of Bronson et al., "Metastable Failures
 * in Distributed Systems", HotOS 2021, section 2.4; at Facebook it took two years to find and one
 * line to mend.
 *
 * After every 128 queries the gauge pool.busiest-link-share shows the part of them, out of 1000,
 * that went over the busiest link, and pool.connections how many there are.
 *
 * An attempt that times out closes its connection: nobody knows what would come over it next. Idle
 * connections that are too old are closed when one is looked for, before it is chosen, so it is as
 * if each had been closed in time.
 *
 * Not here: the time that opening takes, connections that are checked while idle, transactions. */
#include "../models.h"
#include "tier.h"

#define WINDOW    128
#define LINKS_MAX 64

enum option {
    OPTION_TARGET,
    OPTION_SELECTION,
    OPTION_CONNECTIONS,
    OPTION_QUERIES,
    OPTION_IDLE_TIMEOUT,
    OPTION_MAX_WAITING,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "links", NULL,
                       "group whose nodes are the links; the one that the group's `client` "
                       "targets"},
    [OPTION_SELECTION] = {"selection", SQ_OPTION_CHOICE, "mru", "lru|mru|random",
                          "idle connection that is taken: the one that is idle for longest, for "
                          "shortest, or any"},
    [OPTION_CONNECTIONS] = {"connections", SQ_OPTION_COUNT, "1000", NULL,
                            "most connections that are open at once"},
    [OPTION_QUERIES] = {"queries", SQ_OPTION_COUNT, "1", NULL,
                        "queries that a request makes, all at once, each over its own connection"},
    [OPTION_IDLE_TIMEOUT] = {"idleTimeout", SQ_OPTION_DURATION, "60s", NULL,
                             "a connection that is idle for so long is closed; 0s: never"},
    [OPTION_MAX_WAITING] = {"maxWaiting", SQ_OPTION_COUNT, "10000", NULL,
                            "queries that may wait for a connection; a request that would add to "
                            "more gets `overloaded`"},
};

enum { SELECTION_LRU, SELECTION_MRU, SELECTION_RANDOM };

/* A request under way. */
struct visit {
    struct sq_reply_to reply_to;
    uint32_t open; /* queries that are not answered yet */
    enum sq_status status;
    size_t size;
    uint8_t data[];
};

struct connection {
    struct connection *newer; /* while idle */
    struct connection *older;
    struct visit *visit; /* while in use */
    sq_time idle_since;
    uint32_t link;
};

/* A query that waits for a connection. */
struct query {
    struct query *next;
    struct visit *visit;
};

struct pool {
    struct connection *newest; /* idle ones, by the time at which they came back */
    struct connection *oldest;
    uint32_t idle_count;
    uint32_t open_count; /* in use or idle */
    uint64_t ordinal;    /* connections so far */
    uint64_t salt;
    uint32_t links;
    struct query *first; /* waiting */
    struct query *last;
    int64_t waiting_count;
    uint32_t sent[LINKS_MAX]; /* queries of this window, for each link */
    uint32_t sent_count;
};

/* ---------------------------------------------------------------------------------- connections */

static void unlink_idle(struct pool *pool, struct connection *one)
{
    *(one->newer != NULL ? &one->newer->older : &pool->newest) = one->older;
    *(one->older != NULL ? &one->older->newer : &pool->oldest) = one->newer;
    pool->idle_count--;
}

static void close_connection(struct sq_env *env, struct pool *pool, struct connection *one)
{
    pool->open_count--;
    env->mem->free(env, one);
}

static void close_old(struct sq_env *env, struct pool *pool)
{
    const sq_time patience = env->options[OPTION_IDLE_TIMEOUT].number;
    const sq_time now = env->clock->monotonic(env);
    while (patience > 0 && pool->oldest != NULL && now - pool->oldest->idle_since >= patience) {
        struct connection *one = pool->oldest;
        unlink_idle(pool, one);
        close_connection(env, pool, one);
    }
}

/* A new connection, on the link that the hash of its number names: the n-th one of a run is on the
 * same link whatever the selection. */
static struct connection *open_connection(struct sq_env *env, struct pool *pool)
{
    struct connection *one = env->mem->alloc(env, sizeof(*one));
    uint64_t hash = pool->salt + pool->ordinal * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    *one = (struct connection){.link = (uint32_t)((hash ^ hash >> 31) >> 32) % pool->links};
    pool->ordinal++;
    pool->open_count++;
    return one;
}

/* An idle connection by the policy, else a new one; NULL: there are as many as there may be. */
static struct connection *take(struct sq_env *env, struct pool *pool)
{
    close_old(env, pool);
    if (pool->idle_count == 0) {
        return pool->open_count < env->options[OPTION_CONNECTIONS].number
                   ? open_connection(env, pool)
                   : NULL;
    }
    const int64_t selection = env->options[OPTION_SELECTION].number;
    struct connection *one = selection == SELECTION_MRU ? pool->newest : pool->oldest;
    if (selection == SELECTION_RANDOM) {
        for (uint64_t steps = env->rand->below(env, pool->idle_count); steps > 0; steps--) {
            one = one->newer;
        }
    }
    unlink_idle(pool, one);
    return one;
}

static void give_back(struct sq_env *env, struct pool *pool, struct connection *one)
{
    one->visit = NULL;
    one->idle_since = env->clock->monotonic(env);
    one->newer = NULL;
    one->older = pool->newest;
    *(pool->newest != NULL ? &pool->newest->newer : &pool->oldest) = one;
    pool->newest = one;
    pool->idle_count++;
}

/* -------------------------------------------------------------------------------------- queries */

static void show(struct sq_env *env, struct pool *pool, uint32_t link)
{
    pool->sent[link]++;
    pool->sent_count++;
    if (pool->sent_count < WINDOW) {
        return;
    }
    uint32_t busiest = 0;
    for (uint32_t i = 0; i < pool->links; i++) {
        busiest = pool->sent[i] > busiest ? pool->sent[i] : busiest;
    }
    env->trace->see(env, SQ_SEE_GAUGE, busiest * 1000 / WINDOW, 0, 0, "pool.busiest-link-share");
    env->trace->see(env, SQ_SEE_GAUGE, pool->open_count, 0, 0, "pool.connections");
    memset(pool->sent, 0, sizeof(pool->sent));
    pool->sent_count = 0;
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size);

static void send_query(struct sq_env *env, struct pool *pool, struct connection *one,
                       struct visit *visit)
{
    one->visit = visit;
    show(env, pool, one->link);
    env->call->call_with(env, &(struct sq_call_options){.group = env->options[OPTION_TARGET].text,
                                                        .data = visit->data,
                                                        .size = visit->size,
                                                        .on_reply = on_reply,
                                                        .argument = one,
                                                        .has_index = true,
                                                        .index = one->link});
}

static void wait(struct sq_env *env, struct pool *pool, struct visit *visit)
{
    struct query *query = env->mem->alloc(env, sizeof(*query));
    *query = (struct query){.visit = visit};
    *(pool->last != NULL ? &pool->last->next : &pool->first) = query;
    pool->last = query;
    pool->waiting_count++;
    env->trace->sometimes(env, "pool.exhausted");
}

/* There may be a connection for those who wait. */
static void serve_waiting(struct sq_env *env, struct pool *pool)
{
    while (pool->first != NULL) {
        struct connection *one = take(env, pool);
        if (one == NULL) {
            return;
        }
        struct query *query = pool->first;
        struct visit *visit = query->visit;
        pool->first = query->next;
        if (pool->first == NULL) {
            pool->last = NULL;
        }
        pool->waiting_count--;
        env->mem->free(env, query);
        send_query(env, pool, one, visit);
    }
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct pool *pool = env->state;
    struct connection *one = argument;
    struct visit *visit = one->visit;
    env->cpu->charge(env, 0, size);
    if (status == SQ_E_TIMEOUT) {
        env->trace->sometimes(env, "pool.closed-after-timeout");
        close_connection(env, pool, one);
    } else {
        give_back(env, pool, one);
    }
    if (status != SQ_OK && visit->status == SQ_OK) {
        visit->status = status;
    }
    visit->open--;
    if (visit->open == 0) {
        const bool is_fine = visit->status == SQ_OK;
        env->call->reply(env, visit->reply_to, tier_status(visit->status), SQ_NODE_NONE,
                         is_fine ? data : NULL, is_fine ? size : 0);
        env->mem->free(env, visit);
    }
    serve_waiting(env, pool);
}

/* ----------------------------------------------------------------------------------------- model
 */

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct pool *pool = env->state;
    const int64_t queries = env->options[OPTION_QUERIES].number;
    if (pool->waiting_count >= env->options[OPTION_MAX_WAITING].number) {
        env->trace->sometimes(env, "pool.overloaded");
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    env->cpu->charge(env, 1, request->size);
    struct visit *visit = env->mem->alloc(env, sizeof(*visit) + request->size);
    *visit = (struct visit){
        .reply_to = request->reply_to, .open = (uint32_t)queries, .size = request->size};
    memcpy(visit->data, request->data, request->size);
    for (int64_t i = 0; i < queries; i++) {
        struct connection *one = pool->first == NULL ? take(env, pool) : NULL;
        if (one != NULL) {
            send_query(env, pool, one, visit);
        } else {
            wait(env, pool, visit);
        }
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct pool *pool = env->mem->alloc(env, sizeof(*pool));
    *pool = (struct pool){
        .links = env->call->group_size(env, env->options[OPTION_TARGET].text),
        .salt = env->rand->u64(env),
    };
    env->state = pool;
    if (pool->links == 0 || pool->links > LINKS_MAX ||
        env->options[OPTION_CONNECTIONS].number < 1 || env->options[OPTION_QUERIES].number < 1) {
        env->trace->log(env,
                        "connections, queries: at least 1; target: needs a policy in `client`");
        return SQ_E_INVALID;
    }
    return SQ_OK;
}

const struct sq_model model_pool = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "pool",
    .version = "1",
    .description = "an application with a pool of connections, each bound to one of several links",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
};
