/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The history of a real world that has one node, no load of its own, and an observer that writes
 * everything down. */
#include "sim/history.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/world.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

#define TOLD_MAX 64

enum told_kind {
    TOLD_INVOKE,
    TOLD_ATTEMPT,
    TOLD_COMPLETE,
    TOLD_RECORD,
};

struct told {
    enum told_kind kind;
    struct sq_operation operation;
    int64_t now_ns;
    struct trace_record record;
};

struct bench {
    struct trace_sink sink; /* first */
    struct run_spec spec;
    struct spec_group group;
    struct spec_load loads[2];
    struct sq_observer observer;
    struct world *world;
    struct history *history;
    struct told told[TOLD_MAX];
    uint32_t told_count;
};

static struct told *tell(struct bench *bench, enum told_kind kind)
{
    ASSERT(bench->told_count < TOLD_MAX);
    struct told *told = &bench->told[bench->told_count];
    bench->told_count++;
    *told = (struct told){.kind = kind, .now_ns = world_now(bench->world)};
    return told;
}

static void on_invoke(void *context, const struct sq_operation *operation)
{
    tell(context, TOLD_INVOKE)->operation = *operation;
}

static void on_attempt(void *context, const struct sq_operation *operation, sq_time now)
{
    struct told *told = tell(context, TOLD_ATTEMPT);
    told->operation = *operation;
    told->now_ns = now;
}

static void on_complete(void *context, const struct sq_operation *operation)
{
    tell(context, TOLD_COMPLETE)->operation = *operation;
}

static void on_record(struct trace_sink *sink, uint64_t number, const struct trace_record *record,
                      const char *text)
{
    (void)number;
    (void)text;
    if (record->kind == TRACE_INVOKE || record->kind == TRACE_ATTEMPT ||
        record->kind == TRACE_COMPLETE) {
        tell((struct bench *)sink, TOLD_RECORD)->record = *record;
    }
}

static enum sq_status idle_boot(struct sq_env *env)
{
    env->state = env;
    return SQ_OK;
}

static const struct sq_model idle = {.abi_version = SQ_ABI_VERSION,
                                     .size = sizeof(struct sq_model),
                                     .name = "idle",
                                     .boot = idle_boot};

static struct bench *bench_new(void)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    ASSERT(bench != NULL);
    bench->group = (struct spec_group){
        .name = "idle",
        .model = &idle,
        .count = 1,
        .nodes_per_host = 1,
        .host = {.cores = 1, .queue_limit = 10},
    };
    for (uint32_t i = 0; i < 2; i++) {
        bench->loads[i] = (struct spec_load){
            .name = "none",
            .record_count = 1,
            .client = {.deadline_ns = INT64_MAX, .timeout_ns = NS_PER_S, .attempts_max = 1},
        };
    }
    bench->spec = (struct run_spec){
        .name = "history",
        .disk = {.capacity_bytes = INT64_MAX, .sector_bytes = 4096},
        .limit_ns = 100 * NS_PER_S,
        .event_limit = UINT64_MAX,
        .groups = &bench->group,
        .group_count = 1,
        .node_count = 1,
        .loads = bench->loads,
        .load_count = 2,
    };
    bench->observer = (struct sq_observer){bench, on_invoke, on_attempt, on_complete, NULL, NULL,
                                           NULL,  NULL,      NULL,       NULL,        NULL};
    bench->world = world_new();
    bench->history = &bench->world->history;
    bench->sink.on_record = on_record;
    trace_sink_add(&bench->world->trace, &bench->sink);
    world_reset(bench->world, &bench->spec, 1, &bench->observer);
    return bench;
}

static void bench_free(struct bench *bench)
{
    world_free(bench->world);
    free(bench);
}

static void nothing(void *context, struct sched_event *event)
{
    (void)context;
    (void)event;
}

static void bench_advance(struct bench *bench, int64_t until_ns)
{
    struct sched_event *event = sched_push(&bench->world->sched, until_ns, NULL);
    event->fire = nothing;
    world_run(bench->world, until_ns, UINT64_MAX);
    ASSERT(world_now(bench->world) == until_ns);
}

