/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `balancer`: a load balancer. A request goes to one node of the group `target`: each in turn
 * (round-robin), the one with the fewest requests under way, or any (random), of those that are
 * available. Available is who is healthy and not ejected; but when less than `panicThreshold` of
 * the nodes are available, all of them are used, for then it is the load and not they that is bad
 * (Envoy, "Panic threshold"; its default is 50 %). With panicThreshold 0 % a request that finds
 * nobody is answered `temporarily-unavailable`.
 *
 * Active health checks. Every `checkInterval` each node is asked to read a key, one node after the
 * other within the interval; no good answer within `checkTimeout` is a failure.
 * `unhealthyThreshold` failures in a row take a node out, `healthyThreshold` successes in a row put
 * it back. What it was working on it goes on with. A check waits in the node's queue like any
 * request: a node that is merely slow because there is too much to do is taken out, and what it did
 * falls on the others. So health checks can take down, one after the other, a group that has the
 * capacity for its load and would have recovered if left alone; and since the first that comes back
 * gets everything, they keep it down.
 *
 * Outlier ejection. `ejectErrors` failed requests in a row (0: off) eject a node for `ejectTime`,
 * as long as no more than `ejectMax` of the nodes are, or it is the first one.
 *
 * The group's `client` is the policy of requests and of checks: leave it at one attempt, or a check
 * is as good as the best of several. It shows the gauge balancer.available whenever that changes,
 * and counts balancer.removed.
 *
 * Not here: weights, zones, slow start, draining, two balancers that know of each other. */
#include "../models.h"
#include "tier.h"

#define NODES_MAX 64

enum option {
    OPTION_TARGET,
    OPTION_POLICY,
    OPTION_MAX_IN_FLIGHT,
    OPTION_CHECK_INTERVAL,
    OPTION_CHECK_TIMEOUT,
    OPTION_UNHEALTHY_THRESHOLD,
    OPTION_HEALTHY_THRESHOLD,
    OPTION_PANIC_THRESHOLD,
    OPTION_EJECT_ERRORS,
    OPTION_EJECT_TIME,
    OPTION_EJECT_MAX,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "store", NULL,
                       "group that it balances; the one that the group's `client` targets"},
    [OPTION_POLICY] = {"policy", SQ_OPTION_CHOICE, "round-robin",
                       "round-robin|least-requests|random", "which of the available nodes"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "100000", NULL,
                              "requests under way; more get `overloaded`"},
    [OPTION_CHECK_INTERVAL] = {"checkInterval", SQ_OPTION_DURATION, "5s", NULL,
                               "from one health check of a node to the next; 0s: none"},
    [OPTION_CHECK_TIMEOUT] = {"checkTimeout", SQ_OPTION_DURATION, "1s", NULL,
                              "a check that is not answered by then has failed"},
    [OPTION_UNHEALTHY_THRESHOLD] = {"unhealthyThreshold", SQ_OPTION_COUNT, "3", NULL,
                                    "failed checks in a row that take a node out; at least 1"},
    [OPTION_HEALTHY_THRESHOLD] = {"healthyThreshold", SQ_OPTION_COUNT, "2", NULL,
                                  "good checks in a row that put it back; at least 1"},
    [OPTION_PANIC_THRESHOLD] = {"panicThreshold", SQ_OPTION_PERCENT, "50%", NULL,
                                "when less than this part of the nodes is available all are used; "
                                "0%: never"},
    [OPTION_EJECT_ERRORS] = {"ejectErrors", SQ_OPTION_COUNT, "0", NULL,
                             "failed requests in a row that eject a node; 0: never"},
    [OPTION_EJECT_TIME] = {"ejectTime", SQ_OPTION_DURATION, "30s", NULL,
                           "how long an ejection lasts"},
    [OPTION_EJECT_MAX] = {"ejectMax", SQ_OPTION_PERCENT, "10%", NULL,
                          "part of the nodes that may be ejected at once; one may always be"},
};

enum { POLICY_ROUND_ROBIN, POLICY_LEAST_REQUESTS, POLICY_RANDOM };

struct backend {
    bool is_healthy;
    bool is_ejected;
    uint32_t streak; /* checks in a row that speak against is_healthy */
    uint32_t errors; /* failed requests in a row */
    sq_time ejected_until;
    int64_t in_flight;
};

