/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A stub in a real world whose nodes do as they are told: a request carries a script that says, for
 * each attempt, whether and when and how to answer. Links take no time, so all times are those of
 * the policy. */
#ifndef SQUALL_TESTS_UNIT_STUB_BENCH_H
#define SQUALL_TESTS_UNIT_STUB_BENCH_H

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/load.h"
#include "sim/stub.h"
#include "sim/world.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

#define MS         NS_PER_MS
#define STEPS_MAX  6
#define SENDS_MAX  512
#define PROBES_MAX 16
#define DONES_MAX  256

/* --------------------------------------------------------------------------- the scripted model */

struct step {
    uint32_t status;
    uint32_t leader;
    int64_t delay_ns; /* before the answer; -1: never */
    uint32_t copies;  /* answers besides the first */
    uint32_t chance;  /* out of 2^32 that it is this step, and not SQ_OK at once; 0: always */
    uint32_t is_push; /* with pushback */
    int64_t retry_after_ns;
};

/* Attempt n follows step n, or the last one. */
struct script {
    uint32_t count;
    uint32_t unused;
    struct step steps[STEPS_MAX];
};

struct answer {
    struct sq_reply_to to;
    struct step step;
};

static inline enum sq_status scripted_boot(struct sq_env *env)
{
    env->state = env;
    return SQ_OK;
}

static inline void give(struct sq_env *env, const struct answer *answer)
{
    uint64_t data = (uint64_t)env->self << 32 | answer->to.attempt;
    for (uint32_t i = 0; i <= answer->step.copies; i++) {
        env->call->reply_with(env, &(struct sq_reply_options){
                                       .to = answer->to,
                                       .status = (enum sq_status)answer->step.status,
                                       .has_leader = answer->step.leader != SQ_NODE_NONE,
                                       .leader = answer->step.leader,
                                       .data = &data,
                                       .size = sizeof(data),
                                       .has_retry_after = answer->step.is_push != 0,
                                       .retry_after = answer->step.retry_after_ns,
                                   });
    }
}

static inline void scripted_request(struct sq_env *env, const struct sq_request *request)
{
    struct script script;
    ASSERT(request->size >= sizeof(script));
    memcpy(&script, request->data, sizeof(script));
    uint32_t attempt = request->reply_to.attempt;
    uint32_t at = attempt < script.count ? attempt - 1 : script.count - 1;
    struct answer answer = {request->reply_to, script.steps[at]};
    if (answer.step.chance > 0 && env->rand->u64(env) >> 32 >= answer.step.chance) {
        answer.step = (struct step){.status = SQ_OK, .leader = SQ_NODE_NONE};
    }
    if (answer.step.delay_ns == 0) {
        give(env, &answer);
    } else if (answer.step.delay_ns > 0) {
        struct answer *later = env->mem->alloc(env, sizeof(*later));
        *later = answer;
        env->clock->start(env, answer.step.delay_ns, (uint64_t)(uintptr_t)later);
    }
}

static inline void scripted_timer(struct sq_env *env, uint64_t tag)
{
    struct answer *answer = (struct answer *)(uintptr_t)tag;
    give(env, answer);
    env->mem->free(env, answer);
}

static const struct sq_model scripted = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "scripted",
    .boot = scripted_boot,
    .request = scripted_request,
    .timer = scripted_timer,
};

/* ------------------------------------------------------------------------------------ the bench */

struct sent {
    int64_t time_ns;
    uint32_t node;
};

struct done {
    int64_t time_ns;
    uint64_t word;
    struct stub_result result;
    uint64_t data;
};

/* How often a probe was hit. */
struct probe_count {
    const char *name;
    uint32_t count;
};

struct bench {
    struct trace_sink sink; /* first */
    struct sq_observer observer;
    struct probe_count probes[PROBES_MAX];
    uint32_t timeouts;
    uint32_t unwanted;
    bool is_quiet;       /* what is sent and done is counted, not kept */
    int64_t slow_ns;     /* and calls that took longer than this, */
    uint32_t slow_count; /* when their word is the time at which they began */
    struct run_spec spec;
    struct spec_group group;
    struct spec_load load;
    struct world *world;
    struct stub *stub;
    struct script chain; /* what on_done calls next, if count > 0 */
    struct sent sends[SENDS_MAX];
    uint32_t send_count;
    struct done dones[DONES_MAX];
    uint32_t done_count;
    uint32_t ok_count;
    uint32_t attempt_count;
};

