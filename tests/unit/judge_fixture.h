/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A judge with a spec made by hand, fed with events one call each. One group of nodes n1, n2, ...
 * under a made-up library; no loads, so every operation counts; time passes by 1 ms with each event
 * unless a test says otherwise. */
#ifndef SQUALL_TESTS_UNIT_JUDGE_FIXTURE_H
#define SQUALL_TESTS_UNIT_JUDGE_FIXTURE_H

#include "analysis/judge.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#define FIXTURE_CHECKS_MAX     8
#define FIXTURE_OPERATIONS_MAX 4096

struct fixture {
    struct sq_model model;
    struct spec_group group;
    struct spec_check checks[FIXTURE_CHECKS_MAX];
    struct spec_known known[2];
    struct run_spec spec;
    struct judge *judge;
    const struct sq_observer *observer;
    struct run_result result;
    int64_t now;
    uint64_t event;
    uint64_t order;
    uint64_t operation_count;
    struct sq_operation operations[FIXTURE_OPERATIONS_MAX];
};

static inline void fixture_init(struct fixture *f, uint32_t nodes)
{
    memset(f, 0, sizeof(*f));
    f->model = (struct sq_model){.name = "made-up", .version = "madeup 1.2"};
    f->group = (struct spec_group){.name = "store", .model = &f->model, .count = nodes};
    f->spec = (struct run_spec){
        .name = "fixture",
        .limit_ns = 100 * NS_PER_S,
        .window_ns = 100 * NS_PER_MS,
        .groups = &f->group,
        .group_count = 1,
        .node_count = nodes,
        .checks = f->checks,
        .known = f->known,
        .availability = {.window_ns = NS_PER_S,
                         .success_min = RNG_ALWAYS / 100 * 99,
                         .p99_max_ns = INT64_MAX},
    };
    f->judge = judge_new();
    f->observer = judge_observer(f->judge);
    result_init(&f->result);
}

static inline void fixture_release(struct fixture *f)
{
    judge_free(f->judge);
    result_release(&f->result);
}

static inline void fixture_add_check(struct fixture *f, enum spec_check_word word, const char *name)
{
    f->checks[f->spec.check_count++] = (struct spec_check){.word = word, .name = name};
}

static inline void fixture_begin(struct fixture *f)
{
    f->now = 0;
    f->event = 0;
    f->order = 0;
    f->operation_count = 0;
    judge_begin(f->judge, &f->spec, 42);
}

/* A fixture with one check, running. */
static inline void fixture_start(struct fixture *f, uint32_t nodes, const char *check)
{
    fixture_init(f, nodes);
    fixture_add_check(f, SPEC_ALWAYS, check);
    fixture_begin(f);
}

static inline void fixture_tick(struct fixture *f)
{
    f->now += NS_PER_MS;
    f->event++;
}

static inline void fixture_see(struct fixture *f, sq_node node, enum sq_see what, uint64_t a,
                               uint64_t b, uint64_t c)
{
    fixture_tick(f);
    struct sq_seen seen = {.time = f->now,
                           .event = f->event,
                           .node = node,
                           .incarnation = 1,
                           .what = what,
                           .a = a,
                           .b = b,
                           .c = c};
    f->observer->on_seen(f->observer->context, &seen);
}

static inline void fixture_life(struct fixture *f, sq_node node, enum sq_life what)
{
    fixture_tick(f);
    struct sq_life_event life = {.time = f->now, .event = f->event, .node = node, .what = what};
    f->observer->on_life(f->observer->context, &life);
}

static inline uint64_t fixture_invoke(struct fixture *f, uint32_t kind, uint64_t key,
                                      uint64_t value)
{
    fixture_tick(f);
    uint64_t id = f->operation_count++;
    f->operations[id] = (struct sq_operation){
        .id = id,
        .process = (uint32_t)id,
        .kind = kind,
        .key = key,
        .argument = value,
        .intended = f->now,
        .invoked = f->now,
        .completed = INT64_MAX,
        .invoke_order = f->order++,
        .complete_order = UINT64_MAX,
        .replied_by = SQ_NODE_NONE,
    };
    f->observer->on_invoke(f->observer->context, &f->operations[id]);
    f->operations[id].attempts = 1;
    f->observer->on_attempt(f->observer->context, &f->operations[id], f->now);
    return id;
}

static inline void fixture_complete(struct fixture *f, uint64_t id, enum sq_outcome outcome,
                                    uint64_t result)
{
    fixture_tick(f);
    struct sq_operation *operation = &f->operations[id];
    operation->outcome = outcome;
    operation->status = outcome == SQ_OUTCOME_OK ? SQ_OK : SQ_E_TIMEOUT;
    operation->completed = f->now;
    operation->complete_order = f->order++;
    operation->result = result;
    f->observer->on_complete(f->observer->context, operation);
}

static inline void fixture_write(struct fixture *f, uint64_t key, uint64_t value,
                                 enum sq_outcome outcome)
{
    fixture_complete(f, fixture_invoke(f, SQ_KV_UPDATE, key, value), outcome, 0);
}

static inline void fixture_read(struct fixture *f, uint64_t key, uint64_t value)
{
    fixture_complete(f, fixture_invoke(f, SQ_KV_READ, key, 0), SQ_OUTCOME_OK, value);
}

static inline void fixture_fault(struct fixture *f, uint32_t id, int64_t start, int64_t end)
{
    struct sq_fault_event fault = {.id = id,
                                   .name = "stall",
                                   .kind = "NodeChaos",
                                   .action = "pause",
                                   .target = "n1",
                                   .start = start,
                                   .end = end};
    f->observer->on_fault(f->observer->context, &fault);
}

static inline enum verdict fixture_finish(struct fixture *f)
{
    struct judge_end end = {.digest = 7, .events = f->event, .sim_ns = f->now, .cpu_ns = 1};
    judge_finish(f->judge, &end, &f->result);
    return f->result.verdict;
}

/* Ends the run and the fixture; the first violation's check, "" when there is none. */
static inline const char *fixture_verdict(struct fixture *f, char out[RESULT_NAME_SIZE])
{
    fixture_finish(f);
    const struct result_violation *first = result_first_violation(&f->result);
    result_copy_text(out, RESULT_NAME_SIZE, first == NULL ? "" : first->check);
    fixture_release(f);
    return out;
}

/* The run must break exactly this check. */
#define CHECK_BROKEN(fixture, name)                                                                \
    do {                                                                                           \
        char broken_[RESULT_NAME_SIZE];                                                            \
        CHECK_TEXT(fixture_verdict((fixture), broken_), (name));                                   \
    } while (0)
#define CHECK_SOUND(fixture) CHECK_BROKEN((fixture), "")

#endif
