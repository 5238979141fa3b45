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

static uint64_t name_of(uint32_t object, uint64_t value)
{
    return hash_mix(object + UINT64_C(1), value);
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
        uint64_t name = name_of(mine->object, mine->value);
        bool is_again = map_find(&freshness->writer_of, name) != NULL;
        map_put(&freshness->writer_of, name, is_again ? NOBODY : id);
    }
}

uint64_t freshness_latest(const struct freshness *freshness, uint32_t object)
{
    return object < freshness->objects.count
               ? *(const uint64_t *)vec_at(&freshness->objects, object)
               : NOBODY;
}

bool freshness_is_overwritten(const struct freshness *freshness, const struct kv_history *history,
                              uint32_t object, uint64_t value, uint64_t update)
{
    const uint64_t *writer = map_find(&freshness->writer_of, name_of(object, value));
    if (value == 0) {
        return writer == NULL;
    }
    if (writer == NULL || *writer == NOBODY) {
        return false; /* never written, or not by one: for `linearizable` to judge */
    }
    const struct kv_operation *write = kv_history_at(history, *writer);
    return write->finish <
           kv_history_at(history, update)->start; /* a pending one finishes after everything */
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
        verdict.is_judged = true;
        verdict.is_stale =
            freshness_is_overwritten(freshness, history, mine->object, mine->value, verdict.update);
    }
    return verdict;
}
