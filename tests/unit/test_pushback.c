/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers that say when to try again (gRPC A6: grpc-retry-pushback-ms; AWS: x-amz-retry-after), and
 * what the stub makes of it, with exact times. What the model `server` says is in test_server.c. */
#include "sim/backoff.h"
#include "sim/stub.h"

#include "tests/unit/harness.h"
#include "tests/unit/stub_bench.h"

#include <stddef.h>

#define S NS_PER_S

static uint64_t mask_of(enum sq_status status)
{
    return UINT64_C(1) << status;
}

/* 100 ms, 200 ms, 400 ms, ... */
static struct spec_client policy_exact(uint32_t attempts)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 100 * MS, S, attempts);
    policy.pushback = SPEC_PUSHBACK_EXACT;
    return policy;
}

static struct spec_client policy_bounded(uint32_t attempts)
{
    struct spec_client policy = policy_exact(attempts);
    policy.pushback = SPEC_PUSHBACK_BOUNDED;
    policy.pushback_max_ns = 5 * S;
    return policy;
}

/* gRPC's retryThrottling: four tokens, no retries at two or fewer. */
static struct spec_client policy_throttled(struct spec_client policy)
{
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 4;
    policy.budget_ratio_milli = 1;
    return policy;
}

/* ----------------------------------------------------------------------------------------- exact
 */

TEST(pushback, an_exact_one_is_the_delay_and_the_sequence_begins_anew)
{
    struct bench *bench = bench_once(
        1, policy_exact(9), 1,
        SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_E_UNAVAILABLE), PUSH(SQ_E_UNAVAILABLE, 0, 37 * MS),
               SAY(SQ_E_UNAVAILABLE), SAY(SQ_E_UNAVAILABLE), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 100 * MS, 300 * MS, 337 * MS, 437 * MS, 637 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 1);
    bench_free(bench);
}

TEST(pushback, an_exact_one_has_no_jitter_and_no_upper_bound)
{
    struct spec_client policy = policy_exact(3);
    policy.jitter = SPEC_JITTER_FULL;
    struct bench *bench = bench_once(
        1, policy, 5,
        SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 50 * S), PUSH(SQ_E_OVERLOADED, 0, 1), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 50 * S, 50 * S + 1);
    bench_free(bench);
}

TEST(pushback, an_exact_one_of_zero_is_at_once)
{
    struct bench *bench =
        bench_once(1, policy_exact(3), 1, SCRIPT(PUSH(SQ_E_OVERLOADED, 5 * MS, 0), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 5 * MS);
    bench_free(bench);
}

TEST(pushback, who_has_no_back_off_waits_all_the_same)
{
    struct spec_client policy = policy_exact(3);
    policy.backoff = SPEC_BACKOFF_NONE;
    struct script script = SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 7 * S), SAY(SQ_OK));
    struct bench *bench = bench_once(1, policy, 1, script);
    CHECK_SENDS(bench, 0, 7 * S);
    bench_free(bench);
    policy.pushback = SPEC_PUSHBACK_BOUNDED;
    policy.pushback_max_ns = 5 * S;
    bench = bench_once(1, policy, 1, script);
    CHECK_SENDS(bench, 0, 5 * S);
    bench_free(bench);
}

TEST(pushback, never_ends_the_call_with_the_status_of_the_answer)
{
    struct bench *bench = bench_once(
        1, policy_exact(9), 1, SCRIPT(SAY(SQ_E_UNAVAILABLE), PUSH(SQ_E_OVERLOADED, MS, NEVER)));
    CHECK_SENDS(bench, 0, 100 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 101 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK(bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 1);
    CHECK_EQUAL(bench->world->sched.pending, 0);
    bench_free(bench);
}

TEST(pushback, it_allows_no_attempt_more_than_the_most)
{
    struct bench *bench =
        bench_once(1, policy_exact(2), 1, SCRIPT(PUSH(SQ_E_UNAVAILABLE, 0, 10 * MS)));
    CHECK_SENDS(bench, 0, 10 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 10 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    bench_free(bench);
}

TEST(pushback, a_status_that_is_not_retried_stays_so)
{
    struct spec_client policy = policy_exact(9);
    policy.retry_on = mask_of(SQ_E_UNAVAILABLE);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 10 * MS)));
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 0);
    bench_free(bench);
}

TEST(pushback, it_does_not_move_the_deadline)
{
    struct spec_client policy = policy_exact(9);
    policy.deadline_ns = S;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 2 * S)));
    CHECK_SENDS(bench, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, S);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

