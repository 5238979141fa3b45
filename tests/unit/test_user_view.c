/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * User-uptime and MCR against numbers worked out by hand, their invariants, and who the users of a
 * load are. */
#include "tests/unit/judge_fixture.h"
#include "tests/unit/server_lab.h"

#include "analysis/user_view.h"
#include "sim/base/rng.h"

static struct spec_load loads[2];
static struct run_spec spec;
static struct user_view view;
static uint64_t next_id;

static void begin(int64_t limit_s)
{
    loads[0] = (struct spec_load){.name = "a", .client = {.timeout_ns = NS_PER_S}};
    loads[1] = (struct spec_load){.name = "b", .client = {.timeout_ns = NS_PER_S}};
    spec = (struct run_spec){.limit_ns = limit_s * NS_PER_S, .loads = loads, .load_count = 2};
    next_id = 0;
    user_view_init(&view);
    user_view_begin(&view, &spec, NS_PER_S);
}

struct asked {
    uint32_t load;
    uint32_t user;
    int64_t start_ms;
    int64_t stop_ms; /* INT64_MAX: it is never completed */
    enum sq_outcome outcome;
};

static void ask(struct asked asked)
{
    struct sq_operation operation = {.id = next_id++,
                                     .load = asked.load,
                                     .user = asked.user,
                                     .intended = asked.start_ms * NS_PER_MS,
                                     .invoked = asked.start_ms * NS_PER_MS,
                                     .completed = INT64_MAX};
    user_view_on_invoke(&view, &operation);
    if (asked.stop_ms != INT64_MAX) {
        operation.completed = asked.stop_ms * NS_PER_MS;
        operation.outcome = asked.outcome;
        user_view_on_complete(&view, &operation);
    }
}

/* An operation of the first user that takes no time, at so many seconds. */
static void at(int64_t second, bool is_ok)
{
    ask((struct asked){.start_ms = second * 1000,
                       .stop_ms = second * 1000,
                       .outcome = is_ok ? SQ_OUTCOME_OK : SQ_OUTCOME_FAIL});
}

static bool is_share(struct user_share share, uint64_t part, uint64_t whole)
{
    return share.whole > 0 && share.part * whole == share.whole * part;
}

static bool finish_is(uint64_t part, uint64_t whole)
{
    user_view_finish(&view, spec.limit_ns);
    bool is_right = is_share(user_view_total(&view), part, whole);
    user_view_release(&view);
    return is_right;
}

/* ------------------------------------------------------------------------------------- the ratio
 */

TEST(user_view, mcr_of_24_slots_with_three_bad_ones)
{
    static const uint64_t small[][2] = {{0, 1}, {0, 1}, {1, 3}, {1, 2},
                                        {2, 5}, {1, 2}, {4, 7}, {5, 8}};
    struct user_share slots[24];
    for (uint32_t i = 0; i < 24; i++) {
        slots[i] = (struct user_share){i == 4 || i == 7 || i == 8 ? 0 : 1, 1};
    }
    for (uint32_t w = 1; w <= 24; w++) {
        struct user_share worst = user_share_worst(slots, 24, w);
        CHECK(w <= 8 ? is_share(worst, small[w - 1][0], small[w - 1][1])
                     : is_share(worst, w - 3, w));
    }
    CHECK(user_share_worst(slots, 24, 25).whole == 0);
}

TEST(user_view, mcr_of_a_multiple_is_never_worse_and_of_the_whole_is_the_total)
{
    struct rng rng = rng_stream(7, "mcr", 0, "slots");
    struct user_share slots[60];
    for (uint32_t round = 0; round < 50; round++) {
        struct user_share total = {0, 0};
        for (uint32_t i = 0; i < 60; i++) {
            slots[i].whole = rng_below(&rng, 4) == 0 ? 0 : rng_below(&rng, 1000);
            slots[i].part = slots[i].whole > 0 ? rng_below(&rng, (uint64_t)slots[i].whole + 1) : 0;
            total.whole += slots[i].whole;
            total.part += slots[i].part;
        }
        struct user_share whole = user_share_worst(slots, 60, 60);
        CHECK(whole.part == total.part && whole.whole == total.whole);
        for (uint32_t w = 1; w <= 30; w++) {
            const struct user_share narrow = user_share_worst(slots, 60, w);
            for (uint32_t k = 2; k * w <= 60; k++) {
                const struct user_share wide = user_share_worst(slots, 60, k * w);
                CHECK(wide.part * narrow.whole >= narrow.part * wide.whole);
            }
        }
    }
}

