/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Leader completeness (Ongaro & Ousterhout 2014, figure 3): an entry that was committed in a term
 * is in the logs of the leaders of all later terms.
 *
 * At each election the new leader's log is compared with all that is known to be committed in
 * EARLIER terms. The word matters: a candidate whose votes were delayed may become leader of an old
 * term after a newer leader has committed entries; it lacks them, and no rule is broken. Entries
 * that a snapshot stands for count as present.
 *
 * Each node remembers up to which index its log was found equal to the committed one; the view
 * lowers the mark when the log changes below it. So an entry is compared once for each incarnation
 * of a node, however many elections there are. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_LEADER);
    struct raft_node *node = &check->run->raft.nodes[seen->node];
    const struct raft_group *group = raft_view_group_of(&check->run->raft, seen->node);
    struct check_place place = check_place_of(seen);
    check->comparisons++;
    uint64_t index = node->verified + 1;
    if (index < group->committed.first) {
        index = group->committed.first; /* older ones were forgotten */
    }
    for (; index < log_tail_end(&group->committed); index++) {
        const struct log_entry *entry = log_tail_at(&group->committed, index);
        if (entry->term == LOG_TERM_ABSENT) {
            continue;
        }
        if (entry->other >= seen->a) {
            break;
        }
        check->comparisons++;
        uint64_t term = raft_view_term_at(node, index);
        if (term == LOG_TERM_ABSENT) {
            check_violate(check, &place,
                          "%s became leader of term %" PRIu64 " without entry %" PRIu64
                          " (term %" PRIu64 "), which was committed in term %" PRIu64,
                          check_node_name(check, seen->node), seen->a, index, entry->term,
                          entry->other);
            return;
        }
        if (term != entry->term && term != LOG_TERM_UNKNOWN && entry->term != LOG_TERM_UNKNOWN) {
            check_violate(check, &place,
                          "%s became leader of term %" PRIu64 " with an entry of term %" PRIu64
                          " at index %" PRIu64 ", where one of term %" PRIu64
                          " was committed in term %" PRIu64,
                          check_node_name(check, seen->node), seen->a, term, index, entry->term,
                          entry->other);
            return;
        }
    }
    node->verified = index - 1;
}

const struct check_ops check_raft_leader_completeness = {
    .name = "raft.leader-completeness",
    .description = "a committed entry is in the log of every leader of a later term",
    .sees = 1u << SQ_SEE_LEADER,
    .on_seen = on_seen,
};