/* A wait for ever is one, not an overflow. */
TEST(pushback, the_longest_time_is_not_in_the_past)
{
    struct spec_client policy = policy_exact(9);
    policy.deadline_ns = 3 * S;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(PUSH(SQ_E_OVERLOADED, 0, INT64_MAX));
    bench_advance(bench, S);
    bench_call(bench, &script, S, 1);
    bench_advance(bench, 10 * S);
    CHECK_EQUAL(bench->send_count, 1);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 4 * S);
    bench_free(bench);
}

/* ------------------------------------------------------------------------------------ throttling
 */

TEST(pushback, without_tokens_it_is_no_use)
{
    struct bench *bench = bench_new(1, policy_throttled(policy_exact(9)), 1);
    struct script script = SCRIPT(PUSH(SQ_E_UNAVAILABLE, 0, 10 * MS));
    bench_call(bench, &script, 0, 1); /* 3 tokens, so once more; 2 */
    bench_advance(bench, S);
    bench_call(bench, &script, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_SENDS(bench, 0, 10 * MS, S);
    CHECK_EQUAL(bench->done_count, 2);
    bench_free(bench);
}

/* Attempts of a call whose first fails and whose second succeeds, after two answers of `status`
 * that say never. */
static uint32_t attempts_after_two(enum spec_pushback pushback, enum sq_status status)
{
    struct spec_client policy = policy_throttled(policy_exact(2));
    policy.pushback = pushback;
    policy.retry_on = mask_of(SQ_E_UNAVAILABLE);
    struct bench *bench = bench_new(1, policy, 1);
    struct script never = SCRIPT(PUSH(status, 0, NEVER));
    struct script good = SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_OK));
    bench_call(bench, &never, 0, 1);
    bench_call(bench, &never, 0, 2);
    bench_advance(bench, S);
    bench_call(bench, &good, S, 3);
    bench_advance(bench, 2 * S);
    const uint32_t attempts = bench->done_count == 3 ? bench->dones[2].result.attempts : 0;
    bench_free(bench);
    return attempts;
}

TEST(pushback, never_is_a_failure_to_throttling_whatever_the_status)
{
    CHECK_EQUAL(attempts_after_two(SPEC_PUSHBACK_EXACT, SQ_E_CONFLICT), 1);
    CHECK_EQUAL(attempts_after_two(SPEC_PUSHBACK_IGNORE, SQ_E_CONFLICT), 2);
}

TEST(pushback, never_takes_no_tokens_of_a_bucket)
{
    struct spec_client policy = policy_exact(2);
    policy.budget = SPEC_BUDGET_TOKENS;
    policy.budget_capacity = 5;
    policy.budget_retry_cost = 5;
    policy.budget_throttling_cost = 5;
    struct bench *bench = bench_new(1, policy, 1);
    struct script never = SCRIPT(PUSH(SQ_E_OVERLOADED, 0, NEVER));
    struct script soon = SCRIPT(PUSH(SQ_E_OVERLOADED, 0, MS), SAY(SQ_OK));
    bench_call(bench, &never, 0, 1);
    bench_advance(bench, S);
    bench_call(bench, &soon, S, 2);
    bench_advance(bench, 2 * S);
    CHECK_SENDS(bench, 0, S, S + MS);
    bench_free(bench);
}

/* --------------------------------------------------------------------------------------- not heard
 */

TEST(pushback, who_ignores_it_backs_off_as_ever)
{
    struct spec_client policy = policy_exact(4);
    policy.pushback = SPEC_PUSHBACK_IGNORE;
    policy.jitter = SPEC_JITTER_FULL;
    const struct script scripts[] = {
        SCRIPT(SAY(SQ_E_OVERLOADED), SAY(SQ_E_OVERLOADED), SAY(SQ_E_CRASH)),
        SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 9 * S), PUSH(SQ_E_OVERLOADED, 0, NEVER), SAY(SQ_E_CRASH)),
    };
    int64_t times_ns[4] = {0};
    for (uint32_t i = 0; i < 2; i++) {
        struct bench *bench = bench_once(1, policy, 3, scripts[i]);
        REQUIRE(bench->send_count == 4);
        for (uint32_t k = 0; k < 4; k++) {
            times_ns[k] = i == 0 ? bench->sends[k].time_ns : times_ns[k];
            CHECK_EQUAL(bench->sends[k].time_ns, times_ns[k]);
        }
        CHECK_EQUAL(probed(bench, "client.pushed-back"), 0);
        bench_free(bench);
    }
    CHECK(times_ns[3] < 2 * S);
}

