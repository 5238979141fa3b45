/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Around twenty nines: ten machines all of which are down, and what becomes of it with one machine
 * less or more, with few repair crews, and with a share of failures in common. Two estimators that
 * have nothing in common must say of each what the exact chain says, and of each change by how much
 * it moves the answer. Half-widths of 10 % for splitting take seconds:
 * scenarios/availability/twenty-nines.yaml. */
#include "analysis/estimate.h"

#include "tests/unit/estimate_fixture.h"

#include <math.h>

/* The fleet and what is changed of it. */
static const struct setting ten = {10, 1, 0, 0, 0, 0};
static const struct setting changes[] = {
    /* machines, needed, crews, groups, shock o/oo, failover s */
    {9, 1, 0, 0, 0, 0},  {11, 1, 0, 0, 0, 0},   {10, 1, 1, 0, 0, 0},
    {10, 1, 2, 0, 0, 0}, {10, 1, 0, 0, 100, 0},
};

struct answer {
    struct estimate estimate; /* of 99 % */
    double truth;
};

static struct answer ask(const struct setting *setting, enum spec_estimator estimator,
                         uint32_t runs, double half_width)
{
    const struct spec_fleet fleet = fleet_of(setting, estimator);
    const struct estimate_sums sums = run(&fleet, 21, runs);
    const double truth = truth_of(&fleet).unavailability;
    CHECK(holds(&sums, truth, half_width));
    return (struct answer){.estimate = estimate_of(&sums, .99), .truth = truth};
}

/* Does the ratio of the two estimates hold the ratio of the truths, and is it clear which way it
 * went? */
static bool moves_as_truth(const struct answer *from, const struct answer *to)
{
    const double ratio = to->estimate.unavailability / from->estimate.unavailability;
    const double truth = to->truth / from->truth;
    const double error = hypot(from->estimate.half_width, to->estimate.half_width);
    const bool is_fine = fabs(ratio / truth - 1) <= error &&
                         (truth > 1 ? ratio * (1 - error) > 1 : ratio * (1 + error) < 1);
    if (!is_fine) {
        printf("  moved by %.4g instead of %.4g, +- %.3g\n", ratio, truth, error);
    }
    return is_fine;
}

static void check_changes(enum spec_estimator estimator, uint32_t runs, double half_width)
{
    const struct answer base = ask(&ten, estimator, runs, half_width);
    for (uint32_t i = 0; i < ARRAY_COUNT(changes); i++) {
        const struct answer changed = ask(&changes[i], estimator, runs, half_width);
        CHECK(moves_as_truth(&base, &changed));
    }
}

TEST(estimate_rare, importance_sampling_moves_as_the_chain_with_machines_crews_and_shocks)
{
    check_changes(SPEC_ESTIMATOR_IS, 2, .05);
}

TEST(estimate_rare, splitting_moves_as_the_chain_with_machines_crews_and_shocks)
{
    check_changes(SPEC_ESTIMATOR_RESTART, 2, .5);
}

TEST(estimate_rare, splitting_does_not_explode_where_machines_fail_together)
{
    struct setting setting = {7, 3, 0, 0, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    REQUIRE(fleet.repair.a == HOUR);
    fleet.life.kind = DIST_CONSTANT; /* all of them after 99 h, and nearly so for long */
    struct estimate_sums sums;
    struct err err = {0};
    uint64_t digest = 0;
    uint64_t events = 0;
    CHECK(estimate_run(&fleet, 1, &sums, &digest, &events, &err));
    CHECK(events < 20000000); /* the factors of mean rates: more than 400 million */
    CHECK(estimate_of(&sums, .95).unavailability > fleet_binomial(7, 3, .01)); /* together */
    struct estimate_path path;
    struct estimate_trajectory trajectory;
    REQUIRE(estimate_path_parse(sums.worst_path, &path, &err));
    REQUIRE(estimate_replay(&fleet, 0, &path, NULL, NULL, &trajectory, &err));
    CHECK(trajectory.digest == sums.worst_digest);
}
