/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A node sends messages only to members of its configuration. Adapters report SQ_SEE_STRAY when the
 * code under test asks for a message to an address that stands for nobody; such a message is lost
 * silently on a real network, and with it a vote or an acknowledgement. Each incarnation that boots
 * counts as one comparison: the report is made only when something is wrong, so the number of nodes
 * watched is all that can be said. */
#include "analysis/check.h"

#include "sim/base/base.h"

#include <inttypes.h>

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_STRAY);
    struct check_place place = check_place_of(seen);
    check->comparisons++;
    check_violate(check, &place,
                  "%s sent a message to id %" PRIu64 ", which is nobody in its configuration",
                  check_node_name(check, seen->node), seen->a);
}

static void on_life(struct check *check, const struct sq_life_event *life)
{
    check->comparisons += life->what == SQ_LIFE_BOOT;
}

const struct check_ops check_raft_no_stray_message = {
    .name = "raft.no-stray-message",
    .description = "no message goes to an address outside of the configuration",
    .sees = 1u << SQ_SEE_STRAY,
    .on_seen = on_seen,
    .on_life = on_life,
};
