/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stub's policies beyond retries on its bench: hedging, circuit breaker, budgets, limits,
 * queue, rate, and changes of policy while calls are under way. First with exact times, then as
 * laws that many calls obey. */
#include "sim/stub.h"

#include "tests/unit/harness.h"
#include "tests/unit/stub_bench.h"

#define S NS_PER_S

static uint64_t mask_of(enum sq_status status)
{
    return UINT64_C(1) << status;
}

static void check_times(const struct bench *bench, uint32_t count, const int64_t *times_ns)
{
    check_sends(bench, count, times_ns);
}
#define CHECK_TIMES(bench, ...)                                                                    \
    check_times(bench, (uint32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),             \
                (int64_t[]){__VA_ARGS__})

/* --------------------------------------------------------------------------------------- hedging
 */

static struct spec_client policy_hedged(uint32_t attempts, int64_t delay_ns)
{
    struct spec_client policy = policy_plain();
    policy.hedging = (struct spec_hedging){
        .is_enabled = true,
        .attempts_max = attempts,
        .delay_ns = delay_ns,
        .non_fatal = mask_of(SQ_E_UNAVAILABLE) | mask_of(SQ_E_TIMEOUT) | mask_of(SQ_E_NOT_LEADER),
    };
    return policy;
}

TEST(stub_policies, a_hedge_leaves_after_the_delay_and_goes_elsewhere)
{
    struct bench *bench = bench_once(3, policy_hedged(4, 20 * MS), 1,
                                     SCRIPT(SILENT, SILENT, LATE(SQ_OK, 30 * MS), SILENT));
    CHECK_TIMES(bench, 0, 20 * MS, 40 * MS, 60 * MS);
    CHECK_NODES(bench, 0, 1, 2, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 70 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->dones[0].result.attempts, 4);
    CHECK_EQUAL(bench->dones[0].result.replied_by, 2);
    CHECK_EQUAL(bench->dones[0].data & UINT32_MAX, 3);
    CHECK_EQUAL(bench->attempt_count, 4);
    CHECK_EQUAL(probed(bench, "client.hedged"), 3);
    CHECK_EQUAL(bench->world->sched.pending, 0);
    bench_free(bench);
}

TEST(stub_policies, an_answer_before_the_delay_needs_no_hedge)
{
    struct bench *bench =
        bench_once(2, policy_hedged(2, 20 * MS), 1, SCRIPT(LATE(SQ_OK, 20 * MS - 1)));
    CHECK_TIMES(bench, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, 20 * MS - 1);
    CHECK_EQUAL(probed(bench, "client.hedged"), 0);
    bench_free(bench);
}