TEST(user_view, shares_too_large_to_multiply_are_compared_exactly)
{
    const unsigned __int128 huge = (unsigned __int128)1 << 100;
    struct user_share slots[] = {{huge - 2, huge}, {huge - 3, huge}, {huge - 3, huge - 1}};
    struct user_share worst = user_share_worst(slots, 3, 1);
    CHECK(worst.part == huge - 3 && worst.whole == huge);
    struct user_share nothing[] = {{1, huge}, {0, huge}, {5, 7}};
    CHECK(user_share_worst(nothing, 3, 1).part == 0);
    struct user_share small[] = {{5, 7}, {5 * (huge / 7) - 1, 7 * (huge / 7)}};
    CHECK(user_share_worst(small, 2, 1).whole > 7);
    struct user_share same[] = {{1, 2}, {huge / 2, huge}};
    CHECK(user_share_worst(same, 2, 1).whole == 2);
}

/* ------------------------------------------------------------------------------------- the users
 */

TEST(user_view, a_retry_storm_moves_the_success_ratio_and_not_user_uptime)
{
    begin(50);
    at(0, true);
    at(10, true);
    at(20, false);
    at(30, false);
    at(40, true);
    CHECK(finish_is(3, 5));
    begin(50);
    at(0, true);
    at(10, true);
    for (int64_t second = 20; second <= 30; second++) {
        at(second, false);
    }
    at(40, true);
    CHECK_EQUAL(next_id, 14); /* of which 3 succeeded */
    CHECK(finish_is(3, 5));
}

TEST(user_view, a_busy_user_counts_no_more_than_a_slow_one)
{
    begin(100);
    spec.availability.idle_ns = 10 * NS_PER_S;
    for (int64_t second = 0; second < 100; second++) {
        for (int64_t i = 0; i < 10; i++) {
            ask((struct asked){.user = 3,
                               .start_ms = second * 1000 + i * 100,
                               .stop_ms = second * 1000 + i * 100 + 1,
                               .outcome = SQ_OUTCOME_OK});
        }
        if (second % 10 == 0) {
            ask((struct asked){.load = 1,
                               .start_ms = second * 1000 + 950,
                               .stop_ms = second * 1000 + 951,
                               .outcome = SQ_OUTCOME_FAIL});
        }
    }
    user_view_finish(&view, spec.limit_ns);
    CHECK_EQUAL(view.users, 2);
    /* 100 s up; down from 0.95 s on */
    CHECK(is_share(user_view_total(&view), 10000, 19905));
    user_view_release(&view);
}

TEST(user_view, who_is_idle_is_not_there_and_who_waits_is)
{
    begin(100);
    spec.availability.idle_ns = 5 * NS_PER_S;
    at(0, true); /* 5 s, then nobody */
    ask((struct asked){.start_ms = 60000, .stop_ms = 80000, .outcome = SQ_OUTCOME_INFO});
    CHECK(finish_is(5, 25));
    begin(100);
    for (int64_t second = 0; second < 30; second++) {
        at(second, true); /* pauses of 1 s: their 99th percentile, and so the cut-off */
    }
    user_view_finish(&view, spec.limit_ns);
    CHECK_EQUAL(view.idle_ns, NS_PER_S);
    CHECK(is_share(user_view_total(&view), 1, 1));
    CHECK(user_view_total(&view).whole == 30 * NS_PER_S);
    user_view_release(&view);
}

