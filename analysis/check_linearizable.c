/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Linearizability of every key (Herlihy & Wing 1990; a history is linearizable if and only if its
 * projection on each object is, theorem 1). Judged at the end of the run, key by key: zones where
 * all written values are unique, which the built-in load sees to, else a search with a budget of
 * steps (analysis/linearizability.c). A key that uses the budget up leaves the check undecided; it
 * never counts as good.
 *
 * What goes in: reads that are OK; updates that are OK; updates with an unknown outcome as pending
 * ones. Updates that certainly failed are left out, so that reading their value is reading what
 * nobody wrote; reads that did not return say nothing. Order is that of the history (invoke_order,
 * complete_order), which also orders events of the same nanosecond. The earliest violation among
 * all keys is reported, as of the moment at which the operations that contradict each other had all
 * completed. */
#include "analysis/check.h"

#include "analysis/linearizability.h"
#include "analysis/result.h"
#include "sim/base/base.h"
#include "sim/base/text.h"

#include <inttypes.h>
#include <stdlib.h>

#define STEP_BUDGET    UINT64_C(5000000) /* of one key; a second or so */
#define OPERATIONS_MAX (UINT32_C(1) << 28)

struct linearizable {
    struct vec
        sorted; /* struct linear_operation, object after object, each in order of invocation */
    struct vec starts; /* uint32_t: where each object begins; one more at the end */
};

/* The worst key so far. */
struct finding {
    bool is_found;
    sq_time time;
    uint32_t object;
    struct linear_report report;
};

static void release(struct check *check)
{
    struct linearizable *state = check->state;
    vec_release(&state->sorted);
    vec_release(&state->starts);
}

static void begin(struct check *check)
{
    struct linearizable *state = check->state;
    if (state->sorted.item_size == 0) {
        vec_init(&state->sorted, sizeof(struct linear_operation), OPERATIONS_MAX);
        vec_init(&state->starts, sizeof(uint32_t), OPERATIONS_MAX);
    }
    vec_clear(&state->sorted);
    vec_clear(&state->starts);
}

static bool is_relevant(const struct kv_operation *operation)
{
    if (operation->kind == SQ_KV_READ) {
        return operation->outcome == SQ_OUTCOME_OK;
    }
    return operation->kind == SQ_KV_UPDATE && operation->outcome != SQ_OUTCOME_FAIL;
}

/* Counting sort by object; order of invocation is kept. */
static void group_by_object(struct linearizable *state, const struct kv_history *history)
{
    uint32_t object_count = history->objects.count;
    for (uint32_t i = 0; i < object_count + 2; i++) {
        vec_push(&state->starts);
    }
    uint32_t *starts = state->starts.items;
    uint32_t total = 0;
    for (uint32_t id = 0; id < history->operations.count; id++) {
        const struct kv_operation *operation = kv_history_at(history, id);
        if (is_relevant(operation)) {
            starts[operation->object + 2]++;
            vec_push(&state->sorted);
            total++;
        }
    }
    for (uint32_t i = 2; i < object_count + 2; i++) {
        starts[i] += starts[i - 1];
    }
    struct linear_operation *sorted = state->sorted.items;
    for (uint32_t id = 0; id < history->operations.count; id++) {
        const struct kv_operation *operation = kv_history_at(history, id);
        if (is_relevant(operation)) {
            sorted[starts[operation->object + 1]++] = (struct linear_operation){
                .id = id,
                .value = operation->value,
                .start = operation->start,
                .finish = operation->finish,
                .is_write = operation->kind == SQ_KV_UPDATE,
            };
        }
    }
    ASSERT(object_count == 0 || starts[object_count] == total);
}

/* When all operations of a report had completed, or been invoked where they never completed. */
static sq_time time_of(const struct kv_history *history, const struct linear_report *report)
{
    sq_time time = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(report->ids); i++) {
        if (report->ids[i] == LINEAR_NOBODY) {
            continue;
        }
        const struct kv_operation *operation = kv_history_at(history, report->ids[i]);
        sq_time own = operation->finish == KV_PENDING ? operation->invoked : operation->completed;
        time = own > time ? own : time;
    }
    return time;
}