static const struct sq_operation *bench_at(const struct bench *bench, uint32_t id)
{
    return vec_at(&bench->history->operations, id);
}

static const struct sq_operation read_of_5 = {
    .load = 1, .process = 7, .kind = SQ_KV_READ, .key = 5};
static const struct sq_operation update_of_6 = {
    .load = 0, .process = 9, .kind = SQ_KV_UPDATE, .key = 6, .argument = 77};

TEST(history, an_invoked_operation_is_open)
{
    struct bench *bench = bench_new();
    bench_advance(bench, 50);
    CHECK_EQUAL(history_invoke(bench->history, &update_of_6, 30), 0);
    const struct sq_operation *operation = bench_at(bench, 0);
    CHECK_EQUAL(operation->id, 0);
    CHECK_EQUAL(operation->load, 0);
    CHECK_EQUAL(operation->process, 9);
    CHECK_EQUAL(operation->kind, SQ_KV_UPDATE);
    CHECK_EQUAL(operation->key, 6);
    CHECK_EQUAL(operation->argument, 77);
    CHECK_EQUAL(operation->intended, 30);
    CHECK_EQUAL(operation->invoked, 50);
    CHECK_EQUAL(operation->completed, INT64_MAX);
    CHECK_EQUAL(operation->outcome, SQ_OUTCOME_OPEN);
    CHECK_EQUAL(operation->attempts, 0);
    CHECK(operation->complete_order == UINT64_MAX);
    CHECK_EQUAL(operation->replied_by, SQ_NODE_NONE);
    bench_free(bench);
}

TEST(history, only_what_the_model_gives_is_taken_from_it)
{
    struct bench *bench = bench_new();
    struct sq_operation model = read_of_5;
    model.id = 99;
    model.attempts = 3;
    model.result = 4;
    model.outcome = SQ_OUTCOME_FAIL;
    model.completed = 5;
    model.invoke_order = 6;
    history_invoke(bench->history, &model, 0);
    const struct sq_operation *operation = bench_at(bench, 0);
    CHECK_EQUAL(operation->id, 0);
    CHECK_EQUAL(operation->attempts, 0);
    CHECK_EQUAL(operation->result, 0);
    CHECK_EQUAL(operation->outcome, SQ_OUTCOME_OPEN);
    CHECK_EQUAL(operation->completed, INT64_MAX);
    CHECK_EQUAL(operation->invoke_order, 0);
    bench_free(bench);
}

TEST(history, orders_count_invocations_and_completions_together)
{
    struct bench *bench = bench_new();
    for (uint64_t id = 0; id < 3; id++) {
        CHECK_EQUAL(history_invoke(bench->history, &read_of_5, 0), id);
    }
    history_attempt(bench->history, 1); /* has no number */
    history_complete(bench->history, 1, SQ_OUTCOME_OK, SQ_OK, 8, 0);
    history_invoke(bench->history, &read_of_5, 0);
    history_complete(bench->history, 0, SQ_OUTCOME_FAIL, SQ_E_REFUSED, 0, 0);
    CHECK_EQUAL(bench_at(bench, 0)->invoke_order, 0);
    CHECK_EQUAL(bench_at(bench, 1)->invoke_order, 1);
    CHECK_EQUAL(bench_at(bench, 2)->invoke_order, 2);
    CHECK_EQUAL(bench_at(bench, 1)->complete_order, 3);
    CHECK_EQUAL(bench_at(bench, 3)->invoke_order, 4);
    CHECK_EQUAL(bench_at(bench, 0)->complete_order, 5);
    bench_free(bench);
}

