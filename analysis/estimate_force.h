/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Rare shocks and rare failures of groups, which a splitting sees as seldom as they happen: no
 * level comes before them. A trajectory meets each of them `factor` times as often as the law says.
 * What comes by its own clock goes on for good; the others, the candidates, are only lived through
 * by a copy, until what they took is back. All that happens in between counts 1 / factor, whoever
 * lives it, so nothing is biased, whatever the laws of machines and repairs: expectation by
 * expectation, 1 / factor of `factor` copies is the one that the law would have sent.
 *
 * Only what comes at a constant rate can be met so: shocks, and groups of exponential life. Times
 * are integers and so are factors; only weights are doubles. */
#ifndef SQUALL_ANALYSIS_ESTIMATE_FORCE_H
#define SQUALL_ANALYSIS_ESTIMATE_FORCE_H

#include "sim/base/rng.h"
#include "sim/fleet.h"

enum force_kind {
    FORCE_SHOCK,
    FORCE_GROUP,                                        /* any group of a kind; one for each kind */
    FORCE_GROUP_SHOCK = FORCE_GROUP + SPEC_GROUP_KINDS, /* in any group of a kind; the same */
    FORCE_KINDS = FORCE_GROUP_SHOCK + SPEC_GROUP_KINDS
};

struct force_law {
    uint64_t factor; /* 1: is frequent, is not, or cannot be forced: no candidates */
    int64_t mean_ns; /* between two candidates */
};

struct force_plan {
    const struct spec_fleet *spec;
    struct force_law laws[2][FORCE_KINDS]; /* [is something away?] */
    uint32_t kinds[FORCE_KINDS];           /* those that have candidates, in rising order */
    uint32_t kind_count;
};
struct force_plan force_plan_of(const struct spec_fleet *spec);
/* How often an event is met for each time that it happens by itself, given that something was away
 * before it, or not; 1 for all but shocks and groups. */
uint64_t force_factor(const struct force_plan *plan, const struct fleet_event *event, bool is_away);

/* When the next candidates come to a trajectory. */
struct force_clocks {
    struct rng rng;
    bool is_away;
    int64_t fires_ns[FORCE_KINDS]; /* of plan->kinds; FLEET_NEVER: none */
};
/* A stream of their own for the trajectory as it is named now, and the first candidates. */
void force_begin(const struct force_plan *plan, const struct fleet *fleet, bool is_away,
                 struct force_clocks *clocks);
/* After an event of the fleet: is something away? */
void force_note(const struct force_plan *plan, const struct fleet *fleet, bool is_away,
                struct force_clocks *clocks);
/* The next candidate before `before_ns`, which is then over; false: there is none. Its kind is
 * FLEET_EVENT_NONE where the group that is meant is down already. */
bool force_next(const struct force_plan *plan, const struct fleet *fleet, int64_t before_ns,
                struct force_clocks *clocks, struct fleet_event *event);

#endif
