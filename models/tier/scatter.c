/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `scatter`: a front of a store whose keys are spread over the nodes of a group (shards). An
 * update goes to the shard that has its key. A read goes there too (fanOut: one), or to every shard
 * (fanOut: all), as when the front does not know who has a key or the question is asked by
 * something that is no key; it is answered when all shards have answered, or `quorum` of them.
 *
 *     fanOut: one     request -> shard of the key -> answer
 *     fanOut: all     request -> shard 1 ... S -> quorum of them are there -> answer
 *
 * So with fanOut: all S shards are S times the memory of one and no more than its capacity, and the
 * slowest of them is the latency. Slack's incident of 22 February 2022 was kept alive by such
 * queries, one for each miss in a cache in front: it ended when they asked only for what was
 * missing. Each shard's capacity C / S meets the whole rate of misses.
 *
 * A shard that fails counts as one that does not answer; when too few are left for the quorum the
 * read fails, with the status of the first that failed. The value is that of the shard that has the
 * key; with a quorum below the number of shards, or in a partial answer, it may be missing, and
 * then reads as absent.
 *
 * Partial answers (Fox and Brewer, "Harvest, Yield, and Scalable Tolerant Systems", HotOS 1999).
 * With `harvestMin` above 0 % a scattered read waits until each shard has answered or failed, and
 * is answered when at least this part of them answered; 100 % refuses what is not whole. Then every
 * good answer shows the gauge `harvest`: which part of the shards is in it, in permille.
 *
 * The signal `fan-out v` changes fanOut in mid-run, for reads that come later: 1 is one, any other
 * value all.
 *
 * Not here: answers that are merged, shards that move, replicas of shards (make a shard a proxy in
 * front of a group). */
#include "../models.h"
#include "tier.h"

enum option {
    OPTION_TARGET,
    OPTION_FAN_OUT,
    OPTION_QUORUM,
    OPTION_MAX_IN_FLIGHT,
    OPTION_HARVEST_MIN,
    OPTION_COUNT,
};

static const struct sq_option options[OPTION_COUNT] = {
    [OPTION_TARGET] = {"target", SQ_OPTION_TEXT, "store", NULL,
                       "group whose nodes are the shards; the one that the group's `client` "
                       "targets"},
    [OPTION_FAN_OUT] = {"fanOut", SQ_OPTION_CHOICE, "all", "all|one",
                        "shards that a read goes to: all, or the one that has the key"},
    [OPTION_QUORUM] = {"quorum", SQ_OPTION_COUNT, "0", NULL,
                       "fanOut all: answers that are enough; 0: those of all shards"},
    [OPTION_MAX_IN_FLIGHT] = {"maxInFlight", SQ_OPTION_COUNT, "10000", NULL,
                              "requests that may wait for shards; more get `overloaded`"},
    [OPTION_HARVEST_MIN] = {"harvestMin", SQ_OPTION_PERCENT, "0%", NULL,
                            "fanOut all, without a quorum: part of the shards that an answer must "
                            "come from when the others have failed; 0%: off"},
};

enum { FAN_OUT_ALL, FAN_OUT_ONE };

/* One shard's part of a request. */
struct leg {
    struct gather *gather;
    bool has_key;
};

/* A request under way. */
struct gather {
    struct sq_reply_to reply_to;
    uint32_t open;   /* legs that are not answered yet */
    uint32_t needed; /* good answers that are still needed */
    uint32_t spare;  /* failures that can still be borne */
    uint32_t asked;  /* legs of a scattered read under harvestMin; else 0 */
    uint32_t failed; /* of them */
    bool is_answered;
    struct sq_kv_reply reply;
    enum sq_status status; /* of the first failure */
    struct leg legs[];
};

struct scatter {
    uint32_t shards;
    bool asks_all;
    int64_t in_flight;
};

static void answer(struct sq_env *env, struct gather *gather, enum sq_status status)
{
    gather->is_answered = true;
    env->call->reply(env, gather->reply_to, tier_status(status), SQ_NODE_NONE, &gather->reply,
                     status == SQ_OK ? sizeof(gather->reply) : 0);
}

/* All shards that can be in the answer are. */
static void answer_whole(struct sq_env *env, struct gather *gather)
{
    if (gather->asked > 0) {
        const uint32_t good = gather->asked - gather->failed;
        const uint64_t permille = (UINT64_C(1000) * good + gather->asked / 2) / gather->asked;
        env->trace->see(env, SQ_SEE_GAUGE, permille, 0, 0, "harvest");
    }
    answer(env, gather, SQ_OK);
}