TEST(pushback, in_a_late_answer_it_is_not_heeded)
{
    /* The first attempt is given up at 100 ms; its answer comes while the second is out. */
    struct bench *bench = bench_once(
        1, policy_exact(3), 1,
        SCRIPT(PUSH(SQ_E_OVERLOADED, 250 * MS, NEVER), LATE(SQ_E_OVERLOADED, 80 * MS), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 200 * MS, 480 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(pushback, in_a_redirect_that_is_followed_it_is_not_heeded)
{
    struct spec_client policy = policy_exact(3);
    policy.redirects_max = 1;
    struct script script = SCRIPT(HINT(2), SAY(SQ_OK));
    script.steps[0].is_push = 1;
    script.steps[0].retry_after_ns = NEVER;
    struct bench *bench = bench_once(3, policy, 1, script);
    CHECK_SENDS(bench, 0, 0);
    CHECK_NODES(bench, 0, 2);
    bench_free(bench);
    policy.redirects_max = 0;
    bench = bench_once(3, policy, 1, script);
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_NOT_LEADER);
    bench_free(bench);
}

TEST(pushback, with_a_success_it_means_nothing)
{
    struct bench *bench = bench_once(1, policy_exact(3), 1, SCRIPT(PUSH(SQ_OK, 0, NEVER)));
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 0);
    bench_free(bench);
}

TEST(pushback, a_policy_that_comes_meanwhile_does_not_move_the_retry)
{
    struct spec_client deaf = policy_exact(3);
    deaf.pushback = SPEC_PUSHBACK_IGNORE;
    struct bench *bench = bench_new(1, policy_exact(3), 1);
    struct script script = SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 7 * S));
    bench_call(bench, &script, 0, 1);
    bench_advance(bench, S);
    stub_set_policy(bench->stub, &deaf);
    bench_advance(bench, 10 * S);
    CHECK_SENDS(bench, 0, 7 * S, 7 * S + 100 * MS);
    bench_free(bench);
}

/* --------------------------------------------------------------------------------------- bounded
 */

TEST(pushback, a_bounded_one_lies_between_the_back_off_and_five_seconds_more)
{
    struct bench *bench =
        bench_once(1, policy_bounded(9), 1,
                   SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 50 * MS), PUSH(SQ_E_OVERLOADED, 0, 3 * S),
                          PUSH(SQ_E_OVERLOADED, 0, 9 * S), SAY(SQ_E_OVERLOADED), SAY(SQ_OK)));
    /* max(t, min(asked, t + 5 s)) with t = 100 ms, 200 ms, 400 ms; then 800 ms: it goes on. */
    CHECK_SENDS(bench, 0, 100 * MS, 3100 * MS, 8500 * MS, 9300 * MS);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 3);
    bench_free(bench);
}

TEST(pushback, to_who_is_bounded_never_means_nothing)
{
    struct bench *bench =
        bench_once(1, policy_bounded(3), 1, SCRIPT(PUSH(SQ_E_OVERLOADED, 0, NEVER), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 100 * MS);
    bench_free(bench);
}

TEST(pushback, the_bounds_move_with_the_jitter)
{
    struct spec_client policy = policy_bounded(9);
    policy.jitter = SPEC_JITTER_FULL;
    policy.backoff_throttled_ns = S;
    policy.backoff_max_ns = 20 * S;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct rng jitter = rng_stream(seed, "load t", 0, "jitter");
        const int64_t first = (int64_t)rng_below(&jitter, (uint64_t)S + 1);
        const int64_t second = (int64_t)rng_below(&jitter, (uint64_t)(200 * MS) + 1);
        struct bench *bench = bench_once(
            1, policy, seed,
            SCRIPT(PUSH(SQ_E_OVERLOADED, 0, 60 * S), PUSH(SQ_E_UNAVAILABLE, 0, 0), SAY(SQ_OK)));
        CHECK_SENDS(bench, 0, first + 5 * S, first + second + 5 * S);
        bench_free(bench);
    }
}