TEST(history, a_completion_says_when_how_and_by_whom)
{
    struct bench *bench = bench_new();
    history_invoke(bench->history, &read_of_5, 0);
    bench_advance(bench, 900);
    history_complete(bench->history, 0, SQ_OUTCOME_OK, SQ_OK, 123, 2);
    const struct sq_operation *operation = bench_at(bench, 0);
    CHECK_EQUAL(operation->outcome, SQ_OUTCOME_OK);
    CHECK_EQUAL(operation->status, SQ_OK);
    CHECK_EQUAL(operation->result, 123);
    CHECK_EQUAL(operation->replied_by, 2);
    CHECK_EQUAL(operation->completed, 900);
    bench_free(bench);
}

TEST(history, the_observer_hears_every_transition_after_the_trace)
{
    struct bench *bench = bench_new();
    history_invoke(bench->history, &read_of_5, 0);
    bench_advance(bench, 10);
    history_attempt(bench->history, 0);
    history_attempt(bench->history, 0);
    history_complete(bench->history, 0, SQ_OUTCOME_INFO, SQ_E_TIMEOUT, 0, SQ_NODE_NONE);
    static const enum told_kind kinds[] = {TOLD_RECORD, TOLD_INVOKE,  TOLD_RECORD, TOLD_ATTEMPT,
                                           TOLD_RECORD, TOLD_ATTEMPT, TOLD_RECORD, TOLD_COMPLETE};
    REQUIRE(bench->told_count == ARRAY_COUNT(kinds));
    for (uint32_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        CHECK_EQUAL(bench->told[i].kind, kinds[i]);
    }
    CHECK_EQUAL(bench->told[1].operation.outcome, SQ_OUTCOME_OPEN);
    CHECK_EQUAL(bench->told[3].operation.attempts, 1);
    CHECK_EQUAL(bench->told[5].operation.attempts, 2);
    CHECK_EQUAL(bench->told[5].now_ns, 10);
    CHECK_EQUAL(bench->told[7].operation.outcome, SQ_OUTCOME_INFO);
    CHECK_EQUAL(bench->told[7].operation.completed, 10);
    bench_free(bench);
}

TEST(history, trace_records_name_the_load_and_the_operation)
{
    struct bench *bench = bench_new();
    history_invoke(bench->history, &update_of_6, 0);
    history_invoke(bench->history, &read_of_5, 0);
    history_attempt(bench->history, 1);
    history_complete(bench->history, 1, SQ_OUTCOME_OK, SQ_OK, 3, 0);
    REQUIRE(bench->told_count == 8);
    CHECK_EQUAL(bench->told[0].record.node, 1); /* node_count + load 0 */
    CHECK_EQUAL(bench->told[2].record.node, 2);
    CHECK_EQUAL(bench->told[2].record.kind, TRACE_INVOKE);
    CHECK_EQUAL(bench->told[2].record.word, 1);
    CHECK_EQUAL(bench->told[2].record.extra, 5 * 4 + SQ_KV_READ);
    CHECK_EQUAL(bench->told[4].record.kind, TRACE_ATTEMPT);
    CHECK_EQUAL(bench->told[4].record.extra, 1);
    CHECK_EQUAL(bench->told[6].record.kind, TRACE_COMPLETE);
    CHECK_EQUAL(bench->told[6].record.word, 1);
    CHECK_EQUAL(bench->told[6].record.extra, 3 * 65536 + SQ_OUTCOME_OK * 256 + SQ_OK);
    bench_free(bench);
}

TEST(history, the_digest_depends_on_key_outcome_status_and_result)
{
    struct bench *bench = bench_new();
    uint64_t digests[6];
    for (uint32_t i = 0; i < 6; i++) {
        struct sq_operation model = read_of_5;
        world_reset(bench->world, &bench->spec, 1, NULL);
        model.key = i == 1 ? 4 : 5;
        enum sq_outcome outcome = i >= 2 && i <= 3 ? SQ_OUTCOME_INFO : SQ_OUTCOME_OK;
        outcome = i == 4 ? SQ_OUTCOME_FAIL : outcome;
        enum sq_status status = outcome == SQ_OUTCOME_OK ? SQ_OK : SQ_E_TIMEOUT;
        status = i == 3 ? SQ_E_CRASH : status;
        history_invoke(bench->history, &model, 0);
        history_complete(bench->history, 0, outcome, status, i == 5 ? 9 : 8, 0);
        digests[i] = world_digest(bench->world);
        for (uint32_t j = 0; j < i; j++) {
            CHECK(digests[i] != digests[j]);
        }
    }
    bench_free(bench);
}

