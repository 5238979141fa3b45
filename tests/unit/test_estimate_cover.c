/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How often intervals of 95 % hold the truth where failures have common causes: shocks that come
 * once in a century, and racks. What may happen by chance once in a thousand times is let pass;
 * `make bench B=coverage` does it over 200 seeds, with more fleets, within 90 and 98 %. */
#include "analysis/estimate.h"

#include "tests/unit/estimate_fixture.h"

/* In how many of `seeds` replications does the interval hold the truth? */
static uint32_t held(const struct spec_fleet *fleet, uint32_t seeds)
{
    const double truth = truth_of(fleet).unavailability;
    uint32_t count = 0;
    for (uint32_t i = 0; i < seeds; i++) {
        const struct estimate_sums sums = run(fleet, 5000 + i, 1);
        const struct estimate estimate = estimate_of(&sums, .95);
        count += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
    }
    return count;
}

TEST(estimate_cover, shocks_once_in_a_century)
{
    struct setting setting = {3, 2, 0, 0, 0, 10};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    fleet.shock_share = RNG_ALWAYS / 10000;
    const uint32_t restart = held(&fleet, 60);
    CHECK(restart >= 50);
    CHECK(restart < 60);
    fleet.estimator = SPEC_ESTIMATOR_IS;
    CHECK(held(&fleet, 40) >= 32);
}

TEST(estimate_cover, racks)
{
    struct setting setting = {4, 2, 0, 2, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    fleet.groups[0].life.a = 100000 * HOUR;
    CHECK(held(&fleet, 20) >= 15);
    fleet.estimator = SPEC_ESTIMATOR_IS;
    CHECK(held(&fleet, 40) >= 32);
}

TEST(estimate_cover, many_racks)
{
    struct setting setting = {9, 1, 0, 3, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_IS);
    fleet.groups[0].life.a = 10000 * HOUR;
    fleet.groups[0].repair.a = 4 * HOUR;
    CHECK(held(&fleet, 40) >= 32);
}
