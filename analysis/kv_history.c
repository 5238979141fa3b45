/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * One vector of operations by id and one of objects by first use. The group in the name of an
 * object is the one that the operation's load calls; an audit's operations (load >= load_count)
 * belong to the load that they audit. A spec without loads, as unit tests have it, knows one group.
 * Grouping by object is left to the checkers: it is needed only at the end of a run, and then once.
 */
#include "analysis/kv_history.h"

#include "sim/base/base.h"

#define OPERATIONS_MAX (UINT32_C(1) << 28)
#define GROUP_SHIFT    56

void kv_history_init(struct kv_history *history)
{
    ASSERT(history != NULL);
    *history = (struct kv_history){.spec = NULL};
    vec_init(&history->operations, sizeof(struct kv_operation), OPERATIONS_MAX);
    vec_init(&history->objects, sizeof(struct kv_object), OPERATIONS_MAX);
    map_init(&history->object_of);
}

void kv_history_release(struct kv_history *history)
{
    ASSERT(history != NULL);
    vec_release(&history->operations);
    vec_release(&history->objects);
    map_release(&history->object_of);
}

void kv_history_begin(struct kv_history *history, const struct run_spec *spec)
{
    ASSERT(history != NULL);
    ASSERT(spec != NULL);
    history->spec = spec;
    vec_clear(&history->operations);
    vec_clear(&history->objects);
    map_clear(&history->object_of);
}

static uint32_t object_of(struct kv_history *history, uint32_t load, uint64_t key)
{
    const struct run_spec *spec = history->spec;
    uint32_t group = 0;
    if (spec->load_count > 0) {
        group = spec->loads[load % spec->load_count].client.target_group;
    }
    ASSERT(key < UINT64_C(1) << GROUP_SHIFT);
    uint64_t name = ((uint64_t)group << GROUP_SHIFT) | key;
    const uint64_t *known = map_find(&history->object_of, name);
    if (known != NULL) {
        return (uint32_t)*known;
    }
    uint32_t object = history->objects.count;
    struct kv_object *made = vec_push(&history->objects);
    *made = (struct kv_object){.group = group, .key = key};
    map_put(&history->object_of, name, object);
    return object;
}

bool kv_history_object(const struct kv_history *history, uint32_t group, uint64_t key,
                       uint32_t *object)
{
    const uint64_t *known = map_find(&history->object_of, ((uint64_t)group << GROUP_SHIFT) | key);
    *object = known != NULL ? (uint32_t)*known : 0;
    return known != NULL;
}

void kv_history_on_invoke(struct kv_history *history, const struct sq_operation *operation)
{
    ASSERT(operation->id == history->operations.count);
    uint32_t object = object_of(history, operation->load, operation->key);
    struct kv_operation *made = vec_push(&history->operations);
    *made = (struct kv_operation){
        .value = operation->argument,
        .start = operation->invoke_order,
        .finish = KV_PENDING,
        .invoked = operation->invoked,
        .completed = INT64_MAX,
        .object = object,
        .process = operation->process,
        .kind = (uint16_t)operation->kind,
        .outcome = SQ_OUTCOME_OPEN,
    };
}

void kv_history_on_complete(struct kv_history *history, const struct sq_operation *operation)
{
    ASSERT(operation->id < history->operations.count);
    ASSERT(operation->outcome != SQ_OUTCOME_OPEN);
    struct kv_operation *made = kv_history_at(history, operation->id);
    ASSERT(made->outcome == SQ_OUTCOME_OPEN);
    made->outcome = (uint16_t)operation->outcome;
    made->completed = operation->completed;
    if (operation->outcome == SQ_OUTCOME_OK) {
        ASSERT(operation->complete_order > made->start);
        made->finish = operation->complete_order;
        if (operation->kind == SQ_KV_READ) {
            made->value = operation->result;
        }
    }
}