TEST(user_view, what_the_end_cuts_off_says_nothing_until_it_has_timed_out)
{
    begin(10);
    at(0, true);
    ask((struct asked){.start_ms = 9500, .stop_ms = INT64_MAX});
    spec.availability.idle_ns = 2 * NS_PER_S;
    CHECK(finish_is(1, 1));
    begin(10);
    at(0, true);
    ask((struct asked){.start_ms = 8000, .stop_ms = 10000, .outcome = SQ_OUTCOME_INFO});
    spec.availability.idle_ns = 2 * NS_PER_S;
    CHECK(finish_is(1, 2));
}

TEST(user_view, warm_up_audit_and_detector_are_not_measured)
{
    begin(10);
    spec.warmup_ns = 4 * NS_PER_S;
    spec.availability.idle_ns = 100 * NS_PER_S;
    spec.availability.detector = (struct spec_detector){.is_asked = true, .load = 1};
    at(0, false); /* until 6 s, of which 2 s count */
    ask((struct asked){.load = 1, .start_ms = 5000, .stop_ms = 5000, .outcome = SQ_OUTCOME_FAIL});
    at(6, true); /* until the limit */
    ask((struct asked){.load = 2, .start_ms = 11000, .stop_ms = 11000, .outcome = SQ_OUTCOME_FAIL});
    user_view_finish(&view, 12 * NS_PER_S);
    CHECK(is_share(user_view_total(&view), 4, 6));
    CHECK(user_view_total(&view).whole == 6 * NS_PER_S);
    CHECK_EQUAL(view.measured_ns, 6 * NS_PER_S);
    user_view_release(&view);
}

TEST(user_view, a_stretch_over_many_slots_is_in_each_of_them)
{
    begin(50);
    spec.availability.idle_ns = 100 * NS_PER_S;
    ask((struct asked){.start_ms = 250, .stop_ms = 260, .outcome = SQ_OUTCOME_OK});
    ask((struct asked){.user = 1, .start_ms = 10000, .stop_ms = 10000, .outcome = SQ_OUTCOME_OK});
    ask((struct asked){.start_ms = 25500, .stop_ms = 25600, .outcome = SQ_OUTCOME_FAIL});
    user_view_finish(&view, spec.limit_ns);
    const struct user_share *slots = view.slots.items;
    REQUIRE(view.slots.count == 50);
    for (uint32_t i = 0; i < 50; i++) {
        const uint64_t other = i >= 10 ? 1000 : 0;
        const uint64_t whole = (i == 0 ? 750 : 1000) + other;
        const uint64_t part = (i == 0 ? 750 : i < 25 ? 1000 : i == 25 ? 500 : 0) + other;
        CHECK(slots[i].whole == whole * NS_PER_MS);
        CHECK(slots[i].part == part * NS_PER_MS);
    }
    CHECK(is_share(user_view_worst(&view, 5 * NS_PER_S), 1, 2));
    CHECK(is_share(user_view_worst(&view, 4500 * NS_PER_MS), 1, 2)); /* rounded up */
    CHECK(user_view_worst(&view, 51 * NS_PER_S).whole == 0);
    user_view_release(&view);
}

TEST(user_view, usual_windows_are_whole_slots_shorter_than_the_run)
{
    static const int64_t expected[] = {1, 2, 5, 10, 20, 30};
    begin(50);
    at(0, true);
    user_view_finish(&view, spec.limit_ns);
    int64_t window_ns = 0;
    uint32_t count = 0;
    while (user_view_window(&view, count, &window_ns)) {
        REQUIRE(count < ARRAY_COUNT(expected));
        CHECK_EQUAL(window_ns, expected[count] * NS_PER_S);
        count++;
    }
    CHECK_EQUAL(count, ARRAY_COUNT(expected));
    user_view_release(&view);
}

TEST(user_view, a_run_in_which_nobody_asked_has_no_uptime)
{
    begin(10);
    user_view_finish(&view, spec.limit_ns);
    CHECK(user_view_total(&view).whole == 0);
    user_view_release(&view);
    begin(10);
    user_view_finish(&view, 0);
    CHECK(user_view_total(&view).whole == 0);
    CHECK(user_view_worst(&view, NS_PER_S).whole == 0);
    user_view_release(&view);
}

