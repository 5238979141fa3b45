/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The grammar of thresholds, what is refused and with which words, and the judgement at the end of
 * an interval. */
#include "analysis/threshold.h"
#include "sim/base/base.h"
#include "tests/unit/harness.h"

#include <math.h>

static struct threshold parsed(const char *metric, const char *expression)
{
    struct threshold threshold;
    struct err err = {0};
    bool is_fine = threshold_parse(metric, expression, &threshold, &err);
    if (!is_fine) {
        CHECK_TEXT(err.text, "");
    }
    return threshold;
}

static void check_refused(const char *metric, const char *expression, const char *part)
{
    struct threshold threshold;
    struct err err = {0};
    CHECK(!threshold_parse(metric, expression, &threshold, &err));
    CHECK_EQUAL(err.code, ERR_INPUT);
    if (strstr(err.text, part) == NULL) {
        CHECK_TEXT(err.text, part);
    }
}

TEST(threshold, the_grammar_is_that_of_k6)
{
    struct threshold threshold = parsed("latency", "p(99) < 250ms");
    CHECK_EQUAL(threshold.aggregation, THRESHOLD_PERCENTILE);
    CHECK_EQUAL(threshold.percentile_milli, 99000);
    CHECK_EQUAL(threshold.operator, THRESHOLD_LESS);
    CHECK_EQUAL(threshold.value, 250e6);
    CHECK_EQUAL(threshold.confidence, 0);
    threshold = parsed("latency", "p(99.9)<=1.5s");
    CHECK_EQUAL(threshold.percentile_milli, 99900);
    CHECK_EQUAL(threshold.operator, THRESHOLD_LESS_EQUAL);
    threshold = parsed("availability", "rate >= 99.9%");
    CHECK_EQUAL(threshold.operator, THRESHOLD_GREATER_EQUAL);
    CHECK(threshold.value == 0.999);
    threshold = parsed("metastable", "rate < 0.1% @ 95%");
    CHECK(threshold.confidence == 0.95);
    CHECK(parsed("amplification", "value < 1.5").value == 1.5);
    CHECK(parsed("goodput", "rate > 150/s").value == 150);
    CHECK_EQUAL(parsed("recovery", "p(95) < 10s").metric, THRESHOLD_RECOVERY);
    CHECK_EQUAL(parsed("recovery", "rate == 100%").aggregation, THRESHOLD_RATE);
    CHECK_EQUAL(parsed("latency", "med != 5ms").operator, THRESHOLD_NOT_EQUAL);
    CHECK_EQUAL(parsed("gauge", "last <= 3").aggregation, THRESHOLD_LAST);
    CHECK_EQUAL(parsed("counter", "count > 0").aggregation, THRESHOLD_COUNT);
}

static bool is_threshold(const char *metric, const char *expression)
{
    const struct spec_threshold asked = {.metric = metric, .expression = expression};
    return threshold_check(&asked, NULL);
}

TEST(threshold, estimates_are_small_numbers_and_downtimes)
{
    static const char *const small[] = {"1e-20", "9.8506e-06", "0.5", "1", "0.000001e-3", "1e-999"};
    static const char *const no_small[] = {"e-6", "1e6",   "1e-",   "1e-1000", "1.2.3",
                                           "-1",  "1e-6s", "1%",    ".5",      "0x1",
                                           "inf", "nan",   "1e--6", "1E-6",    "1234567890123456"};
    static const char *const times[] = {"315.6fs", "52.60min", "1d",  "0.5h",  "3ms",
                                        "2us",     "7ns",      "1ps", "31.56s"};
    static const char *const no_times[] = {"1",    "fs",   "1 fs",   "1m",  "1e-3s", "-1s",
                                           "1.s.", "1..s", "1years", ".5s", "infs"};
    char text[64];
    for (uint32_t i = 0; i < ARRAY_COUNT(small); i++) {
        snprintf(text, sizeof(text), "value < %s @ 95%%", small[i]);
        CHECK(is_threshold("unavailability", text));
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(no_small); i++) {
        snprintf(text, sizeof(text), "value < %s", no_small[i]);
        CHECK(!is_threshold("unavailability", text));
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(times); i++) {
        snprintf(text, sizeof(text), "value == %s", times[i]);
        CHECK(is_threshold("downtime", text));
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(no_times); i++) {
        snprintf(text, sizeof(text), "value == %s", no_times[i]);
        CHECK(!is_threshold("downtime", text));
    }
    CHECK(!is_threshold("downtime", "rate < 1s"));
    CHECK(!is_threshold("downtime", "value == 1s @ 95%"));
}