static void on_failure(struct sq_env *env, struct gather *gather, enum sq_status status)
{
    if (gather->status == SQ_OK) {
        gather->status = status;
    }
    gather->failed++;
    if (gather->spare > 0) {
        gather->spare--;
        if (gather->asked > 0) {
            gather->needed--; /* nobody waits for it */
            if (gather->needed == 0 && !gather->is_answered) {
                answer_whole(env, gather);
            }
        }
    } else if (!gather->is_answered) {
        answer(env, gather, gather->status);
    }
}

static void on_success(struct sq_env *env, struct leg *leg, const void *data, size_t size)
{
    struct gather *gather = leg->gather;
    if (leg->has_key && size >= sizeof(gather->reply)) {
        memcpy(&gather->reply, data, sizeof(gather->reply));
    }
    if (gather->needed > 0) {
        gather->needed--;
    }
    if (gather->needed == 0 && !gather->is_answered) {
        answer_whole(env, gather);
    }
}

static void on_reply(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                     size_t size)
{
    struct leg *leg = argument;
    struct gather *gather = leg->gather;
    struct scatter *scatter = env->state;
    env->cpu->charge(env, 0, size);
    if (status == SQ_OK) {
        on_success(env, leg, data, size);
    } else {
        on_failure(env, gather, status);
    }
    gather->open--;
    if (gather->open == 0) {
        scatter->in_flight--;
        env->mem->free(env, gather);
    }
}

/* Failures of so many shards leave enough of them for an answer. */
static uint32_t spare_of(const struct sq_env *env, uint32_t legs)
{
    const uint64_t share = (uint64_t)env->options[OPTION_HARVEST_MIN].number;
    const uint32_t least = (uint32_t)((share * legs + UINT32_MAX) >> 32);
    return legs - (least > 0 ? least : 1);
}

static struct gather *gather_new(struct sq_env *env, const struct sq_request *request,
                                 uint32_t legs, bool is_scattered)
{
    struct scatter *scatter = env->state;
    const int64_t quorum = env->options[OPTION_QUORUM].number;
    struct gather *gather = env->mem->alloc(env, sizeof(*gather) + legs * sizeof(gather->legs[0]));
    *gather = (struct gather){.reply_to = request->reply_to, .open = legs, .needed = legs};
    if (quorum > 0 && quorum < legs) {
        gather->needed = (uint32_t)quorum;
        gather->spare = legs - gather->needed;
    } else if (is_scattered && env->options[OPTION_HARVEST_MIN].number > 0) {
        gather->asked = legs;
        gather->spare = spare_of(env, legs);
    }
    scatter->in_flight++;
    return gather;
}

static void on_request(struct sq_env *env, const struct sq_request *request)
{
    struct scatter *scatter = env->state;
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    if (scatter->in_flight >= env->options[OPTION_MAX_IN_FLIGHT].number) {
        env->trace->sometimes(env, "scatter.overloaded");
        env->call->reply(env, request->reply_to, SQ_E_OVERLOADED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    const bool is_scattered = kv.kind == SQ_KV_READ && scatter->asks_all;
    const uint32_t legs = is_scattered ? scatter->shards : 1;
    const uint32_t owner = tier_shard(kv.key, scatter->shards);
    struct gather *gather = gather_new(env, request, legs, is_scattered);
    env->cpu->charge(env, 1, request->size);
    for (uint32_t i = 0; i < legs; i++) {
        const uint32_t shard = is_scattered ? i : owner;
        gather->legs[i] = (struct leg){gather, shard == owner};
        env->call->call_with(env,
                             &(struct sq_call_options){.group = env->options[OPTION_TARGET].text,
                                                       .data = request->data,
                                                       .size = request->size,
                                                       .on_reply = on_reply,
                                                       .argument = &gather->legs[i],
                                                       .has_index = true,
                                                       .index = shard});
    }
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    struct scatter *scatter = env->state;
    if (strcmp(name, "fan-out") == 0) {
        scatter->asks_all = value != FAN_OUT_ONE;
    }
}

static enum sq_status boot(struct sq_env *env)
{
    struct scatter *scatter = env->mem->alloc(env, sizeof(*scatter));
    *scatter = (struct scatter){
        .shards = env->call->group_size(env, env->options[OPTION_TARGET].text),
        .asks_all = env->options[OPTION_FAN_OUT].number == FAN_OUT_ALL,
    };
    env->state = scatter;
    if (scatter->shards == 0) {
        env->trace->log(env, "target: the group's `client` has no policy for it");
        return SQ_E_INVALID;
    }
    return SQ_OK;
}

const struct sq_model model_scatter = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "scatter",
    .version = "1",
    .description = "front of a sharded group: a read asks all shards, or the one that has the key",
    .options = options,
    .option_count = OPTION_COUNT,
    .boot = boot,
    .request = on_request,
    .signal = on_signal,
};