/* ------------------------------------------------------------------------- from engine to result
 */

static bool play(struct lab *lab, const char *load)
{
    return lab_run(lab,
                   (struct lab_options){.server = "serviceTime: 10ms",
                                        .load = load,
                                        .limit_s = 10,
                                        .timeout_s = 0.5,
                                        .pause_at_s = 3,
                                        .pause_s = 2,
                                        .seed = 1},
                   NULL);
}

TEST(user_view, users_of_an_open_load_take_turns)
{
    struct lab lab;
    REQUIRE(play(&lab, "{executor: constant-arrival-rate, rate: 20/s, arrivals: uniform}"));
    CHECK(lab.count >= 199);
    for (uint32_t i = 0; i < lab.count; i++) {
        CHECK_EQUAL(lab.operations[i].user, i % 10);
    }
    lab_free(&lab);
}

/* Processes are not used again after a time-out; users are. */
TEST(user_view, users_of_a_closed_load_go_on_after_a_time_out)
{
    struct lab lab;
    bool is_known[4] = {false};
    uint32_t timeouts = 0;
    uint32_t processes = 0;
    REQUIRE(play(&lab, "{executor: constant-vus, vus: 4, thinkTime: 100ms}"));
    for (uint32_t i = 0; i < lab.count; i++) {
        const struct sq_operation *operation = &lab.operations[i];
        REQUIRE(operation->user < 4);
        is_known[operation->user] = true;
        timeouts += operation->outcome == SQ_OUTCOME_INFO;
        processes = operation->process > processes ? operation->process : processes;
    }
    CHECK(is_known[0] && is_known[1] && is_known[2] && is_known[3]);
    CHECK(timeouts >= 4);
    CHECK(processes >= 4);
    lab_free(&lab);
}

static struct fixture f;

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

static void operate(int64_t start_ms, enum sq_outcome outcome)
{
    f.now = (start_ms - 1) * NS_PER_MS;
    fixture_complete(&f, fixture_invoke(&f, SQ_KV_READ, 1, 0), outcome, 0);
}

static void show_harvest(uint64_t permille)
{
    struct sq_seen seen = {.time = f.now, .what = SQ_SEE_GAUGE, .a = permille, .text = "harvest"};
    f.observer->on_seen(f.observer->context, &seen);
}

TEST(user_view, the_judge_puts_it_into_the_result)
{
    struct spec_threshold threshold = {.metric = "mcr",
                                       .text = "mcr{window:3s}",
                                       .expression = "rate > 1%",
                                       .window_ns = 3 * NS_PER_S};
    fixture_init(&f, 1);
    f.spec.limit_ns = 10 * NS_PER_S;
    f.spec.thresholds = &threshold;
    f.spec.threshold_count = 1;
    fixture_begin(&f);
    for (int64_t i = 0; i < 20; i++) {
        const bool is_down = i >= 10 && i < 14; /* 5 s to 7 s */
        operate(i * 500 + 10, is_down ? SQ_OUTCOME_FAIL : SQ_OUTCOME_OK);
        if (!is_down) {
            show_harvest(i < 8 ? 1000 : 750);
        }
    }
    f.now = 10 * NS_PER_S;
    fixture_finish(&f);
    CHECK(fabs(metric("user_uptime") - 7.99 / 9.99) < 1e-12);
    CHECK(metric("mcr_1s") == 0);
    CHECK(fabs(metric("mcr_3s") - 1.0 / 3) < 1e-12);
    CHECK(fabs(metric("mcr_5s") - 3.0 / 5) < 1e-12);
    CHECK(isnan(metric("mcr_10s")));
    CHECK(metric("yield") == 0.8);
    CHECK(metric("harvest") == 0.875);
    CHECK(isnan(metric("gray")));
    fixture_release(&f);
}
