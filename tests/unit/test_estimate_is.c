/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Importance sampling where there are many ways down: racks of one machine, of several, rare ones,
 * with shocks and few crews. The chain must lie in the interval, and no cycle may weigh so much
 * that the interval is not to be believed. */
#include "analysis/estimate.h"

#include "tests/unit/estimate_fixture.h"

#include <math.h>

struct racks {
    struct setting setting;
    int64_t life_h; /* of a rack */
    int64_t repair_h;
    double half_width;
};

TEST(estimate_is, no_cycle_weighs_too_much_where_there_are_many_ways_down)
{
    static const struct racks all[] = {
        /* machines, needed, crews, groups, shock o/oo, failover s */
        {{9, 1, 0, 9, 0, 0}, 10000, 4, .04},    {{9, 5, 0, 9, 0, 0}, 10000, 4, .04},
        {{9, 1, 0, 3, 0, 0}, 10000, 4, .04},    {{9, 5, 0, 3, 0, 0}, 10000, 4, .04},
        {{6, 1, 0, 3, 0, 0}, 1000000, 10, .04}, {{12, 7, 2, 4, 1, 10}, 999, 1, .03},
        {{12, 1, 2, 4, 1, 0}, 10000, 10, .03},  {{8, 1, 1, 2, 0, 0}, 100000, 10, .04},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(all); i++) {
        struct spec_fleet fleet = fleet_of(&all[i].setting, SPEC_ESTIMATOR_IS);
        fleet.groups[0].life.a = all[i].life_h * HOUR;
        fleet.groups[0].repair.a = all[i].repair_h * HOUR;
        const struct estimate_sums sums = run(&fleet, 11, 3);
        const struct fleet_exact truth = truth_of(&fleet);
        const struct estimate estimate = estimate_of(&sums, .95);
        CHECK(holds(&sums, truth.unavailability, all[i].half_width));
        CHECK(estimate.weight_share < ESTIMATE_SHARE_MAX);
        CHECK(estimate.effective > 2000);
        CHECK(fabs(estimate.outages_per_h / truth.outages_per_h - 1) < .06);
    }
}
