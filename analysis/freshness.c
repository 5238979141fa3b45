/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Decided at each read, from S of its object, which is kept up to date. Memory grows with the
 * operations of a run, as the history does. */
#include "analysis/freshness.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#define OBJECTS_MAX (UINT32_C(1) << 28)
#define NOBODY      UINT64_MAX

void freshness_init(struct freshness *freshness)
{
    *freshness = (struct freshness){0};
    vec_init(&freshness->objects, sizeof(uint64_t), OBJECTS_MAX);
    vec_init(&freshness->operations, sizeof(uint64_t), OBJECTS_MAX);
    map_init(&freshness->writer_of);
}

void freshness_release(struct freshness *freshness)
{
    vec_release(&freshness->objects);
    vec_release(&freshness->operations);
    map_release(&freshness->writer_of);
}

void freshness_begin(struct freshness *freshness)
{
    vec_clear(&freshness->objects);
    vec_clear(&freshness->operations);
    map_clear(&freshness->writer_of);
}

static uint64_t name_of(const struct kv_operation *operation)
{
    return hash_mix(operation->object + UINT64_C(1), operation->value);
}

void freshness_on_invoke(struct freshness *freshness, const struct kv_history *history, uint64_t id)
{
    const struct kv_operation *mine = kv_history_at(history, id);
    const uint64_t nobody = NOBODY;
    ASSERT(id == freshness->operations.count);
    while (freshness->objects.count <= mine->object) {
        vec_append(&freshness->objects, &nobody);
    }
    vec_append(&freshness->operations, vec_at(&freshness->objects, mine->object));
    if (mine->kind == SQ_KV_UPDATE) {
        uint64_t name = name_of(mine);
        bool is_again = map_find(&freshness->writer_of, name) != NULL;
        map_put(&freshness->writer_of, name, is_again ? NOBODY : id);
    }
}

/* Was the value that `read` saw certainly overwritten before it was invoked, by `update`? */
static bool is_stale(const struct freshness *freshness, const struct kv_history *history,
                     const struct kv_operation *read, const struct kv_operation *update)
{
    const uint64_t *writer = map_find(&freshness->writer_of, name_of(read));
    if (read->value == 0) {
        return writer == NULL;
    }
    if (writer == NULL || *writer == NOBODY) {
        return false; /* never written, or not by one: for `linearizable` to judge */
    }
    const struct kv_operation *write = kv_history_at(history, *writer);
    return write->finish < update->start; /* a pending one finishes after everything */
}

struct freshness_verdict freshness_on_complete(struct freshness *freshness,
                                               const struct kv_history *history, uint64_t id)
{
    const struct kv_operation *mine = kv_history_at(history, id);
    struct freshness_verdict verdict = {.update = NOBODY};
    if (mine->outcome != SQ_OUTCOME_OK) {
        return verdict;
    }
    if (mine->kind == SQ_KV_UPDATE) {
        uint64_t *latest = vec_at(&freshness->objects, mine->object);
        if (*latest == NOBODY || kv_history_at(history, *latest)->start < mine->start) {
            *latest = id;
        }
        return verdict;
    }
    verdict.update = *(const uint64_t *)vec_at(&freshness->operations, (uint32_t)id);
    if (mine->kind == SQ_KV_READ && verdict.update != NOBODY) {
        const struct kv_operation *update = kv_history_at(history, verdict.update);
        verdict.is_judged = true;
        verdict.is_stale = is_stale(freshness, history, mine, update);
    }
    return verdict;
}
