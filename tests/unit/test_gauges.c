/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Gauges and counters of models: windows, stretches of time, nodes, and the way through a
 * threshold. */
#include "tests/unit/judge_fixture.h"

#include "analysis/gauges.h"
#include "analysis/threshold.h"
#include "sim/base/base.h"

#include <math.h>

static const struct sq_node_info nodes[] = {{.name = "n1"}, {.name = "n2"}};

static void show(struct gauges *gauges, enum sq_see what, uint32_t node, int64_t time_ns,
                 uint64_t value, const char *name)
{
    struct sq_seen seen = {.time = time_ns, .node = node, .what = what, .a = value, .text = name};
    gauges_on_seen(gauges, &seen);
}

/* NaN: nothing was seen. */
static double asked(const struct gauges *gauges, struct spec_gauge gauge,
                    enum threshold_aggregation aggregation)
{
    bool is_counter = aggregation == THRESHOLD_COUNT || aggregation == THRESHOLD_RATE;
    struct gauges_question question = {&gauge, is_counter, aggregation,
                                       50000,  nodes,      20 * NS_PER_S};
    double value = NAN;
    return gauges_value(gauges, &question, &value) ? value : (double)NAN;
}

static void fill(struct gauges *gauges)
{
    gauges_init(gauges);
    gauges_begin(gauges, NS_PER_S, 20 * NS_PER_S);
    show(gauges, SQ_SEE_GAUGE, 0, 100 * NS_PER_MS, 10, "queue");
    show(gauges, SQ_SEE_GAUGE, 0, 900 * NS_PER_MS, 30, "queue");
    show(gauges, SQ_SEE_GAUGE, 1, 950 * NS_PER_MS, 70, "queue");
    show(gauges, SQ_SEE_GAUGE, 0, 5 * NS_PER_S, 2, "queue");
    show(gauges, SQ_SEE_COUNTER, 0, 2 * NS_PER_S, 5, "hits");
    show(gauges, SQ_SEE_COUNTER, 1, 7 * NS_PER_S, 15, "hits");
    gauges_finish(gauges);
}

TEST(gauges, one_number_for_a_stretch_of_time)
{
    struct gauges gauges;
    fill(&gauges);
    struct spec_gauge queue = {.name = "queue", .until_ns = INT64_MAX};
    CHECK(asked(&gauges, queue, THRESHOLD_AVG) == 28);
    CHECK(asked(&gauges, queue, THRESHOLD_MIN) == 2);
    CHECK(asked(&gauges, queue, THRESHOLD_MAX) == 70);
    CHECK(asked(&gauges, queue, THRESHOLD_LAST) == 2);
    queue.until_ns = NS_PER_S;
    CHECK(asked(&gauges, queue, THRESHOLD_LAST) == 70);
    queue.node = "n1";
    CHECK(asked(&gauges, queue, THRESHOLD_AVG) == 20);
    queue.from_ns = 10 * NS_PER_S;
    queue.until_ns = INT64_MAX;
    CHECK(isnan(asked(&gauges, queue, THRESHOLD_AVG)));
    gauges_release(&gauges);
}

TEST(gauges, percentiles_are_nearest_ranks_of_single_samples)
{
    struct gauges gauges;
    gauges_init(&gauges);
    gauges_begin(&gauges, NS_PER_S, 20 * NS_PER_S);
    gauges_want(&gauges, "queue");
    for (uint32_t i = 0; i < 9; i++) {
        show(&gauges, SQ_SEE_GAUGE, i % 2, i * NS_PER_S, 90 - 10 * i, "queue");
    }
    show(&gauges, SQ_SEE_GAUGE, 0, NS_PER_S, 7, "other");
    gauges_finish(&gauges);
    struct spec_gauge queue = {.name = "queue", .until_ns = INT64_MAX};
    CHECK(asked(&gauges, queue, THRESHOLD_MED) == 50);
    queue.from_ns = 5 * NS_PER_S;
    CHECK(asked(&gauges, queue, THRESHOLD_MED) == 20);
    queue.node = "n1";
    CHECK(asked(&gauges, queue, THRESHOLD_PERCENTILE) == 10);
    queue.name = "other"; /* nobody wanted its samples */
    CHECK(isnan(asked(&gauges, queue, THRESHOLD_MED)));
    gauges_release(&gauges);
}

