/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What experiments make of verdicts: classes, brackets, the size that tips half of the runs, and
 * bisection, which is tried on every threshold of every small range. */
#include "analysis/experiment.h"

#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <string.h>

#define NONE ((struct tally){0})

static struct tally told(uint64_t stable, uint64_t stuck)
{
    return (struct tally){.stable = stable, .stuck = stuck};
}

static bool is_near(double left, double right, double tolerance)
{
    return fabs(left - right) <= tolerance;
}

/* ------------------------------------------------------------------------------------- regions */

TEST(experiment, a_load_is_stable_when_nothing_sticks_and_vulnerable_when_anything_does)
{
    struct tally row[] = {told(20, 0), told(20, 0), told(20, 0)};
    CHECK_EQUAL(region_of(row, 3), REGION_STABLE);
    row[2] = told(19, 1);
    CHECK_EQUAL(region_of(row, 3), REGION_VULNERABLE);
    CHECK_TEXT(region_name(REGION_VULNERABLE), "vulnerable");
}

TEST(experiment, a_load_is_unstable_when_half_of_its_runs_fail_by_themselves)
{
    struct tally row[] = {{.stable = 10, .unstable = 10}, {.stable = 10, .unstable = 10}};
    CHECK_EQUAL(region_of(row, 2), REGION_UNSTABLE);
    row[0].unstable = 9;
    row[0].stable = 11;
    CHECK_EQUAL(region_of(row, 2), REGION_STABLE);
    row[1].stuck = 1;
    CHECK_EQUAL(region_of(row, 2), REGION_VULNERABLE);
}

TEST(experiment, what_was_not_told_is_not_called_stable)
{
    struct tally row[] = {told(5, 0), NONE};
    CHECK_EQUAL(region_of(row, 2), REGION_UNKNOWN);
    row[1] = (struct tally){.stable = 2, .undecided = 3};
    CHECK_EQUAL(region_of(row, 2), REGION_UNKNOWN);
    row[1] = (struct tally){.stable = 3, .undecided = 2};
    CHECK_EQUAL(region_of(row, 2), REGION_STABLE);
    CHECK_EQUAL(region_of(NULL, 0), REGION_UNKNOWN);
}

TEST(experiment, capacities_lie_between_the_last_better_and_the_first_worse_load)
{
    static const double loads[] = {100, 120, 140, 160, 180};
    enum region regions[] = {REGION_STABLE, REGION_STABLE, REGION_VULNERABLE, REGION_VULNERABLE,
                             REGION_UNSTABLE};
    bool is_monotone;
    struct bracket hidden = bracket_of(loads, regions, 5, REGION_VULNERABLE, &is_monotone);
    CHECK(hidden.low == 120 && hidden.high == 140 && is_monotone);
    struct bracket advertised = bracket_of(loads, regions, 5, REGION_UNSTABLE, &is_monotone);
    CHECK(advertised.low == 160 && advertised.high == 180 && is_monotone);
    regions[2] = REGION_UNKNOWN;
    hidden = bracket_of(loads, regions, 5, REGION_VULNERABLE, &is_monotone);
    CHECK(hidden.low == 120 && hidden.high == 160 && is_monotone);
}

TEST(experiment, an_end_of_a_bracket_that_was_not_seen_is_open)
{
    static const double loads[] = {100, 120};
    enum region all_stable[] = {REGION_STABLE, REGION_STABLE};
    enum region all_unstable[] = {REGION_UNSTABLE, REGION_UNSTABLE};
    bool is_monotone;
    struct bracket bracket = bracket_of(loads, all_stable, 2, REGION_VULNERABLE, &is_monotone);
    CHECK(bracket.low == 120 && isnan(bracket.high));
    bracket = bracket_of(loads, all_unstable, 2, REGION_VULNERABLE, &is_monotone);
    CHECK(isnan(bracket.low) && bracket.high == 100);
    bracket = bracket_of(loads, NULL, 0, REGION_UNSTABLE, &is_monotone);
    CHECK(isnan(bracket.low) && isnan(bracket.high));
}

TEST(experiment, a_load_that_is_better_again_is_said)
{
    static const double loads[] = {100, 120, 140};
    enum region regions[] = {REGION_STABLE, REGION_VULNERABLE, REGION_STABLE};
    bool is_monotone;
    struct bracket bracket = bracket_of(loads, regions, 3, REGION_VULNERABLE, &is_monotone);
    CHECK(bracket.low == 100 && bracket.high == 120 && !is_monotone);
}

/* ------------------------------------------------------------------------------------- tipping */