TEST(pushback, bounds_hold_for_any_delay)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct rng rng = rng_stream(seed, "pushback", 0, "test");
        struct rng own_jitter = rng_stream(seed, "pushback", 1, "test");
        struct rng pushed_jitter = own_jitter;
        struct spec_client policy = policy_bounded(9);
        policy.backoff = (enum spec_backoff)rng_below(&rng, 3);
        policy.jitter = (enum spec_jitter)rng_below(&rng, 5);
        policy.jitter_proportion = RNG_ALWAYS / 5;
        policy.pushback_max_ns = (int64_t)(rng_u64(&rng) >> (2 + rng_below(&rng, 62)));
        struct backoff own;
        struct backoff pushed;
        backoff_start(&own, &policy);
        backoff_start(&pushed, &policy);
        for (uint32_t i = 0; i < 5; i++) {
            bool is_throttled = rng_below(&rng, 2) == 0;
            const int64_t asked = (int64_t)rng_u64(&rng) >> rng_below(&rng, 64);
            const int64_t least = backoff_next(&own, &policy, is_throttled, &own_jitter);
            const int64_t got =
                backoff_pushed(&pushed, &policy, is_throttled, asked, &pushed_jitter);
            const int64_t most = least + policy.pushback_max_ns;
            CHECK_EQUAL(got, asked < least ? least : asked > most ? most : asked);
        }
        CHECK_EQUAL(rng_u64(&own_jitter), rng_u64(&pushed_jitter));
    }
}

/* --------------------------------------------------------------------------------------- hedging
 */

static struct spec_client policy_hedged(uint32_t attempts, int64_t delay_ns)
{
    struct spec_client policy = policy_plain();
    policy.pushback = SPEC_PUSHBACK_EXACT;
    policy.hedging = (struct spec_hedging){
        .is_enabled = true,
        .attempts_max = attempts,
        .delay_ns = delay_ns,
        .non_fatal = mask_of(SQ_E_UNAVAILABLE) | mask_of(SQ_E_TIMEOUT),
    };
    return policy;
}

