/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * State machine safety (Ongaro & Ousterhout 2014, figure 3; Schneider 1990): replicas of one group
 * that applied a command at a position applied the same command there, and their contents after it
 * are equal.
 *
 * The first report for a position stands; later ones, of any node and any incarnation, must equal
 * it. In a group of one node there is nobody to differ from: its reports count as compared, and a
 * replay after a restart is still held against what was applied before. Positions older than the
 * newest LOG_TAIL_MAX are forgotten. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>
#include <stdlib.h>

/* In a log_entry: `term` is PRESENT or absent, `hash` the value, `other` the node that reported it
 * first. */
#define PRESENT 1

struct agreement_group {
    struct log_tail commands;
    struct log_tail contents;
};

struct agreement {
    struct agreement_group *groups;
    uint32_t group_count;
};

static void release(struct check *check)
{
    struct agreement *state = check->state;
    for (uint32_t i = 0; i < state->group_count; i++) {
        log_tail_release(&state->groups[i].commands);
        log_tail_release(&state->groups[i].contents);
    }
    free(state->groups);
}

static void begin(struct check *check)
{
    struct agreement *state = check->state;
    uint32_t group_count = check->run->raft.group_count;
    if (group_count > state->group_count) {
        struct agreement_group *groups = realloc(state->groups, group_count * sizeof(*groups));
        ASSERT(groups != NULL);
        for (uint32_t i = state->group_count; i < group_count; i++) {
            groups[i] = (struct agreement_group){.commands = {.entries = NULL}};
        }
        state->groups = groups;
        state->group_count = group_count;
    }
    for (uint32_t i = 0; i < state->group_count; i++) {
        state->groups[i].commands.count = 0;
        state->groups[i].contents.count = 0;
    }
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    struct agreement *state = check->state;
    const struct sq_node_info *info = &check->run->nodes[seen->node];
    struct agreement_group *group = &state->groups[info->group];
    bool is_command = seen->what == SQ_SEE_APPLY;
    struct log_tail *tail = is_command ? &group->commands : &group->contents;
    const struct log_entry *first = log_tail_at(tail, seen->a);
    if (first == NULL || first->term == LOG_TERM_ABSENT) {
        log_tail_set(tail, seen->a,
                     (struct log_entry){.term = PRESENT, .hash = seen->b, .other = seen->node});
        check->comparisons += info->group_size == 1;
        return;
    }
    check->comparisons++;
    if (first->hash != seen->b) {
        struct check_place place = check_place_of(seen);
        check_violate(
            check, &place, "%s %s %016" PRIx64 " at position %" PRIu64 ", where %s %s %016" PRIx64,
            check_node_name(check, seen->node), is_command ? "applied command" : "has content",
            seen->b, seen->a, check_node_name(check, (sq_node)first->other),
            is_command ? "applied" : "had", first->hash);
    }
}

const struct check_ops check_state_machine_agreement = {
    .name = "state-machine-agreement",
    .description =
        "replicas apply the same command at the same position and hold the same content after it",
    .sees = 1u << SQ_SEE_APPLY | 1u << SQ_SEE_STATE,
    .state_size = sizeof(struct agreement),
    .release = release,
    .begin = begin,
    .on_seen = on_seen,
};