TEST(history, an_observer_may_leave_out_anything)
{
    struct bench *bench = bench_new();
    const struct sq_observer nobody = {0};
    world_reset(bench->world, &bench->spec, 1, &nobody);
    history_invoke(bench->history, &read_of_5, 0);
    history_attempt(bench->history, 0);
    history_complete(bench->history, 0, SQ_OUTCOME_FAIL, SQ_E_ABORT, 0, 0);
    CHECK_EQUAL(bench_at(bench, 0)->attempts, 1);
    CHECK_EQUAL(bench_at(bench, 0)->status, SQ_E_ABORT);
    bench_free(bench);
}

TEST(history, closing_leaves_no_operation_open_in_order_of_id)
{
    struct bench *bench = bench_new();
    for (uint32_t i = 0; i < 5; i++) {
        history_invoke(bench->history, &read_of_5, 0);
    }
    history_complete(bench->history, 3, SQ_OUTCOME_OK, SQ_OK, 1, 0);
    history_complete(bench->history, 1, SQ_OUTCOME_FAIL, SQ_E_REFUSED, 0, 0);
    bench_advance(bench, 700);
    world_finish(bench->world);
    const uint64_t ids[] = {0, 2, 4};
    for (uint32_t i = 0; i < ARRAY_COUNT(ids); i++) {
        const struct sq_operation *operation = bench_at(bench, (uint32_t)ids[i]);
        CHECK_EQUAL(operation->outcome, SQ_OUTCOME_INFO);
        CHECK_EQUAL(operation->status, SQ_E_TIMEOUT);
        CHECK_EQUAL(operation->completed, 700);
        CHECK_EQUAL(operation->complete_order, 7 + i);
        CHECK_EQUAL(operation->replied_by, SQ_NODE_NONE);
    }
    CHECK_EQUAL(bench_at(bench, 3)->outcome, SQ_OUTCOME_OK);
    CHECK_EQUAL(bench_at(bench, 1)->outcome, SQ_OUTCOME_FAIL);
    uint32_t told = bench->told_count;
    world_finish(bench->world); /* nothing is left to close */
    CHECK_EQUAL(bench->told_count, told);
    bench_free(bench);
}

TEST(history, a_reset_forgets_everything)
{
    struct bench *bench = bench_new();
    history_invoke(bench->history, &read_of_5, 0);
    history_complete(bench->history, 0, SQ_OUTCOME_OK, SQ_OK, 1, 0);
    history_reset(bench->history);
    CHECK_EQUAL(bench->history->operations.count, 0);
    CHECK_EQUAL(history_invoke(bench->history, &read_of_5, 0), 0);
    CHECK_EQUAL(bench_at(bench, 0)->invoke_order, 0);
    CHECK_EQUAL(bench_at(bench, 0)->result, 0);
    bench_free(bench);
}

TEST(history, thousands_of_operations_keep_dense_ids)
{
    struct bench *bench = bench_new();
    bench->world->trace.sinks = NULL;
    world_reset(bench->world, &bench->spec, 1, NULL);
    for (uint64_t id = 0; id < 5000; id++) {
        if (history_invoke(bench->history, &read_of_5, 0) != id) {
            CHECK_EQUAL(id, UINT64_MAX);
        }
    }
    for (uint64_t id = 5000; id > 0; id--) {
        history_complete(bench->history, id - 1, SQ_OUTCOME_OK, SQ_OK, id, 0);
    }
    CHECK_EQUAL(bench_at(bench, 4321)->result, 4322);
    CHECK_EQUAL(bench_at(bench, 4999)->complete_order, 5000);
    CHECK_EQUAL(bench_at(bench, 0)->complete_order, 9999);
    bench_free(bench);
}
