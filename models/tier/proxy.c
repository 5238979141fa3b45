/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `proxy`: a tier without state, such as a web server or a gateway. Every request goes on to
 * the group that the option `target` names, as it is, under this group's own client policy
 * (time-outs, retries, budget: `client` of the group in the scenario); the answer goes back as it
 * is. The request keeps its session and sequence, so a store that recognises retries recognises
 * them through any number of tiers.
 *
 * A request costs one operation of the host's processor, and its bytes and those of the answer.
 * Both are paid on the node's one main fiber, so a slow proxy queues. While the tier behind thinks,
 * the proxy goes on with other requests, up to `maxInFlight`: then it answers `overloaded` at once,
 * which is what keeps a stalled tier behind from filling its memory.
 *
 * A tier that retries multiplies: three attempts in each of three tiers are up to 27 requests at
 * the last one for each that a user makes.
 *
 * Not here: connections, caching (cache.c), cancelling what nobody waits for any more. */
#include "../models.h"
#include "tier.h"

enum option {
    OPTION_TARGET,
    OPTION_MAX_IN_FLIGHT,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "store", NULL,
                       "group that requests go on to; the one that the group's `client` targets"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "10000", NULL,
                              "requests that may wait for the target; more get `overloaded`"},
};

struct proxy {
    int64_t in_flight;
};

/* A request whose answer is awaited. */
struct waiting {
    struct sq_reply_to reply_to;
};

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct waiting *waiting = argument;
    struct proxy *proxy = env->state;
    proxy->in_flight--;
    env->cpu->charge(env, 0, size);
    env->call->reply(env, waiting->reply_to, tier_status(status), SQ_NODE_NONE, data, size);
    env->mem->free(env, waiting);
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct proxy *proxy = env->state;
    struct sq_reply_to reply_to = request->reply_to;
    if (proxy->in_flight >= env->options[OPTION_MAX_IN_FLIGHT].number) {
        env->trace->sometimes(env, "proxy.overloaded");
        env->call->reply(env, reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    proxy->in_flight++;
    env->cpu->charge(env, 1, request->size);
    struct waiting *waiting = env->mem->alloc(env, sizeof(*waiting));
    waiting->reply_to = reply_to;
    env->call->call(env, env->options[OPTION_TARGET].text, request->data, request->size, on_reply,
                    waiting);
}

static enum sq_status boot(struct sq_env *env)
{
    struct proxy *proxy = env->mem->alloc(env, sizeof(*proxy));
    *proxy = (struct proxy){0};
    env->state = proxy;
    return SQ_OK;
}

const struct sq_model model_proxy = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "proxy",
    .version = "1",
    .description = "passes requests on to another group, and its answers back; no state",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
};
