/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The circuit breaker's states, one by one, and its windows against lists of all outcomes. */
#include "sim/breaker.h"

#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#define S NS_PER_S

static struct breaker breaker;

/* resilience4j's defaults */
static struct spec_breaker defaults(void)
{
    return (struct spec_breaker){.is_enabled = true,
                                 .window = 100,
                                 .calls_min = 100,
                                 .failure_share = 500000,
                                 .slow_share = 1000000,
                                 .slow_ns = 60 * S,
                                 .open_ns = 60 * S,
                                 .trial_calls = 10};
}

static void begin(const struct spec_breaker *policy)
{
    breaker_release(&breaker);
    breaker_adopt(&breaker, policy, 0);
}

/* So many attempts that begin and end now. */
static void attempts(uint32_t count, bool are_failures, int64_t now_ns)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t permit = breaker_ask(&breaker, now_ns);
        CHECK(permit != 0);
        breaker_record(&breaker, permit, are_failures, 0, now_ns);
    }
}

TEST(breaker, opens_when_half_of_the_last_hundred_calls_failed)
{
    const struct spec_breaker policy = defaults();
    begin(&policy);
    attempts(99, true, S);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED); /* too few to judge */
    attempts(1, true, S);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    CHECK_EQUAL(breaker_ask(&breaker, S), 0);
    begin(&policy);
    attempts(51, false, S);
    attempts(49, true, S);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    attempts(1, true, S); /* the first success leaves: 50 and 50 */
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, compares_shares_exactly)
{
    struct spec_breaker policy = defaults();
    policy.failure_share = 100000; /* 10%, which no binary fraction is */
    begin(&policy);
    attempts(90, false, 0);
    attempts(9, true, 0);
    attempts(1, false, 0);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    attempts(1, true, 0);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, judges_a_window_that_is_smaller_than_the_minimum_once_it_is_full)
{
    struct spec_breaker policy = defaults();
    policy.window = 4;
    begin(&policy);
    attempts(3, true, 0);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    attempts(1, false, 0);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, stays_open_for_more_than_its_wait_and_then_permits_a_few)
{
    const struct spec_breaker policy = defaults();
    begin(&policy);
    attempts(100, true, 5 * S);
    CHECK_EQUAL(breaker_ask(&breaker, 5 * S + 1), 0);
    CHECK_EQUAL(breaker_ask(&breaker, 65 * S), 0);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    for (uint32_t i = 0; i < 10; i++) {
        CHECK(breaker_ask(&breaker, 65 * S + 1) != 0);
    }
    CHECK_EQUAL(breaker.state, BREAKER_HALF_OPEN);
    CHECK_EQUAL(breaker_ask(&breaker, 65 * S + 1), 0);
    CHECK_EQUAL(breaker_ask(&breaker, 6500 * S), 0); /* it waits for its ten */
    breaker_release(&breaker);
}

/* Opens the breaker, waits, and tries ten attempts of which so many fail. */
static enum breaker_state trial(uint32_t failures)
{
    const struct spec_breaker policy = defaults();
    begin(&policy);
    attempts(100, true, 0);
    attempts(10 - failures, false, 61 * S);
    for (uint32_t i = 0; i < failures; i++) {
        attempts(1, true, 61 * S);
        CHECK(i + 1 == failures || breaker.state == BREAKER_HALF_OPEN);
    }
    return breaker.state;
}

TEST(breaker, closes_or_opens_by_the_outcomes_of_its_trial)
{
    CHECK_EQUAL(trial(0), BREAKER_CLOSED);
    CHECK_EQUAL(trial(4), BREAKER_CLOSED);
    CHECK_EQUAL(breaker.total.calls, 0); /* with an empty window */
    attempts(99, true, 62 * S);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    CHECK_EQUAL(trial(5), BREAKER_OPEN);
    CHECK_EQUAL(breaker_ask(&breaker, 121 * S), 0); /* for another wait */
    CHECK(breaker_ask(&breaker, 121 * S + 1) != 0);
    CHECK_EQUAL(trial(10), BREAKER_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, opens_by_slow_calls_too)
{
    struct spec_breaker policy = defaults();
    policy.window = 10;
    policy.slow_share = 300000;
    policy.slow_ns = S;
    begin(&policy);
    for (uint32_t i = 0; i < 10; i++) {
        int64_t duration_ns = i % 5 == 0 ? S + 1 : S; /* two are slow, eight are at the limit */
        breaker_record(&breaker, breaker_ask(&breaker, 0), false, duration_ns, 0);
    }
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    breaker_record(&breaker, breaker_ask(&breaker, 0), false, 2 * S, 0);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED); /* the oldest, a slow one, left */
    breaker_record(&breaker, breaker_ask(&breaker, 0), false, 2 * S, 0);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, forgets_by_whole_seconds_with_a_window_of_time)
{
    struct spec_breaker policy = defaults();
    policy.is_time_based = true;
    policy.window = 3;
    policy.calls_min = 4;
    begin(&policy);
    attempts(3, true, 10 * S + S / 2);
    attempts(0, true, 12 * S);
    attempts(1, false, 13 * S); /* second 10 is no longer among 11, 12, 13 */
    CHECK_EQUAL(breaker.total.calls, 1);
    attempts(2, true, 15 * S - 1);
    CHECK_EQUAL(breaker.total.calls, 3);
    attempts(1, false, 15 * S + S / 2);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN); /* 2 of the 4 of 13, 14, 15 */
    begin(&policy);
    attempts(3, true, S);
    attempts(1, true, 1000 * S);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    CHECK_EQUAL(breaker.total.calls, 1);
    breaker_release(&breaker);
}

