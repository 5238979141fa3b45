/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The staircase, and loops drawn by hand. */
#include "analysis/hysteresis_text.h"
#include "analysis/result.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <math.h>

static const int64_t levels[] = {10000, 20000, 30000, 40000};

static struct hysteresis_ramp ramp_of_four(void)
{
    return (struct hysteresis_ramp){levels, 4, 5 * NS_PER_S, 10 * NS_PER_S};
}

/* One window of a second; `good` of the `offered`, all of them judged. */
static void add_window(struct vec *windows, uint32_t offered, uint32_t good, uint32_t in_flight)
{
    struct result_window *window = vec_push(windows);
    *window = (struct result_window){
        .t_ns = (windows->count - 1) * NS_PER_S,
        .duration_ns = NS_PER_S,
        .offered = offered,
        .judged = offered,
        .good = good,
        .attempts = 2 * offered - good,
        .in_flight = in_flight,
    };
}

/* Steps with the given shares (percent); the first half of every dwell is all bad, so that it would
 * show if it were counted. */
static void add_steps(struct vec *windows, const struct hysteresis_ramp *ramp,
                      const uint32_t *percents)
{
    for (int64_t t = 0; t < ramp->start_ns; t += NS_PER_S) {
        add_window(windows, 10, 0, 0);
    }
    for (uint32_t i = 0; i < hysteresis_steps(ramp); i++) {
        uint32_t offered = (uint32_t)(hysteresis_rate(ramp, i) / 1000);
        for (uint32_t k = 0; k < 10; k++) {
            add_window(windows, offered, k < 5 ? 0 : offered * percents[i] / 100, i);
        }
    }
}

