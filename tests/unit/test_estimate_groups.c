/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimates where machines are in groups of several kinds, or where groups have shocks: against
 * sums of products, and which estimators refuse. */
#include "analysis/decompose.h"
#include "analysis/fleet_product.h"
#include "tests/unit/estimate_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Racks and, across them, power feeds. */
static struct spec_fleet cross(const struct setting *setting, uint32_t feeds,
                               enum spec_estimator estimator)
{
    struct spec_fleet fleet = fleet_of(setting, estimator);
    fleet.groups[1] =
        (struct spec_fleet_groups){.name = "power",
                                   .count = feeds,
                                   .life = {.kind = DIST_EXPONENTIAL, .a = 4000 * HOUR},
                                   .repair = {.kind = DIST_EXPONENTIAL, .a = 2 * HOUR}};
    return fleet;
}

static struct estimate_sums exactly(const struct spec_fleet *fleet)
{
    struct spec_fleet asked = *fleet;
    struct estimate_sums sums = {0};
    struct err err = {0};
    uint64_t digest = 0;
    uint64_t events = 0;
    asked.estimator = SPEC_ESTIMATOR_EXACT;
    CHECK(estimate_run(&asked, 1, &sums, &digest, &events, &err));
    CHECK_TEXT(err.text, "");
    return sums;
}

TEST(estimate_groups, simulation_agrees_with_the_product_for_two_kinds)
{
    static const struct setting settings[] = {
        /* machines, needed, crews, groups, shock o/oo, failover s */
        {6, 4, 0, 3, 0, 0},
        {4, 1, 0, 2, 0, 0}, /* a rack is on one feed */
        {5, 3, 0, 5, 0, 0}};
    for (uint32_t i = 0; i < ARRAY_COUNT(settings); i++) {
        struct spec_fleet fleet = cross(&settings[i], 2, SPEC_ESTIMATOR_RESTART);
        const double truth = fleet_product(&fleet, settings[i].needed).unavailability;
        CHECK_EQUAL(exactly(&fleet).method, ESTIMATE_BINOMIAL);
        CHECK(exactly(&fleet).unavailability == truth);
        struct estimate_sums sums = run(&fleet, 1, 2);
        CHECK(holds(&sums, truth, .3));
        const struct estimate estimate = estimate_of(&sums, .95);
        const double rate = fleet_product(&fleet, settings[i].needed).outages_per_h;
        CHECK(fabs(estimate.outages_per_h / rate - 1) < .4);
        fleet.estimator = SPEC_ESTIMATOR_CRUDE;
        if (i == 0) {
            sums = run(&fleet, 1, 2);
            CHECK(holds(&sums, truth, .3));
        }
    }
}

/* Feeds that fail once in decades: no level comes before them, so they are forced. */
TEST(estimate_groups, splitting_sees_every_kind_however_rare)
{
    static const struct setting setting = {6, 4, 0, 3, 0, 0};
    struct spec_fleet fleet = cross(&setting, 2, SPEC_ESTIMATOR_RESTART);
    fleet.groups[0].life.a = 200000 * HOUR;
    fleet.groups[1].life.a = 500000 * HOUR;
    const double truth = fleet_product(&fleet, 4).unavailability;
    const struct estimate_sums sums = run(&fleet, 1, 2);
    CHECK(holds(&sums, truth, .3));
    struct setting without = {6, 4, 0, 0, 0, 0};
    struct spec_fleet machines = fleet_of(&without, SPEC_ESTIMATOR_EXACT);
    CHECK(truth > 1.2 * fleet_product(&machines, 4).unavailability); /* they do matter */
}

TEST(estimate_groups, laws_of_any_kind_have_the_same_product)
{
    static const struct setting setting = {4, 3, 0, 2, 0, 0};
    struct spec_fleet fleet = cross(&setting, 4, SPEC_ESTIMATOR_RESTART);
    struct err err = {0};
    const double truth = fleet_product(&fleet, 3).unavailability;
    REQUIRE(dist_weibull_of_mean(&fleet.groups[0].life, 999 * HOUR, 1500, &err));
    REQUIRE(dist_lognormal_of_mean(&fleet.groups[1].repair, 2 * HOUR, 5 * HOUR, &err));
    REQUIRE(dist_weibull_of_mean(&fleet.life, 99 * HOUR, 1500, &err));
    CHECK(fabs(exactly(&fleet).unavailability / truth - 1) < 1e-6);
    const struct estimate_sums sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, truth, .3));
}

/* Three groups of two machines with shocks of their own, and two feeds across them: groups are
 * independent, and so are feeds, so all follows from Marshall and Olkin's chain of two machines.
 * Chance that fewer than `needed` are left. */
