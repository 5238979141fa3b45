/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Committed is a subset of durable on a majority, at the moment of the commitment. White box: it
 * sees the defect when the promise is given, not when a later accident makes a client notice, which
 * is some fifty times sooner.
 *
 * When a node moves the highest commit index of its group, each newly committed entry, as the
 * node's own log has it, must be on the stable storage of a majority of the voters: reported
 * durable with the same term and not cut since, or covered by a durable snapshot, or found on disk
 * at a boot. Only the first node to report an index is examined: in Raft that is the leader, and if
 * it is a follower, something is wrong that is worth judging too. Later reports of the same index
 * by others repeat a promise that was examined. The voters are those of the committing node's
 * configuration.
 *
 * A node that was down counts with what it had synced: a crash does not take that away. Disks that
 * lie about syncing are not seen through here: the node is right to believe them. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>

struct quorum {
    uint32_t durable;
    uint32_t voters;
};

static struct quorum count(const struct check *check, const struct sq_seen *seen, uint64_t index,
                           uint64_t term)
{
    const struct sq_node_info *info = &check->run->nodes[seen->node];
    uint64_t voters = check->run->raft.nodes[seen->node].voters;
    struct quorum quorum = {0};
    for (uint32_t i = 0; i < info->group_size; i++) {
        if (voters != 0 && (voters >> i & 1) == 0) {
            continue;
        }
        quorum.voters++;
        quorum.durable +=
            raft_view_is_durable(&check->run->raft.nodes[info->group_first + i], index, term);
    }
    return quorum;
}

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_COMMIT);
    const struct raft_view *view = &check->run->raft;
    const struct raft_group *group = raft_view_group_of(view, seen->node);
    if (seen->a <= group->commit) {
        return;
    }
    uint64_t index = group->commit + 1;
    if (seen->a - group->commit > LOG_TAIL_MAX / 2) {
        index = seen->a - LOG_TAIL_MAX / 2; /* more than the view remembers */
    }
    for (; index <= seen->a; index++) {
        uint64_t term = raft_view_term_at(&view->nodes[seen->node], index);
        struct quorum quorum = count(check, seen, index, term);
        check->comparisons++;
        if (quorum.durable * 2 <= quorum.voters) {
            struct check_place place = check_place_of(seen);
            check_violate(check, &place,
                          "%s committed entry %" PRIu64 " in term %" PRIu64
                          " while it was durable on %u of %u nodes",
                          check_node_name(check, seen->node), index, seen->b, quorum.durable,
                          quorum.voters);
            return;
        }
    }
}

const struct check_ops check_raft_committed_durable = {
    .name = "raft.committed-durable",
    .description = "an entry is on stable storage of a majority when it is committed",
    .sees = 1u << SQ_SEE_COMMIT,
    .on_seen = on_seen,
};