TEST(gauges, counters_add_up_and_nothing_counted_is_zero)
{
    struct gauges gauges;
    fill(&gauges);
    struct spec_gauge hits = {.name = "hits", .until_ns = INT64_MAX};
    CHECK(asked(&gauges, hits, THRESHOLD_COUNT) == 20);
    CHECK(asked(&gauges, hits, THRESHOLD_RATE) == 1);
    hits.from_ns = 5 * NS_PER_S;
    hits.until_ns = 10 * NS_PER_S;
    CHECK(asked(&gauges, hits, THRESHOLD_RATE) == 3);
    hits.name = "misses";
    CHECK(asked(&gauges, hits, THRESHOLD_COUNT) == 0);
    gauges_release(&gauges);
}

TEST(gauges, sums_saturate_and_series_are_limited)
{
    struct gauges gauges;
    gauges_init(&gauges);
    gauges_begin(&gauges, NS_PER_S, 20 * NS_PER_S);
    show(&gauges, SQ_SEE_COUNTER, 0, 0, UINT64_MAX, "big");
    show(&gauges, SQ_SEE_COUNTER, 0, 0, UINT64_MAX, "big");
    show(&gauges, SQ_SEE_COUNTER, 0, 0, 1, NULL);
    char name[32];
    for (uint32_t i = 0; i < RESULT_GAUGES_MAX; i++) {
        snprintf(name, sizeof(name), "g%u", i);
        show(&gauges, SQ_SEE_GAUGE, 0, 0, 1, name);
    }
    gauges_finish(&gauges);
    struct spec_gauge big = {.name = "big", .until_ns = INT64_MAX};
    CHECK(asked(&gauges, big, THRESHOLD_COUNT) == (double)INT64_MAX);
    CHECK_EQUAL(gauges.series.count, RESULT_GAUGES_MAX);
    CHECK_EQUAL(gauges.dropped, 1);
    gauges_release(&gauges);
}

static void see(struct fixture *f, uint64_t value)
{
    struct sq_seen seen = {
        .time = f->now += 300 * NS_PER_MS, .what = SQ_SEE_GAUGE, .a = value, .text = "queue"};
    f->observer->on_seen(f->observer->context, &seen);
}

TEST(gauges, a_run_has_the_numbers_that_its_thresholds_ask_for_and_keeps_its_series)
{
    struct fixture f;
    fixture_init(&f, 2);
    struct spec_threshold thresholds[] = {
        {.metric = "gauge",
         .text = "gauge{name:queue}",
         .gauge = {.name = "queue", .until_ns = INT64_MAX},
         .expression = "max < 9"},
        {.metric = "gauge",
         .text = "gauge{name:queue}",
         .gauge = {.name = "queue", .until_ns = INT64_MAX},
         .expression = "max > 2"},
        {.metric = "latency", .text = "latency", .expression = "p(99) < 9s"},
    };
    f.spec.thresholds = thresholds;
    f.spec.threshold_count = 3;
    judge_keep_windows(f.judge, JUDGE_WINDOWS_ALL);
    fixture_begin(&f);
    see(&f, 3);
    see(&f, 7);
    struct judge_end end = {.sim_ns = 10 * NS_PER_S};
    judge_finish(f.judge, &end, &f.result);
    REQUIRE(f.result.metrics.count == 1);
    const struct result_metric *metric = vec_at(&f.result.metrics, 0);
    CHECK_TEXT(metric->name, "gauge{name:queue} max");
    CHECK(metric->value == 7);
    REQUIRE(f.result.gauges.count == 1);
    REQUIRE(f.result.gauge_windows.count == 2);
    struct vec bytes;
    vec_init(&bytes, 1, 1u << 20);
    result_encode(&f.result, &bytes);
    struct run_result copy;
    result_init(&copy);
    struct err err = {0};
    CHECK(result_decode(&copy, bytes.items, bytes.count, &err));
    REQUIRE(copy.gauge_windows.count == 2);
    const struct result_gauge_window *window = vec_at(&copy.gauge_windows, 1);
    CHECK_EQUAL(window->maximum, 7);
    CHECK_EQUAL(window->t_ns, 600 * NS_PER_MS);
    const struct result_gauge *gauge = vec_at(&copy.gauges, 0);
    CHECK_TEXT(gauge->name, "queue");
    CHECK_TEXT(gauge->node, "n1");
    result_release(&copy);
    vec_release(&bytes);
    fixture_release(&f);
}