static double struck(double share, double dark, uint32_t needed)
{
    const double fail = 1.0 / 99;
    const double one = fail * (2 - share);
    const double two = (share * fail + one * fail) / 2;
    const double none = 1 / (1 + one + two);
    double sum = 0;
    for (uint32_t lost = 0; lost <= 2; lost++) {          /* feeds */
        double there[3] = {none * two, none * one, none}; /* of one group, by machines left */
        if (lost == 1) {
            there[0] = none * two + none * one / 2;
            there[1] = none + none * one / 2;
            there[2] = 0;
        } else if (lost == 2) {
            there[0] = 1;
            there[1] = 0;
            there[2] = 0;
        }
        double fewer = 0;
        for (uint32_t all = 0; all < 27; all++) {
            const uint32_t left[3] = {all % 3, all / 3 % 3, all / 9};
            if (left[0] + left[1] + left[2] < needed) {
                fewer += there[left[0]] * there[left[1]] * there[left[2]];
            }
        }
        sum += fewer * (lost == 1 ? 2 : 1) * pow(dark, lost) * pow(1 - dark, 2 - lost);
    }
    return sum;
}

TEST(estimate_groups, simulation_agrees_where_groups_have_shocks)
{
    static const struct setting setting = {6, 4, 0, 3, 0, 0};
    static const uint64_t shares[] = {RNG_ALWAYS / 10, RNG_ALWAYS / 1000, RNG_ALWAYS / 1000000};
    for (uint32_t i = 0; i < ARRAY_COUNT(shares); i++) {
        struct spec_fleet fleet = cross(&setting, 2, SPEC_ESTIMATOR_RESTART);
        fleet.groups[0].life = (struct dist){0};
        fleet.groups[0].repair = (struct dist){0};
        fleet.groups[0].shock_share = shares[i];
        const double share = (double)shares[i] / 0x1p32;
        const double truth = struck(share, 2.0 / 4002, 4);
        struct estimate_sums sums = run(&fleet, 1, 2);
        CHECK(holds(&sums, truth, .3));
        fleet.estimator = SPEC_ESTIMATOR_CRUDE;
        if (i == 0) {
            sums = run(&fleet, 1, 2);
            CHECK(holds(&sums, truth, .3));
        }
        fleet.groups[1].count = 0; /* one kind: a chain, and importance sampling walks it */
        const double alone = struck(share, 0, 4);
        CHECK(fabs(exactly(&fleet).unavailability / alone - 1) < 1e-6);
        fleet.estimator = SPEC_ESTIMATOR_IS;
        sums = run(&fleet, 1, 4);
        CHECK(holds(&sums, alone, .3));
        fleet.estimator = SPEC_ESTIMATOR_RESTART;
        sums = run(&fleet, 1, 2);
        CHECK(holds(&sums, alone, .3));
    }
}

/* Any copy of four: two shocks, one after the other, are the way down. */
TEST(estimate_groups, splitting_sees_one_rare_shock_after_another)
{
    static const struct setting setting = {4, 1, 0, 2, 0, 0};
    struct spec_fleet fleet = fleet_of(&setting, SPEC_ESTIMATOR_RESTART);
    fleet.groups[0].life = (struct dist){0};
    fleet.groups[0].repair = (struct dist){0};
    fleet.groups[0].shock_share = RNG_ALWAYS / 20;
    const double truth = truth_of(&fleet).unavailability;
    struct estimate_sums sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, truth, .3));
    fleet.estimator = SPEC_ESTIMATOR_IS;
    sums = run(&fleet, 1, 10);
    CHECK(holds(&sums, truth, .2));
    fleet.crews = 1;
    fleet.groups[0].life = (struct dist){.kind = DIST_EXPONENTIAL, .a = 2000 * HOUR};
    fleet.groups[0].repair = (struct dist){.kind = DIST_EXPONENTIAL, .a = 3 * HOUR};
    fleet.services->failover_ns = 10 * NS_PER_S;
    sums = run(&fleet, 1, 10);
    CHECK(holds(&sums, truth_of(&fleet).unavailability, .2));
    fleet.estimator = SPEC_ESTIMATOR_RESTART;
    sums = run(&fleet, 1, 3);
    CHECK(holds(&sums, truth_of(&fleet).unavailability, .3));
}

/* How many of so many intervals of 95 % hold the truth. */
static uint32_t covered(const struct spec_fleet *fleet, double truth, uint32_t runs)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < runs; i++) {
        const struct estimate_sums sums = run(fleet, 1000 + i, 1);
        const struct estimate estimate = estimate_of(&sums, .95);
        count += estimate.interval.low <= truth && truth <= estimate.interval.high ? 1 : 0;
    }
    return count;
}

