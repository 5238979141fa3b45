/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Terms that nobody led lie between the terms of two leaders in a row, so they need not be seen. A
 * term that a candidate began and that a second leader of a lower term overtook does not count. */
#include "analysis/elections.h"

#include "sim/base/base.h"

#include <string.h>

#define GAUGE_TIME    "raft.election-time-us"
#define COUNTER_SPLIT "raft.split-votes"

bool elections_is_gauge(const char *name)
{
    return strcmp(name, GAUGE_TIME) == 0 || strcmp(name, COUNTER_SPLIT) == 0;
}

void elections_begin(struct elections *elections)
{
    for (uint32_t group = 0; group < ELECTIONS_GROUPS_MAX; group++) {
        elections->groups[group].leader = SQ_NODE_NONE;
        elections->groups[group].term = 1;
        elections->groups[group].since = 0;
    }
}

void elections_on_life(struct elections *elections, const struct sq_node_info *nodes,
                       const struct sq_life_event *life)
{
    uint32_t group = nodes[life->node].group;
    ASSERT(group < ELECTIONS_GROUPS_MAX);
    bool is_death = life->what == SQ_LIFE_CRASH || life->what == SQ_LIFE_POWER;
    if (is_death && elections->groups[group].leader == life->node) {
        elections->groups[group].leader = SQ_NODE_NONE;
        elections->groups[group].since = life->time;
    }
}

static void show(struct gauges *gauges, const struct sq_seen *seen, const char *name,
                 uint64_t value)
{
    struct sq_seen sample = *seen;
    sample.what = strcmp(name, COUNTER_SPLIT) == 0 ? SQ_SEE_COUNTER : SQ_SEE_GAUGE;
    sample.a = value;
    sample.text = name;
    gauges_on_seen(gauges, &sample);
}

void elections_on_leader(struct elections *elections, const struct sq_node_info *nodes,
                         const struct sq_seen *seen, struct gauges *gauges)
{
    uint32_t group = nodes[seen->node].group;
    ASSERT(group < ELECTIONS_GROUPS_MAX);
    if (elections->groups[group].leader == SQ_NODE_NONE &&
        seen->a > elections->groups[group].term) {
        sq_time took = seen->time - elections->groups[group].since;
        show(gauges, seen, GAUGE_TIME, (uint64_t)(took + 500) / 1000);
        show(gauges, seen, COUNTER_SPLIT, seen->a - elections->groups[group].term - 1);
    }
    elections->groups[group].leader = seen->node;
    elections->groups[group].term = seen->a;
}