TEST(stub_policies, the_answer_of_the_first_attempt_counts_while_hedges_are_out)
{
    struct bench *bench =
        bench_once(2, policy_hedged(2, 20 * MS), 1, SCRIPT(LATE(SQ_OK, 50 * MS), SILENT));
    CHECK_EQUAL(bench->dones[0].time_ns, 50 * MS);
    CHECK_EQUAL(bench->dones[0].data & UINT32_MAX, 1);
    CHECK(bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub_policies, a_non_fatal_answer_sends_the_next_at_once_and_the_delay_begins_anew)
{
    struct bench *bench =
        bench_once(3, policy_hedged(3, 20 * MS), 1,
                   SCRIPT(LATE(SQ_E_UNAVAILABLE, 5 * MS), SILENT, LATE(SQ_OK, 10 * MS)));
    CHECK_TIMES(bench, 0, 5 * MS, 25 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 35 * MS);
    bench_free(bench);
}

TEST(stub_policies, a_fatal_answer_ends_the_call_and_leaves_the_others_open)
{
    struct bench *bench = bench_once(2, policy_hedged(3, 20 * MS), 1,
                                     SCRIPT(LATE(SQ_OK, 90 * MS), SAY(SQ_E_CONFLICT)));
    CHECK_TIMES(bench, 0, 20 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 20 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_CONFLICT);
    CHECK(!bench->dones[0].result.is_definite); /* the first may yet take effect */
    bench_run(bench, S);
    CHECK_EQUAL(bench->unwanted, 1); /* and does */
    bench_free(bench);
    bench = bench_once(2, policy_hedged(3, 20 * MS), 1, SCRIPT(SAY(SQ_E_CONFLICT)));
    CHECK(bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->dones[0].result.attempts, 1);
    bench_free(bench);
}

TEST(stub_policies, a_hedged_call_fails_when_all_its_attempts_have_failed)
{
    struct bench *bench = bench_once(
        3, policy_hedged(3, 20 * MS), 1,
        SCRIPT(LATE(SQ_E_UNAVAILABLE, 50 * MS), LATE(SQ_E_UNAVAILABLE, 10 * MS), SILENT));
    /* The second fails at 30 ms and so the third leaves; the first fails at 50 ms; the third times
     * out 100 ms after it left. */
    CHECK_TIMES(bench, 0, 20 * MS, 30 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 130 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(!bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->timeouts, 1);
    bench_free(bench);
}

TEST(stub_policies, every_attempt_has_its_own_time_out)
{
    struct bench *bench = bench_once(3, policy_hedged(3, 60 * MS), 1, SCRIPT(SILENT));
    /* 0 times out at 100 ms, which sends the third at once; 160, 200. */
    CHECK_TIMES(bench, 0, 60 * MS, 100 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 200 * MS);
    CHECK_EQUAL(bench->timeouts, 3);
    bench_free(bench);
}

TEST(stub_policies, an_answer_to_an_attempt_that_timed_out_is_late_while_hedges_are_out)
{
    struct spec_client policy = policy_hedged(2, 60 * MS);
    struct script script = SCRIPT(LATE(SQ_OK, 120 * MS), SILENT);
    struct bench *bench = bench_once(2, policy, 1, script);
    CHECK_EQUAL(bench->dones[0].time_ns, 120 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
    policy.ignores_late = true;
    bench = bench_once(2, policy, 1, script);
    CHECK_EQUAL(bench->dones[0].time_ns, 160 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK_EQUAL(bench->unwanted, 1);
    bench_free(bench);
}

TEST(stub_policies, the_deadline_holds_for_all_hedges_together)
{
    struct spec_client policy = policy_hedged(5, 20 * MS);
    policy.deadline_ns = 50 * MS;
    struct bench *bench = bench_once(2, policy, 1, SCRIPT(SILENT));
    CHECK_TIMES(bench, 0, 20 * MS, 40 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 50 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK_EQUAL(bench->timeouts, 3);
    bench_free(bench);
}

TEST(stub_policies, a_redirect_of_a_hedge_is_no_further_hedge)
{
    struct spec_client policy = policy_hedged(2, 20 * MS);
    policy.redirects_max = 3;
    struct bench *bench = bench_once(3, policy, 1, SCRIPT(HINT(2), SILENT, LATE(SQ_OK, MS)));
    CHECK_TIMES(bench, 0, 0, 20 * MS);
    CHECK_NODES(bench, 0, 2, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, 21 * MS);
    bench_free(bench);
}

TEST(stub_policies, hedges_at_random_go_to_nodes_where_none_is_out)
{
    struct spec_client policy = policy_hedged(5, MS);
    policy.route = SPEC_ROUTE_RANDOM;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct bench *bench = bench_once(5, policy, seed, SCRIPT(SILENT));
        uint32_t seen = 0;
        REQUIRE(bench->send_count == 5);
        for (uint32_t i = 0; i < 5; i++) {
            seen |= UINT32_C(1) << bench->sends[i].node;
        }
        CHECK_EQUAL(seen, 31);
        bench_free(bench);
    }
}

TEST(stub_policies, hedges_without_a_delay_all_leave_at_once)
{
    struct bench *bench = bench_once(3, policy_hedged(3, 0), 1, SCRIPT(LATE(SQ_OK, MS)));
    CHECK_TIMES(bench, 0, 0, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, MS);
    bench_free(bench);
}

TEST(stub_policies, a_throttled_hedge_is_not_sent_and_the_answer_is_waited_for)
{
    struct spec_client policy = policy_hedged(3, 20 * MS);
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 2;
    policy.budget_ratio_milli = 100;
    struct bench *bench = bench_new(2, policy, 1);
    struct script failing = SCRIPT(SAY(SQ_E_UNAVAILABLE));
    struct script slow = SCRIPT(LATE(SQ_OK, 50 * MS));
    bench_call(bench, &failing, 0, 1); /* 2 tokens, one failure: 1 is not above half */
    bench_advance(bench, S);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(bench->dones[0].result.attempts, 1);
    bench_call(bench, &slow, S, 2);
    bench_advance(bench, 2 * S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[1].time_ns, S + 50 * MS);
    CHECK_EQUAL(bench->dones[1].result.attempts, 1);
    bench_call(bench, &slow, 2 * S, 3); /* 1.1 tokens */
    bench_advance(bench, 3 * S);
    CHECK_EQUAL(bench->dones[2].result.attempts, 3);
    CHECK_EQUAL(probed(bench, "client.retry-throttled"), 2);
    bench_free(bench);
}

TEST(stub_policies, hedges_count_as_retries_in_parallel)
{
    struct spec_client policy = policy_hedged(5, 10 * MS);
    policy.limits.retries = 2;
    struct bench *bench = bench_new(2, policy, 1);
    struct script silent = SCRIPT(SILENT);
    struct script quick = SCRIPT(LATE(SQ_OK, 15 * MS));
    bench_call(bench, &silent, 0, 1);
    bench_advance(bench, 50 * MS);
    CHECK_TIMES(bench, 0, 10 * MS, 20 * MS);
    bench_advance(bench, S); /* all timed out: they count no longer */
    CHECK_EQUAL(bench->done_count, 1);
    bench_call(bench, &quick, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(bench->dones[1].result.attempts, 2);
    bench_free(bench);
}

TEST(stub_policies, relief_from_retries_is_relief_from_hedges)
{
    struct bench *bench = bench_new(2, policy_hedged(3, 20 * MS), 1);
    struct script silent = SCRIPT(SILENT);
    bench->spec.relief = (struct spec_relief){.until_ns = S, .is_retries_off = true};
    bench_call(bench, &silent, 0, 1);
    bench_advance(bench, S);
    bench_call(bench, &silent, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_TIMES(bench, 0, S, S + 20 * MS, S + 40 * MS);
    CHECK_EQUAL(bench->done_count, 2);
    bench_free(bench);
}

TEST(stub_policies, after_a_hedge_that_could_not_leave_there_is_none)
{
    struct spec_client policy = policy_hedged(3, 20 * MS);
    policy.limits.connections = 1;
    struct bench *bench = bench_once(2, policy, 1, SCRIPT(LATE(SQ_E_UNAVAILABLE, 50 * MS)));
    CHECK_TIMES(bench, 0); /* although the connection is free again */
    CHECK_EQUAL(bench->dones[0].time_ns, 50 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    bench_free(bench);
}

/* ----------------------------------------------------------------------------------- the breaker
 */

static struct spec_breaker breaker_of(uint32_t window, int64_t open_ns)
{
    return (struct spec_breaker){.is_enabled = true,
                                 .window = window,
                                 .calls_min = window,
                                 .failure_share = 500000,
                                 .slow_share = 1000000,
                                 .slow_ns = 60 * S,
                                 .open_ns = open_ns,
                                 .trial_calls = 1,
                                 .failure_on = ~UINT64_C(1)};
}

TEST(stub_policies, an_open_breaker_ends_calls_at_once_and_definitely)
{
    struct spec_client policy = policy_plain();
    policy.breaker = breaker_of(2, 10 * S);
    struct bench *bench = bench_new(1, policy, 1);
    struct script failing = SCRIPT(SAY(SQ_E_CRASH));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &failing, 0, 1);
    bench_call(bench, &failing, 0, 2);
    bench_advance(bench, S);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 1);
    bench_call(bench, &good, S, 3);
    CHECK_EQUAL(bench->done_count, 2); /* never from inside stub_call */
    bench_run(bench, S);
    REQUIRE(bench->done_count == 3);
    CHECK_EQUAL(bench->dones[2].time_ns, S);
    CHECK_EQUAL(bench->dones[2].result.status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(bench->dones[2].result.attempts, 0);
    CHECK(bench->dones[2].result.is_definite);
    CHECK_EQUAL(bench->send_count, 2);
    CHECK_EQUAL(probed(bench, "client.not-permitted"), 1);
    /* It waits for more than ten seconds, tries one, and closes. */
    bench_advance(bench, 10 * S);
    bench_call(bench, &good, 10 * S, 4);
    bench_advance(bench, 10 * S + 1);
    CHECK_EQUAL(bench->send_count, 2);
    bench_call(bench, &good, 10 * S + 1, 5);
    bench_advance(bench, 11 * S);
    REQUIRE(bench->done_count == 5);
    CHECK_EQUAL(bench->dones[4].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.breaker-half-opened"), 1);
    CHECK_EQUAL(probed(bench, "client.breaker-closed"), 1);
    bench_free(bench);
}

TEST(stub_policies, time_outs_open_the_breaker_and_redirects_and_fatal_answers_do_not)
{
    struct spec_client policy = policy_plain();
    policy.breaker = breaker_of(1, 10 * S);
    policy.breaker.failure_on = mask_of(SQ_E_TIMEOUT);
    policy.redirects_max = 1;
    struct bench *bench = bench_new(2, policy, 1);
    struct script conflict = SCRIPT(HINT(1), SAY(SQ_E_CONFLICT));
    struct script silent = SCRIPT(SILENT);
    bench_call(bench, &conflict, 0, 1);
    bench_advance(bench, S);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 0);
    bench_call(bench, &silent, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 1);
    bench_free(bench);
    policy.deadline_ns = 50 * MS; /* cut short, it is a time-out for its caller all the same */
    bench = bench_once(2, policy, 1, silent);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 1);
    bench_free(bench);
}

TEST(stub_policies, a_call_that_is_not_permitted_is_retried_if_it_says_so_and_only_later)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, S, S, 3);
    policy.breaker = breaker_of(1, 1500 * MS);
    struct script script = SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_OK));
    struct bench *bench = bench_once(1, policy, 1, script);
    CHECK_TIMES(bench, 0, 2 * S); /* at 1 s it is not permitted */
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    bench_free(bench);
    policy.attempts_max = 2; /* what is not permitted counts */
    bench = bench_once(1, policy, 1, script);
    CHECK_EQUAL(bench->dones[0].time_ns, S);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(bench->dones[0].result.attempts, 1);
    CHECK(bench->dones[0].result.is_definite);
    bench_free(bench);
    policy.attempts_max = UINT32_MAX;
    policy.backoff = SPEC_BACKOFF_NONE; /* it would turn in a circle */
    bench = bench_once(1, policy, 1, script);
    CHECK_EQUAL(bench->dones[0].time_ns, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    bench_free(bench);
    policy = policy_retry(SPEC_BACKOFF_FIXED, S, S, 3);
    policy.breaker = breaker_of(1, 1500 * MS);
    policy.retry_on = mask_of(SQ_E_CRASH);
    bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_CRASH)));
    CHECK_EQUAL(bench->dones[0].time_ns, S);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    CHECK(!bench->dones[0].result.is_definite); /* its first attempt crashed something */
    bench_free(bench);
}

