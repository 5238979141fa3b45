/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How many candidates? As many shocks as there are failures of one machine, and as many failures of
 * groups: a replication then sees hundreds of them. While something is away, one of the other
 * groups may go with it, and such times are short; so candidates among groups come then once in two
 * mean repairs, a price of about as much again. So it is for each kind of groups, and for the
 * shocks within groups of one kind. The factors follow, and decide the price and not the result. */
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

/* Candidates among groups of one kind: of what comes to each of them once in `mean_ns` over a share
 * out of 2^32, while nothing is away, or something is that takes `repair_ns`. */
static void plan_groups(struct force_plan *plan, enum force_kind kind, int64_t each_ns,
                        uint64_t share, int64_t repair_ns)
{
    const int64_t life_ns = dist_mean(&plan->spec->life);
    plan->laws[0][kind] = law_of(each_ns, share, life_ns);
    plan->laws[1][kind] = law_of(each_ns, share, repair_ns < life_ns / 2 ? 2 * repair_ns : life_ns);
}

struct force_plan force_plan_of(const struct spec_fleet *spec)
{
    struct force_plan plan = {.spec = spec};
    const int64_t life_ns = dist_mean(&spec->life);
    for (uint32_t kind = 0; kind < FORCE_KINDS; kind++) {
        plan.laws[0][kind] = (struct force_law){.factor = 1, .mean_ns = FLEET_NEVER};
        plan.laws[1][kind] = plan.laws[0][kind];
    }
    for (uint32_t away = 0; away < 2 && spec->shock_share > 0; away++) {
        plan.laws[away][FORCE_SHOCK] = law_of(life_ns, spec->shock_share, life_ns);
    }
    for (uint32_t k = 0; spec->groups[k].count > 0; k++) {
        const struct spec_fleet_groups *groups = &spec->groups[k];
        const int64_t repair_ns = longer_of(dist_mean(&spec->repair), dist_mean(&groups->repair));
        if (groups->life.kind == DIST_EXPONENTIAL) {
            const int64_t each_ns = dist_mean(&groups->life) / groups->count;
            plan_groups(&plan, FORCE_GROUP + k, each_ns, RNG_ALWAYS, repair_ns);
        }
        if (groups->shock_share > 0) {
            plan_groups(&plan, FORCE_GROUP_SHOCK + k, life_ns / groups->count, groups->shock_share,
                        repair_ns);
        }
    }
    for (uint32_t kind = 0; kind < FORCE_KINDS; kind++) {
        if (plan.laws[0][kind].factor > 1 || plan.laws[1][kind].factor > 1) {
            plan.kinds[plan.kind_count++] = kind;
        }
    }
    return plan;
}

uint64_t force_factor(const struct force_plan *plan, const struct fleet_event *event, bool is_away)
{
    const struct force_law *laws = plan->laws[is_away];
    const bool is_shock = event->kind == FLEET_EVENT_SHOCK;
    const bool is_group = event->index >= plan->spec->machines;
    if (is_shock && !is_group) {
        return laws[FORCE_SHOCK].factor;
    }
    if (!is_group || (!is_shock && event->kind != FLEET_EVENT_FAILS)) {
        return 1;
    }
    const uint32_t kind = fleet_group_kind(plan->spec, event->index - plan->spec->machines);
    return laws[(is_shock ? FORCE_GROUP_SHOCK : FORCE_GROUP) + kind].factor;
}

static void draw_clock(const struct force_plan *plan, uint32_t kind, int64_t now_ns,
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
    for (uint32_t i = 0; i < plan->kind_count; i++) {
        draw_clock(plan, plan->kinds[i], fleet->now_ns, clocks);
    }
}

void force_note(const struct force_plan *plan, const struct fleet *fleet, bool is_away,
                struct force_clocks *clocks)
{
    if (clocks->is_away != is_away) {
        clocks->is_away = is_away;
        for (uint32_t i = 0; i < plan->kind_count; i++) {
            if (plan->kinds[i] != FORCE_SHOCK) { /* its law is the same */
                draw_clock(plan, plan->kinds[i], fleet->now_ns, clocks);
            }
        }
    }
}

bool force_next(const struct force_plan *plan, const struct fleet *fleet, int64_t before_ns,
                struct force_clocks *clocks, struct fleet_event *event)
{
    const struct spec_fleet *spec = plan->spec;
    uint32_t kind = FORCE_KINDS;
    for (uint32_t i = 0; i < plan->kind_count; i++) {
        const uint32_t other = plan->kinds[i];
        const bool is_next =
            kind == FORCE_KINDS || clocks->fires_ns[other] <= clocks->fires_ns[kind];
        kind = is_next ? other : kind;
    }
    if (kind == FORCE_KINDS || clocks->fires_ns[kind] >= before_ns) {
        return false;
    }
    *event = (struct fleet_event){.kind = FLEET_EVENT_SHOCK, .time_ns = clocks->fires_ns[kind]};
    draw_clock(plan, kind, event->time_ns, clocks);
    if (kind == FORCE_SHOCK) {
        return true;
    }
    const bool is_shock = kind >= FORCE_GROUP_SHOCK;
    const uint32_t of = kind - (is_shock ? FORCE_GROUP_SHOCK : FORCE_GROUP);
    event->index = spec->machines + (uint32_t)rng_below(&clocks->rng, spec->groups[of].count);
    for (uint32_t k = 0; k < of; k++) {
        event->index += spec->groups[k].count;
    }
    if (!is_shock) {
        event->kind =
            fleet->parts[event->index].state == FLEET_UP ? FLEET_EVENT_FAILS : FLEET_EVENT_NONE;
    }
    return true;
}