TEST(threshold, thresholds_fit_their_metric)
{
    CHECK(is_threshold("latency", "p(99) < 250ms"));
    CHECK(is_threshold("latency", "p(99.9) < 250ms"));
    CHECK(is_threshold("latency", "med<=250ms"));
    CHECK(is_threshold("availability", "rate >= 99.9%"));
    CHECK(is_threshold("user-uptime", "rate >= 99.9% @ 95%"));
    CHECK(is_threshold("mcr", "min >= 99%"));
    CHECK(is_threshold("harvest", "min >= 99%"));
    CHECK(is_threshold("yield", "rate == 100%"));
    CHECK(is_threshold("gray", "max <= 1%"));
    CHECK(is_threshold("gray", "min > 1%"));
    CHECK(!is_threshold("gray", "max <= 1% @ 95%"));
    CHECK(!is_threshold("yield", "max < 1%"));
    CHECK(!is_threshold("mcr", "avg < 1%"));
    CHECK(!is_threshold("harvest", "rate > 0.9"));
    CHECK(is_threshold("metastable", "rate < 0.1% @ 95%"));
    CHECK(is_threshold("amplification", "value < 1.5"));
    CHECK(is_threshold("goodput", "value >= 150/s"));
    CHECK(is_threshold("recovery", "rate >= 99% @ 95%"));
    CHECK(is_threshold("recovery", "p(95) < 10s @ 90%"));
    CHECK(is_threshold("failures", "rate == 0%"));
    CHECK(is_threshold("success", "rate > 99%"));
    CHECK(is_threshold("gauge", "avg < 8030814.5 @ 95%"));
    CHECK(is_threshold("gauge", "last == 7"));
    CHECK(is_threshold("counter", "count > 0"));
    CHECK(is_threshold("gauge", "p(99) < 7"));
    CHECK(!is_threshold("gauge", "rate < 7"));
    CHECK(!is_threshold("gauge", "max < 7 @ 95%"));
    CHECK(!is_threshold("counter", "avg > 0"));
    CHECK(!is_threshold("latncy", "p(99) < 250ms"));
    CHECK(!is_threshold("zzzzzzzz", "p(99) < 250ms"));
    CHECK(!is_threshold("latency{phase:after}", "p(99) < 250ms"));
    CHECK(!is_threshold("latency", "rate < 250ms"));
    CHECK(!is_threshold("latency", "p(101) < 250ms"));
    CHECK(!is_threshold("latency", "p(0) < 250ms"));
    CHECK(!is_threshold("latency", "p(100) < 250ms"));
    CHECK(!is_threshold("latency", "p() < 250ms"));
    CHECK(!is_threshold("latency", "p < 250ms"));
    CHECK(!is_threshold("latency", "p( < 250ms"));
    CHECK(!is_threshold("latency", "p(99) < 250"));
    CHECK(!is_threshold("latency", "p(99) << 250ms"));
    CHECK(!is_threshold("latency", "p(99) < 250ms @"));
    CHECK(!is_threshold("latency", "p(99) < 250ms @ 95%"));
    CHECK(!is_threshold("availability", "rate >= 99% @ 95"));
    CHECK(!is_threshold("availability", "rate >= 99% @ 10%"));
    CHECK(!is_threshold("availability", "rate == 99% @ 95%"));
    CHECK(!is_threshold("availability", "rate >= 101%"));
    CHECK(!is_threshold("recovery", "rate < 10s"));
    CHECK(!is_threshold("recovery", "min < 10s @ 95%"));
    CHECK(!is_threshold("latency", "p(99) < 250ms and more"));
    CHECK(!is_threshold("latency", "p(99)"));
    CHECK(!is_threshold("amplification", "value < 1.5x"));
    CHECK(!is_threshold("goodput", "avg > 5/s"));
    CHECK(!is_threshold("", ""));
}

TEST(threshold, a_gauge_is_judged_over_the_runs_that_showed_it)
{
    struct threshold_data data;
    threshold_data_init(&data);
    struct threshold threshold = parsed("gauge", "avg < 5");
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_UNDECIDED);
    static const double values[] = {8, 1, 3};
    for (uint32_t i = 0; i < 3; i++) {
        vec_append(&data.values, &values[i]);
    }
    CHECK(threshold_judge(&threshold, &data).observed == 4);
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_HELD);
    threshold = parsed("gauge", "max < 5");
    CHECK(threshold_judge(&threshold, &data).observed == 8);
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_CROSSED);
    threshold = parsed("counter", "rate < 5 @ 95%");
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_UNDECIDED);
    char name[64];
    threshold_metric_name(&threshold, "counter{name:x}", name, sizeof(name));
    CHECK_TEXT(name, "counter{name:x} rate");
    threshold_data_release(&data);
}