TEST(stub_policies, an_attempt_that_is_given_up_returns_its_permit)
{
    struct spec_client policy = policy_hedged(2, 10 * MS);
    policy.breaker = breaker_of(1, S);
    policy.breaker.calls_min = 2;
    policy.breaker.trial_calls = 2;
    struct bench *bench = bench_new(2, policy, 1);
    struct script failing = SCRIPT(SAY(SQ_E_CONFLICT));
    struct script hedged = SCRIPT(SILENT, SAY(SQ_OK));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &failing, 0, 1);
    bench_advance(bench, 2 * S);
    /* Half open: two permits for two attempts of which one succeeds and one is given up. */
    bench_call(bench, &hedged, 2 * S, 2);
    bench_advance(bench, 3 * S);
    CHECK_EQUAL(bench->dones[1].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.breaker-closed"), 0);
    bench_call(bench, &good, 3 * S, 3);
    bench_advance(bench, 4 * S);
    CHECK_EQUAL(bench->dones[2].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.breaker-closed"), 1);
    bench_free(bench);
}

TEST(stub_policies, a_breaker_of_retries_lets_first_attempts_pass)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, MS, MS, 4);
    policy.breaker = breaker_of(2, 100 * S);
    policy.breaker.only_retries = true;
    struct bench *bench = bench_new(1, policy, 1);
    struct script failing = SCRIPT(SAY(SQ_E_OVERLOADED));
    for (uint32_t i = 0; i < 4; i++) {
        bench_call(bench, &failing, i * S, i);
        bench_advance(bench, (i + 1) * S);
    }
    /* The second failure opens it. */
    static const uint32_t attempts[] = {2, 1, 1, 1};
    REQUIRE(bench->done_count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQUAL(bench->dones[i].result.attempts, attempts[i]);
        CHECK_EQUAL(bench->dones[i].result.status, SQ_E_OVERLOADED);
    }
    bench_free(bench);
}

