/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact answers for groups: of several kinds that are independent, against every state one by one,
 * and of one kind with shocks, against chains that were solved by hand. */
#include "analysis/fleet_product.h"

#include "analysis/estimators.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/fleet.h"
#include "tests/unit/harness.h"

#include <math.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

static bool is_near(double value, double wanted, double relative)
{
    const bool is_fine = fabs(value - wanted) <= relative * fabs(wanted);
    if (!is_fine) {
        printf("  %.15g instead of %.15g\n", value, wanted);
    }
    return is_fine;
}

static struct dist hours(int64_t mean_h)
{
    return (struct dist){.kind = DIST_EXPONENTIAL, .a = mean_h * HOUR};
}

static struct spec_fleet fleet_of(uint32_t machines, uint32_t racks, uint32_t feeds)
{
    return (struct spec_fleet){
        .is_asked = true,
        .machines = machines,
        .life = hours(9),
        .repair = hours(1),
        .groups = {{.name = "rack", .count = racks, .life = hours(30), .repair = hours(4)},
                   {.name = "power", .count = feeds, .life = hours(50), .repair = hours(2)}},
        .estimator = SPEC_ESTIMATOR_EXACT,
    };
}

/* Machine i is available in a state of all parts (a bit of each that is down). */
static bool is_there(const struct spec_fleet *spec, uint32_t state, uint32_t i)
{
    const uint32_t rack = spec->machines + i % spec->groups[0].count;
    const uint32_t feed = spec->machines + spec->groups[0].count + i % spec->groups[1].count;
    return (state >> i & 1) == 0 && (state >> rack & 1) == 0 && (state >> feed & 1) == 0;
}

static bool is_enough(const struct spec_fleet *spec, uint32_t state, uint32_t needed)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < spec->machines; i++) {
        count += is_there(spec, state, i) ? 1 : 0;
    }
    return count >= needed;
}

/* Every state of every part, with its product of chances. */
static struct fleet_product by_force(const struct spec_fleet *spec, uint32_t needed)
{
    struct fleet_product sums = {0};
    const uint32_t racks = spec->groups[0].count;
    const uint32_t parts = spec->machines + racks + spec->groups[1].count;
    for (uint32_t state = 0; state < 1u << parts; state++) {
        double chance = 1;
        double rate = 0; /* of parts that take it down */
        const bool is_up = is_enough(spec, state, needed);
        for (uint32_t p = 0; p < parts; p++) {
            const double life_h = p < spec->machines ? 9 : p < spec->machines + racks ? 30 : 50;
            const double repair_h = p < spec->machines ? 1 : p < spec->machines + racks ? 4 : 2;
            const bool is_down = (state >> p & 1) != 0;
            chance *= (is_down ? repair_h : life_h) / (life_h + repair_h);
            if (!is_down && is_up && !is_enough(spec, state | 1u << p, needed)) {
                rate += 1 / life_h;
            }
        }
        sums.unavailability += is_up ? 0 : chance;
        sums.outages_per_h += chance * rate;
    }
    return sums;
}

TEST(fleet_product, two_kinds_of_groups_are_as_if_every_state_were_looked_at)
{
    static const uint32_t sizes[][3] = {{6, 3, 2}, {6, 2, 2}, {5, 3, 2}, {4, 4, 2}, {7, 2, 1}};
    for (uint32_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        const struct spec_fleet spec = fleet_of(sizes[i][0], sizes[i][1], sizes[i][2]);
        for (uint32_t needed = 1; needed <= spec.machines; needed++) {
            const struct fleet_product wanted = by_force(&spec, needed);
            const struct fleet_product found = fleet_product(&spec, needed);
            CHECK(is_near(found.unavailability, wanted.unavailability, 1e-12));
            CHECK(is_near(found.outages_per_h, wanted.outages_per_h, 1e-12));
        }
    }
}

TEST(fleet_product, independent_groups_multiply)
{
    struct spec_fleet spec = fleet_of(1, 1, 1);
    const double up = 9.0 / 10 * 30 / 34 * 50 / 52;
    CHECK(is_near(fleet_product(&spec, 1).unavailability, 1 - up, 1e-14));
    CHECK(is_near(fleet_product(&spec, 1).outages_per_h, up * (1.0 / 9 + 1.0 / 30 + 1.0 / 50),
                  1e-14));
    spec.groups[1].count = 0;
    CHECK(is_near(fleet_product(&spec, 1).unavailability, 1 - .9 * 30 / 34, 1e-14));
    spec.groups[0].life.a = 0; /* never fails */
    CHECK(is_near(fleet_product(&spec, 1).unavailability, .1, 1e-14));
}

