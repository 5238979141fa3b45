/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Replications on their way from a worker to results.sqlite and back: nothing is lost, sums do not
 * depend on the order of arrival, and a choice of seeds is a choice of seeds. */
#include "analysis/estimate_store.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static struct results *begin(int64_t *cell_id)
{
    struct err err = {0};
    snprintf(path, sizeof(path), "/tmp/squall-estimates-%ld.sqlite", (long)getpid());
    unlink(path);
    struct results *results = results_open(path, RESULTS_APPEND, &err);
    struct results_scenario scenario = {.name = "e", .yaml = "squall: 1\n", .schema_version = 1};
    struct results_build build = {.version = "0.1", .compiler = "gcc", .models_json = "{}"};
    struct results_cell cell = {.label = "", .replicas = 3};
    CHECK(results != NULL);
    CHECK(results_add_scenario(results, &scenario, &cell.scenario_id, &err));
    CHECK(results_add_build(results, &build, &cell.build_id, &err));
    CHECK(results_add_cell(results, &cell, cell_id, &err));
    return results;
}

static void end(struct results *results)
{
    struct err err = {0};
    CHECK(results_close(results, &err));
    unlink(path);
}

/* Sums whose fields all differ. */
static struct estimate_sums sums_of(uint64_t seed, const char *service)
{
    struct estimate_sums sums;
    const double unit = (double)seed;
    estimate_begin(&sums, service, ESTIMATE_RESTART);
    estimate_add_pair(&sums, unit, 100 * unit, 1);
    estimate_add_pair(&sums, unit / 3, 90 * unit, 2);
    sums.events = 7 * seed;
    sums.simulated_h = 1e9 + unit / 7;
    sums.worst_h = seed == 3 ? 99 : unit;
    sums.worst_digest = UINT64_C(0xfedcba9876543210) + seed;
    snprintf(sums.worst_path, sizeof(sums.worst_path), "%llu/1/2", (unsigned long long)seed);
    return sums;
}

static void add(struct results *results, int64_t cell_id, uint64_t seed)
{
    struct run_result result;
    struct err err = {0};
    result_init(&result);
    result_clear(&result);
    result.seed = seed;
    const struct estimate_sums one = sums_of(seed, "one");
    const struct estimate_sums two = sums_of(seed + 50, "two");
    vec_append(&result.estimates, &one);
    vec_append(&result.estimates, &two);
    CHECK(results_add_run(results, cell_id, &result, NULL, NULL, &err));
    CHECK_TEXT(err.text, "");
    result_release(&result);
}

static bool is_same(const struct estimate_sums *left, const struct estimate_sums *right)
{
    const double a[] = ESTIMATE_NUMBERS(left);
    const double b[] = ESTIMATE_NUMBERS(right);
    bool is_same = left->count == right->count && left->hits == right->hits &&
                   left->lengths == right->lengths && left->events == right->events &&
                   left->is_paired == right->is_paired && left->method == right->method &&
                   left->worst_digest == right->worst_digest;
    for (uint32_t i = 0; i < sizeof(a) / sizeof(a[0]); i++) {
        is_same = is_same && (a[i] == b[i] || (isnan(a[i]) && isnan(b[i])));
    }
    return is_same && strcmp(left->service, right->service) == 0 &&
           strcmp(left->worst_path, right->worst_path) == 0;
}

TEST(estimate_store, a_replication_comes_back_as_it_was)
{
    int64_t cell_id = 0;
    uint32_t count = 0;
    struct err err = {0};
    static struct estimate_sums sums[ESTIMATE_STORE_MAX];
    struct results *results = begin(&cell_id);
    CHECK(estimate_load(results, cell_id, NULL, sums, &count, &err));
    CHECK_EQUAL(count, 0);
    add(results, cell_id, 5);
    CHECK(estimate_load(results, cell_id, NULL, sums, &count, &err));
    REQUIRE(count == 2);
    const struct estimate_sums one = sums_of(5, "one");
    const struct estimate_sums two = sums_of(55, "two");
    CHECK(is_same(&sums[0], &one));
    CHECK(is_same(&sums[1], &two));
    end(results);
}