/* --------------------------------------------------------------------------------------- budgets
 */

TEST(stub_policies, grpc_throttling_stops_retries_and_counts_only_what_would_be_retried)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, MS, MS, 3);
    policy.retry_on = mask_of(SQ_E_UNAVAILABLE);
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 4;
    policy.budget_ratio_milli = 500;
    struct bench *bench = bench_new(1, policy, 1);
    struct script failing = SCRIPT(SAY(SQ_E_UNAVAILABLE));
    struct script fatal = SCRIPT(SAY(SQ_E_CONFLICT));
    struct script good = SCRIPT(SAY(SQ_OK));
    const struct script *calls[] = {&fatal, &failing, &failing, &good, &good, &good, &failing};
    /* Tokens: 4, then 3 > 2 so once more, 2; 1; 1.5, 2, 2.5; 1.5. */
    static const uint32_t attempts[] = {1, 2, 1, 1, 1, 1, 1};
    for (uint32_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bench_call(bench, calls[i], i * S, i);
        bench_advance(bench, (i + 1) * S);
        REQUIRE(bench->done_count == i + 1);
        CHECK_EQUAL(bench->dones[i].result.attempts, attempts[i]);
    }
    bench_free(bench);
}

TEST(stub_policies, a_refund_is_what_the_last_retry_of_the_call_took)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, UINT32_MAX);
    policy.budget = SPEC_BUDGET_TOKENS;
    policy.budget_capacity = 10;
    policy.budget_retry_cost = 2;
    policy.budget_timeout_cost = 5;
    policy.budget_success_milli = 1000;
    policy.budget_refunds = true;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(SILENT, SAY(SQ_E_REFUSED), SAY(SQ_OK)); /* 10 - 5 - 2 + 2 */
    struct script failing = SCRIPT(SAY(SQ_E_REFUSED));
    bench_call(bench, &script, 0, 1);
    bench_advance(bench, S);
    bench_call(bench, &failing, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(bench->dones[1].result.attempts, 3); /* 5, 3, 1 */
    bench_free(bench);
}

TEST(stub_policies, after_overloaded_the_back_off_is_that_of_throttling)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 50 * MS, 3 * S, 6);
    policy.backoff_throttled_ns = S;
    struct bench *bench =
        bench_once(1, policy, 1,
                   SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_E_OVERLOADED), SAY(SQ_E_UNAVAILABLE),
                          SAY(SQ_E_OVERLOADED), SAY(SQ_OK)));
    /* 50 ms; 1 s * 2; 50 ms * 4; min(1 s * 8, 3 s): the exponent is that of the attempt. */
    CHECK_TIMES(bench, 0, 50 * MS, 2050 * MS, 2250 * MS, 5250 * MS);
    bench_free(bench);
}

