/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which cells are variants of each other, and what their difference is on the same seeds. */
#include "analysis/compare.h"

#include "analysis/estimate.h"
#include "analysis/fleet_store.h"
#include "analysis/threshold.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

struct bench {
    struct results *results;
    int64_t scenario_id;
    int64_t build_id;
    int64_t cells[16];
    uint32_t count;
    char pairs[1024]; /* "0-2 service;": what was told */
    struct compare_pair last;
};

static char path[64];

static void begin(struct bench *bench)
{
    const struct results_scenario scenario = {
        .name = "c", .yaml = "squall: 1\n", .schema_version = 1};
    const struct results_build build = {.version = "0.1", .compiler = "gcc", .models_json = "{}"};
    struct err err = {0};
    *bench = (struct bench){0};
    snprintf(path, sizeof(path), "/tmp/squall-compare-%ld.sqlite", (long)getpid());
    unlink(path);
    bench->results = results_open(path, RESULTS_APPEND, &err);
    CHECK(bench->results != NULL);
    CHECK(results_add_scenario(bench->results, &scenario, &bench->scenario_id, &err));
    CHECK(results_add_build(bench->results, &build, &bench->build_id, &err));
}

static void end(struct bench *bench)
{
    struct err err = {0};
    CHECK(results_close(bench->results, &err));
    unlink(path);
}

static void add_cell(struct bench *bench, int64_t replicas, const struct results_param *params,
                     uint32_t count)
{
    char label[512] = "";
    for (uint32_t i = 0; i < count; i++) {
        const size_t used = strlen(label);
        snprintf(label + used, sizeof(label) - used, "%s ", params[i].value);
    }
    const struct results_cell cell = {.scenario_id = bench->scenario_id,
                                      .build_id = bench->build_id,
                                      .label = label,
                                      .replicas = replicas,
                                      .params = params,
                                      .param_count = count};
    struct err err = {0};
    CHECK(results_add_cell(bench->results, &cell, &bench->cells[bench->count++], &err));
    CHECK_TEXT(err.text, "");
}

/* A run of the last cell that was down for so many of 1000 s. */
static void add_run(struct bench *bench, uint64_t seed, int64_t down_s)
{
    struct run_result result;
    struct err err = {0};
    result_init(&result);
    result_clear(&result);
    result.seed = seed;
    result.measured_ns = 1000 * NS_PER_S;
    result.up_ns = (1000 - down_s) * NS_PER_S;
    CHECK(
        results_add_run(bench->results, bench->cells[bench->count - 1], &result, NULL, NULL, &err));
    result_release(&result);
}

/* A replication of the last cell's fleet. */
static void add_estimate(struct bench *bench, uint64_t seed, double down_h)
{
    struct run_result result;
    struct estimate_sums sums;
    struct err err = {0};
    result_init(&result);
    result_clear(&result);
    result.seed = seed;
    estimate_begin(&sums, "writes", ESTIMATE_CRUDE);
    estimate_add_pair(&sums, down_h, 1000, 1);
    vec_append(&result.estimates, &sums);
    CHECK(
        results_add_run(bench->results, bench->cells[bench->count - 1], &result, NULL, NULL, &err));
    result_release(&result);
}

static void add_fleet(struct bench *bench, uint32_t machines)
{
    struct spec_service service = {.name = "writes", .needed = 1};
    const struct spec_fleet fleet = {.is_asked = true,
                                     .machines = machines,
                                     .life = {.kind = DIST_EXPONENTIAL, .a = 99 * HOUR},
                                     .repair = {.kind = DIST_EXPONENTIAL, .a = HOUR},
                                     .services = &service,
                                     .service_count = 1,
                                     .estimator = SPEC_ESTIMATOR_CRUDE,
                                     .confidence_millionths = 990000};
    struct err err = {0};
    CHECK(fleet_store_add(bench->results, bench->cells[bench->count - 1], &fleet, &err));
}

static void on_pair(void *context, const struct compare_pair *pair)
{
    struct bench *bench = context;
    const size_t used = strlen(bench->pairs);
    snprintf(bench->pairs + used, sizeof(bench->pairs) - used, "%u-%u %s;", pair->left, pair->right,
             pair->service);
    bench->last = *pair;
}

