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
 * What counts as lost is what analysis/freshness.h calls stale. Each read that has an acknowledged
 * update before it counts as one comparison. */
#include "analysis/check.h"

#include "analysis/freshness.h"
#include "analysis/result.h"

#include <inttypes.h>

struct lost_write {
    struct freshness freshness;
    bool is_begun;
};

static void release(struct check *check)
{
    struct lost_write *state = check->state;
    if (state->is_begun) {
        freshness_release(&state->freshness);
    }
}

static void begin(struct check *check)
{
    struct lost_write *state = check->state;
    if (!state->is_begun) {
        freshness_init(&state->freshness);
        state->is_begun = true;
    }
    freshness_begin(&state->freshness);
}

static void on_invoke(struct check *check, const struct sq_operation *operation)
{
    struct lost_write *state = check->state;
    freshness_on_invoke(&state->freshness, &check->run->history, operation->id);
}

static void on_complete(struct check *check, const struct sq_operation *operation)
{
    struct lost_write *state = check->state;
    const struct kv_history *history = &check->run->history;
    struct freshness_verdict verdict =
        freshness_on_complete(&state->freshness, history, operation->id);
    check->comparisons += verdict.is_judged;
    if (!verdict.is_stale) {
        return;
    }
    const struct kv_operation *mine = kv_history_at(history, operation->id);
    const struct kv_operation *update = kv_history_at(history, verdict.update);
    struct check_place place = {
        .time = operation->completed, .event = RESULT_EVENT_NONE, .node = operation->replied_by};
    check_violate(check, &place,
                  "key %" PRIu64 ": update #%" PRIu64 " to %" PRIu64 " was acknowledged at %" PRId64
                  " ns, but read #%" PRIu64 ", invoked at %" PRId64
                  " ns, returned the older %" PRIu64 "%s",
                  operation->key, verdict.update, update->value, update->completed, operation->id,
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
