/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Where the leader is: among groups of different sizes it is not in each of them as often as the
 * group has machines, so a chain that does not know its group counts outages up to a tenth too
 * often. The simulated fleet keeps the leader where it is, and knows nothing of the chain. */
#include "analysis/fleet_chain.h"

#include "tests/unit/estimate_fixture.h"

#include <math.h>

struct racks {
    struct setting setting;
    int64_t life_h; /* of a rack */
    double tolerance;
};

static const struct racks all[] = {
    /* machines, needed, crews, groups, shock o/oo, failover s */
    {{4, 3, 0, 3, 0, 10}, 99, .01},  /* 2, 1 and 1: the large one takes the quorum along */
    {{5, 3, 0, 2, 0, 10}, 30, .01},  /* 3 and 2 */
    {{5, 3, 1, 3, 0, 30}, 50, .02},  /* with one crew */
    {{7, 4, 2, 3, 10, 10}, 99, .03}, /* 3, 2 and 2, with shocks */
};

static struct spec_fleet racks_of(const struct racks *racks, enum spec_estimator estimator)
{
    struct spec_fleet fleet = fleet_of(&racks->setting, estimator);
    fleet.groups[0].life.a = racks->life_h * HOUR;
    return fleet;
}

TEST(fleet_leader, the_chain_counts_the_outages_of_brute_force)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(all); i++) {
        const struct spec_fleet fleet = racks_of(&all[i], SPEC_ESTIMATOR_CRUDE);
        const struct estimate_sums sums = run(&fleet, 1, 1);
        const struct fleet_exact truth = truth_of(&fleet);
        const struct estimate estimate = estimate_of(&sums, .95);
        CHECK(holds(&sums, truth.unavailability, .05));
        const double ratio = estimate.outages_per_h / truth.outages_per_h;
        CHECK(fabs(ratio - 1) < all[i].tolerance);
    }
}

TEST(fleet_leader, estimators_agree_wherever_a_cycle_begins)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_fleet fleet = racks_of(&all[i], SPEC_ESTIMATOR_IS);
        const struct fleet_exact truth = truth_of(&fleet);
        struct estimate_sums sums = run(&fleet, 1, 12);
        CHECK(holds(&sums, truth.unavailability, .03));
        CHECK(fabs(estimate_of(&sums, .95).outages_per_h / truth.outages_per_h - 1) < .03);
        fleet.estimator = SPEC_ESTIMATOR_RESTART;
        sums = run(&fleet, 1, 2);
        CHECK(holds(&sums, truth.unavailability, .05));
        CHECK(fabs(estimate_of(&sums, .95).outages_per_h / truth.outages_per_h - 1) < .03);
    }
}

TEST(fleet_leader, the_first_outage_comes_from_all_up_with_any_leader)
{
    const struct spec_fleet spec = racks_of(&all[0], SPEC_ESTIMATOR_CRUDE);
    const double mttf_h = truth_of(&spec).mttf_h;
    double sum = 0;
    double squares = 0;
    for (uint32_t seed = 0; seed < 8000; seed++) {
        struct fleet fleet;
        fleet_begin(&fleet, &spec, seed);
        while (fleet_is_up(&fleet, 0)) {
            fleet_step(&fleet);
        }
        const double first_h = (double)fleet.now_ns / HOUR;
        sum += first_h;
        squares += first_h * first_h;
    }
    const double mean = sum / 8000;
    CHECK(fabs(mean - mttf_h) < 3 * sqrt((squares / 8000 - mean * mean) / 8000));
}

TEST(fleet_leader, starts_are_as_many_as_there_are_sizes)
{
    struct fleet_model model = {.machines = 7,
                                .needed = 4,
                                .fail_per_h = .01,
                                .repair_per_h = 1,
                                .groups = 3,
                                .group_fail_per_h = .001,
                                .group_repair_per_h = 1,
                                .failover_h = .01};
    struct fleet_chain chain;
    struct fleet_state starts[FLEET_STARTS_MAX];
    double chances[FLEET_STARTS_MAX];
    struct err err = {0};
    REQUIRE(fleet_chain_init(&chain, &model, &err));
    CHECK_EQUAL(fleet_chain_starts(&chain, starts, chances), 2);
    CHECK(fabs(chances[0] - 3.0 / 7) < 1e-15);
    CHECK(fabs(chances[1] - 4.0 / 7) < 1e-15);
    CHECK(fleet_chain_is_whole(&chain, &starts[0]) && fleet_chain_is_whole(&chain, &starts[1]));
    starts[1].phase = FLEET_PHASE_ELECTING;
    CHECK(!fleet_chain_is_whole(&chain, &starts[1]));
    starts[0].groups[2] |= FLEET_GROUP_DOWN;
    CHECK(!fleet_chain_is_whole(&chain, &starts[0]));
    model.machines = 6;
    REQUIRE(fleet_chain_init(&chain, &model, &err));
    CHECK_EQUAL(fleet_chain_starts(&chain, starts, chances), 1);
    CHECK(fabs(chances[0] - 1) < 1e-15);
    model.failover_h = 0;
    model.machines = 7;
    REQUIRE(fleet_chain_init(&chain, &model, &err));
    CHECK_EQUAL(fleet_chain_starts(&chain, starts, chances), 1);
}