static const char *compared(struct bench *bench)
{
    struct err err = {0};
    bench->pairs[0] = '\0';
    CHECK(compare_cells(bench->results, bench->cells, bench->count, on_pair, bench, &err));
    CHECK_TEXT(err.text, "");
    return bench->pairs;
}

TEST(compare, every_cell_is_held_against_the_first_value_of_each_axis)
{
    static const char *const policies[] = {"none", "naive", "budget"};
    static const char *const rates[] = {"10/s", "20/s"};
    struct bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 6; i++) {
        const struct results_param params[] = {{"client.retry.preset", policies[i / 2]},
                                               {"load.web.rate", rates[i % 2]}};
        add_cell(&bench, 3, params, 2);
        add_run(&bench, 1, 10 * i);
        add_run(&bench, 2, 10 * i + 3);
    }
    CHECK_TEXT(compared(&bench), "0-1 ;0-2 ;1-3 ;2-3 ;0-4 ;1-5 ;4-5 ;");
    end(&bench);
}

TEST(compare, long_values_that_begin_alike_are_not_the_same)
{
    char left[400];
    char right[400];
    memset(left, 'x', sizeof(left) - 1);
    left[sizeof(left) - 1] = '\0';
    memcpy(right, left, sizeof(left));
    right[sizeof(right) - 2] = 'y';
    const struct results_param first = {"availability.services", left};
    const struct results_param second = {"availability.services", right};
    struct bench bench;
    begin(&bench);
    add_cell(&bench, 3, &first, 1);
    add_run(&bench, 1, 100);
    add_run(&bench, 2, 300);
    add_cell(&bench, 3, &second, 1);
    add_run(&bench, 1, 90);
    add_run(&bench, 2, 280);
    CHECK_TEXT(compared(&bench), "0-1 ;");
    end(&bench);
}

TEST(compare, the_difference_is_that_of_the_seeds_which_both_have)
{
    const struct results_param first = {"client.retry.preset", "none"};
    const struct results_param second = {"client.retry.preset", "naive"};
    struct bench bench;
    begin(&bench);
    add_cell(&bench, 3, &first, 1);
    add_run(&bench, 1, 100);
    add_run(&bench, 2, 300);
    add_run(&bench, 3, 500);
    add_run(&bench, 9, 999);
    add_cell(&bench, 3, &second, 1);
    add_run(&bench, 3, 470);
    add_run(&bench, 1, 90);
    add_run(&bench, 2, 280);
    CHECK_TEXT(compared(&bench), "0-1 ;");
    const struct mean *difference = &bench.last.paired.difference; /* of .01, .02 and .03 */
    CHECK_EQUAL(difference->count, 3);
    CHECK(fabs(difference->mean - .02) < 1e-12);
    CHECK(fabs(difference->interval.high - .02 - 4.302652730 * .01 / sqrt(3)) < 1e-9);
    CHECK(bench.last.paired.gain > 500);
    CHECK(bench.last.confidence == .95);
    struct paired paired; /* the other way round, with a shorter interval */
    struct err err = {0};
    const struct compare_question question = {
        .left_id = bench.cells[1], .right_id = bench.cells[0], .confidence = .9};
    REQUIRE(compare_two(bench.results, &question, &paired, &err));
    CHECK_EQUAL(paired.difference.count, 3);
    CHECK(fabs(paired.difference.mean + .02) < 1e-12);
    CHECK(fabs(paired.difference.interval.high + .02 - 2.919985580 * .01 / sqrt(3)) < 1e-9);
    end(&bench);
}

TEST(compare, fleets_are_compared_by_service_with_the_confidence_that_they_ask_for)
{
    const struct results_param first = {"availability.crews", "1"};
    const struct results_param second = {"availability.crews", "2"};
    struct bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 2; i++) {
        add_cell(&bench, 3, i == 0 ? &first : &second, 1);
        add_fleet(&bench, 3);
        add_estimate(&bench, 1, 30 - 10 * i);
        add_estimate(&bench, 2, 40 - 11 * i);
    }
    CHECK_TEXT(compared(&bench), "0-1 writes;");
    CHECK(fabs(bench.last.paired.difference.mean - .0105) < 1e-12);
    CHECK(bench.last.confidence == .99);
    end(&bench);
}