TEST(stub_policies, retries_in_parallel_stay_within_a_share_of_what_is_out)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 2);
    policy.budget = SPEC_BUDGET_CONCURRENCY;
    policy.budget_share = 200000;
    policy.budget_retries_min = 3;
    struct bench *bench = bench_new(1, policy, 1);
    struct script slow = SCRIPT(LATE(SQ_OK, 90 * MS));
    struct script failing = SCRIPT(SAY(SQ_E_UNAVAILABLE), LATE(SQ_OK, 50 * MS));
    for (uint32_t i = 0; i < 30; i++) {
        bench_call(bench, &slow, 0, i);
    }
    for (uint32_t i = 0; i < 20; i++) {
        bench_call(bench, &failing, 0, 100 + i);
    }
    bench_advance(bench, S);
    /* The answers of the twenty come one by one, and who failed is not out while it backs off: 49
     * are out when the first is judged, 42 when the eighth is, and 41, of which a fifth is 8, when
     * the ninth is. */
    uint32_t retried = 0;
    uint32_t failed = 0;
    REQUIRE(bench->done_count == 50);
    for (uint32_t i = 0; i < 50; i++) {
        retried += bench->dones[i].result.attempts == 2 ? 1 : 0;
        failed += bench->dones[i].result.status == SQ_E_UNAVAILABLE ? 1 : 0;
    }
    CHECK_EQUAL(retried, 8);
    CHECK_EQUAL(failed, 12);
    CHECK_EQUAL(probed(bench, "client.retry-throttled"), 12);
    for (uint32_t i = 0; i < 5; i++) {
        bench_call(bench, &failing, S, 200 + i);
    }
    bench_advance(bench, 2 * S);
    retried = 0;
    for (uint32_t i = 50; i < 55; i++) {
        retried += bench->dones[i].result.attempts == 2 ? 1 : 0;
    }
    CHECK_EQUAL(retried, 3); /* the minimum */
    bench_free(bench);
}

/* ----------------------------------------------------------------------- limits, queue, rate */

TEST(stub_policies, attempts_beyond_the_connections_wait_in_line)
{
    struct spec_client policy = policy_plain();
    policy.limits = (struct spec_limits){.connections = 2, .pending = 3};
    struct bench *bench = bench_new(1, policy, 1);
    struct script slow = SCRIPT(LATE(SQ_OK, 10 * MS));
    for (uint32_t i = 0; i < 6; i++) {
        bench_call(bench, &slow, 0, i);
    }
    bench_run(bench, S);
    CHECK_TIMES(bench, 0, 0, 10 * MS, 10 * MS, 20 * MS);
    REQUIRE(bench->done_count == 6);
    CHECK_EQUAL(bench->dones[0].word, 5); /* did not fit: ends first */
    CHECK_EQUAL(bench->dones[0].time_ns, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK_EQUAL(bench->dones[0].result.attempts, 0);
    CHECK(bench->dones[0].result.is_definite);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQUAL(bench->dones[1 + i].word, i);
        CHECK_EQUAL(bench->dones[1 + i].time_ns, (i / 2 + 1) * 10 * MS);
    }
    CHECK_EQUAL(probed(bench, "client.request-overflowed"), 1);
    bench_free(bench);
}

TEST(stub_policies, a_time_out_frees_its_connection_and_a_deadline_ends_the_wait_for_one)
{
    struct spec_client policy = policy_plain();
    policy.limits.connections = 1;
    policy.deadline_ns = 150 * MS;
    struct bench *bench = bench_new(1, policy, 1);
    struct script silent = SCRIPT(SILENT);
    for (uint32_t i = 0; i < 3; i++) {
        bench_call(bench, &silent, 0, i);
    }
    bench_run(bench, S);
    CHECK_TIMES(bench, 0, 100 * MS);
    REQUIRE(bench->done_count == 3);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t word = (uint32_t)bench->dones[i].word;
        CHECK_EQUAL(bench->dones[i].time_ns, word == 0 ? 100 * MS : 150 * MS);
        CHECK_EQUAL(bench->dones[i].result.status, SQ_E_TIMEOUT);
        CHECK(bench->dones[i].result.is_definite == (word == 2)); /* it sent nothing */
    }
    bench_free(bench);
}

TEST(stub_policies, requests_beyond_their_limit_are_refused_and_not_retried)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, MS, MS, 5);
    policy.limits.requests = 1;
    struct bench *bench = bench_new(1, policy, 1);
    struct script slow = SCRIPT(LATE(SQ_OK, 10 * MS));
    bench_call(bench, &slow, 0, 1);
    bench_call(bench, &slow, 0, 2);
    bench_run(bench, S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[0].word, 2);
    CHECK_EQUAL(bench->dones[0].time_ns, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK_EQUAL(bench->dones[1].result.status, SQ_OK);
    bench_free(bench);
}

