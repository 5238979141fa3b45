/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A group `target` of the test's own behind a front under test: its nodes count what reaches them
 * and answer when and how the test says; and a load on the front, in a laboratory (server_lab.h).
 */
#ifndef SQUALL_TESTS_UNIT_TARGET_LAB_H
#define SQUALL_TESTS_UNIT_TARGET_LAB_H

#include "tests/unit/harness.h"
#include "tests/unit/server_lab.h"

#define TARGETS_MAX 16
#define ORDER_MAX   4096

static struct {
    uint32_t requests[TARGETS_MAX];
    uint32_t order[ORDER_MAX]; /* nodes, as requests came */
    uint32_t count;
    /* What the test wants of each node: */
    sq_time delay[TARGETS_MAX];
    bool is_silent[TARGETS_MAX];
    enum sq_status status[TARGETS_MAX];
    bool has_values; /* a read finds the key plus one, whoever is asked */
} targets;

struct target_job {
    struct sq_reply_to reply_to;
    uint32_t node;
    uint64_t key;
};

static void target_work(struct sq_env *env, void *argument)
{
    struct target_job *job = argument;
    const struct sq_kv_reply reply = {targets.has_values ? job->key + 1 : 0};
    const enum sq_status status = targets.status[job->node];
    env->clock->sleep(env, targets.delay[job->node]);
    env->call->reply(env, job->reply_to, status, SQ_NODE_NONE, &reply,
                     status == SQ_OK ? sizeof(reply) : 0);
    env->mem->free(env, job);
}

static void target_request(struct sq_env *env, const struct sq_request *request)
{
    const uint32_t node = env->self - env->group_first;
    struct sq_kv_request kv;
    ASSERT(node < TARGETS_MAX);
    ASSERT(sq_kv_decode(request->data, request->size, &kv));
    targets.requests[node]++;
    if (targets.count < ORDER_MAX) {
        targets.order[targets.count] = node;
    }
    targets.count++;
    if (!targets.is_silent[node]) {
        struct target_job *job = env->mem->alloc(env, sizeof(*job));
        *job = (struct target_job){request->reply_to, node, kv.key};
        env->fiber->spawn(env, target_work, job);
    }
}

static enum sq_status target_boot(struct sq_env *env)
{
    (void)env;
    return SQ_OK;
}

static const struct sq_model target_model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "target",
    .version = "test",
    .description = "counts what reaches it",
    .boot = target_boot,
    .request = target_request,
};

/* Nothing is asked of the targets. */
static inline void targets_reset(void)
{
    memset(&targets, 0, sizeof(targets));
}

struct target_run {
    const char *model; /* of the front */
    const char *front; /* its options but `target` */
    uint32_t nodes;    /* of the target */
    const char *rate;  /* "100/s", evenly spaced */
    double limit_s;
    double timeout_s;        /* of the load; 0: 10 s */
    double target_timeout_s; /* of the front; 0: 10 s */
    const char *keys;        /* "recordCount: 100, ..."; NULL: reads of a hundred keys */
    const char *faults;
};

/* Runs it; what came of it is in `lab` (to be freed) and in `targets`. */
static inline bool target_play(struct lab *lab, struct target_run run,
                               const struct sq_observer *observer)
{
    char groups[2048];
    char load[512];
    char host[256];
    snprintf(host, sizeof(host), LAB_HOST, 1);
    snprintf(groups, sizeof(groups),
             "system:\n  %s\n  groups:\n"
             "    - name: front\n      model: %s\n      nodes: 1\n"
             "      options: {target: target, %s}\n"
             "      client: {target: target, timeout: %.0fms, deadline: none, route: first, "
             "retry: {preset: none}}\n"
             "    - {name: target, model: target, nodes: %u}\n",
             host, run.model, run.front,
             run.target_timeout_s > 0 ? run.target_timeout_s * 1e3 : 1e4, run.nodes);
    snprintf(load, sizeof(load),
             "{executor: constant-arrival-rate, rate: %s, arrivals: uniform, target: front, "
             "workload: {%s}}",
             run.rate,
             run.keys != NULL ? run.keys
                              : "recordCount: 100, requestDistribution: uniform, readProportion: "
                                "100%, updateProportion: 0%");
    return lab_run(lab,
                   (struct lab_options){.groups = groups,
                                        .load = load,
                                        .limit_s = run.limit_s,
                                        .timeout_s = run.timeout_s > 0 ? run.timeout_s : 10,
                                        .faults = run.faults,
                                        .seed = 1,
                                        .extra = &target_model},
                   observer);
}

/* The same where the scenario must be right and nothing is to be seen. */
static inline void target_must_play(struct lab *lab, struct target_run run)
{
    if (!target_play(lab, run, NULL)) {
        CHECK(!"the scenario is right");
    }
}

#endif