TEST(estimate_groups, intervals_cover)
{
    static const struct setting setting = {6, 4, 0, 3, 0, 0};
    struct spec_fleet fleet = cross(&setting, 2, SPEC_ESTIMATOR_RESTART);
    fleet.groups[1].life.a = 100000 * HOUR;
    CHECK(covered(&fleet, fleet_product(&fleet, 4).unavailability, 12) >= 9);
    fleet.groups[0] =
        (struct spec_fleet_groups){.name = "rack", .count = 3, .shock_share = RNG_ALWAYS / 1000};
    CHECK(covered(&fleet, struck(.001, 2.0 / 100002, 4), 12) >= 9);
    fleet.groups[1].count = 0;
    fleet.estimator = SPEC_ESTIMATOR_IS;
    CHECK(covered(&fleet, truth_of(&fleet).unavailability, 20) >= 16);
}

/* -------------------------------------------------------------------------- who may be asked */

static bool is_refused(const struct spec_fleet *fleet, const char *why)
{
    struct err err = {0};
    const bool is_refused = !estimate_check(fleet, &err);
    if (is_refused && strstr(err.text, why) == NULL) {
        printf("  '%s' instead of '%s'\n", err.text, why);
    }
    return is_refused && err.code == ERR_INPUT && strstr(err.text, why) != NULL;
}

TEST(estimate_groups, what_several_kinds_are_not_for_is_said)
{
    static const struct setting setting = {6, 4, 0, 3, 0, 0};
    char why[ESTIMATE_WHY_SIZE];
    struct err err = {0};
    struct spec_fleet fleet = cross(&setting, 2, SPEC_ESTIMATOR_IS);
    CHECK(is_refused(&fleet, "several kinds of groups"));
    CHECK_EQUAL(estimate_choose(&fleet, why), SPEC_ESTIMATOR_EXACT);
    CHECK_TEXT(why, "machines and groups are independent, so only the means of their laws matter");
    fleet.estimator = SPEC_ESTIMATOR_EXACT;
    CHECK(estimate_check(&fleet, &err));
    fleet.crews = 1;
    CHECK(is_refused(&fleet, "several kinds of groups"));
    CHECK_EQUAL(estimate_choose(&fleet, why), SPEC_ESTIMATOR_RESTART);
    CHECK(strstr(why, "several kinds of groups") != NULL);
    fleet.crews = 0;
    fleet.groups[1].shock_share = RNG_ALWAYS / 10;
    CHECK(is_refused(&fleet, "several kinds of groups"));
    CHECK_EQUAL(estimate_choose(&fleet, why), SPEC_ESTIMATOR_RESTART);
    fleet.estimator = SPEC_ESTIMATOR_CRUDE;
    CHECK(estimate_check(&fleet, &err));
    fleet.groups[1].count = 0;
    fleet.groups[0].shock_share = RNG_ALWAYS / 10;
    CHECK_EQUAL(estimate_choose(&fleet, why), SPEC_ESTIMATOR_EXACT); /* one kind is a chain */
    fleet.correlation = RNG_ALWAYS / 10;
    fleet.estimator = SPEC_ESTIMATOR_EXACT;
    CHECK(is_refused(&fleet, "goes with machines alone"));
}

/* ------------------------------------------------------------------------------ decomposition */

TEST(estimate_groups, a_decomposition_simulates_several_kinds)
{
    static const struct setting setting = {6, 4, 0, 3, 0, 0};
    struct spec_fleet fleet = cross(&setting, 2, SPEC_ESTIMATOR_DECOMPOSE);
    struct decompose_fleet *found = calloc(1, sizeof(*found));
    struct err err = {0};
    ASSERT(found != NULL);
    CHECK(decompose_is_simulated(&fleet));
    REQUIRE(decompose_fleet(&fleet, 0, true, 1, found, &err));
    const struct fleet_product truth = fleet_product(&fleet, 4);
    CHECK(found->down_error > 0);
    CHECK(fabs(found->down - truth.unavailability) < 4 * found->down_error);
    CHECK(fabs(found->outages_per_h / truth.outages_per_h - 1) < .3);
    double racks = 0;
    double feeds = 0;
    for (uint32_t i = 0; i < found->class_count; i++) {
        const struct decompose_class *one = &found->classes[i];
        racks += one->kind == DECOMPOSE_GROUP_LOST && one->before == 6 && one->after == 4;
        feeds += one->kind == DECOMPOSE_QUORUM_LOST && one->before == 6 && one->after == 3;
    }
    CHECK_EQUAL(racks, 1);
    CHECK_EQUAL(feeds, 1);
    fleet.groups[1].count = 0;
    fleet.groups[0].shock_share = RNG_ALWAYS / 10;
    CHECK(!decompose_is_simulated(&fleet));
    REQUIRE(decompose_fleet(&fleet, 0, true, 1, found, &err));
    CHECK(fabs(found->down / truth_of(&fleet).unavailability - 1) < 1e-9);
    free(found);
}
