/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `publisher`: the part of a server that tells subscribers of every change, in front of the
 * store that makes it. A request goes on to the group `target`; a write that the store has
 * committed is answered only when it has been published.
 *
 * With `streaming` there is one publisher for all: it takes the writes one after another, in order
 * of their commits, and works on each for
 *
 *     publishCost + subscriberCost * subscribers + contentionCost * writes that wait
 *
 * of its host's processor. The first two terms are a serial server, with the ceiling 1/(a + b*S).
 * The third is the coherence term of N. Gunther's Universal Scalability Law (Guerrilla Capacity
 * Planning, 2007, chapter 4): the writers that spin on the lock of the publisher's channel slow
 * down the one that holds it, each by as much, so n writers cost n * n; more cores, and two
 * sockets, make the price of each greater, which is why a larger machine can be slower. Without
 * `streaming` (each subscriber asks for itself and holds a channel of its own: long polling) a
 * write is answered at once. The signal `streaming` (0 or 1) switches while the node runs, what
 * waits included.
 *
 * What it shows: `publisher.waiting` writes, `publisher.publish-us` from the store's answer to
 * ours, `publisher.write-us` from the request to our answer.
 *
 * Not here: the subscribers themselves, what they receive, and what publishing costs the network.
 */
#include "../models.h"
#include "tier.h"

enum option {
    OPTION_TARGET,
    OPTION_STREAMING,
    OPTION_SUBSCRIBERS,
    OPTION_PUBLISH_COST,
    OPTION_SUBSCRIBER_COST,
    OPTION_CONTENTION_COST,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "store", NULL,
                       "group that requests go on to; the one that the group's `client` targets"},
    [OPTION_STREAMING] = {"streaming", SQ_OPTION_BOOLEAN, "true", NULL,
                          "one publisher for all subscribers; else nothing stands in line"},
    [OPTION_SUBSCRIBERS] = {"subscribers", SQ_OPTION_COUNT, "1000", NULL,
                            "streams that every write is published to"},
    [OPTION_PUBLISH_COST] = {"publishCost", SQ_OPTION_DURATION, "100us", NULL,
                             "processor time of a write"},
    [OPTION_SUBSCRIBER_COST] = {"subscriberCost", SQ_OPTION_DURATION, "10us", NULL,
                                "processor time of a write for each subscriber"},
    [OPTION_CONTENTION_COST] = {"contentionCost", SQ_OPTION_DURATION, "0s", NULL,
                                "processor time of a write for each other one that waits"},
};

/* A request on its way; a write waits in the queue of the publisher as well. */
struct passage {
    struct passage *next;
    struct sq_reply_to reply_to;
    bool is_write;
    sq_time arrived;
    sq_time committed;
    struct sq_kv_reply reply;
};

struct publisher {
    struct sq_env *env;
    bool is_streaming;
    struct passage *first;
    struct passage *last;
    int64_t waiting;
    sq_fiber fiber;
    bool is_idle;
};

static int64_t option(const struct publisher *publisher, enum option index)
{
    return publisher->env->options[index].number;
}

static void answer(struct publisher *publisher, struct passage *passage)
{
    struct sq_env *env = publisher->env;
    if (passage->is_write) {
        sq_time now = env->clock->monotonic(env);
        env->trace->see(env, SQ_SEE_GAUGE, (uint64_t)(now - passage->committed) / 1000, 0, 0,
                        "publisher.publish-us");
        env->trace->see(env, SQ_SEE_GAUGE, (uint64_t)(now - passage->arrived) / 1000, 0, 0,
                        "publisher.write-us");
    }
    env->call->reply(env, passage->reply_to, SQ_OK, SQ_NODE_NONE, &passage->reply,
                     sizeof(passage->reply));
    env->mem->free(env, passage);
}

static void show_waiting(struct publisher *publisher)
{
    publisher->env->trace->see(publisher->env, SQ_SEE_GAUGE, (uint64_t)publisher->waiting, 0, 0,
                               "publisher.waiting");
}

static void publish(struct sq_env *env, void *argument)
{
    struct publisher *publisher = argument;
    for (;;) {
        struct passage *passage = publisher->first;
        if (passage == NULL) {
            publisher->is_idle = true;
            env->fiber->park(env);
            continue;
        }
        if (publisher->is_streaming) {
            env->cpu->work(env, option(publisher, OPTION_PUBLISH_COST) +
                                    option(publisher, OPTION_SUBSCRIBER_COST) *
                                        option(publisher, OPTION_SUBSCRIBERS) +
                                    option(publisher, OPTION_CONTENTION_COST) *
                                        (publisher->waiting - 1));
        }
        publisher->first = passage->next;
        if (publisher->first == NULL) {
            publisher->last = NULL;
        }
        publisher->waiting--;
        show_waiting(publisher);
        answer(publisher, passage);
    }
}

static void stand_in_line(struct publisher *publisher, struct passage *passage)
{
    struct sq_env *env = publisher->env;
    passage->next = NULL;
    if (publisher->last != NULL) {
        publisher->last->next = passage;
    } else {
        publisher->first = passage;
    }
    publisher->last = passage;
    publisher->waiting++;
    show_waiting(publisher);
    if (publisher->is_idle) {
        publisher->is_idle = false;
        env->fiber->unpark(env, publisher->fiber);
    }
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct passage *passage = argument;
    struct publisher *publisher = env->state;
    if (status != SQ_OK || size < sizeof(passage->reply)) {
        env->call->reply(env, passage->reply_to, tier_status(status), SQ_NODE_NONE, data, size);
        env->mem->free(env, passage);
        return;
    }
    memcpy(&passage->reply, data, sizeof(passage->reply));
    passage->committed = env->clock->monotonic(env);
    if (passage->is_write && (publisher->is_streaming || publisher->waiting > 0)) {
        stand_in_line(publisher, passage);
    } else {
        answer(publisher, passage);
    }
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct sq_kv_request kv;
    struct passage *passage = env->mem->alloc(env, sizeof(*passage));
    *passage = (struct passage){.reply_to = request->reply_to};
    passage->arrived = env->clock->monotonic(env);
    passage->is_write = sq_kv_decode(request->data, request->size, &kv) && kv.kind == SQ_KV_UPDATE;
    env->call->call(env, env->options[OPTION_TARGET].text, request->data, request->size, on_reply,
                    passage);
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct publisher *publisher = env->state;
    if (strcmp(name, "streaming") == 0) {
        publisher->is_streaming = value != 0;
    } else {
        env->trace->log(env, "publisher: no such signal");
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct publisher *publisher = env->mem->alloc(env, sizeof(*publisher));
    *publisher = (struct publisher){.env = env};
    env->state = publisher;
    publisher->is_streaming = option(publisher, OPTION_STREAMING) != 0;
    publisher->fiber = env->fiber->spawn(env, publish, publisher);
    return SQ_OK;
}

const struct sq_model model_publisher = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "publisher",
    .version = "1",
    .description = "in front of a store: answers a write when all subscribers have been told of it",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .signal = on_signal,
};
