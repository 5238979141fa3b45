/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * RESTART where what is rare has no levels before it: shocks and groups that come once in decades.
 * The exact chain knows the answer; without candidates a replication would see none of them. */
#include "analysis/estimate_force.h"

#include "tests/unit/estimate_fixture.h"

#include <math.h>

/* Time down, and how often it goes down. */
static bool agrees(const struct spec_fleet *fleet, uint32_t runs, double half_width)
{
    const struct estimate_sums sums = run(fleet, 1, runs);
    const struct fleet_exact truth = truth_of(fleet);
    const struct estimate estimate = estimate_of(&sums, .95);
    bool is_fine = holds(&sums, truth.unavailability, half_width) &&
                   fabs(estimate.outages_per_h / truth.outages_per_h - 1) < 1.5 * half_width;
    if (!is_fine) {
        printf("  outages: %.4g of the truth\n", estimate.outages_per_h / truth.outages_per_h);
    }
    return is_fine;
}

TEST(estimate_force, splitting_sees_shocks_however_rare)
{
    static const struct setting settings[] = {
        /* machines, needed, crews, groups, shock o/oo, failover s */
        {5, 1, 0, 0, 0, 0},
        {3, 2, 0, 0, 0, 10},
        {5, 1, 1, 2, 0, 0},
        {8, 1, 2, 0, 0, 0}};
    static const double shares[] = {1e-2, 1e-4, 1e-7};
    for (uint32_t i = 0; i < ARRAY_COUNT(settings); i++) {
        for (uint32_t k = 0; k < ARRAY_COUNT(shares) && (i == 0 || k < 2); k++) {
            struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_RESTART);
            fleet.shock_share = (uint64_t)(RNG_ALWAYS * shares[k]);
            CHECK(agrees(&fleet, 2, .2));
        }
    }
}

TEST(estimate_force, splitting_sees_groups_however_rare)
{
    static const struct setting settings[] = {
        {4, 2, 0, 2, 0, 0}, {6, 1, 0, 1, 0, 0}, {6, 4, 2, 3, 10, 10}};
    static const int64_t lives_h[] = {10000, 500000};
    for (uint32_t i = 0; i < ARRAY_COUNT(settings); i++) {
        for (uint32_t k = 0; k < ARRAY_COUNT(lives_h); k++) {
            struct spec_fleet fleet = fleet_of(&settings[i], SPEC_ESTIMATOR_RESTART);
            fleet.groups[0].life.a = lives_h[k] * HOUR;
            fleet.groups[0].repair.a = 4 * HOUR;
            CHECK(agrees(&fleet, 2, .3));
        }
    }
}

/* Machines of any law: all-down of independent ones is p^n, and a group's share of the time comes
 * on top, whatever the law of its repair. */
TEST(estimate_force, lives_and_repairs_may_remember)
{
    struct setting setting = {3, 1, 0, 1, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    struct err err = {0};
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 700, &err));
    REQUIRE(dist_lognormal_of_mean(&fleet.repair, HOUR, 6 * HOUR, &err));
    fleet.groups[0].life.a = 399998 * HOUR;
    fleet.groups[0].repair = (struct dist){.kind = DIST_CONSTANT, .a = 2 * HOUR};
    const struct estimate_sums sums = run(&fleet, 1, 2);
    CHECK(holds(&sums, 5e-6 + 1e-6 * (1 - 5e-6), .15));
}