TEST(estimate_store, sums_do_not_depend_on_the_order_of_arrival)
{
    static const uint64_t orders[2][6] = {{1, 2, 3, 4, 5, 6}, {5, 3, 6, 1, 4, 2}};
    static struct estimate_sums sums[2][ESTIMATE_STORE_MAX];
    struct err err = {0};
    for (uint32_t i = 0; i < 2; i++) {
        int64_t cell_id = 0;
        uint32_t count = 0;
        struct results *results = begin(&cell_id);
        for (uint32_t k = 0; k < 6; k++) {
            add(results, cell_id, orders[i][k]);
        }
        CHECK(estimate_load(results, cell_id, NULL, sums[i], &count, &err));
        CHECK_EQUAL(count, 2);
        end(results);
    }
    CHECK(is_same(&sums[0][0], &sums[1][0]));
    CHECK(is_same(&sums[0][1], &sums[1][1]));
    CHECK_EQUAL(sums[0][0].count, 12);
    CHECK(fabs(sums[0][0].down - 21 * 4.0 / 3) < 1e-9);
    CHECK(sums[0][0].worst_h == 99);
    CHECK_TEXT(sums[0][0].worst_path, "3/1/2");
}

TEST(estimate_store, seeds_can_be_chosen)
{
    static struct estimate_sums sums[ESTIMATE_STORE_MAX];
    static const uint64_t seeds[] = {2, 4, 9};
    const struct estimate_seeds chosen = {seeds, 3};
    const struct estimate_seeds none = {seeds, 0};
    struct err err = {0};
    int64_t cell_id = 0;
    uint32_t count = 0;
    struct results *results = begin(&cell_id);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        add(results, cell_id, seed);
    }
    CHECK(estimate_load(results, cell_id, &chosen, sums, &count, &err));
    REQUIRE(count == 2);
    CHECK_EQUAL(sums[0].count, 4);
    CHECK_EQUAL(sums[0].events, 7 * 6);
    CHECK(estimate_load(results, cell_id, &none, sums, &count, &err));
    CHECK_EQUAL(count, 0);
    CHECK(estimate_load(results, cell_id + 1, NULL, sums, &count, &err));
    CHECK_EQUAL(count, 0);
    end(results);
}

TEST(estimate_store, a_campaign_that_stops_when_it_is_precise_has_wider_intervals)
{
    static struct estimate_sums sums[ESTIMATE_STORE_MAX];
    struct err err = {0};
    double half_width[2];
    for (int sequential = 0; sequential < 2; sequential++) {
        int64_t cell_id = 0;
        uint32_t count = 0;
        struct results *results = begin(&cell_id);
        CHECK(results_add_fleet_estimator(results, cell_id, "restart", "", sequential, &err));
        add(results, cell_id, 1);
        add(results, cell_id, 2);
        CHECK(estimate_load(results, cell_id, NULL, sums, &count, &err));
        REQUIRE(count == 2);
        CHECK_EQUAL(sums[0].is_sequential, sequential);
        half_width[sequential] = estimate_of(&sums[0], .95).half_width;
        end(results);
    }
    CHECK(fabs(half_width[1] / half_width[0] - ESTIMATE_SEQUENTIAL) < 1e-12);
}

TEST(estimate_store, what_a_worker_sends_is_what_the_parent_gets)
{
    struct run_result result;
    struct run_result copy;
    struct vec bytes;
    struct err err = {0};
    result_init(&result);
    result_init(&copy);
    vec_init(&bytes, 1, UINT32_MAX);
    result_clear(&result);
    result.seed = 3;
    const struct estimate_sums one = sums_of(3, "one");
    vec_append(&result.estimates, &one);
    result_encode(&result, &bytes);
    REQUIRE(result_decode(&copy, vec_at(&bytes, 0), bytes.count, &err));
    REQUIRE(copy.estimates.count == 1);
    CHECK(is_same(vec_at(&copy.estimates, 0), &one));
    /* A message that is cut short anywhere is refused, and never read beyond its end. */
    for (uint32_t size = 0; size < bytes.count; size += 1 + size / 9) {
        CHECK(!result_decode(&copy, vec_at(&bytes, 0), size, &err));
    }
    vec_release(&bytes);
    result_release(&result);
    result_release(&copy);
}

TEST(estimate_store, merging_keeps_the_longest_outage_and_adds_the_rest)
{
    struct estimate_sums sums = sums_of(2, "one");
    const struct estimate_sums longer = sums_of(3, "one");
    const struct estimate_sums shorter = sums_of(1, "one");
    estimate_merge(&sums, &longer);
    estimate_merge(&sums, &shorter);
    CHECK_TEXT(sums.worst_path, "3/1/2");
    CHECK(sums.worst_digest == longer.worst_digest);
    CHECK_EQUAL(sums.hits, 6);
    CHECK(sums.weight_max == 3);
    CHECK(fabs(sums.cross - (2 * 200 + 3 * 300 + 100 + 2 * 180 / 3.0 + 270 + 30)) < 1e-9);
}