TEST(compare, curves_and_estimators_are_no_variants)
{
    static const char *const counts[] = {"3", "5"};
    static const char *const estimators[] = {"is", "crude"};
    static const char *const crews[] = {"1", "2"};
    struct bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 8; i++) {
        const struct results_param params[] = {{"system.nodes", counts[i / 4]},
                                               {"availability.estimator", estimators[i / 2 % 2]},
                                               {"availability.crews", crews[i % 2]}};
        add_cell(&bench, i < 4 ? 3 : 5, params, 3);
        add_fleet(&bench, i < 4 ? 3 : 5);
        add_estimate(&bench, 1, 10 + i);
        add_estimate(&bench, 2, 12 + i);
    }
    CHECK_TEXT(compared(&bench), "0-1 writes;2-3 writes;4-5 writes;6-7 writes;");
    end(&bench);
    begin(&bench); /* two numbers of machines alone are what was asked for */
    for (uint32_t i = 0; i < 2; i++) {
        const struct results_param nodes = {"system.nodes", counts[i]};
        add_cell(&bench, i == 0 ? 3 : 5, &nodes, 1);
        add_run(&bench, 1, 10 + i);
        add_run(&bench, 2, 12 + i);
    }
    CHECK_TEXT(compared(&bench), "0-1 ;");
    end(&bench);
}

TEST(compare, axes_that_go_hand_in_hand_are_one)
{
    static const char *const values[] = {"a", "b", "c"};
    struct bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 3; i++) {
        const struct results_param params[] = {{"load.one.rate", values[i]},
                                               {"load.two.rate", values[i]}};
        add_cell(&bench, 3, params, 2);
        add_run(&bench, 1, 10 * i);
        add_run(&bench, 2, 10 * i + 3);
    }
    CHECK_TEXT(compared(&bench), "0-1 ;0-2 ;");
    end(&bench);
}

TEST(compare, one_seed_or_one_cell_says_nothing)
{
    const struct results_param first = {"availability.crews", "1"};
    const struct results_param second = {"availability.crews", "2"};
    struct bench bench;
    begin(&bench);
    add_cell(&bench, 3, &first, 1);
    add_run(&bench, 1, 10);
    CHECK_TEXT(compared(&bench), "");
    add_cell(&bench, 3, &second, 1);
    CHECK_TEXT(compared(&bench), "");
    add_run(&bench, 1, 20);
    CHECK_TEXT(compared(&bench), "");
    add_run(&bench, 2, 20);
    CHECK_TEXT(compared(&bench), "");
    end(&bench);
}

/* What a threshold on the second cell less the first says; `service`: NULL for what clients saw. */
static struct threshold_outcome judged(struct bench *bench, const char *metric, const char *service,
                                       const char *expression)
{
    const struct spec_threshold asked = {
        .metric = metric, .expression = expression, .cell = "a", .than = "b"};
    const struct compare_question question = {
        .left_id = bench->cells[1], .right_id = bench->cells[0], .service = service};
    struct threshold threshold;
    struct threshold_data data;
    struct err err = {0};
    CHECK(threshold_parse_asked(&asked, &threshold, &err));
    CHECK_TEXT(err.text, "");
    threshold_data_init(&data);
    CHECK(threshold_data_load_difference(&data, bench->results, &question, &threshold, &err));
    const struct threshold_outcome outcome = threshold_judge(&threshold, &data);
    threshold_data_release(&data);
    return outcome;
}

static void check_judged(struct bench *bench, const char *metric, const char *service,
                         const char *expression, enum threshold_verdict verdict)
{
    CHECK_EQUAL(judged(bench, metric, service, expression).verdict, verdict);
}