TEST(stub_policies, operations_beyond_the_concurrency_are_queued_or_dropped)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 5 * MS, 5 * MS, 2);
    policy.concurrency_max = 1;
    policy.queue_limit = 2;
    policy.queue_timeout_ns = 20 * MS;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(SAY(SQ_E_UNAVAILABLE), LATE(SQ_OK, 10 * MS));
    for (uint32_t i = 0; i < 4; i++) {
        bench_call(bench, &script, 0, i);
    }
    bench_run(bench, S);
    /* An operation keeps its place while it backs off: 15 ms each. The third waits too long. */
    CHECK_TIMES(bench, 0, 5 * MS, 15 * MS, 20 * MS);
    static const struct {
        uint64_t word;
        int64_t time_ns;
        enum sq_status status;
        uint32_t attempts;
    } rows[] = {{3, 0, SQ_E_OVERLOADED, 0},
                {0, 15 * MS, SQ_OK, 2},
                {2, 20 * MS, SQ_E_OVERLOADED, 0},
                {1, 30 * MS, SQ_OK, 2}};
    REQUIRE(bench->done_count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQUAL(bench->dones[i].word, rows[i].word);
        CHECK_EQUAL(bench->dones[i].time_ns, rows[i].time_ns);
        CHECK_EQUAL(bench->dones[i].result.status, rows[i].status);
        CHECK_EQUAL(bench->dones[i].result.attempts, rows[i].attempts);
        CHECK(bench->dones[i].result.is_definite);
    }
    CHECK_EQUAL(probed(bench, "client.operation-dropped"), 2);
    bench_free(bench);
}

TEST(stub_policies, an_operation_that_ends_hands_its_place_to_the_first_in_the_queue)
{
    struct spec_client policy = policy_plain();
    policy.concurrency_max = 1;
    policy.queue_limit = 2;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(LATE(SQ_OK, 10 * MS));
    bench->chain = script; /* the first end begins another */
    bench_call(bench, &script, 0, 1);
    bench_call(bench, &script, 0, 7);
    bench_run(bench, S);
    REQUIRE(bench->done_count == 3);
    CHECK_EQUAL(bench->dones[1].word, 7);
    CHECK_EQUAL(bench->dones[1].time_ns, 20 * MS);
    CHECK_EQUAL(bench->dones[2].word, 2);
    CHECK_EQUAL(bench->dones[2].time_ns, 30 * MS);
    bench_free(bench);
}

static const struct spec_pacing adaptive = {.is_enabled = true,
                                            .beta_milli = 700,
                                            .scale_milli = 400,
                                            .smoothing_milli = 800,
                                            .rate_min_milli = 500};

TEST(stub_policies, after_overloaded_even_first_attempts_wait_for_the_rate)
{
    struct spec_client policy = policy_plain();
    policy.pacing = adaptive;
    struct bench *bench = bench_new(1, policy, 1);
    struct script throttled = SCRIPT(SAY(SQ_E_OVERLOADED));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &throttled, 0, 1); /* nothing was measured yet: the least rate */
    bench_run(bench, 0);
    for (uint32_t i = 0; i < 3; i++) {
        bench_call(bench, &good, 0, 2 + i);
    }
    bench_run(bench, 10 * S);
    /* A token in two seconds; the answer at 2 s is the first that is measured: 2 answers in 2 s,
     * times 0.8, is 0.8/s. The cubic of w_max = 0 is 0.4 * 2^3 = 3.2/s, twice what was measured is
     * 1.6/s: a token in 625 ms. The next half second ends at 2.5 s; at 2.625 s it is 1 answer in
     * 0.5 s: 0.8 * 2 + 0.2 * 0.8 = 1.76/s, the rate is 3.52/s, and the third token is there after
     * 284.090910 ms. */
    CHECK_TIMES(bench, 0, 2 * S, 2625 * MS, 2909090910);
    CHECK_EQUAL(probed(bench, "client.rate-limited"), 3);
    CHECK_EQUAL(bench->ok_count, 3);
    bench_free(bench);
}

TEST(stub_policies, an_answer_that_raises_the_rate_shortens_the_wait)
{
    struct spec_client policy = policy_plain();
    policy.timeout_ns = 10 * S;
    policy.pacing = adaptive;
    struct bench *bench = bench_new(1, policy, 1);
    struct script slow = SCRIPT(LATE(SQ_OK, 1800 * MS));
    struct script throttled = SCRIPT(SAY(SQ_E_OVERLOADED));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &slow, 0, 1);
    bench_call(bench, &throttled, 0, 2);
    bench_run(bench, 0);
    bench_call(bench, &good, 0, 3); /* at 0.5/s its token is there at 2 s */
    bench_run(bench, 10 * S);
    /* At 1.8 s: 2 answers in 1.5 s are 0.8 * 1.333333 = 1.066666/s; the cubic is 0.4 * 1.8^3 =
     * 2.33/s, above twice that. 0.9 tokens are there, 0.1 take 46.875030 ms (10^14 / 2133332 ns).
     */
    CHECK_TIMES(bench, 0, 0, 1846875030);
    bench_free(bench);
}

TEST(stub_policies, who_gives_up_waiting_for_the_rate_costs_no_token)
{
    struct spec_client policy = policy_plain();
    policy.pacing = adaptive;
    policy.deadline_ns = 2500 * MS;
    struct bench *bench = bench_new(1, policy, 1);
    struct script throttled = SCRIPT(SAY(SQ_E_OVERLOADED));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &throttled, 0, 1);
    bench_advance(bench, S);
    bench_call(bench, &good, -S, 2); /* its deadline is at 1.5 s */
    bench_call(bench, &good, S, 3);
    bench_run(bench, 10 * S);
    CHECK_TIMES(bench, 0, 2 * S);
    REQUIRE(bench->done_count == 3);
    CHECK_EQUAL(bench->dones[1].word, 2);
    CHECK_EQUAL(bench->dones[1].time_ns, 1500 * MS);
    CHECK_EQUAL(bench->dones[1].result.status, SQ_E_TIMEOUT);
    CHECK(bench->dones[1].result.is_definite);
    CHECK_EQUAL(bench->dones[2].result.status, SQ_OK);
    bench_free(bench);
}

