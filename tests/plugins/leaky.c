/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A model into whose messages something leaks that no seed decides: an address of its stack or of
 * its heap, the time-stamp counter, an environment variable, memory that nobody has written to.
 * `squall doctor` has to find it. The node tells the value to itself, so the hash of that message
 * is the first record that differs. */
#include "squall.h"

#include <stdlib.h>

enum what { WHAT_NOTHING, WHAT_STACK, WHAT_HEAP, WHAT_COUNTER, WHAT_ENVIRONMENT, WHAT_MEMORY };

static const struct sq_option options[] = {
    {"what", SQ_OPTION_CHOICE, "nothing", "nothing|stack|heap|counter|environment|memory",
     "what leaks"},
};

static uint64_t counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    uint64_t value;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
#endif
}

static uint64_t leak(struct sq_env *env, enum what what)
{
    uint64_t *block = env->mem->alloc(env, 4096);
    uint64_t here = 0;
    switch (what) {
    case WHAT_NOTHING:
        break;
    case WHAT_STACK:
        here = (uint64_t)(uintptr_t)&here;
        break;
    case WHAT_HEAP:
        here = (uint64_t)(uintptr_t)block;
        break;
    case WHAT_COUNTER:
        here = counter();
        break;
    case WHAT_ENVIRONMENT:
        for (const char *at = getenv("HOME"); at != NULL && *at != '\0'; at++) {
            here = here * 131 + (unsigned char)*at;
        }
        break;
    case WHAT_MEMORY:
        memcpy(&here, block + 100, sizeof(here));
        break;
    }
    env->mem->free(env, block);
    return here;
}

static enum sq_status boot(struct sq_env *env)
{
    env->state = env;
    env->trace->role(env, SQ_ROLE_LEADER);
    return SQ_OK;
}

static void deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)env, (void)from, (void)data, (void)size;
}

static void request(struct sq_env *env, const struct sq_request *request)
{
    uint64_t word = leak(env, (enum what)env->options[0].number);
    struct sq_buffer buffer = {&word, sizeof(word)};
    env->net->send(env, env->self, &buffer, 1);
    struct sq_kv_reply reply = {0};
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static const struct sq_model model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "leaky",
    .version = "1",
    .description = "leaks on purpose",
    .options = options,
    .option_count = 1,
    .boot = boot,
    .deliver = deliver,
    .request = request,
};

__attribute__((visibility("default"))) const struct sq_model *squall_plugin_v1(void);

const struct sq_model *squall_plugin_v1(void)
{
    return &model;
}
