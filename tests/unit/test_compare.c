/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which cells are variants of each other, and what their difference is on the same seeds. */
#include "analysis/compare.h"

#include "analysis/estimate.h"
#include "analysis/fleet_store.h"
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
    char label[128] = "";
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