/* ------------------------------------------------------------------------------ change of policy
 */

TEST(stub_policies, a_new_policy_holds_for_calls_that_are_under_way)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 9);
    struct spec_client once = policy_plain();
    struct bench *bench = bench_new(1, policy, 1);
    struct script silent = SCRIPT(SILENT);
    bench_call(bench, &silent, 0, 1);
    bench_advance(bench, 150 * MS); /* the second attempt is out */
    stub_set_policy(bench->stub, &once);
    bench_advance(bench, S);
    CHECK_TIMES(bench, 0, 110 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 210 * MS);
    bench_free(bench);
}

TEST(stub_policies, without_limits_those_who_wait_go_on)
{
    struct spec_client policy = policy_plain();
    policy.limits = (struct spec_limits){.connections = 1};
    policy.concurrency_max = 2;
    policy.queue_limit = 9;
    struct spec_client free_policy = policy_plain();
    struct bench *bench = bench_new(1, policy, 1);
    struct script slow = SCRIPT(LATE(SQ_OK, 50 * MS));
    for (uint32_t i = 0; i < 4; i++) {
        bench_call(bench, &slow, 0, i); /* one is out, one pending, two queued */
    }
    bench_advance(bench, 10 * MS);
    CHECK_TIMES(bench, 0);
    stub_set_policy(bench->stub, &free_policy);
    bench_advance(bench, S);
    CHECK_TIMES(bench, 0, 10 * MS, 10 * MS, 10 * MS);
    CHECK_EQUAL(bench->ok_count, 4);
    stub_set_policy(bench->stub, &policy); /* and back, with nothing under way */
    bench_call(bench, &slow, S, 5);
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(bench->ok_count, 5);
    bench_free(bench);
}

TEST(stub_policies, hedging_breaker_and_budget_may_come_and_go)
{
    struct spec_client plain = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct spec_client hedged = policy_hedged(3, 20 * MS);
    hedged.breaker = breaker_of(1, 10 * S);
    hedged.budget = SPEC_BUDGET_GRPC;
    hedged.budget_tokens_max = 10;
    hedged.pacing = adaptive;
    struct bench *bench = bench_new(2, hedged, 1);
    struct script silent = SCRIPT(SILENT);
    struct script good = SCRIPT(LATE(SQ_OK, MS));
    bench_call(bench, &silent, 0, 1);
    bench_advance(bench, 30 * MS);
    CHECK_TIMES(bench, 0, 20 * MS);
    stub_set_policy(bench->stub, &plain);
    bench_advance(bench, S); /* no more hedges, and no retries for it either */
    CHECK_EQUAL(bench->done_count, 1);
    CHECK_EQUAL(bench->send_count, 2);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 0);
    stub_set_policy(bench->stub, &hedged);
    bench_call(bench, &silent, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 1);
    bench_call(bench, &good, 2 * S, 3);
    stub_set_policy(bench->stub, &plain);
    bench_call(bench, &good, 2 * S, 4);
    bench_advance(bench, 3 * S);
    REQUIRE(bench->done_count == 4);
    CHECK_EQUAL(bench->dones[2].result.status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(bench->dones[3].result.status, SQ_OK);
    bench_free(bench);
}

/* ------------------------------------------------------------------------------- any policy at all
 */

static uint32_t below(struct rng *rng, uint32_t bound)
{
    return (uint32_t)rng_below(rng, bound);
}

/* Whatever the language allows, small enough that limits are reached. */
static struct spec_client random_policy(struct rng *rng)
{
    struct spec_client policy =
        policy_retry((enum spec_backoff)below(rng, 3), (1 + below(rng, 20)) * MS, 40 * MS, 1);
    policy.deadline_ns = (50 + below(rng, 400)) * MS;
    policy.route = (enum spec_route)below(rng, 3);
    policy.ignores_late = below(rng, 2) == 0;
    policy.redirects_max = below(rng, 3);
    policy.jitter = (enum spec_jitter)below(rng, 5);
    policy.jitter_proportion = RNG_ALWAYS / 5;
    policy.budget = (enum spec_budget)below(rng, 4);
    policy.budget_capacity = 10 + below(rng, 30);
    policy.budget_retry_cost = 5;
    policy.budget_timeout_cost = 10;
    policy.budget_success_milli = 1000;
    policy.budget_refunds = below(rng, 2) == 0;
    policy.budget_tokens_max = 1 + below(rng, 10);
    policy.budget_ratio_milli = 100;
    policy.budget_share = 200000;
    policy.budget_retries_min = below(rng, 4);
    if (below(rng, 2) == 0) {
        policy.attempts_max = 1 + below(rng, 5);
    } else {
        policy.hedging = (struct spec_hedging){.is_enabled = true,
                                               .attempts_max = 2 + below(rng, 4),
                                               .delay_ns = below(rng, 30) * MS,
                                               .non_fatal = rng_u64(rng) & ~UINT64_C(1)};
    }
    if (below(rng, 2) == 0) {
        policy.breaker = breaker_of(1 + below(rng, 20), (1 + below(rng, 100)) * MS);
        policy.breaker.only_retries = below(rng, 2) == 0;
        policy.breaker.is_time_based = below(rng, 2) == 0;
        policy.breaker.trial_calls = 1 + below(rng, 5);
    }
    if (below(rng, 2) == 0) {
        policy.limits =
            (struct spec_limits){below(rng, 6), below(rng, 6), below(rng, 6), below(rng, 3)};
    }
    if (below(rng, 2) == 0) {
        policy.concurrency_max = 1 + below(rng, 10);
        policy.queue_limit = below(rng, 10);
        policy.queue_timeout_ns = below(rng, 50) * MS;
    }
    policy.pacing = adaptive;
    policy.pacing.is_enabled = below(rng, 3) == 0;
    policy.pushback = (enum spec_pushback)below(rng, 3);
    policy.pushback_max_ns = below(rng, 50) * MS;
    return policy;
}