TEST(fleet_product, one_kind_is_the_lumped_chain)
{
    struct spec_fleet spec = fleet_of(9, 3, 0);
    spec.life = hours(99);
    spec.groups[0].life = hours(10000);
    struct spec_service service = {.name = "s"};
    spec.services = &service;
    spec.service_count = 1;
    for (uint32_t needed = 1; needed <= 9; needed++) {
        struct fleet_model model;
        struct fleet_exact exact;
        struct err err = {0};
        service.needed = needed;
        REQUIRE(estimate_model(&spec, 0, &model, &err));
        REQUIRE(fleet_exact(&model, &exact, &err));
        const struct fleet_product found = fleet_product(&spec, needed);
        CHECK(is_near(found.unavailability, exact.unavailability, 1e-10));
        CHECK(is_near(found.outages_per_h, exact.outages_per_h, 1e-10));
    }
}

/* Zones, racks and feeds of 64 machines: thousands of sets of groups, and a figure of twenty digits
 * is still the one of its largest term. */
TEST(fleet_product, many_groups_are_no_trouble)
{
    struct spec_fleet spec = fleet_of(64, 8, 2);
    spec.life = hours(99);
    spec.groups[0].life = hours(100000);
    spec.groups[1].life = hours(1000000);
    spec.groups[2] = (struct spec_fleet_groups){
        .name = "zone", .count = 4, .life = hours(1000000), .repair = hours(1)};
    const double feeds = pow(2 / 1000002.0, 2);
    const double zones = pow(1 / 1000001.0, 4);
    CHECK(is_near(fleet_product(&spec, 1).unavailability, feeds + zones, 1e-3));
    spec.groups[1].count = 0; /* as a list ends there, so do the zones */
    CHECK(fleet_product(&spec, 1).unavailability < 1e-30);
}

/* ---------------------------------------------------------- shocks within groups, one kind
 */

static struct fleet_exact solve(struct fleet_model model)
{
    struct fleet_exact exact = {0};
    struct err err = {0};
    CHECK(fleet_exact(&model, &exact, &err));
    CHECK_TEXT(err.text, "");
    return exact;
}

/* Marshall and Olkin's two machines: chances of 0, 1 and 2 down, from the balance of the states
 * "none" and "both". */
static void two_of_a_group(double fail, double repair, double share, double chances[3])
{
    chances[0] = 1;
    chances[1] = fail * (2 - share) / repair;
    chances[2] = (share * fail + chances[1] * fail) / (2 * repair);
    const double sum = chances[0] + chances[1] + chances[2];
    for (uint32_t i = 0; i < 3; i++) {
        chances[i] /= sum;
    }
}

TEST(fleet_product, shocks_of_one_group_of_two_are_marshall_and_olkins_chain)
{
    static const double shares[] = {.5, .01, 1e-6, 1};
    for (uint32_t i = 0; i < ARRAY_COUNT(shares); i++) {
        double chances[3];
        struct fleet_model model = {.machines = 2,
                                    .needed = 1,
                                    .fail_per_h = 1.0 / 99,
                                    .repair_per_h = 1,
                                    .groups = 1,
                                    .group_shock_share = shares[i]};
        two_of_a_group(1.0 / 99, 1, shares[i], chances);
        CHECK(is_near(chances[1] / 2 + chances[2], .01, 1e-12)); /* a machine is what it was */
        CHECK(is_near(solve(model).unavailability, chances[2], 1e-12));
        model.needed = 2;
        CHECK(is_near(solve(model).unavailability, chances[1] + chances[2], 1e-12));
        /* Two groups have nothing to do with each other. */
        model.machines = 4;
        model.groups = 2;
        model.needed = 1;
        CHECK(is_near(solve(model).unavailability, chances[2] * chances[2], 1e-11));
        model.needed = 3;
        CHECK(is_near(solve(model).unavailability,
                      1 - chances[0] * chances[0] - 2 * chances[0] * chances[1], 1e-11));
    }
}

TEST(fleet_product, shocks_of_the_only_group_are_shocks_of_all)
{
    struct fleet_model all = {.machines = 5,
                              .needed = 3,
                              .fail_per_h = 1.0 / 99,
                              .repair_per_h = 1,
                              .crews = 2,
                              .shock_share = .03,
                              .failover_h = 10.0 / 3600};
    struct fleet_model group = all;
    group.groups = 1;
    group.shock_share = .01;
    group.group_shock_share = .02;
    const struct fleet_exact wanted = solve(all);
    const struct fleet_exact found = solve(group);
    CHECK(is_near(found.unavailability, wanted.unavailability, 1e-12));
    CHECK(is_near(found.outages_per_h, wanted.outages_per_h, 1e-12));
    CHECK(is_near(found.mttf_h, wanted.mttf_h, 1e-10));
}

TEST(fleet_product, shares_of_more_than_all_failures_are_refused)
{
    struct fleet_model model = {.machines = 2,
                                .needed = 1,
                                .fail_per_h = .01,
                                .repair_per_h = 1,
                                .shock_share = .6,
                                .groups = 1,
                                .group_shock_share = .5};
    struct fleet_exact exact;
    struct err err = {0};
    CHECK(!fleet_exact(&model, &exact, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
}
