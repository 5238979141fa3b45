/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Copysets against the closed form, the figures of the paper that it gives, and small cases that
 * can be counted by hand. */
#include "analysis/copysets.h"
#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>

static bool is_within(double value, double expected, double margin)
{
    return fabs(value - expected) <= margin;
}

static double simulated(struct copysets copysets, enum copysets_placement placement,
                        uint32_t trials)
{
    return copysets_simulate(&copysets, placement, (struct copysets_trials){7, trials}) /
           (double)trials;
}

TEST(copysets, closed_form_has_the_headline_of_the_paper)
{
    const struct copysets large = {5000, 50, 3, 10};
    CHECK(is_within(copysets_loss(&large, 55.0 * 5000), .2281, 5e-5));
    CHECK(is_within(copysets_loss(&large, copysets_of_permutations(&large)), .00781, 5e-6));
    CHECK(is_within(copysets_loss(&large, 8000.0 * 5000 / 3), .999996, 1e-6));
    CHECK(is_within(copysets_loss(&large, 5000.0 / 3), .00157, 5e-6));
    CHECK(is_within(copysets_of_window(&large), 45.0 * 5000, 1e-6));
    CHECK(is_within(copysets_of_permutations(&large), 25000.0 / 3, 1e-6));
    const struct copysets small = {500, 5, 3, 10};
    CHECK(is_within(copysets_loss(&small, 1), 4.8289e-7, 1e-11));
    CHECK(is_within(copysets_loss(&small, 55.0 * 500), .01319, 5e-6));
}

/* Within 0.3 percentage points of an independent simulation. */
TEST(copysets, placements_are_simulated_literally)
{
    const struct copysets large = {5000, 50, 3, 10};
    CHECK(is_within(simulated(large, COPYSETS_WINDOW, 30000), .1745, .003 + .0045));
    CHECK(is_within(simulated(large, COPYSETS_PERMUTATIONS, 30000), .0079, .003));
    const struct copysets middle = {1000, 10, 3, 10};
    CHECK(is_within(simulated(middle, COPYSETS_WINDOW, 100000), .02958, .003));
    CHECK(is_within(simulated(middle, COPYSETS_PERMUTATIONS, 100000), .00112, .0005));
    /* The window's sets overlap, so they are lost together: the closed form says too much. */
    CHECK(copysets_loss(&large, copysets_of_window(&large)) > .187);
}

/* Chunks are placed one by one, so the closed form is right: 85.42 % and nearly 1. */
TEST(copysets, replicas_anywhere_are_lost_as_the_closed_form_says)
{
    const struct copysets middle = {1000, 10, 3, 2};
    const struct copysets_trials trials = {5, 2000};
    const double expected = copysets_loss(&middle, copysets_of_chunks(&middle, 8000));
    CHECK(is_within(expected, .8542, 5e-5));
    CHECK(is_within(copysets_simulate_random(&middle, 8000, trials) / 2000.0, expected, .025));
    CHECK_EQUAL(copysets_simulate_random(&middle, 8000, trials),
                copysets_simulate_random(&middle, 8000, trials));
    const double fewer = copysets_loss(&middle, copysets_of_chunks(&middle, 800));
    CHECK(is_within(copysets_simulate_random(&middle, 800, trials) / 2000.0, fewer, .025));
    /* Two of six nodes are lost, and there are three chunks on pairs: 1 - (14/15)^3. */
    const struct copysets small = {6, 2, 2, 1};
    CHECK_EQUAL(copysets_of_chunks(&small, 1), 3);
    CHECK(
        is_within(copysets_simulate_random(&small, 1, (struct copysets_trials){1, 60000}) / 60000.0,
                  1 - pow(14.0 / 15, 3), .02));
}

TEST(copysets, cases_that_can_be_counted_come_out)
{
    /* Two replicas, the other on the next of six nodes: 6 of 15 pairs are neighbours. */
    const struct copysets ring = {6, 2, 2, 1};
    CHECK(is_within(simulated(ring, COPYSETS_WINDOW, 60000), 6.0 / 15, .01));
    /* One permutation of six nodes in pairs: 3 of 15. */
    CHECK(is_within(simulated(ring, COPYSETS_PERMUTATIONS, 60000), 3.0 / 15, .01));
    /* All are lost. */
    const struct copysets all = {9, 9, 3, 4};
    CHECK(simulated(all, COPYSETS_WINDOW, 50) == 1);
    CHECK(simulated(all, COPYSETS_PERMUTATIONS, 50) == 1);
    CHECK(is_within(copysets_loss(&all, 3), 1, 1e-15));
}

TEST(copysets, a_seed_gives_the_same_count_and_another_seed_another)
{
    const struct copysets copysets = {500, 20, 3, 10};
    const struct copysets_trials first = {1, 5000};
    const struct copysets_trials second = {2, 5000};
    CHECK_EQUAL(copysets_simulate(&copysets, COPYSETS_WINDOW, first),
                copysets_simulate(&copysets, COPYSETS_WINDOW, first));
    CHECK(copysets_simulate(&copysets, COPYSETS_WINDOW, first) !=
          copysets_simulate(&copysets, COPYSETS_WINDOW, second));
}

TEST(copysets, what_is_out_of_range_is_refused)
{
    static const struct copysets bad[] = {{2, 2, 3, 2},     {500, 2, 3, 10},   {500, 501, 3, 10},
                                          {500, 5, 1, 10},  {500, 5, 9, 10},   {500, 5, 3, 1},
                                          {500, 5, 3, 500}, {100001, 5, 3, 10}};
    struct err err = {0};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(!copysets_check(&bad[i], &err));
        CHECK_EQUAL(err.code, ERR_INPUT);
    }
    CHECK(copysets_check(&(struct copysets){5000, 50, 3, 10}, &err));
}

/* The interval of an estimate is that of independent trials (six nodes in pairs: twice the variance
 * when a hundred trials share a placement). */
TEST(copysets, trials_are_independent_where_nodes_are_few)
{
    enum { SEEDS = 400, TRIALS = 1000 };
    const struct copysets few = {6, 2, 2, 2};
    double sums[2] = {0};
    double squares[2] = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        const struct copysets_trials trials = {seed, TRIALS};
        const double shares[2] = {copysets_simulate(&few, COPYSETS_PERMUTATIONS, trials) /
                                      (double)TRIALS,
                                  copysets_simulate_random(&few, 1, trials) / (double)TRIALS};
        for (uint32_t i = 0; i < 2; i++) {
            sums[i] += shares[i];
            squares[i] += shares[i] * shares[i];
        }
    }
    for (uint32_t i = 0; i < 2; i++) {
        const double mean = sums[i] / SEEDS;
        const double variance = (squares[i] / SEEDS - mean * mean) * SEEDS / (SEEDS - 1);
        CHECK(variance < 1.3 * mean * (1 - mean) / TRIALS);
        CHECK(variance > .7 * mean * (1 - mean) / TRIALS);
    }
}