static struct hysteresis_loop judge(const uint32_t *percents, struct hysteresis_step *steps)
{
    struct hysteresis_ramp ramp = ramp_of_four();
    struct vec windows;
    vec_init(&windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    add_steps(&windows, &ramp, percents);
    bool is_measured = hysteresis_measure(&ramp, &windows, steps);
    CHECK(is_measured);
    vec_release(&windows);
    return hysteresis_judge(&ramp, steps, 0.9);
}

TEST(hysteresis, the_staircase_climbs_to_the_top_once_and_comes_down)
{
    struct hysteresis_ramp ramp = ramp_of_four();
    static const int64_t rates[] = {10000, 20000, 30000, 40000, 30000, 20000, 10000};
    REQUIRE(hysteresis_steps(&ramp) == 7);
    for (uint32_t i = 0; i < 7; i++) {
        CHECK_EQUAL(hysteresis_rate(&ramp, i), rates[i]);
        CHECK_EQUAL(hysteresis_is_up(&ramp, i), i < 4);
    }
    CHECK_EQUAL(hysteresis_end_ns(&ramp), 75 * NS_PER_S);
}

TEST(hysteresis, only_the_second_half_of_a_dwell_counts)
{
    static const uint32_t percents[] = {100, 100, 100, 0, 0, 50, 100};
    struct hysteresis_step steps[7];
    judge(percents, steps);
    CHECK_EQUAL(steps[0].windows, 5);
    CHECK(fabs(steps[0].share - 1) < 1e-12);
    CHECK(fabs(steps[0].goodput_per_s - 10) < 1e-12);
    CHECK(fabs(steps[0].sends - 1) < 1e-12);
    CHECK(fabs(steps[3].share) < 1e-12);
    CHECK(fabs(steps[3].sends - 2) < 1e-12);
    CHECK(fabs(steps[5].goodput_per_s - 10) < 1e-12);
    CHECK(fabs(steps[5].load_per_s - 20) < 1e-12);
    CHECK(!steps[5].is_up);
    CHECK(fabs(steps[5].in_flight - 5) < 1e-12);
}

TEST(hysteresis, tips_at_the_top_and_returns_two_levels_below)
{
    static const uint32_t percents[] = {100, 100, 100, 0, 0, 100, 100};
    struct hysteresis_step steps[7];
    struct hysteresis_loop loop = judge(percents, steps);
    CHECK_EQUAL(loop.tipping_per_s, 40);
    CHECK_EQUAL(loop.return_per_s, 20);
    CHECK(loop.is_back);
    /* Only at 30 is there a difference, of 30: two triangles of 10 x 30 / 2 */
    CHECK(fabs(loop.area - 300) < 1e-9);
}

TEST(hysteresis, a_system_with_one_state_has_no_loop)
{
    static const uint32_t percents[] = {100, 100, 100, 75, 100, 100, 100};
    struct hysteresis_step steps[7];
    struct hysteresis_loop loop = judge(percents, steps);
    CHECK_EQUAL(loop.tipping_per_s, 40);
    CHECK_EQUAL(loop.return_per_s, 30);
    CHECK(fabs(loop.area) < 1e-9);
}

TEST(hysteresis, what_never_tips_never_returns)
{
    static const uint32_t percents[] = {100, 100, 100, 100, 100, 100, 100};
    struct hysteresis_step steps[7];
    struct hysteresis_loop loop = judge(percents, steps);
    CHECK(isnan(loop.tipping_per_s));
    CHECK(isnan(loop.return_per_s));
    CHECK(loop.is_back);
}

TEST(hysteresis, what_stays_down_to_the_end_has_no_return_point)
{
    static const uint32_t percents[] = {100, 100, 0, 0, 0, 0, 0};
    struct hysteresis_step steps[7];
    struct hysteresis_loop loop = judge(percents, steps);
    CHECK_EQUAL(loop.tipping_per_s, 30);
    CHECK(isnan(loop.return_per_s));
    CHECK(!loop.is_back);
    /* Differences 10, 20, 0, 0 at 10, 20, 30, 40: 150 + 100 */
    CHECK(fabs(loop.area - 250) < 1e-9);
}

TEST(hysteresis, a_series_that_ends_early_is_refused)
{
    struct hysteresis_ramp ramp = ramp_of_four();
    struct vec windows;
    struct hysteresis_step steps[7];
    vec_init(&windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    CHECK(!hysteresis_measure(&ramp, &windows, steps));
    for (uint32_t i = 0; i < 60; i++) {
        add_window(&windows, 10, 10, 0);
    }
    CHECK(!hysteresis_measure(&ramp, &windows, steps));
    ramp.dwell_ns = NS_PER_S; /* no whole window fits into half of it */
    CHECK(!hysteresis_measure(&ramp, &windows, steps));
    vec_release(&windows);
}

/* By hand: 1 3 1 3 ... has mean 2, squares of 1, neighbours of opposite sign. */
TEST(hysteresis, neighbouring_windows_are_correlated_as_by_hand)
{
    struct hysteresis_ramp ramp = {levels, 2, 0, 20 * NS_PER_S};
    struct vec windows;
    struct hysteresis_step steps[3];
    vec_init(&windows, sizeof(struct result_window), RESULT_WINDOWS_MAX);
    for (uint32_t i = 0; i < 60; i++) {
        add_window(&windows, 10, 10, i < 20 ? 1 + 2 * (i % 2) : i < 40 ? 7 : i);
    }
    REQUIRE(hysteresis_measure(&ramp, &windows, steps));
    CHECK(fabs(steps[0].in_flight - 2) < 1e-12);
    CHECK(fabs(steps[0].variance - 10.0 / 9) < 1e-12);
    CHECK(fabs(steps[0].correlation + 0.9) < 1e-12);
    CHECK_EQUAL(steps[1].variance, 0);
    CHECK(isnan(steps[1].correlation));
    CHECK(steps[2].correlation > 0.6); /* a trend */
    vec_release(&windows);
}

/* mu = 300, T = 1 s, R = 1, K = 400, 50 .. 310: at 310 a time-out of work takes 30 s to gather and
 * shows a time-out later; at 140 the 100 too many drain at 20/s. */
TEST(hysteresis, the_dwell_is_long_enough_for_what_theory_knows)
{
    int64_t rates[27];
    for (uint32_t i = 0; i < 27; i++) {
        rates[i] = 50000 + 10000 * (int64_t)i;
    }
    struct hysteresis_ramp ramp = {rates, 27, 0, NS_PER_S};
    struct hysteresis_system system = {300, 1, 400, 150};
    CHECK(fabs(hysteresis_settling_s(&ramp, &system) - 31) < 1e-9);
    ramp.level_count = 26; /* up to 300: nothing fills the queue */
    CHECK(fabs(hysteresis_settling_s(&ramp, &system) - (400.0 / 300 + 5)) < 1e-9);
    system.queue_limit = 1000;
    CHECK(fabs(hysteresis_settling_s(&ramp, &system) - 36) < 1e-9);
    system.queue_limit = 0;
    CHECK(fabs(hysteresis_settling_s(&ramp, &system) - 5) < 1e-9);
}

/* Two seeds: one comes back at 20, the other at 10. */
static struct hysteresis_branch branch_of_two(struct hysteresis_ramp *ramp,
                                              struct hysteresis_step *all,
                                              struct hysteresis_step *means,
                                              struct interval *intervals, double *scratch)
{
    static const uint32_t percents[2][7] = {{100, 100, 100, 0, 0, 100, 100},
                                            {100, 100, 100, 50, 0, 0, 100}};
    *ramp = ramp_of_four();
    judge(percents[0], all);
    judge(percents[1], all + 7);
    struct hysteresis_branch branch = {.label = "retries=1",
                                       .ramp = ramp,
                                       .all = all,
                                       .steps = means,
                                       .intervals = intervals,
                                       .scratch = scratch,
                                       .seeds = 2};
    hysteresis_summarise(&branch, 0.9);
    return branch;
}

TEST(hysteresis, seeds_come_down_to_means_medians_and_ranges)
{
    struct hysteresis_ramp ramp;
    struct hysteresis_step all[14];
    struct hysteresis_step means[7];
    struct interval intervals[7];
    double scratch[6];
    struct hysteresis_branch branch = branch_of_two(&ramp, all, means, intervals, scratch);
    CHECK_EQUAL(branch.tipping_median, 40);
    CHECK_EQUAL(branch.back_median, 10);
    CHECK_EQUAL(branch.back.low, 10);
    CHECK_EQUAL(branch.back.high, 20);
    CHECK_EQUAL(branch.left, 0);
    CHECK(fabs(means[3].goodput_per_s - 10) < 1e-9);
    CHECK(fabs(means[5].share - 0.5) < 1e-9);
    CHECK(intervals[3].low >= 0);
    CHECK(intervals[3].high <= 40);
}

TEST(hysteresis, the_text_has_theory_beside_it)
{
    struct hysteresis_ramp ramp;
    struct hysteresis_step all[14];
    struct hysteresis_step means[7];
    struct interval intervals[7];
    double scratch[6];
    struct hysteresis_branch branch = branch_of_two(&ramp, all, means, intervals, scratch);
    struct predict_request request = {.system = {.capacity_per_s = 39,
                                                 .servers = 1,
                                                 .timeout_s = 1,
                                                 .retries = 1,
                                                 .budget = -1,
                                                 .service = PREDICT_CONSTANT}};
    struct text text;
    text_init(&text);
    hysteresis_add_branch(&text, &branch, &request);
    CHECK(strstr(text_of(&text), "tips at    40/s\n") != NULL);
    CHECK(strstr(text_of(&text), "returns at 10/s (10/s to 20/s over 2 seeds)") != NULL);
    CHECK(strstr(text_of(&text), "returns at 10/s (hidden capacity 19.5/s)") != NULL);
    CHECK(strstr(text_of(&text), "0 levels of the return") != NULL);
    text_clear(&text);
    branch.cut = 1;
    branch.left = 1;
    hysteresis_add_branch(&text, &branch, NULL);
    CHECK(strstr(text_of(&text), "says nothing") != NULL);
    CHECK(strstr(text_of(&text), "1 of 2 seeds were not back") != NULL);
    CHECK(strstr(text_of(&text), "1 run has no whole series") != NULL);
    text_clear(&text);
    hysteresis_add_table(&text, &branch);
    CHECK(strstr(text_of(&text), "variance") != NULL);
    CHECK(strstr(text_of(&text), "         -\n") != NULL); /* five windows have no lag */
    text_release(&text);
}