static void add_operation(struct text *text, const struct kv_history *history, uint64_t id)
{
    if (id == LINEAR_NOBODY) {
        text_add(text, "the initial state");
        return;
    }
    const struct kv_operation *operation = kv_history_at(history, id);
    text_printf(text, "%s #%" PRIu64 " (client %" PRIu32 ", %" PRId64 "..",
                operation->kind == SQ_KV_READ ? "read" : "update", id, operation->process,
                operation->invoked);
    if (operation->finish == KV_PENDING) {
        text_add(text, "? ns)");
    } else {
        text_printf(text, "%" PRId64 " ns)", operation->completed);
    }
}

static void add_pair(struct text *text, const struct kv_history *history, uint64_t value,
                     const uint64_t *ids)
{
    text_printf(text, "value %" PRIu64 " was current in ", value);
    add_operation(text, history, ids[0]);
    if (ids[1] != ids[0]) {
        text_add(text, " and in ");
        add_operation(text, history, ids[1]);
    }
}

static void describe(struct text *text, const struct kv_history *history,
                     const struct finding *finding)
{
    const struct linear_report *report = &finding->report;
    const struct kv_object *object = vec_at(&history->objects, finding->object);
    text_printf(text, "key %" PRIu64 ": ", object->key);
    switch (report->reason) {
    case LINEAR_REASON_PHANTOM:
        add_operation(text, history, report->ids[0]);
        text_printf(text,
                    " returned %" PRIu64 ", which no update that may have happened has written",
                    report->values[0]);
        return;
    case LINEAR_REASON_FUTURE:
        add_operation(text, history, report->ids[0]);
        text_printf(text, " returned %" PRIu64 " before it was written by ", report->values[0]);
        add_operation(text, history, report->ids[1]);
        return;
    case LINEAR_REASON_TORN:
    case LINEAR_REASON_STALE:
        add_pair(text, history, report->values[0], report->ids);
        text_add(text, ", but ");
        add_pair(text, history, report->values[1], report->ids + 2);
        text_add(text, report->reason == LINEAR_REASON_TORN ? ": no order of the two explains both"
                                                            : " from before to after");
        return;
    case LINEAR_REASON_STUCK:
        add_operation(text, history, report->ids[0]);
        text_printf(text,
                    " of value %" PRIu64
                    " fits nowhere: %u operations can be ordered, and leave value %" PRIu64,
                    kv_history_at(history, report->ids[0])->value, report->placed,
                    report->values[0]);
        return;
    case LINEAR_REASON_NONE:
        break;
    }
    UNREACHABLE();
}

static void judge_object(struct check *check, uint32_t object, struct finding *finding)
{
    const struct linearizable *state = check->state;
    const uint32_t *starts = state->starts.items;
    const struct linear_operation *operations =
        (const struct linear_operation *)state->sorted.items + starts[object];
    uint32_t count = starts[object + 1] - starts[object];
    if (count == 0) {
        return;
    }
    struct linear_report report;
    enum linear_verdict verdict = linear_has_unique_values(operations, count)
                                      ? linear_by_zones(operations, count, &report)
                                      : linear_by_search(operations, count, STEP_BUDGET, &report);
    check->comparisons += count;
    if (verdict == LINEAR_UNKNOWN) {
        check->is_unknown = true;
    } else if (verdict == LINEAR_NO) {
        sq_time time = time_of(&check->run->history, &report);
        if (!finding->is_found || time < finding->time) {
            *finding = (struct finding){
                .is_found = true, .time = time, .object = object, .report = report};
        }
    }
}

static void finish(struct check *check)
{
    const struct kv_history *history = &check->run->history;
    group_by_object(check->state, history);
    struct finding finding = {.is_found = false};
    for (uint32_t object = 0; object < history->objects.count; object++) {
        judge_object(check, object, &finding);
    }
    if (!finding.is_found) {
        return;
    }
    struct text text;
    text_init(&text);
    describe(&text, history, &finding);
    struct check_place place = {
        .time = finding.time, .event = RESULT_EVENT_NONE, .node = SQ_NODE_NONE};
    check_violate(check, &place, "%s", text_of(&text));
    text_release(&text);
}

const struct check_ops check_linearizable = {
    .name = "linearizable",
    .description =
        "every key behaves like one register that all clients share (strict real-time order)",
    .state_size = sizeof(struct linearizable),
    .release = release,
    .begin = begin,
    .finish = finish,
};