TEST(experiment, runs_that_overlap_are_fitted)
{
    static const double sizes[] = {1, 2, 3, 4, 5};
    struct tally points[] = {told(20, 0), told(17, 3), told(10, 10), told(3, 17), told(0, 20)};
    struct tipping tipping = tipping_of(sizes, points, 5);
    CHECK_EQUAL(tipping.method, TIPPING_FIT);
    CHECK(is_near(tipping.half, 3, 1e-6));
    CHECK(tipping.interval.low > 2 && tipping.interval.low < 3);
    CHECK(tipping.interval.high > 3 && tipping.interval.high < 4);
}

TEST(experiment, sizes_that_separate_the_runs_are_bracketed)
{
    static const double sizes[] = {1, 2, 3, 4};
    struct tally points[] = {told(20, 0), told(20, 0), told(0, 20), told(0, 20)};
    struct tipping tipping = tipping_of(sizes, points, 4);
    CHECK_EQUAL(tipping.method, TIPPING_BETWEEN);
    CHECK(tipping.half == 2.5 && tipping.interval.low == 2 && tipping.interval.high == 3);
    points[1] = NONE; /* not told: the bracket is wider */
    tipping = tipping_of(sizes, points, 4);
    CHECK(tipping.half == 2 && tipping.interval.low == 1 && tipping.interval.high == 3);
}

TEST(experiment, nothing_is_extrapolated)
{
    static const double sizes[] = {1, 2, 3};
    struct tally few[] = {told(20, 0), told(19, 1), told(18, 2)};
    CHECK_EQUAL(tipping_of(sizes, few, 3).method, TIPPING_NONE);
    CHECK(isnan(tipping_of(sizes, few, 3).half));
    struct tally many[] = {told(9, 11), told(5, 15), told(0, 20)};
    CHECK_EQUAL(tipping_of(sizes, many, 3).method, TIPPING_ALL);
    CHECK_EQUAL(tipping_of(sizes, NULL, 0).method, TIPPING_NONE);
}

/* ----------------------------------------------------------------------------------- bisection */

/* A search over `count` sizes of which those from `threshold` on stick; runs taken. */
static uint32_t search(struct bisection *bisection, uint32_t count, uint32_t threshold)
{
    uint32_t runs = 0;
    uint32_t index;
    bisection_init(bisection, count);
    while (bisection_next(bisection, &index)) {
        CHECK(index < count);
        bisection_tell(bisection, index >= threshold ? BISECTION_STICKS : BISECTION_RECOVERS);
        runs++;
        ASSERT(runs <= bisection_runs_max(count));
    }
    return runs;
}

TEST(experiment, bisection_finds_every_threshold_of_every_range)
{
    struct bisection bisection;
    for (uint32_t count = 2; count < 70; count++) {
        for (uint32_t threshold = 0; threshold <= count; threshold++) {
            search(&bisection, count, threshold);
            CHECK(!bisection.is_contradicted);
            if (threshold == 0) {
                CHECK_EQUAL(bisection.end, BISECTION_BELOW);
            } else if (threshold == count) {
                CHECK_EQUAL(bisection.end, BISECTION_ABOVE);
            } else {
                CHECK_EQUAL(bisection.end, BISECTION_FOUND);
                CHECK_EQUAL(bisection.high, threshold);
                CHECK_EQUAL(bisection.low, threshold - 1);
            }
        }
    }
}

TEST(experiment, bisection_looks_at_both_ends_first_and_takes_few_runs)
{
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, 101);
    CHECK(bisection_next(&bisection, &index) && index == 0);
    bisection_tell(&bisection, BISECTION_RECOVERS);
    CHECK(bisection_next(&bisection, &index) && index == 100);
    CHECK_EQUAL(search(&bisection, 101, 0), 1);
    CHECK_EQUAL(search(&bisection, 101, 101), 2);
    CHECK(search(&bisection, 101, 37) <= 2 + 7 + 2);
    CHECK_EQUAL(bisection_runs_max(101), 2 + 7 + 2);
    CHECK_EQUAL(bisection_runs_max(2), 2 + 0 + 2);
}

TEST(experiment, bisection_says_when_a_larger_size_does_not_stick)
{
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, 101);
    while (bisection_next(&bisection, &index)) {
        bool sticks = index == 100 || (index >= 20 && index < 55);
        bisection_tell(&bisection, sticks ? BISECTION_STICKS : BISECTION_RECOVERS);
    }
    CHECK_EQUAL(bisection.end, BISECTION_FOUND);
    CHECK(bisection.is_contradicted);
}

TEST(experiment, bisection_ends_when_a_run_tells_nothing)
{
    struct bisection bisection;
    uint32_t index;
    bisection_init(&bisection, 10);
    CHECK(bisection_next(&bisection, &index));
    bisection_tell(&bisection, BISECTION_TELLS_NOTHING);
    CHECK_EQUAL(bisection.end, BISECTION_FAILED);
    CHECK(!bisection_next(&bisection, &index));
}
