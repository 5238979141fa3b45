/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a detector says against what the clients see: the table of two by two, to the nanosecond. */
#include "tests/unit/judge_fixture.h"

#include "analysis/gray.h"

#include <math.h>

enum { CLIENTS, MONITOR };

static struct fixture f;
static struct spec_load loads[2];

static void start(struct spec_detector detector)
{
    loads[CLIENTS] = (struct spec_load){.name = "c", .client = {.timeout_ns = NS_PER_S}};
    loads[MONITOR] = (struct spec_load){.name = "m", .client = {.timeout_ns = NS_PER_S}};
    fixture_init(&f, 1);
    f.spec.limit_ns = 10 * NS_PER_S;
    f.spec.loads = loads;
    f.spec.load_count = 2;
    f.spec.availability.detector = detector;
    fixture_begin(&f);
}

/* Answered at once. */
static void operate(uint32_t load, int64_t at_ms, bool is_ok)
{
    const uint64_t id = f.operation_count++;
    struct sq_operation *operation = &f.operations[id];
    *operation = (struct sq_operation){.id = id,
                                       .load = load,
                                       .intended = at_ms * NS_PER_MS,
                                       .invoked = at_ms * NS_PER_MS,
                                       .completed = INT64_MAX,
                                       .attempts = 1};
    f.now = at_ms * NS_PER_MS;
    f.observer->on_invoke(f.observer->context, operation);
    f.observer->on_attempt(f.observer->context, operation, f.now);
    operation->completed = f.now;
    operation->outcome = is_ok ? SQ_OUTCOME_OK : SQ_OUTCOME_FAIL;
    operation->status = is_ok ? SQ_OK : SQ_E_UNAVAILABLE;
    f.observer->on_complete(f.observer->context, operation);
}

static void show(int64_t at_ms, uint64_t value, const char *name)
{
    struct sq_seen seen = {
        .time = at_ms * NS_PER_MS, .what = SQ_SEE_GAUGE, .a = value, .text = name};
    f.now = seen.time;
    f.observer->on_seen(f.observer->context, &seen);
}

/* Clients ask every 100 ms and are down from 3 s to 6 s. */
static void ask_as_clients(int64_t at_ms)
{
    operate(CLIENTS, at_ms, at_ms < 3000 || at_ms >= 6000);
}

static double metric(const char *name)
{
    for (uint32_t i = 0; i < f.result.metrics.count; i++) {
        const struct result_metric *row = vec_at(&f.result.metrics, i);
        if (strcmp(row->name, name) == 0) {
            return row->value;
        }
    }
    return NAN;
}

static void finish(void)
{
    f.now = 10 * NS_PER_S;
    fixture_finish(&f);
}

TEST(gray, heartbeats_that_fail_are_held_against_windows)
{
    start((struct spec_detector){.is_asked = true, .load = MONITOR, .failures = 2});
    for (int64_t at_ms = 0; at_ms < 10000; at_ms += 100) {
        ask_as_clients(at_ms);
        if (at_ms % 500 == 200) {
            operate(MONITOR, at_ms, at_ms < 4000 || at_ms >= 7000);
        }
    }
    finish();
    /* Failed at 4.2 s and 4.7 s: down from there to the first good one at 7.2 s. */
    CHECK(metric("gray_up_down_s") == 1.7);
    CHECK(metric("gray_down_down_s") == 1.3);
    CHECK(metric("gray_down_up_s") == 1.2);
    CHECK(metric("gray_up_up_s") == 5.8);
    CHECK(metric("gray") == 0.17);
    CHECK_EQUAL(f.result.offered, 100); /* the monitor is no client */
    CHECK_EQUAL(f.result.ok, 70);
    CHECK_EQUAL(f.result.up_ns, 7 * NS_PER_S);
    fixture_release(&f);
}

TEST(gray, one_good_heartbeat_begins_the_count_anew)
{
    start((struct spec_detector){.is_asked = true, .load = MONITOR, .failures = 3});
    for (int64_t at_ms = 0; at_ms < 10000; at_ms += 100) {
        ask_as_clients(at_ms);
        operate(MONITOR, at_ms, at_ms / 100 % 3 == 0);
    }
    finish();
    CHECK(metric("gray_up_down_s") == 3);
    CHECK(metric("gray_down_down_s") == 0);
    CHECK(metric("gray_down_up_s") == 0);
    fixture_release(&f);
}

TEST(gray, a_gauge_below_its_least_value_says_down)
{
    start((struct spec_detector){
        .is_asked = true, .load = UINT32_MAX, .gauge = "lb.available", .gauge_min = 2});
    for (int64_t at_ms = 0; at_ms < 10000; at_ms += 100) {
        ask_as_clients(at_ms);
        if (at_ms == 1000) {
            show(1000, 2, "lb.available"); /* enough */
            show(1000, 0, "lb.other");
        } else if (at_ms == 5500 || at_ms == 5600) {
            show(at_ms, 1, "lb.available");
        } else if (at_ms == 9000) {
            show(9000, 3, "lb.available");
        }
    }
    finish();
    CHECK(metric("gray_up_down_s") == 2.5);
    CHECK(metric("gray_down_down_s") == 0.5);
    CHECK(metric("gray_down_up_s") == 3);
    CHECK(metric("gray_up_up_s") == 4);
    CHECK_EQUAL(f.result.offered, 100);
    fixture_release(&f);
}

TEST(gray, time_without_clients_and_the_warm_up_are_in_no_cell)
{
    start((struct spec_detector){
        .is_asked = true, .load = UINT32_MAX, .gauge = "lb.available", .gauge_min = 1});
    f.spec.warmup_ns = 2 * NS_PER_S;
    fixture_begin(&f);
    for (int64_t at_ms = 0; at_ms < 5000; at_ms += 100) {
        ask_as_clients(at_ms);
    }
    finish();
    CHECK(metric("gray_up_up_s") == 1);
    CHECK(metric("gray_up_down_s") == 2);
    CHECK(metric("gray_down_down_s") == 0);
    fixture_release(&f);
}

TEST(gray, without_a_detector_all_loads_are_clients)
{
    start((struct spec_detector){0});
    operate(CLIENTS, 100, true);
    operate(MONITOR, 200, true);
    finish();
    CHECK(isnan(metric("gray")));
    CHECK_EQUAL(f.result.offered, 2);
    fixture_release(&f);
}