TEST(estimate_force, what_is_frequent_or_remembers_is_not_forced)
{
    struct setting setting = {5, 3, 0, 2, 10, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    const struct fleet_event shock = {.kind = FLEET_EVENT_SHOCK};
    const struct fleet_event group = {.kind = FLEET_EVENT_FAILS, .index = 5};
    const struct fleet_event machine = {.kind = FLEET_EVENT_FAILS, .index = 4};
    const struct fleet_event back = {.kind = FLEET_EVENT_REPAIRED, .index = 5};
    struct force_plan plan = force_plan_of(&fleet);
    CHECK_EQUAL(force_factor(&plan, &shock, false), 101);
    CHECK_EQUAL(force_factor(&plan, &shock, true), 101);
    CHECK_EQUAL(force_factor(&plan, &group, false), 6); /* 999 h / 2 over 99 h, and once more */
    CHECK(force_factor(&plan, &group, true) > 200);
    CHECK_EQUAL(force_factor(&plan, &machine, true), 1);
    CHECK_EQUAL(force_factor(&plan, &back, true), 1);
    fleet.shock_share = RNG_ALWAYS;
    fleet.groups[0].life.a = 100 * HOUR;
    plan = force_plan_of(&fleet);
    CHECK_EQUAL(force_factor(&plan, &shock, false), 2);
    CHECK_EQUAL(force_factor(&plan, &group, false), 1);
    fleet.shock_share = 0;
    fleet.groups[0].life.kind = DIST_CONSTANT;
    plan = force_plan_of(&fleet);
    CHECK_EQUAL(force_factor(&plan, &shock, false), 1);
    CHECK_EQUAL(force_factor(&plan, &group, true), 1);
}

/* Candidates come at their rate, in a stream that the name of the trajectory decides, and never to
 * a group that is down. */
TEST(estimate_force, candidates_come_at_their_rate)
{
    struct setting setting = {4, 1, 0, 2, 10, 0};
    struct spec_fleet spec = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    const struct force_plan plan = force_plan_of(&spec);
    struct fleet fleet;
    struct force_clocks clocks;
    struct force_clocks again;
    struct fleet_event event;
    uint32_t counts[FLEET_EVENT_LEADER] = {0};
    fleet_begin(&fleet, &spec, 3);
    force_begin(&plan, &fleet, false, &clocks);
    force_begin(&plan, &fleet, false, &again);
    fleet.parts[4].state = FLEET_WAITS;
    while (force_next(&plan, &fleet, 400000 * HOUR, &clocks, &event)) {
        struct fleet_event same;
        counts[event.kind]++;
        CHECK(event.kind != FLEET_EVENT_FAILS || event.index == 5);
        CHECK(force_next(&plan, &fleet, 400000 * HOUR, &again, &same));
        CHECK(same.time_ns == event.time_ns && same.index == event.index);
    }
    CHECK(fabs(counts[FLEET_EVENT_SHOCK] / (400000 / 99.0) - 1) < .05);
    CHECK(fabs(counts[FLEET_EVENT_FAILS] / (400000 / 999.0 * 5) - 1) < .07);
    CHECK(fabs(counts[FLEET_EVENT_NONE] / (400000 / 999.0 * 5) - 1) < .07);
}

struct told {
    uint64_t events;
    uint32_t shocks;
    bool is_up;
};

static void on_event(void *context, const struct fleet *fleet, const struct fleet_event *event,
                     bool is_up)
{
    struct told *told = context;
    CHECK(event->time_ns == fleet->now_ns);
    told->events++;
    told->shocks += event->kind == FLEET_EVENT_SHOCK ? 1 : 0;
    told->is_up = is_up;
}

/* The longest outage may be that of a copy which something was forced on: it is told like any other
 * event. */
TEST(estimate_force, a_forced_trajectory_can_be_had_again_from_its_path)
{
    struct setting setting = {5, 1, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    fleet.shock_share = RNG_ALWAYS / 1000000;
    const struct estimate_sums sums = run(&fleet, 7, 1);
    struct estimate_path path;
    struct estimate_trajectory trajectory;
    struct err err = {0};
    REQUIRE(estimate_path_parse(sums.worst_path, &path, &err));
    CHECK(path.depth >= 2);
    struct told told = {0};
    REQUIRE(estimate_replay(&fleet, 0, &path, on_event, &told, &trajectory, &err));
    CHECK(trajectory.digest == sums.worst_digest);
    CHECK(told.events == trajectory.events);
    CHECK(told.shocks >= 1); /* once in ten thousand years */
    CHECK((double)trajectory.outage_ns / HOUR == sums.worst_h);
}
