/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A model that breaks in the way that its option `how` names, at the first request for the key that
 * its option `key` names; where `says` is set, it says before that an invariant is violated.
 * Whether a seed breaks, and when, depends on the load alone. Until then it holds numbers in
 * memory. The tests of the command line use it to see that a campaign survives its code under test,
 * and keeps what was found before. */
#include "squall.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#define KEYS 1024

enum option { OPTION_HOW, OPTION_KEY, OPTION_SAYS, OPTION_COUNT };
enum how {
    HOW_NOT,
    HOW_SEGFAULT,
    HOW_LOOP,
    HOW_BLOCK,
    HOW_DOUBLE_FREE,
    HOW_EXIT,
    HOW_OVERFLOW,
    HOW_ALWAYS
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_HOW] = {"how", SQ_OPTION_CHOICE, "not",
                    "not|segfault|loop|block|double-free|exit|overflow|always", "what happens"},
    [OPTION_KEY] = {"key", SQ_OPTION_COUNT, "0", NULL, "at the first request for this key"},
    [OPTION_SAYS] = {"says", SQ_OPTION_BOOLEAN, "false", NULL, "an invariant is violated first"},
};

static uint64_t deeper(volatile uint64_t *from, uint64_t depth)
{
    volatile uint64_t frame[512];
    frame[0] = depth;
    frame[511] = *from;
    return depth == UINT64_MAX ? 0 : deeper(frame, depth + 1) + frame[511];
}

static void double_free(void)
{
    void *block = malloc(100);
    void *volatile again = block;
    free(block);
    free(again);
}

static void break_down(struct sq_env *env, enum how how)
{
    static volatile int *volatile nowhere = NULL;
    volatile uint64_t start = 0;
    switch (how) {
    case HOW_NOT:
        break;
    case HOW_SEGFAULT:
        *nowhere = 1;
        break;
    case HOW_LOOP:
        while (start < UINT64_MAX) {
            start = 0;
        }
        break;
    case HOW_BLOCK:
        pause();
        break;
    case HOW_DOUBLE_FREE:
        double_free();
        break;
    case HOW_EXIT:
        exit(7);
    case HOW_OVERFLOW:
        start = deeper(&start, 0);
        break;
    case HOW_ALWAYS:
        env->trace->always(env, false, "broken.never", "the key came");
        break;
    }
}

static enum sq_status boot(struct sq_env *env)
{
    uint64_t *values = env->mem->alloc(env, KEYS * sizeof(*values));
    memset(values, 0, KEYS * sizeof(*values));
    env->state = values;
    env->trace->role(env, SQ_ROLE_LEADER);
    return SQ_OK;
}

static void request(struct sq_env *env, const struct sq_request *request)
{
    uint64_t *values = env->state;
    struct sq_kv_request operation;
    if (!sq_kv_decode(request->data, request->size, &operation) || operation.key >= KEYS) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    if (operation.key == (uint64_t)env->options[OPTION_KEY].number) {
        if (env->options[OPTION_SAYS].number != 0) {
            env->trace->always(env, false, "broken.never", "the key came");
        }
        break_down(env, (enum how)env->options[OPTION_HOW].number);
    }
    if (operation.kind == SQ_KV_UPDATE) {
        values[operation.key] = operation.value;
    }
    struct sq_kv_reply reply = {values[operation.key]};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static const struct sq_model model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "broken",
    .version = "1",
    .description = "breaks on purpose",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = request,
};

__attribute__((visibility("default"))) const struct sq_model *squall_plugin_v1(void);

const struct sq_model *squall_plugin_v1(void)
{
    return &model;
}