static inline void on_record(struct trace_sink *sink, uint64_t number,
                             const struct trace_record *record, const char *text)
{
    struct bench *bench = (struct bench *)sink;
    (void)number;
    (void)text;
    if (record->kind == TRACE_SEND && record->node == bench->spec.node_count) {
        if (!bench->is_quiet) {
            ASSERT(bench->send_count < SENDS_MAX);
            bench->sends[bench->send_count] =
                (struct sent){record->time_ns, (uint32_t)(record->word >> 32)};
        }
        bench->send_count++;
    }
}

static inline void on_probe(void *context, sq_node node, sq_time time, const char *name)
{
    struct bench *bench = context;
    (void)time;
    ASSERT(node == SQ_NODE_NONE);
    uint32_t at = 0;
    while (bench->probes[at].name != NULL && strcmp(bench->probes[at].name, name) != 0) {
        at++;
        ASSERT(at < PROBES_MAX);
    }
    bench->probes[at].name = name;
    bench->probes[at].count++;
}

static inline void on_time_out(void *context, uint32_t load, sq_time now)
{
    struct bench *bench = context;
    (void)load;
    (void)now;
    bench->timeouts++;
}

static inline void on_unwanted(void *context, uint32_t load, sq_time now)
{
    struct bench *bench = context;
    (void)load;
    (void)now;
    bench->unwanted++;
}

/* How often the probe was hit so far. */
static inline uint32_t probed(const struct bench *bench, const char *name)
{
    for (uint32_t i = 0; i < PROBES_MAX && bench->probes[i].name != NULL; i++) {
        if (strcmp(bench->probes[i].name, name) == 0) {
            return bench->probes[i].count;
        }
    }
    return 0;
}

/* A policy without retries: one second of patience, to node 0 first. */
static inline struct spec_client policy_plain(void)
{
    return (struct spec_client){
        .deadline_ns = INT64_MAX,
        .timeout_ns = 100 * MS,
        .route = SPEC_ROUTE_FIRST,
        .attempts_max = 1,
        .backoff_multiplier_milli = 2000,
        .retry_on = ~UINT64_C(1),
    };
}

/* Nodes of a model of the test's own. */
static inline struct bench *bench_new_with(const struct sq_model *model, uint32_t nodes,
                                           struct spec_client policy, uint64_t seed)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ASSERT(bench != NULL);
    bench->group = (struct spec_group){
        .name = "store",
        .model = model,
        .model_name = model->name,
        .count = nodes,
        .nodes_per_host = 1,
        .host = {.cores = 1, .queue_limit = 100000},
    };
    bench->load = (struct spec_load){
        .name = "t",
        .executor = SPEC_CONSTANT_ARRIVAL_RATE,
        .duration_ns = INT64_MAX,
        .record_count = 1,
        .client = policy,
    };
    bench->spec = (struct run_spec){
        .name = "stub",
        .disk = {.capacity_bytes = INT64_MAX, .sector_bytes = 4096},
        .limit_ns = 1000 * NS_PER_S,
        .event_limit = UINT64_MAX,
        .groups = &bench->group,
        .group_count = 1,
        .node_count = nodes,
        .loads = &bench->load,
        .load_count = 1,
    };
    bench->world = world_new();
    bench->sink.on_record = on_record;
    bench->observer = (struct sq_observer){.context = bench,
                                           .on_sometimes = on_probe,
                                           .on_timeout = on_time_out,
                                           .on_unwanted = on_unwanted};
    world_reset(bench->world, &bench->spec, seed, &bench->observer);
    trace_sink_add(&bench->world->trace, &bench->sink);
    bench->stub = load_stub(bench->world->loads[0]);
    world_run(bench->world, 0, UINT64_MAX); /* the nodes are up */
    return bench;
}

static inline struct bench *bench_new(uint32_t nodes, struct spec_client policy, uint64_t seed)
{
    return bench_new_with(&scripted, nodes, policy, seed);
}

static inline void bench_free(struct bench *bench)
{
    world_free(bench->world);
    free(bench);
}

static inline void bench_call(struct bench *bench, const struct script *script, int64_t intended_ns,
                              uint64_t word);

static inline void on_attempt(void *context, uint64_t word)
{
    struct bench *bench = context;
    (void)word;
    bench->attempt_count++;
}

static inline void on_done(void *context, uint64_t word, const struct stub_result *result)
{
    struct bench *bench = context;
    ASSERT(bench->is_quiet || bench->done_count < DONES_MAX);
    struct done *done = &bench->dones[bench->is_quiet ? 0 : bench->done_count];
    bench->done_count++;
    bench->ok_count += result->status == SQ_OK ? 1 : 0;
    bench->slow_count += world_now(bench->world) - (int64_t)word > bench->slow_ns ? 1 : 0;
    *done = (struct done){.time_ns = world_now(bench->world), .word = word, .result = *result};
    if (result->size == sizeof(done->data)) {
        memcpy(&done->data, result->data, sizeof(done->data));
    }
    if (bench->chain.count > 0) {
        struct script script = bench->chain;
        bench->chain.count = 0;
        bench_call(bench, &script, world_now(bench->world), word + 1);
    }
}

