/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A leader commits by counting replicas only for entries of its own term (Ongaro & Ousterhout 2014,
 * section 5.4.2 and figure 8): older ones are committed together with a newer one. A leader that
 * counts replicas of an old entry may see it overwritten later although a majority has it.
 *
 * So when a leader of term T is the first to move the commit index of its group to i, entry i has
 * term T. Indices that somebody reported as committed before are no decision of this leader and are
 * not judged. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_COMMIT);
    const struct raft_view *view = &check->run->raft;
    if (seen->c != 1 || seen->a <= raft_view_group_of(view, seen->node)->commit) {
        return;
    }
    check->comparisons++;
    uint64_t term = raft_view_term_at(&view->nodes[seen->node], seen->a);
    if (term == LOG_TERM_UNKNOWN || term == seen->b) {
        return;
    }
    struct check_place place = check_place_of(seen);
    if (term == LOG_TERM_ABSENT) {
        check_violate(check, &place,
                      "%s, leader of term %" PRIu64 ", committed entry %" PRIu64
                      ", which it does not have",
                      check_node_name(check, seen->node), seen->b, seen->a);
        return;
    }
    check_violate(check, &place,
                  "%s, leader of term %" PRIu64 ", committed up to entry %" PRIu64
                  " of term %" PRIu64 ": replicas count only for entries of the leader's own term",
                  check_node_name(check, seen->node), seen->b, seen->a, term);
}

const struct check_ops check_raft_commit_current_term = {
    .name = "raft.commit-current-term",
    .description = "a leader counts replicas only for entries of its own term (figure 8)",
    .sees = 1u << SQ_SEE_COMMIT,
    .on_seen = on_seen,
};
