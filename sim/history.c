/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The history is one vector of operations, index == id, kept for the whole run: an operation
 * changes in place from OPEN to its outcome, once. Each transition is recorded in the trace and
 * told to the observer in the order in which it happens; `order` counts invocations and completions
 * together, so that checkers can tell which of two events at the same nanosecond came first.
 * Attempts get no number: they decide nothing in a history.
 *
 * Words in the trace: INVOKE (id, key * 4 + kind), ATTEMPT (id, sends so far), COMPLETE (id, result
 * * 65536 + outcome * 256 + status). The value that an update writes is covered by the digest of
 * the message that carries it.
 *
 * Not here: who may invoke again after what (that is load.c), and any judgement (that is the
 * analysis). */
#include "sim/history.h"

#include "sim/base/base.h"
#include "sim/world.h"

#define OPERATIONS_MAX (UINT32_C(1) << 28)

static_assert(SQ_STATUS_COUNT <= 256, "a status fits the byte that the trace gives it");

void history_init(struct history *history, struct world *world)
{
    ASSERT(history != NULL);
    ASSERT(world != NULL);
    *history = (struct history){.world = world};
    vec_init(&history->operations, sizeof(struct sq_operation), OPERATIONS_MAX);
}

void history_release(struct history *history)
{
    ASSERT(history != NULL);
    vec_release(&history->operations);
}

void history_reset(struct history *history)
{
    ASSERT(history != NULL);
    vec_clear(&history->operations);
    history->order = 0;
}

static struct sq_operation *operation_at(const struct history *history, uint64_t id)
{
    ASSERT(id < history->operations.count);
    return vec_at(&history->operations, (uint32_t)id);
}

static void record(const struct history *history, enum trace_kind kind,
                   const struct sq_operation *operation, uint64_t extra)
{
    struct world *world = history->world;
    world_trace(world, kind, world->node_count + operation->load, operation->id, extra);
}

uint64_t history_invoke(struct history *history, const struct sq_operation *model,
                        int64_t intended_ns)
{
    const struct world *world = history->world;
    const struct sq_observer *observer = world->observer;
    ASSERT(observer != NULL);
    ASSERT(intended_ns <= world_now(world));
    ASSERT(model->kind <= 3);
    uint64_t id = history->operations.count;
    struct sq_operation *operation = vec_push(&history->operations);
    *operation = (struct sq_operation){
        .id = id,
        .load = model->load,
        .process = model->process,
        .user = model->user,
        .kind = model->kind,
        .key = model->key,
        .argument = model->argument,
        .intended = intended_ns,
        .invoked = world_now(world),
        .completed = INT64_MAX,
        .outcome = SQ_OUTCOME_OPEN,
        .status = SQ_OK,
        .invoke_order = history->order++,
        .complete_order = UINT64_MAX,
        .replied_by = SQ_NODE_NONE,
    };
    record(history, TRACE_INVOKE, operation, operation->key * 4 + operation->kind);
    if (observer->on_invoke != NULL) {
        observer->on_invoke(observer->context, operation);
    }
    return id;
}

void history_attempt(struct history *history, uint64_t id)
{
    const struct sq_observer *observer = history->world->observer;
    struct sq_operation *operation = operation_at(history, id);
    ASSERT(operation->outcome == SQ_OUTCOME_OPEN);
    operation->attempts++;
    record(history, TRACE_ATTEMPT, operation, operation->attempts);
    if (observer->on_attempt != NULL) {
        observer->on_attempt(observer->context, operation, world_now(history->world));
    }
}

void history_complete(struct history *history, uint64_t id, enum sq_outcome outcome,
                      enum sq_status status, uint64_t result, sq_node replied_by)
{
    const struct sq_observer *observer = history->world->observer;
    struct sq_operation *operation = operation_at(history, id);
    ASSERT(operation->outcome == SQ_OUTCOME_OPEN);
    ASSERT(outcome != SQ_OUTCOME_OPEN);
    ASSERT((outcome == SQ_OUTCOME_OK) == (status == SQ_OK));
    ASSERT(status < SQ_STATUS_COUNT);
    operation->outcome = outcome;
    operation->status = status;
    operation->result = result;
    operation->replied_by = replied_by;
    operation->completed = world_now(history->world);
    operation->complete_order = history->order++;
    record(history, TRACE_COMPLETE, operation, (result << 16) | ((uint64_t)outcome << 8) | status);
    if (observer->on_complete != NULL) {
        observer->on_complete(observer->context, operation);
    }
}

void history_close(struct history *history)
{
    for (uint32_t id = 0; id < history->operations.count; id++) {
        if (operation_at(history, id)->outcome == SQ_OUTCOME_OPEN) {
            history_complete(history, id, SQ_OUTCOME_INFO, SQ_E_TIMEOUT, 0, SQ_NODE_NONE);
        }
    }
}