/* Outcomes one by one, and what the definition says of them all. */
static void compare_with_lists(bool is_time_based)
{
    enum { COUNT = 4000 };
    static bool failed[COUNT];
    static int64_t at_ns[COUNT];
    struct spec_breaker policy = defaults();
    policy.is_time_based = is_time_based;
    policy.window = is_time_based ? 4 : 37;
    policy.calls_min = 20;
    policy.failure_share = 1000000; /* so that it never opens while one of twenty succeeds */
    begin(&policy);
    struct rng rng = rng_stream(7, "breaker", 0, "test");
    int64_t now_ns = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        now_ns += (int64_t)rng_below(&rng, i % 500 == 0 ? 20 * S : S / 8);
        failed[i] = rng_below(&rng, 3) == 0;
        at_ns[i] = now_ns;
        breaker_record(&breaker, breaker_ask(&breaker, now_ns), failed[i], 0, now_ns);
        uint32_t calls = 0;
        uint32_t failures = 0;
        for (uint32_t back = 0; back <= i; back++) {
            uint32_t j = i - back;
            bool is_in = is_time_based ? at_ns[j] / S > now_ns / S - 4 : back < 37;
            if (!is_in) {
                break;
            }
            calls++;
            failures += failed[j] ? 1 : 0;
        }
        REQUIRE(breaker.state == BREAKER_CLOSED);
        REQUIRE(breaker.total.calls == calls);
        REQUIRE(breaker.total.failed == failures);
    }
    breaker_release(&breaker);
}

TEST(breaker, counts_what_is_in_its_window_of_calls)
{
    compare_with_lists(false);
}

TEST(breaker, counts_what_is_in_its_window_of_time)
{
    compare_with_lists(true);
}

TEST(breaker, hears_outcomes_of_attempts_that_began_before_only_when_it_is_not_open)
{
    const struct spec_breaker policy = defaults();
    begin(&policy);
    const uint32_t early = breaker_ask(&breaker, 0);
    attempts(100, true, 0);
    breaker_record(&breaker, early, true, S, S);
    CHECK_EQUAL(breaker.total.calls, 100);
    const uint32_t permit = breaker_ask(&breaker, 61 * S);
    CHECK(permit != 0);
    CHECK(permit != early);
    breaker_record(&breaker, early, true, 61 * S, 61 * S);
    CHECK_EQUAL(breaker.total.calls, 1);
    breaker_release(&breaker);
}

TEST(breaker, gets_back_the_permit_of_an_attempt_that_was_given_up)
{
    struct spec_breaker policy = defaults();
    policy.trial_calls = 1;
    begin(&policy);
    const uint32_t early = breaker_ask(&breaker, 0);
    attempts(100, true, 0);
    const uint32_t permit = breaker_ask(&breaker, 61 * S);
    CHECK(permit != 0);
    CHECK_EQUAL(breaker_ask(&breaker, 61 * S), 0);
    breaker_cancel(&breaker, early); /* not one of this trial */
    CHECK_EQUAL(breaker_ask(&breaker, 61 * S), 0);
    breaker_cancel(&breaker, permit);
    CHECK_EQUAL(breaker_ask(&breaker, 61 * S), permit);
    breaker_cancel(&breaker, 0);
    breaker_release(&breaker);
}

TEST(breaker, of_retries_lets_first_attempts_decide_nothing_while_half_open)
{
    struct spec_breaker policy = defaults();
    policy.only_retries = true;
    begin(&policy);
    for (uint32_t i = 0; i < 100; i++) {
        breaker_record(&breaker, 0, true, 0, 0); /* first attempts do not ask, and count */
    }
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    CHECK(breaker_ask(&breaker, 61 * S) != 0);
    for (uint32_t i = 0; i < 100; i++) {
        breaker_record(&breaker, 0, true, 0, 61 * S);
    }
    CHECK_EQUAL(breaker.state, BREAKER_HALF_OPEN);
    breaker_release(&breaker);
}

TEST(breaker, keeps_its_state_when_the_policy_stays_and_begins_anew_when_it_changes)
{
    struct spec_breaker policy = defaults();
    begin(&policy);
    attempts(100, true, 0);
    const struct spec_breaker same = defaults();
    breaker_adopt(&breaker, &same, S);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    const uint32_t epoch = breaker.epoch;
    policy.window = 5;
    breaker_adopt(&breaker, &policy, S);
    CHECK_EQUAL(breaker.state, BREAKER_CLOSED);
    CHECK(breaker.epoch > epoch); /* permits of before are none of now */
    attempts(5, true, S);
    CHECK_EQUAL(breaker.state, BREAKER_OPEN);
    const struct spec_breaker off = {0};
    breaker_adopt(&breaker, &off, S);
    breaker_record(&breaker, 1, true, 0, S);
    CHECK_EQUAL(breaker.total.calls, 0);
    breaker_release(&breaker);
}
