/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leader append-only (Ongaro & Ousterhout 2014, figure 3): a leader never overwrites or deletes
 * entries of its log.
 *
 * Nodes report when they become leader, not when they cease to be. A node that steps down because
 * it heard from a newer leader truncates its log before anything shows the newer term. So a
 * truncation by the last known leader of a term is only a suspicion; it becomes a violation when
 * the same incarnation acts as leader of the same term afterwards (appends an entry of that term,
 * or moves the commit index as leader), because nobody becomes leader of one term twice. A leader
 * that puts an entry of its own term where another one was is caught at once.
 *
 * An append of the leader's term counts as its own act: followers never append to a leader of their
 * term. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>

struct suspicion {
    bool is_open;
    uint64_t term;  /* in which the node was leader */
    uint64_t index; /* first one removed */
    struct check_place place;
};

struct append_only {
    struct suspicion suspicions[64];
};

static void begin(struct check *check)
{
    struct append_only *state = check->state;
    for (uint32_t i = 0; i < ARRAY_COUNT(state->suspicions); i++) {
        state->suspicions[i].is_open = false;
    }
}

static void confirm(struct check *check, struct suspicion *suspicion)
{
    if (suspicion->is_open) {
        suspicion->is_open = false;
        check_violate(check, &suspicion->place,
                      "%s removed entries from %" PRIu64 " on while it was leader of term %" PRIu64,
                      check_node_name(check, suspicion->place.node), suspicion->index,
                      suspicion->term);
    }
}

static void on_append(struct check *check, const struct raft_node *node, const struct sq_seen *seen)
{
    struct append_only *state = check->state;
    if (seen->b != node->leader_term) {
        return;
    }
    check->comparisons++;
    confirm(check, &state->suspicions[seen->node]);
    const struct log_entry *old = log_tail_at(&node->memory, seen->a);
    bool is_known = old != NULL && old->term != LOG_TERM_UNKNOWN && old->term != LOG_TERM_ABSENT;
    if (is_known && (old->term != seen->b || old->hash != seen->c)) {
        struct check_place place = check_place_of(seen);
        check_violate(check, &place,
                      "%s, leader of term %" PRIu64 ", replaced entry %" PRIu64 " of term %" PRIu64
                      " in its own log",
                      check_node_name(check, seen->node), seen->b, seen->a, old->term);
    }
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    struct append_only *state = check->state;
    ASSERT(seen->node < ARRAY_COUNT(state->suspicions));
    const struct raft_node *node = &check->run->raft.nodes[seen->node];
    struct suspicion *suspicion = &state->suspicions[seen->node];
    if (seen->what == SQ_SEE_LEADER) {
        suspicion->is_open = false;
    } else if (node->leader_term == 0) {
        return;
    } else if (seen->what == SQ_SEE_APPEND) {
        on_append(check, node, seen);
    } else if (seen->what == SQ_SEE_TRUNCATE) {
        if (seen->a < log_tail_end(&node->memory) && !suspicion->is_open) {
            *suspicion = (struct suspicion){.is_open = true,
                                            .term = node->leader_term,
                                            .index = seen->a,
                                            .place = check_place_of(seen)};
        }
    } else if (seen->what == SQ_SEE_COMMIT && seen->c == 1 && seen->b == node->leader_term) {
        confirm(check, suspicion);
    }
}

static void on_life(struct check *check, const struct sq_life_event *life)
{
    struct append_only *state = check->state;
    ASSERT(life->node < ARRAY_COUNT(state->suspicions));
    if (life->what == SQ_LIFE_BOOT) {
        state->suspicions[life->node].is_open = false;
    }
}

const struct check_ops check_raft_leader_append_only = {
    .name = "raft.leader-append-only",
    .description = "a leader never overwrites or deletes entries of its own log",
    .sees = 1u << SQ_SEE_LEADER | 1u << SQ_SEE_APPEND | 1u << SQ_SEE_TRUNCATE | 1u << SQ_SEE_COMMIT,
    .state_size = sizeof(struct append_only),
    .begin = begin,
    .on_seen = on_seen,
    .on_life = on_life,
};
