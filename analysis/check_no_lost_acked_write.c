/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An acknowledged write is not lost: a read that was invoked after a client had been told that its
 * update of the key took effect returns that update or something newer; never nothing, never a
 * value whose own write had been completed before the acknowledged update was even invoked.
 *
 * That is the part of linearizability which durability owes: it needs no search, is decided at each
 * read, and its message names one lost update. The closing audit of every run reads all written
 * keys back, so that every acknowledged update is looked for at least once. What an update means to
 * others before it is acknowledged is left to `linearizable`.
 *
 * For a read R let S be the latest invocation among the acknowledged updates that completed before
 * R was invoked; each object keeps it up to date. R lost an update when it saw nothing, or a value
 * whose every write finished before S. A value written twice, or by an operation that never
 * completed, is no evidence. Each read that has such an update counts as one comparison. */
#include "analysis/check.h"

#include "analysis/result.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <inttypes.h>

#define OBJECTS_MAX (UINT32_C(1) << 28)
#define NOBODY      UINT64_MAX

/* The acknowledged update with the latest invocation: of an object so far, or of an operation when
 * it was invoked. */
struct frontier {
    uint64_t update; /* operation id; NOBODY: none yet */
};

struct lost_write {
    struct vec objects;    /* struct frontier, by object */
    struct vec operations; /* struct frontier, by operation id */
    struct map writer_of;  /* (object, value) -> operation id, NOBODY when there are several */
};

static void release(struct check *check)
{
    struct lost_write *state = check->state;
    vec_release(&state->objects);
    vec_release(&state->operations);
    map_release(&state->writer_of);
}

static void begin(struct check *check)
{
    struct lost_write *state = check->state;
    if (state->objects.item_size == 0) {
        vec_init(&state->objects, sizeof(struct frontier), OBJECTS_MAX);
        vec_init(&state->operations, sizeof(struct frontier), OBJECTS_MAX);
    }
    vec_clear(&state->objects);
    vec_clear(&state->operations);
    map_clear(&state->writer_of);
}

static uint64_t name_of(const struct kv_operation *operation)
{
    return hash_mix(operation->object + UINT64_C(1), operation->value);
}

static void on_invoke(struct check *check, const struct sq_operation *operation)
{
    struct lost_write *state = check->state;
    const struct kv_operation *mine = kv_history_at(&check->run->history, operation->id);
    while (state->objects.count <= mine->object) {
        vec_append(&state->objects, &(struct frontier){.update = NOBODY});
    }
    vec_append(&state->operations, vec_at(&state->objects, mine->object));
    if (mine->kind == SQ_KV_UPDATE) {
        uint64_t name = name_of(mine);
        bool is_again = map_find(&state->writer_of, name) != NULL;
        map_put(&state->writer_of, name, is_again ? NOBODY : operation->id);
    }
}

/* Was the value that `read` saw certainly overwritten before it was invoked, by `update`? */
static bool is_lost(const struct check *check, const struct kv_operation *read,
                    const struct kv_operation *update)
{
    const struct lost_write *state = check->state;
    const struct kv_history *history = &check->run->history;
    if (read->value == 0) {
        const uint64_t *zero = map_find(&state->writer_of, name_of(read));
        return zero == NULL;
    }
    const uint64_t *writer = map_find(&state->writer_of, name_of(read));
    if (writer == NULL || *writer == NOBODY) {
        return false; /* never written, or not by one: for `linearizable` to judge */
    }
    const struct kv_operation *write = kv_history_at(history, *writer);
    return write->finish < update->start; /* a pending one finishes after everything */
}

static void on_complete(struct check *check, const struct sq_operation *operation)
{
    struct lost_write *state = check->state;
    const struct kv_history *history = &check->run->history;
    const struct kv_operation *mine = kv_history_at(history, operation->id);
    if (operation->outcome != SQ_OUTCOME_OK) {
        return;
    }
    if (mine->kind == SQ_KV_UPDATE) {
        struct frontier *object = vec_at(&state->objects, mine->object);
        if (object->update == NOBODY ||
            kv_history_at(history, object->update)->start < mine->start) {
            object->update = operation->id;
        }
        return;
    }
    const struct frontier *before = vec_at(&state->operations, (uint32_t)operation->id);
    if (mine->kind != SQ_KV_READ || before->update == NOBODY) {
        return;
    }
    check->comparisons++;
    const struct kv_operation *update = kv_history_at(history, before->update);
    if (!is_lost(check, mine, update)) {
        return;
    }
    struct check_place place = {
        .time = operation->completed, .event = RESULT_EVENT_NONE, .node = operation->replied_by};
    check_violate(check, &place,
                  "key %" PRIu64 ": update #%" PRIu64 " to %" PRIu64 " was acknowledged at %" PRId64
                  " ns, but read #%" PRIu64 ", invoked at %" PRId64
                  " ns, returned the older %" PRIu64 "%s",
                  operation->key, before->update, update->value, update->completed, operation->id,
                  operation->invoked, mine->value, mine->value == 0 ? " (no such key)" : "");
}

const struct check_ops check_no_lost_acked_write = {
    .name = "no-lost-acked-write",
    .description = "what a client was told is written is read back, or something newer",
    .state_size = sizeof(struct lost_write),
    .release = release,
    .begin = begin,
    .on_invoke = on_invoke,
    .on_complete = on_complete,
};