/* A request under way. */
struct visit {
    struct sq_reply_to reply_to;
    uint32_t node;
};

struct balancer {
    uint32_t count;
    uint32_t cursor; /* round-robin: whose turn it is */
    uint32_t available;
    int64_t in_flight;
    struct backend backends[NODES_MAX];
};

static int64_t option(const struct sq_env *env, enum option name)
{
    return env->options[name].number;
}

/* -------------------------------------------------------------------------------- availability */

static bool is_available(const struct backend *backend)
{
    return backend->is_healthy && !backend->is_ejected;
}

/* Counts anew, and shows it when it has changed. */
static void count_available(struct sq_env *env, struct balancer *balancer)
{
    uint32_t available = 0;
    for (uint32_t i = 0; i < balancer->count; i++) {
        available += is_available(&balancer->backends[i]) ? 1 : 0;
    }
    if (available == balancer->available) {
        return;
    }
    if (available < balancer->available) {
        env->trace->see(env, SQ_SEE_COUNTER, balancer->available - available, 0, 0,
                        "balancer.removed");
    }
    balancer->available = available;
    env->trace->see(env, SQ_SEE_GAUGE, available, 0, 0, "balancer.available");
}

static void end_ejections(struct sq_env *env, struct balancer *balancer)
{
    const sq_time now = env->clock->monotonic(env);
    for (uint32_t i = 0; i < balancer->count; i++) {
        struct backend *backend = &balancer->backends[i];
        if (backend->is_ejected && backend->ejected_until <= now) {
            backend->is_ejected = false;
            backend->errors = 0;
        }
    }
}

static void eject(struct sq_env *env, struct balancer *balancer, struct backend *backend)
{
    uint64_t ejected = 1; /* with this one */
    for (uint32_t i = 0; i < balancer->count; i++) {
        ejected += balancer->backends[i].is_ejected ? 1 : 0;
    }
    if (ejected > 1 && ejected << 32 > (uint64_t)option(env, OPTION_EJECT_MAX) * balancer->count) {
        return;
    }
    backend->is_ejected = true;
    backend->ejected_until = env->clock->monotonic(env) + option(env, OPTION_EJECT_TIME);
    env->trace->sometimes(env, "balancer.ejected");
    count_available(env, balancer);
}

/* How a request to a node ended. */
static void learn(struct sq_env *env, struct balancer *balancer, uint32_t node, bool is_fine)
{
    struct backend *backend = &balancer->backends[node];
    backend->errors = is_fine ? 0 : backend->errors + 1;
    const int64_t errors_max = option(env, OPTION_EJECT_ERRORS);
    if (errors_max > 0 && backend->errors >= errors_max && !backend->is_ejected) {
        eject(env, balancer, backend);
    }
}

/* -------------------------------------------------------------------------------- health checks */

static void on_checked(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                       size_t size)
{
    (void)data, (void)size;
    struct balancer *balancer = env->state;
    struct backend *backend = argument;
    const bool is_good = status == SQ_OK;
    if (is_good == backend->is_healthy) {
        backend->streak = 0;
        return;
    }
    backend->streak++;
    const int64_t enough =
        option(env, backend->is_healthy ? OPTION_UNHEALTHY_THRESHOLD : OPTION_HEALTHY_THRESHOLD);
    if (backend->streak >= enough) {
        backend->is_healthy = is_good;
        backend->streak = 0;
        env->trace->sometimes(env, is_good ? "balancer.put-back" : "balancer.taken-out");
        count_available(env, balancer);
    }
}

/* The next check of node `tag`. */
static void on_timer(struct sq_env *env, uint64_t tag)
{
    struct balancer *balancer = env->state;
    const struct sq_kv_request request = {.kind = SQ_KV_READ};
    const sq_time limit = env->clock->monotonic(env) + option(env, OPTION_CHECK_TIMEOUT);
    env->call->call_with(env, &(struct sq_call_options){.group = env->options[OPTION_TARGET].text,
                                                        .data = &request,
                                                        .size = sizeof(request),
                                                        .on_reply = on_checked,
                                                        .argument = &balancer->backends[tag],
                                                        .has_deadline = true,
                                                        .deadline = limit,
                                                        .has_index = true,
                                                        .index = (uint32_t)tag});
    env->clock->start(env, option(env, OPTION_CHECK_INTERVAL), tag);
}