TEST(pushback, the_next_hedge_leaves_then_and_the_others_keep_their_distance)
{
    struct bench *bench =
        bench_once(3, policy_hedged(4, 20 * MS), 1,
                   SCRIPT(PUSH(SQ_E_UNAVAILABLE, 5 * MS, 50 * MS), SILENT, SILENT, SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 55 * MS, 75 * MS, 95 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(probed(bench, "client.pushed-back"), 1);
    CHECK_EQUAL(bench->world->sched.pending, 0);
    bench_free(bench);
}

TEST(pushback, a_hedge_may_leave_sooner_than_it_would_have)
{
    struct bench *bench = bench_once(
        3, policy_hedged(4, 20 * MS), 1,
        SCRIPT(LATE(SQ_OK, 90 * MS), PUSH(SQ_E_UNAVAILABLE, 5 * MS, 4 * MS), SILENT, SILENT));
    CHECK_SENDS(bench, 0, 20 * MS, 29 * MS, 49 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 90 * MS);
    bench_free(bench);
    bench = bench_once(3, policy_hedged(3, 20 * MS), 1,
                       SCRIPT(PUSH(SQ_E_UNAVAILABLE, 5 * MS, 0), SILENT, SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 5 * MS, 25 * MS);
    bench_free(bench);
}

TEST(pushback, never_stops_hedging_and_those_that_are_out_go_on)
{
    struct bench *bench =
        bench_once(3, policy_hedged(4, 20 * MS), 1,
                   SCRIPT(LATE(SQ_OK, 60 * MS), PUSH(SQ_E_UNAVAILABLE, 5 * MS, NEVER), SILENT));
    CHECK_SENDS(bench, 0, 20 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 60 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
    bench = bench_once(3, policy_hedged(4, 20 * MS), 1,
                       SCRIPT(PUSH(SQ_E_UNAVAILABLE, 5 * MS, NEVER), SILENT));
    CHECK_SENDS(bench, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 5 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_UNAVAILABLE);
    bench_free(bench);
}

TEST(pushback, a_fatal_answer_to_a_hedge_is_fatal_whatever_it_says)
{
    struct bench *bench = bench_once(3, policy_hedged(4, 20 * MS), 1,
                                     SCRIPT(LATE(SQ_OK, 60 * MS), PUSH(SQ_E_CONFLICT, 5 * MS, MS)));
    CHECK_SENDS(bench, 0, 20 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 25 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_CONFLICT);
    bench_free(bench);
}

/* Attempts of the third call, after two whose first attempt got a fatal answer. */
static uint32_t hedges_after_two(int64_t retry_after_ns)
{
    struct bench *bench = bench_new(3, policy_throttled(policy_hedged(2, 20 * MS)), 1);
    struct script fatal = SCRIPT(PUSH(SQ_E_CONFLICT, 0, retry_after_ns));
    struct script slow = SCRIPT(LATE(SQ_OK, 50 * MS));
    bench_call(bench, &fatal, 0, 1);
    bench_call(bench, &fatal, 0, 2);
    bench_advance(bench, S);
    bench_call(bench, &slow, S, 3);
    bench_advance(bench, 2 * S);
    const uint32_t attempts = bench->done_count == 3 ? bench->dones[2].result.attempts : 0;
    bench_free(bench);
    return attempts;
}

TEST(pushback, never_is_a_failure_to_throttling_of_hedges_too)
{
    CHECK_EQUAL(hedges_after_two(NEVER), 1);
    CHECK_EQUAL(hedges_after_two(MS), 2);
}

TEST(pushback, the_last_hedge_has_none_to_put_off)
{
    struct bench *bench = bench_once(3, policy_hedged(2, 20 * MS), 1,
                                     SCRIPT(SILENT, PUSH(SQ_E_UNAVAILABLE, 5 * MS, 10 * MS)));
    CHECK_SENDS(bench, 0, 20 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 100 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

TEST(pushback, while_no_attempt_is_out_a_late_success_still_ends_a_hedged_call)
{
    /* The second says 500 ms at 25 ms, the first times out at 100 ms, and would send the next at
     * once; so three: the third leaves then and says 500 ms too. */
    struct bench *bench =
        bench_once(3, policy_hedged(4, 20 * MS), 1,
                   SCRIPT(LATE(SQ_OK, 300 * MS), PUSH(SQ_E_UNAVAILABLE, 5 * MS, 500 * MS),
                          PUSH(SQ_E_UNAVAILABLE, 5 * MS, 500 * MS), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 20 * MS, 100 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 300 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->world->sched.pending, 0);
    bench_free(bench);
}

TEST(pushback, a_hedge_that_was_put_off_may_be_throttled_when_its_time_comes)
{
    struct bench *bench = bench_new(3, policy_throttled(policy_hedged(3, 20 * MS)), 1);
    struct script put_off = SCRIPT(PUSH(SQ_E_UNAVAILABLE, 0, 500 * MS), SAY(SQ_OK));
    struct script failing = SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_E_CONFLICT));
    bench_call(bench, &put_off, 0, 1); /* 3 tokens */
    bench_advance(bench, 100 * MS);
    bench_call(bench, &failing, 100 * MS, 2); /* 2 */
    bench_advance(bench, S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[1].word, 1);
    CHECK_EQUAL(bench->dones[1].time_ns, 500 * MS);
    CHECK_EQUAL(bench->dones[1].result.status, SQ_E_UNAVAILABLE);
    CHECK_EQUAL(bench->dones[1].result.attempts, 1);
    bench_free(bench);
}

TEST(pushback, who_is_bounded_puts_a_hedge_off_for_so_long)
{
    struct spec_client policy = policy_hedged(3, 20 * MS);
    policy.pushback = SPEC_PUSHBACK_BOUNDED;
    policy.pushback_max_ns = 60 * MS;
    struct bench *bench = bench_once(3, policy, 1,
                                     SCRIPT(PUSH(SQ_E_UNAVAILABLE, 5 * MS, S),
                                            PUSH(SQ_E_UNAVAILABLE, 5 * MS, NEVER), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, 65 * MS, 70 * MS);
    bench_free(bench);
}

/* -------------------------------------------------------------------------------------- plug-ins
 */

/* A plug-in that was built with an older squall.h finds its functions where they were: the table
 * has only grown, at its end. */
TEST(pushback, the_table_of_calls_has_grown_at_its_end)
{
    CHECK_EQUAL(offsetof(struct sq_call_ops, reply), 0);
    CHECK_EQUAL(offsetof(struct sq_call_ops, call), sizeof(void *));
    CHECK_EQUAL(offsetof(struct sq_call_ops, call_before), 2 * sizeof(void *));
    CHECK_EQUAL(offsetof(struct sq_call_ops, call_with), 3 * sizeof(void *));
    CHECK_EQUAL(offsetof(struct sq_call_ops, group_size), 4 * sizeof(void *));
    CHECK_EQUAL(offsetof(struct sq_call_ops, reply_with), 5 * sizeof(void *));
}
