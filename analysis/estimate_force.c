/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many candidates? As many shocks as there are failures of one machine, and as many failures of
 * groups: a replication then sees hundreds of them. While something is away, one of the other
 * groups may go with it, and such times are short; so candidates among groups come then once in two
 * mean repairs, a price of about as much again. The factors follow, and decide the price and not
 * the result. */
#include "analysis/estimate_force.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

static int64_t longer_of(int64_t left_ns, int64_t right_ns)
{
    return left_ns > right_ns ? left_ns : right_ns;
}

/* Candidates at about one in `wanted_ns`, of what comes by itself once in `mean_ns` over a share
 * out of 2^32. */
static struct force_law law_of(int64_t mean_ns, uint64_t share, int64_t wanted_ns)
{
    struct force_law law = {.factor = 1, .mean_ns = FLEET_NEVER};
    const unsigned __int128 all_ns = ((unsigned __int128)(uint64_t)mean_ns << 32) / share;
    const unsigned __int128 more = all_ns / (uint64_t)(wanted_ns > 0 ? wanted_ns : 1);
    if (more >= 1 && more < RNG_ALWAYS) {
        law.factor = (uint64_t)more + 1;
        law.mean_ns = (int64_t)(all_ns / more);
    }
    return law;
}

struct force_plan force_plan_of(const struct spec_fleet *spec)
{
    static const struct force_law none = {.factor = 1, .mean_ns = FLEET_NEVER};
    struct force_plan plan = {.spec = spec, .laws = {{none, none}, {none, none}}};
    const int64_t life_ns = dist_mean(&spec->life);
    for (uint32_t away = 0; away < 2 && spec->shock_share > 0; away++) {
        plan.laws[away][FORCE_SHOCK] = law_of(life_ns, spec->shock_share, life_ns);
    }
    if (spec->group_count > 0 && spec->group_life.kind == DIST_EXPONENTIAL) {
        const int64_t each_ns = dist_mean(&spec->group_life) / spec->group_count;
        const int64_t repair_ns =
            longer_of(dist_mean(&spec->repair), dist_mean(&spec->group_repair));
        plan.laws[0][FORCE_GROUP] = law_of(each_ns, RNG_ALWAYS, life_ns);
        plan.laws[1][FORCE_GROUP] =
            law_of(each_ns, RNG_ALWAYS, repair_ns < life_ns / 2 ? 2 * repair_ns : life_ns);
    }
    return plan;
}

uint64_t force_factor(const struct force_plan *plan, const struct fleet_event *event, bool is_away)
{
    if (event->kind == FLEET_EVENT_SHOCK) {
        return plan->laws[is_away][FORCE_SHOCK].factor;
    }
    return event->kind == FLEET_EVENT_FAILS && event->index >= plan->spec->machines
               ? plan->laws[is_away][FORCE_GROUP].factor
               : 1;
}

static void draw_clock(const struct force_plan *plan, enum force_kind kind, int64_t now_ns,
                       struct force_clocks *clocks)
{
    const struct force_law *law = &plan->laws[clocks->is_away][kind];
    clocks->fires_ns[kind] = FLEET_NEVER;
    if (law->factor > 1) {
        const struct dist gap = {.kind = DIST_EXPONENTIAL, .a = law->mean_ns};
        const int64_t gap_ns = dist_sample(&gap, &clocks->rng);
        clocks->fires_ns[kind] = gap_ns > FLEET_NEVER - now_ns ? FLEET_NEVER : now_ns + gap_ns;
    }
}

void force_begin(const struct force_plan *plan, const struct fleet *fleet, bool is_away,
                 struct force_clocks *clocks)
{
    clocks->rng = rng_keyed(fleet->key, 0, 0, hash_text("force"));
    clocks->is_away = is_away;
    draw_clock(plan, FORCE_SHOCK, fleet->now_ns, clocks);
    draw_clock(plan, FORCE_GROUP, fleet->now_ns, clocks);
}

void force_note(const struct force_plan *plan, const struct fleet *fleet, bool is_away,
                struct force_clocks *clocks)
{
    if (clocks->is_away != is_away) {
        clocks->is_away = is_away;
        draw_clock(plan, FORCE_GROUP, fleet->now_ns, clocks);
    }
}

bool force_next(const struct force_plan *plan, const struct fleet *fleet, int64_t before_ns,
                struct force_clocks *clocks, struct fleet_event *event)
{
    const enum force_kind kind =
        clocks->fires_ns[FORCE_SHOCK] < clocks->fires_ns[FORCE_GROUP] ? FORCE_SHOCK : FORCE_GROUP;
    if (clocks->fires_ns[kind] >= before_ns) {
        return false;
    }
    *event = (struct fleet_event){.kind = FLEET_EVENT_SHOCK, .time_ns = clocks->fires_ns[kind]};
    draw_clock(plan, kind, event->time_ns, clocks);
    if (kind == FORCE_GROUP) {
        const uint32_t group = (uint32_t)rng_below(&clocks->rng, plan->spec->group_count);
        event->index = plan->spec->machines + group;
        event->kind =
            fleet->parts[event->index].state == FLEET_UP ? FLEET_EVENT_FAILS : FLEET_EVENT_NONE;
    }
    return true;
}