/* An exact estimate, or one of 100 cycles of an hour of which `hits` have a down time of 1e-4 h. */
static void set_estimate(struct threshold_data *data, double exact, uint32_t hits)
{
    data->has_estimate = true;
    data->unit = 1;
    if (exact > 0) {
        estimate_begin(&data->estimate, "any", ESTIMATE_EXACT);
        data->estimate.unavailability = exact;
        return;
    }
    estimate_begin(&data->estimate, "any", ESTIMATE_CRUDE);
    const uint32_t cycles = hits == 0 ? 100 : 10 * hits;
    for (uint32_t i = 0; i < cycles; i++) {
        estimate_add_pair(&data->estimate, i < hits ? 1e-4 : 0, 1, i < hits ? 1 : 0);
    }
}

static void check_verdict(const char *metric, const char *expression,
                          const struct threshold_data *data, enum threshold_verdict verdict)
{
    struct threshold threshold = parsed(metric, expression);
    CHECK_EQUAL(threshold_judge(&threshold, data).verdict, verdict);
}

TEST(threshold, equality_of_estimates_has_the_digits_that_are_written)
{
    struct threshold_data data;
    threshold_data_init(&data);
    check_verdict("downtime", "value == 315.6fs", &data, THRESHOLD_UNDECIDED);
    set_estimate(&data, 1e-20, 0);
    check_verdict("downtime", "value == 315.6fs", &data, THRESHOLD_HELD);
    check_verdict("downtime", "value == 316fs", &data, THRESHOLD_HELD);
    check_verdict("downtime", "value == 315.5fs", &data, THRESHOLD_CROSSED);
    check_verdict("downtime", "value != 315.5fs", &data, THRESHOLD_HELD);
    check_verdict("downtime", "value < 1ps", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value == 1.000000e-20", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value == 1.000001e-20", &data, THRESHOLD_CROSSED);
    /* 627 996 s are 174.4 h, though no multiple of 0.1 h is that many seconds. */
    set_estimate(&data, 1.99e-2, 0);
    check_verdict("downtime", "value == 174.4h", &data, THRESHOLD_HELD);
    set_estimate(&data, 1e-4, 0);
    check_verdict("downtime", "value == 52.60min", &data, THRESHOLD_HELD);
    check_verdict("downtime", "value == 52.61min", &data, THRESHOLD_CROSSED);
    char text[40];
    struct threshold threshold = parsed("downtime", "value < 1h");
    CHECK_TEXT(threshold_format(&threshold, 1e-20 * 31557600, text, sizeof(text)), "315.6 fs");
    threshold_data_release(&data);
}

