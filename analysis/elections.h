/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Elections: how long a group was without a leader, and how many terms it took. Shown only when a
 * threshold asks for it:
 *
 *   raft.election-time-us  gauge: from the crash of the leader, or from the start of the run, to
 * the next leader, in microseconds raft.split-votes       counter: terms of such elections that
 * nobody won; with a share p of split votes, an election has p / (1 - p) of them on average
 *
 * A leader that steps down or is only cut off begins no election here. */
#ifndef SQUALL_ANALYSIS_ELECTIONS_H
#define SQUALL_ANALYSIS_ELECTIONS_H

#include "analysis/gauges.h"
#include "squall_check.h"

#include <stdbool.h>

enum { ELECTIONS_GROUPS_MAX = 64 };

struct elections {
    struct {
        sq_node leader; /* SQ_NODE_NONE: none */
        uint64_t term;  /* of the last leader; 1 when there was none yet: that of the founding */
        sq_time since;  /* when the leader was lost */
    } groups[ELECTIONS_GROUPS_MAX];
};

/* Is this one of the two? */
bool elections_is_gauge(const char *name);
void elections_begin(struct elections *elections);
void elections_on_life(struct elections *elections, const struct sq_node_info *nodes,
                       const struct sq_life_event *life);
/* SQ_SEE_LEADER: shows the samples when an election has ended. */
void elections_on_leader(struct elections *elections, const struct sq_node_info *nodes,
                         const struct sq_seen *seen, struct gauges *gauges);

#endif