TEST(compare, thresholds_hold_and_fail_by_the_difference)
{
    const struct results_param first = {"client.retry.preset", "none"};
    const struct results_param second = {"client.retry.preset", "naive"};
    struct bench bench;
    begin(&bench);
    add_cell(&bench, 3, &first, 1);
    add_run(&bench, 1, 100);
    add_run(&bench, 2, 300);
    add_run(&bench, 3, 500);
    add_cell(&bench, 3, &second, 1);
    add_run(&bench, 1, 110);
    add_run(&bench, 2, 320);
    add_run(&bench, 3, 530);
    /* 1, 2 and 3 % less up; one-sided 95 %: 2.92 * 0.01 / sqrt(3) = 1.686 % */
    check_judged(&bench, "availability", NULL, "rate < 0%", THRESHOLD_HELD);
    check_judged(&bench, "availability", NULL, "rate < 0% @ 95%", THRESHOLD_HELD);
    check_judged(&bench, "availability", NULL, "rate < 0% @ 99%", THRESHOLD_UNDECIDED);
    check_judged(&bench, "availability", NULL, "rate >= 0%", THRESHOLD_CROSSED);
    check_judged(&bench, "availability", NULL, "rate >= 0% @ 95%", THRESHOLD_CROSSED);
    check_judged(&bench, "availability", NULL, "rate > -3.6% @ 95%", THRESHOLD_UNDECIDED);
    check_judged(&bench, "availability", NULL, "rate > -3.7% @ 95%", THRESHOLD_HELD);
    const struct threshold_outcome outcome =
        judged(&bench, "availability", NULL, "rate > -1% @ 95%");
    CHECK(fabs(outcome.observed + .02) < 1e-12);
    CHECK(fabs(outcome.interval.low + .02 + .01685855) < 1e-7);
    CHECK(fabs(outcome.interval.high + .02 - .01685855) < 1e-7);
    end(&bench);
}

TEST(compare, thresholds_on_fleets_have_the_units_of_their_metric)
{
    const struct results_param first = {"availability.crews", "1"};
    const struct results_param second = {"availability.crews", "2"};
    struct bench bench;
    begin(&bench);
    for (uint32_t i = 0; i < 2; i++) {
        add_cell(&bench, 3, i == 0 ? &first : &second, 1);
        add_fleet(&bench, 3);
        add_estimate(&bench, 1, 30 - 10 * i);
        add_estimate(&bench, 2, 40 - 11 * i);
    }
    check_judged(&bench, "unavailability", "writes", "value < 0 @ 95%", THRESHOLD_HELD);
    check_judged(&bench, "unavailability", "writes", "value == -0.0105", THRESHOLD_HELD);
    check_judged(&bench, "unavailability", "writes", "value > -1.04e-2", THRESHOLD_CROSSED);
    const double s = downtime_s_per_year(-.0105); /* nearly 4 days */
    CHECK(fabs(judged(&bench, "downtime", "writes", "value < -3.8d").observed - s) < 1e-6);
    check_judged(&bench, "downtime", "writes", "value < -3.8d", THRESHOLD_HELD);
    check_judged(&bench, "downtime", "writes", "value < -4d", THRESHOLD_CROSSED);
    check_judged(&bench, "downtime", "nobody", "value < 0s", THRESHOLD_UNDECIDED);
    end(&bench);
}

TEST(compare, equal_cells_and_few_seeds_do_not_settle_a_threshold)
{
    const struct results_param first = {"client.retry.preset", "none"};
    const struct results_param second = {"client.retry.preset", "naive"};
    struct bench bench;
    begin(&bench);
    add_cell(&bench, 3, &first, 1);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        add_run(&bench, seed, 0);
    }
    add_cell(&bench, 3, &second, 1);
    add_run(&bench, 1, 0);
    CHECK(isnan(judged(&bench, "availability", NULL, "rate >= 0%").observed));
    check_judged(&bench, "availability", NULL, "rate >= 0%", THRESHOLD_UNDECIDED);
    for (uint64_t seed = 2; seed <= 60; seed++) {
        add_run(&bench, seed, 0);
    }
    /* 1 - 0.05^(1/60) = 4.87 % of the seeds may be otherwise */
    check_judged(&bench, "availability", NULL, "rate >= 0%", THRESHOLD_HELD);
    check_judged(&bench, "availability", NULL, "rate >= 0% @ 95%", THRESHOLD_UNDECIDED);
    check_judged(&bench, "availability", NULL, "rate > -4.8% @ 95%", THRESHOLD_UNDECIDED);
    check_judged(&bench, "availability", NULL, "rate > -4.9% @ 95%", THRESHOLD_HELD);
    CHECK(!signbit(judged(&bench, "availability", NULL, "rate >= 0%").observed));
    end(&bench);
}