/* -------------------------------------------------------------------------------------- choosing
 */

/* Number of nodes to choose from, and whether these are all, whatever their health. */
static uint32_t candidates(struct sq_env *env, struct balancer *balancer, bool *is_panic)
{
    end_ejections(env, balancer);
    count_available(env, balancer);
    const uint64_t needed = (uint64_t)option(env, OPTION_PANIC_THRESHOLD) * balancer->count;
    *is_panic = (uint64_t)balancer->available << 32 < needed;
    if (*is_panic) {
        env->trace->sometimes(env, "balancer.panic");
    }
    return *is_panic ? balancer->count : balancer->available;
}

/* The node for a request; SQ_NODE_NONE: nobody is available. */
static uint32_t choose(struct sq_env *env, struct balancer *balancer)
{
    bool is_panic;
    const uint32_t count = candidates(env, balancer, &is_panic);
    if (count == 0) {
        return SQ_NODE_NONE;
    }
    const int64_t policy = option(env, OPTION_POLICY);
    uint64_t skip = policy == POLICY_RANDOM ? env->rand->below(env, count) : 0;
    uint32_t best = SQ_NODE_NONE;
    for (uint32_t step = 0; step < balancer->count; step++) {
        const uint32_t node = (balancer->cursor + step) % balancer->count;
        const struct backend *backend = &balancer->backends[node];
        if (!is_panic && !is_available(backend)) {
            continue;
        }
        if (policy == POLICY_LEAST_REQUESTS) {
            const bool is_less =
                best == SQ_NODE_NONE || backend->in_flight < balancer->backends[best].in_flight;
            best = is_less ? node : best;
        } else if (skip == 0) {
            best = node;
            break;
        } else {
            skip--;
        }
    }
    balancer->cursor = policy == POLICY_RANDOM ? 0 : (best + 1) % balancer->count;
    return best;
}

/* ----------------------------------------------------------------------------------------- model
 */

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct balancer *balancer = env->state;
    struct visit *visit = argument;
    env->cpu->charge(env, 0, size);
    balancer->in_flight--;
    balancer->backends[visit->node].in_flight--;
    learn(env, balancer, visit->node, status == SQ_OK);
    env->call->reply(env, visit->reply_to, tier_status(status), SQ_NODE_NONE, data, size);
    env->mem->free(env, visit);
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct balancer *balancer = env->state;
    if (balancer->in_flight >= option(env, OPTION_MAX_IN_FLIGHT)) {
        env->trace->sometimes(env, "balancer.overloaded");
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    env->cpu->charge(env, 1, request->size);
    const uint32_t node = choose(env, balancer);
    if (node == SQ_NODE_NONE) {
        env->trace->sometimes(env, "balancer.nobody");
        env->call->reply(env, request->reply_to, SQ_E_UNAVAILABLE, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct visit *visit = env->mem->alloc(env, sizeof(*visit));
    *visit = (struct visit){request->reply_to, node};
    balancer->in_flight++;
    balancer->backends[node].in_flight++;
    env->call->call_with(env, &(struct sq_call_options){.group = env->options[OPTION_TARGET].text,
                                                        .data = request->data,
                                                        .size = request->size,
                                                        .on_reply = on_reply,
                                                        .argument = visit,
                                                        .has_index = true,
                                                        .index = node});
}

static enum sq_status boot(struct sq_env *env)
{
    struct balancer *balancer = env->mem->alloc(env, sizeof(*balancer));
    *balancer = (struct balancer){0};
    env->state = balancer;
    balancer->count = env->call->group_size(env, env->options[OPTION_TARGET].text);
    balancer->available = balancer->count;
    if (balancer->count == 0 || balancer->count > NODES_MAX) {
        env->trace->log(env, "target: the group's `client` has no policy for it");
        return SQ_E_INVALID;
    }
    const int64_t interval = option(env, OPTION_CHECK_INTERVAL);
    for (uint32_t i = 0; i < balancer->count; i++) {
        balancer->backends[i].is_healthy = true;
        if (interval > 0) {
            env->clock->start(env, interval * (i + 1) / balancer->count, i);
        }
    }
    return SQ_OK;
}

const struct sq_model model_balancer = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "balancer",
    .version = "1",
    .description = "a load balancer with health checks, panic threshold and outlier ejection",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .timer = on_timer,
};