static inline void bench_call(struct bench *bench, const struct script *script, int64_t intended_ns,
                              uint64_t word)
{
    stub_call(bench->stub, &(struct stub_call_options){
                               .data = script,
                               .size = sizeof(*script),
                               .intended_ns = intended_ns,
                               .on_attempt = on_attempt,
                               .on_done = on_done,
                               .context = bench,
                               .word = word,
                           });
}

static inline void bench_run(struct bench *bench, int64_t until_ns)
{
    world_run(bench->world, until_ns, UINT64_MAX);
}

static inline void nothing(void *context, struct sched_event *event)
{
    (void)context;
    (void)event;
}

/* Runs and leaves the clock exactly there. */
static inline void bench_advance(struct bench *bench, int64_t until_ns)
{
    struct sched_event *event = sched_push(&bench->world->sched, until_ns, NULL);
    event->fire = nothing;
    bench_run(bench, until_ns);
    ASSERT(world_now(bench->world) == until_ns);
}

static inline struct script script_of(uint32_t count, const struct step *steps)
{
    struct script script = {.count = count};
    ASSERT(count >= 1);
    ASSERT(count <= STEPS_MAX);
    memcpy(script.steps, steps, count * sizeof(*steps));
    return script;
}

#define SCRIPT(...)                                                                                \
    script_of((uint32_t)(sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step)),              \
              (struct step[]){__VA_ARGS__})
#define SAY(status)                                                                                \
    {                                                                                              \
        (status), SQ_NODE_NONE, 0, 0, 0, 0, 0                                                      \
    }
#define LATE(status, delay)                                                                        \
    {                                                                                              \
        (status), SQ_NODE_NONE, (delay), 0, 0, 0, 0                                                \
    }
#define HINT(node)                                                                                 \
    {                                                                                              \
        SQ_E_NOT_LEADER, (node), 0, 0, 0, 0, 0                                                     \
    }
#define SILENT                                                                                     \
    {                                                                                              \
        SQ_OK, SQ_NODE_NONE, -1, 0, 0, 0, 0                                                        \
    }
#define PUSH(status, delay, after)                                                                 \
    {                                                                                              \
        (status), SQ_NODE_NONE, (delay), 0, 0, 1, (after)                                          \
    }
#define NEVER (-1)

/* One call at time 0, run until it is done (or for 900 s). */
static inline struct bench *bench_once(uint32_t nodes, struct spec_client policy, uint64_t seed,
                                       struct script script)
{
    struct bench *bench = bench_new(nodes, policy, seed);
    bench_call(bench, &script, 0, 7);
    while (bench->done_count == 0 && world_now(bench->world) < 900 * NS_PER_S) {
        if (sched_next_time(&bench->world->sched) == INT64_MAX) {
            break;
        }
        world_run(bench->world, 900 * NS_PER_S, world_event(bench->world) + 1);
    }
    return bench;
}

static inline void check_sends(const struct bench *bench, uint32_t count, const int64_t *times_ns)
{
    CHECK_EQUAL(bench->send_count, count);
    for (uint32_t i = 0; i < count && i < bench->send_count; i++) {
        CHECK_EQUAL(bench->sends[i].time_ns, times_ns[i]);
    }
}
#define CHECK_SENDS(bench, ...)                                                                    \
    check_sends(bench, (uint32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),             \
                (int64_t[]){__VA_ARGS__})

static inline void check_nodes(const struct bench *bench, uint32_t count, const uint32_t *nodes)
{
    CHECK_EQUAL(bench->send_count, count);
    for (uint32_t i = 0; i < count && i < bench->send_count; i++) {
        CHECK_EQUAL(bench->sends[i].node, nodes[i]);
    }
}
#define CHECK_NODES(bench, ...)                                                                    \
    check_nodes(bench, (uint32_t)(sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)),           \
                (uint32_t[]){__VA_ARGS__})

static inline struct spec_client policy_retry(enum spec_backoff backoff, int64_t initial_ns,
                                              int64_t max_ns, uint32_t attempts)
{
    struct spec_client policy = policy_plain();
    policy.attempts_max = attempts;
    policy.backoff = backoff;
    policy.backoff_initial_ns = initial_ns;
    policy.backoff_max_ns = max_ns;
    return policy;
}

#endif
