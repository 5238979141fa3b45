/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Log matching (Ongaro & Ousterhout 2014, figure 3): two entries of any logs with the same index
 * and term hold the same command, and the logs are identical in all entries before them.
 *
 * The first node that appends an entry (index, term) sets its hash and the term of the entry before
 * it; every later append of (index, term), on any node and in any incarnation, must agree in both.
 * By induction over the index equal predecessors mean equal prefixes, so one look at each append is
 * enough. An index has one term as a rule: that one lies in an array; entries of further terms,
 * left over from deposed leaders, lie in a map. */
#include "analysis/check.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/map.h"
#include "sim/base/vec.h"

#include <inttypes.h>
#include <stdlib.h>

#define OTHERS_MAX (UINT32_C(1) << 22)

struct log_matching {
    struct log_tail *groups; /* the first term seen at each index */
    uint32_t group_count;
    struct map other_of; /* (group, index, term) -> index in others */
    struct vec others;   /* struct log_entry */
};

static void release(struct check *check)
{
    struct log_matching *state = check->state;
    for (uint32_t i = 0; i < state->group_count; i++) {
        log_tail_release(&state->groups[i]);
    }
    free(state->groups);
    map_release(&state->other_of);
    vec_release(&state->others);
}

static void begin(struct check *check)
{
    struct log_matching *state = check->state;
    if (state->others.item_size == 0) {
        vec_init(&state->others, sizeof(struct log_entry), OTHERS_MAX);
    }
    uint32_t group_count = check->run->raft.group_count;
    if (group_count > state->group_count) {
        struct log_tail *groups = realloc(state->groups, group_count * sizeof(*groups));
        ASSERT(groups != NULL);
        for (uint32_t i = state->group_count; i < group_count; i++) {
            groups[i] = (struct log_tail){.entries = NULL};
        }
        state->groups = groups;
        state->group_count = group_count;
    }
    for (uint32_t i = 0; i < state->group_count; i++) {
        state->groups[i].count = 0;
    }
    map_clear(&state->other_of);
    vec_clear(&state->others);
}

/* The record of (index, term), made from `fresh` when there is none; NULL when it is too old to be
 * kept. */
static struct log_entry *record_of(struct log_matching *state, uint32_t group, uint64_t index,
                                   const struct log_entry *fresh, bool *is_new)
{
    struct log_tail *tail = &state->groups[group];
    struct log_entry *record = log_tail_at(tail, index);
    *is_new = false;
    if (record == NULL || record->term == LOG_TERM_ABSENT) {
        if (!log_tail_set(tail, index, *fresh)) {
            return NULL;
        }
        *is_new = true;
        return log_tail_at(tail, index);
    }
    if (record->term == fresh->term) {
        return record;
    }
    uint64_t name = hash_mix(hash_mix(group + 1, index), fresh->term);
    const uint64_t *other = map_find(&state->other_of, name);
    if (other != NULL) {
        return vec_at(&state->others, (uint32_t)*other);
    }
    if (state->others.count == OTHERS_MAX) {
        return NULL;
    }
    map_put(&state->other_of, name, state->others.count);
    vec_append(&state->others, fresh);
    *is_new = true;
    return vec_at(&state->others, state->others.count - 1);
}

static bool is_known(uint64_t term)
{
    return term != LOG_TERM_UNKNOWN && term != LOG_TERM_ABSENT;
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    struct log_matching *state = check->state;
    ASSERT(seen->what == SQ_SEE_APPEND);
    const struct sq_node_info *info = &check->run->nodes[seen->node];
    uint64_t before = raft_view_term_at(&check->run->raft.nodes[seen->node], seen->a - 1);
    struct log_entry fresh = {.term = seen->b, .hash = seen->c, .other = before};
    bool is_new = false;
    struct log_entry *record = record_of(state, info->group, seen->a, &fresh, &is_new);
    if (record == NULL) {
        return;
    }
    check->comparisons += !is_new || info->group_size == 1;
    struct check_place place = check_place_of(seen);
    if (record->hash != seen->c) {
        check_violate(check, &place,
                      "entry %" PRIu64 " of term %" PRIu64 " has hash %016" PRIx64
                      " on %s, but %016" PRIx64 " where it was first appended",
                      seen->a, seen->b, seen->c, check_node_name(check, seen->node), record->hash);
    } else if (is_known(before) && is_known(record->other) && before != record->other) {
        check_violate(check, &place,
                      "entry %" PRIu64 " of term %" PRIu64 " follows an entry of term %" PRIu64
                      " on %s, but of term %" PRIu64 " where it was first appended",
                      seen->a, seen->b, before, check_node_name(check, seen->node), record->other);
    } else if (is_known(before)) {
        record->other = before;
    }
}

const struct check_ops check_raft_log_matching = {
    .name = "raft.log-matching",
    .description = "entries of the same index and term are equal, and so is all before them",
    .sees = 1u << SQ_SEE_APPEND,
    .state_size = sizeof(struct log_matching),
    .release = release,
    .begin = begin,
    .on_seen = on_seen,
};
