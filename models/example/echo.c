/* SPDX-License-Identifier: MIT
 *
 * A model of your own, in one file: a single node that holds numbers in memory. Build it as
 * README.md next to this file says, then write `model: ./mine.so` in a scenario.
 *
 * It is wrong on purpose in one way: it answers before anything is on the disk, so a crash loses
 * acknowledged writes. Run it with a NodeChaos `kill` and the check `no-lost-acked-write` and see
 * squall find that; then store the numbers through env->disk (write, sync, and only then reply) and
 * see the check hold. */
#include "squall.h"

#define KEYS 4096

/* All that the node knows. It lives in memory from env->mem, so a crash takes it away, as it would
 * in reality. */
struct echo {
    uint64_t values[KEYS]; /* 0: nothing written yet */
    uint64_t served;
};

/* Options that a scenario may set under `options:`. squall checks them and fills env->options in
 * this order. */
enum { OPTION_THINK };

static const struct sq_option options[] = {
    {"think", SQ_OPTION_DURATION, "10us", NULL, "processor time of one request"},
};

/* Called for each incarnation: at the start and after every crash. Recover here what the disk has
 * kept. */
static enum sq_status boot(struct sq_env *env)
{
    struct echo *echo = env->mem->alloc(env, sizeof(*echo));
    memset(echo, 0, sizeof(*echo));
    env->state = echo;
    env->trace->role(env, SQ_ROLE_LEADER); /* lets a fault select `role: leader` */
    env->trace->log(env, "%s is up, incarnation %u", env->name, env->incarnation);
    return SQ_OK;
}

/* One request, from squall's load or from another group. Blocking calls (cpu, disk, sleep) are fine
 * here: other nodes go on meanwhile, and this node's next request waits in its inbox. */
static void request(struct sq_env *env, const struct sq_request *request)
{
    struct echo *echo = env->state;
    struct sq_kv_request operation;
    if (!sq_kv_decode(request->data, request->size, &operation) || operation.key >= KEYS) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    env->cpu->work(env, env->options[OPTION_THINK].number);
    if (operation.kind == SQ_KV_UPDATE) {
        echo->values[operation.key] = operation.value;
    }
    echo->served++;
    env->trace->always(env, echo->served > 0, "echo.counts", "the counter went backwards");
    struct sq_kv_reply reply = {echo->values[operation.key]};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static const struct sq_model model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "echo",
    .version = "1",
    .description = "numbers in memory, forgotten at a crash",
    .options = options,
    .option_count = sizeof(options) / sizeof(options[0]),
    .boot = boot,
    .request = request,
};

/* The one symbol that squall looks for (SQ_PLUGIN_SYMBOL). */
__attribute__((visibility("default"))) const struct sq_model *squall_plugin_v1(void);

const struct sq_model *squall_plugin_v1(void)
{
    return &model;
}