TEST(threshold, an_estimate_is_judged_at_the_end_of_its_interval_or_by_its_bound)
{
    struct threshold_data data;
    threshold_data_init(&data);
    set_estimate(&data, 0, 36); /* 1e-5, and about a third of that on each side */
    check_verdict("unavailability", "value < 1.2e-5", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value < 1.2e-5 @ 95%", &data, THRESHOLD_UNDECIDED);
    check_verdict("unavailability", "value < 2e-5 @ 95%", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value > 2e-5 @ 95%", &data, THRESHOLD_CROSSED);
    data.unit = 1e-5; /* against the exact model */
    check_verdict("unavailability", "value < 2 @ 95%", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value > 0.2 @ 95%", &data, THRESHOLD_HELD);
    data.unit = NAN; /* there is none */
    check_verdict("unavailability", "value < 2", &data, THRESHOLD_UNDECIDED);
    data.unit = 1;
    check_verdict("loss", "value < 0.1%", &data, THRESHOLD_HELD);
    check_verdict("loss", "value > 0.1%", &data, THRESHOLD_CROSSED);
    set_estimate(&data, 0, 0); /* at most 3 outages in 100 cycles */
    check_verdict("unavailability", "value < 1e-2", &data, THRESHOLD_CROSSED);
    check_verdict("unavailability", "value < 4e-2", &data, THRESHOLD_HELD);
    check_verdict("unavailability", "value > 1e-9", &data, THRESHOLD_UNDECIDED);
    threshold_data_release(&data);
}

TEST(threshold, what_clients_saw_is_judged_by_a_metric_of_each_run)
{
    char name[64];
    struct spec_threshold asked = {.text = "mcr{window:90s}", .window_ns = 90000000000};
    struct threshold threshold = parsed("mcr", "min >= 99%");
    CHECK(threshold_metric_of(&threshold, &asked, name, sizeof(name)));
    CHECK_TEXT(name, "mcr_90s");
    asked = (struct spec_threshold){.text = "user-uptime"};
    threshold = parsed("user-uptime", "rate >= 99% @ 95%");
    CHECK(threshold_metric_of(&threshold, &asked, name, sizeof(name)));
    CHECK_TEXT(name, "user_uptime");
    threshold = parsed("gray", "max < 1%");
    CHECK(threshold_metric_of(&threshold, &asked, name, sizeof(name)));
    CHECK_TEXT(name, "gray");
    threshold = parsed("latency", "med < 1s");
    CHECK(!threshold_metric_of(&threshold, &asked, name, sizeof(name)));
    asked = (struct spec_threshold){.text = "gauge{name:x}"};
    threshold = parsed("gauge", "avg < 1");
    CHECK(threshold_metric_of(&threshold, &asked, name, sizeof(name)));
    CHECK_TEXT(name, "gauge{name:x} avg");
}

/* Five runs without any downtime bound what the others may have at one in 0.55. */
TEST(threshold, uptime_of_perfect_runs_is_no_proof)
{
    struct threshold_data data;
    threshold_data_init(&data);
    const double values[] = {1, 1, 1, 1, 1};
    for (uint32_t i = 0; i < 5; i++) {
        vec_append(&data.values, &values[i]);
    }
    struct threshold threshold = parsed("user-uptime", "rate >= 99% @ 95%");
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_UNDECIDED);
    CHECK_EQUAL(threshold_judge(&threshold, &data).trials_needed, 299);
    threshold = parsed("user-uptime", "min >= 99%");
    CHECK_EQUAL(threshold_judge(&threshold, &data).verdict, THRESHOLD_HELD);
    char text[64];
    CHECK_TEXT(threshold_format(&threshold, 0.9345, text, sizeof(text)), "93.45%");
    threshold_data_release(&data);
}

TEST(threshold, what_is_wrong_is_named)
{
    check_refused("downtime", "rate < 1s", "begins with value");
    check_refused("downtime", "value < 1", "is not a downtime such as");
    check_refused("downtime", "value < 1.2.3s", "is not a downtime such as");
    check_refused("downtime", "value == 1s @ 95%", "there is no interval");
    check_refused("unavailability", "value < 1e5", "is not a number such as");
    check_refused("unavailability", "value < 1e-", "is not a number such as");
    check_refused("unavailability", "value < 1%", "is not a number such as");
    check_refused("latancy", "p(99) < 1s", "did you mean 'latency'");
    check_refused("zzz", "p(99) < 1s", "unknown metric 'zzz': write latency, recovery, ");
    check_refused("zzz", "p(99) < 1s", ", counter{name:...}, unavailability{service:...}, ");
    check_refused("zzz", "p(99) < 1s", ", loss{service:...} or visibility");
    check_refused("gauge", "count < 1", "begins with avg, min, max, med, p(N) or last, not");
    check_refused("goodput", "avg < 1/s", "begins with rate or value, not 'avg'");
    check_refused("latency", "rate < 1s", "begins with avg, min, max, med or p(N), not 'rate'");
    check_refused("availability", "p(99) > 99%", "begins with rate, not 'p'");
    check_refused("latency", "p99 < 1s", "percentile is written 'p(99)'");
    check_refused("latency", "p(100) < 1s", "not between 0 and 100");
    check_refused("latency", "p(99 < 1s", "percentile");
    check_refused("latency", "p() < 1s", "percentile");
    check_refused("latency", "p(99) 1s", "needs an operator");
    check_refused("latency", "p(99) <", "has no value");
    check_refused("latency", "p(99) < 250", "250");
    check_refused("availability", "rate > 0.999", "0.999");
    check_refused("amplification", "value < 1.5x", "is not a number");
    check_refused("latency", "p(99) < 1s @ 95%", "there is no interval");
    check_refused("availability", "rate == 99% @ 95%", "there is no interval");
    check_refused("availability", "rate > 99% @ 5%", "not between 50% and 100%");
    check_refused("availability", "rate > 99% @", "confidence after '@' is missing");
    check_refused("latency", "", "begins with");
    check_refused("gauge", "rate > 1", "begins with avg, min, max, med, p(N) or last, not 'rate'");
}

static void add_run(struct threshold_data *data, enum verdict verdict, int64_t up_ns,
                    int64_t recovery_ns)
{
    struct run_result result;
    result_init(&result);
    result.verdict = verdict;
    result.offered = 100;
    result.attempts = 150;
    result.ok = 90;
    result.up_ns = up_ns;
    result.measured_ns = 1000000000;
    result.recovery_ns = recovery_ns;
    for (uint64_t i = 1; i <= 100; i++) {
        histogram_record(&result.latency, i * 1000000);
    }
    threshold_data_add(data, &result);
    result_release(&result);
}

static struct threshold_outcome judged(const char *metric, const char *expression,
                                       const struct threshold_data *data)
{
    struct threshold threshold = parsed(metric, expression);
    return threshold_judge(&threshold, data);
}

TEST(threshold, estimates_are_compared)
{
    struct threshold_data data;
    threshold_data_init(&data);
    for (int64_t i = 0; i < 4; i++) {
        add_run(&data, VERDICT_PASS, 900000000 + i * 10000000, (i + 1) * 1000000000);
    }
    CHECK_EQUAL(judged("latency", "p(99) < 110ms", &data).verdict, THRESHOLD_HELD);
    CHECK_EQUAL(judged("latency", "p(99) < 90ms", &data).verdict, THRESHOLD_CROSSED);
    CHECK(fabs(judged("latency", "avg < 1s", &data).observed - 50.5e6) < 0.5e6);
    CHECK_EQUAL(judged("latency", "max <= 100ms", &data).verdict, THRESHOLD_HELD);
    CHECK_EQUAL(judged("latency", "min >= 1ms", &data).verdict, THRESHOLD_HELD);
    CHECK_EQUAL(judged("availability", "rate >= 91%", &data).verdict, THRESHOLD_HELD);
    CHECK(fabs(judged("availability", "rate >= 91%", &data).observed - 0.915) < 1e-12);
    CHECK_EQUAL(judged("success", "rate == 90%", &data).verdict, THRESHOLD_HELD);
    CHECK(judged("goodput", "rate > 89/s", &data).observed == 90);
    CHECK(judged("amplification", "value < 1.5", &data).observed == 1.5);
    CHECK_EQUAL(judged("amplification", "value < 1.5", &data).verdict, THRESHOLD_CROSSED);
    CHECK(judged("recovery", "avg < 3s", &data).observed == 2.5e9);
    CHECK(judged("recovery", "med < 3s", &data).observed == 2e9);
    CHECK(judged("recovery", "max < 4s", &data).observed == 4e9);
    threshold_data_release(&data);
}

TEST(threshold, a_run_that_never_recovered_is_infinitely_late)
{
    struct threshold_data data;
    threshold_data_init(&data);
    for (int64_t i = 0; i < 9; i++) {
        add_run(&data, VERDICT_PASS, 1000000000, 1000000000);
    }
    add_run(&data, VERDICT_FAIL, 1000000000, RESULT_RECOVERY_NEVER);
    add_run(&data, VERDICT_PASS, 1000000000, RESULT_RECOVERY_NO_FAULT);
    CHECK(isinf(judged("recovery", "max < 10s", &data).observed));
    CHECK(isinf(judged("recovery", "avg < 10s", &data).observed));
    CHECK_EQUAL(judged("recovery", "p(90) < 10s", &data).verdict, THRESHOLD_HELD);
    CHECK_EQUAL(judged("recovery", "p(95) < 10s", &data).verdict, THRESHOLD_CROSSED);
    CHECK(judged("recovery", "rate >= 90%", &data).observed == 0.9);
    threshold_data_release(&data);
}

TEST(threshold, no_hit_in_too_few_runs_decides_nothing)
{
    struct threshold_data data;
    threshold_data_init(&data);
    for (int i = 0; i < 100; i++) {
        add_run(&data, VERDICT_PASS, 1000000000, RESULT_RECOVERY_NO_FAULT);
    }
    CHECK_EQUAL(judged("failures", "rate < 1%", &data).verdict, THRESHOLD_HELD);
    struct threshold_outcome outcome = judged("failures", "rate < 1% @ 95%", &data);
    CHECK_EQUAL(outcome.verdict, THRESHOLD_UNDECIDED);
    CHECK_EQUAL(outcome.trials_needed, 299);
    CHECK(fabs(outcome.interval.high - (1 - pow(.05, .01))) < 1e-9);
    CHECK_EQUAL(judged("metastable", "rate < 5% @ 95%", &data).verdict, THRESHOLD_HELD);
    add_run(&data, VERDICT_FAIL, 1000000000, RESULT_RECOVERY_NO_FAULT);
    CHECK_EQUAL(judged("failures", "rate < 0.5% @ 95%", &data).verdict, THRESHOLD_CROSSED);
    threshold_data_release(&data);
}

/* Runs without any downtime have no spread, but their number bounds what was not seen. */
TEST(threshold, perfect_runs_are_no_proof_of_perfection)
{
    struct threshold_data data;
    threshold_data_init(&data);
    for (int i = 0; i < 50; i++) {
        add_run(&data, VERDICT_PASS, 1000000000, RESULT_RECOVERY_NO_FAULT);
    }
    CHECK_EQUAL(judged("availability", "rate >= 99.9%", &data).verdict, THRESHOLD_HELD);
    struct threshold_outcome outcome = judged("availability", "rate >= 99.9% @ 95%", &data);
    CHECK_EQUAL(outcome.verdict, THRESHOLD_UNDECIDED);
    CHECK(outcome.interval.low < 0.95);
    CHECK_EQUAL(judged("availability", "rate >= 94% @ 95%", &data).verdict, THRESHOLD_HELD);
    threshold_data_release(&data);
}

TEST(threshold, nothing_observed_is_undecided)
{
    struct threshold_data data;
    threshold_data_init(&data);
    CHECK_EQUAL(judged("latency", "p(99) < 1s", &data).verdict, THRESHOLD_UNDECIDED);
    CHECK_EQUAL(judged("availability", "rate > 1%", &data).verdict, THRESHOLD_UNDECIDED);
    CHECK_EQUAL(judged("recovery", "p(50) < 1s", &data).verdict, THRESHOLD_UNDECIDED);
    CHECK(isnan(judged("failures", "rate < 1%", &data).observed));
    threshold_data_release(&data);
}

TEST(threshold, observed_values_are_readable)
{
    char out[64];
    struct threshold latency = parsed("latency", "p(99) < 1s");
    struct threshold availability = parsed("availability", "rate > 1%");
    CHECK_TEXT(threshold_format(&latency, 41e6, out, sizeof(out)), "41ms");
    CHECK_TEXT(threshold_format(&latency, 2.5e9, out, sizeof(out)), "2.5s");
    CHECK_TEXT(threshold_format(&availability, 0.714, out, sizeof(out)), "71.4%");
    CHECK_TEXT(threshold_format(&availability, 0.99999, out, sizeof(out)), "99.999%");
    CHECK_TEXT(threshold_format(&latency, INFINITY, out, sizeof(out)), "never");
    CHECK_TEXT(threshold_format(&latency, NAN, out, sizeof(out)), "nothing");
}

TEST(threshold, visibility_has_an_interval_of_order_statistics)
{
    struct threshold_data data;
    threshold_data_init(&data);
    check_verdict("visibility", "p(99) < 1s", &data, THRESHOLD_UNDECIDED);
    for (uint32_t i = 1; i <= 1000; i++) {
        histogram_record(&data.visibility, i <= 980 ? 0 : (uint64_t)i * 1000000);
    }
    check_verdict("visibility", "p(50) <= 0s", &data, THRESHOLD_HELD);
    check_verdict("visibility", "p(99) > 970ms", &data, THRESHOLD_HELD);
    check_verdict("visibility", "p(99) > 1s", &data, THRESHOLD_CROSSED);
    /* With 95 % (two-sided 90 %) the 99th percentile is between ranks 984 and 996. */
    struct threshold threshold = parsed("visibility", "p(99) < 1.1s @ 95%");
    const struct threshold_outcome outcome = threshold_judge(&threshold, &data);
    CHECK(outcome.verdict == THRESHOLD_HELD);
    CHECK(outcome.interval.low > 965e6 && outcome.interval.low < 986e6);
    CHECK(outcome.interval.high > 994e6 && outcome.interval.high < 1015e6);
    check_verdict("visibility", "p(99) < 995ms @ 95%", &data, THRESHOLD_UNDECIDED);
    check_verdict("visibility", "p(99.99) > 1ns @ 95%", &data, THRESHOLD_HELD);
    check_verdict("visibility", "p(99.99) < 9s @ 95%", &data, THRESHOLD_UNDECIDED);
    threshold_data_release(&data);
}