static struct script random_script(struct rng *rng)
{
    static const enum sq_status statuses[] = {SQ_OK,           SQ_OK,          SQ_OK,
                                              SQ_E_OVERLOADED, SQ_E_CRASH,     SQ_E_UNAVAILABLE,
                                              SQ_E_CONFLICT,   SQ_E_NOT_LEADER};
    struct script script = {.count = 1 + below(rng, STEPS_MAX)};
    for (uint32_t i = 0; i < script.count; i++) {
        bool is_silent = below(rng, 4) == 0;
        script.steps[i] = (struct step){.status = statuses[below(rng, ARRAY_COUNT(statuses))],
                                        .leader = below(rng, 3),
                                        .delay_ns = is_silent ? -1 : below(rng, 150) * MS,
                                        .copies = below(rng, 2),
                                        .is_push = below(rng, 3) == 0,
                                        .retry_after_ns = (below(rng, 60) - INT64_C(10)) * MS};
    }
    return script;
}

TEST(stub_policies, under_any_policy_and_change_of_policy_every_call_ends_once)
{
    /* The stub itself asserts that nothing is left of it when the last call has ended. */
    enum { POLICIES = 4, CALLS = 60 };
    for (uint64_t seed = 0; seed < 250; seed++) {
        struct rng rng = rng_stream(seed, "policies", 0, "test");
        struct spec_client policies[POLICIES];
        for (uint32_t i = 0; i < POLICIES; i++) {
            policies[i] = random_policy(&rng);
        }
        struct bench *bench = bench_new(3, policies[0], seed);
        bench->is_quiet = true;
        for (uint32_t i = 0; i < CALLS; i++) {
            struct script script = random_script(&rng);
            bench_call(bench, &script, world_now(bench->world), i);
            bench_advance(bench, world_now(bench->world) + below(&rng, 15) * MS);
            if (i % 15 == 14) {
                stub_set_policy(bench->stub, &policies[i / 15]);
            }
        }
        bench_run(bench, 100 * S);
        CHECK_EQUAL(bench->done_count, CALLS);
        CHECK_EQUAL(stub_in_flight(bench->stub), 0);
        CHECK(bench->send_count <= CALLS * 8);
        bench_free(bench);
    }
}

TEST(stub_policies, a_run_with_every_policy_is_a_function_of_its_seed)
{
    /* Not by digests: the bench's timers carry addresses. */
    static struct bench seen[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct rng rng = rng_stream(5, "policies", 0, "test");
        struct spec_client policy = random_policy(&rng);
        policy.pacing = adaptive;
        policy.breaker = breaker_of(10, 20 * MS);
        struct bench *bench = bench_new(3, policy, 5);
        for (uint32_t call = 0; call < 100; call++) {
            struct script script = random_script(&rng);
            bench_call(bench, &script, world_now(bench->world), call);
            bench_advance(bench, world_now(bench->world) + MS);
        }
        bench_run(bench, 100 * S);
        seen[i] = *bench; /* what was written down; its world goes */
        bench_free(bench);
    }
    CHECK(seen[0].send_count > 20);
    CHECK_EQUAL(seen[0].send_count, seen[1].send_count);
    for (uint32_t i = 0; i < seen[0].send_count; i++) {
        CHECK_EQUAL(seen[0].sends[i].time_ns, seen[1].sends[i].time_ns);
        CHECK_EQUAL(seen[0].sends[i].node, seen[1].sends[i].node);
    }
    REQUIRE(seen[0].done_count == 100);
    for (uint32_t i = 0; i < 100; i++) {
        CHECK_EQUAL(seen[0].dones[i].word, seen[1].dones[i].word);
        CHECK_EQUAL(seen[0].dones[i].time_ns, seen[1].dones[i].time_ns);
        CHECK_EQUAL(seen[0].dones[i].result.status, seen[1].dones[i].result.status);
    }
}
