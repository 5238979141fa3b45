/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The stub on its bench: attempts, back-off, routing, deadlines, late answers. Hedging, breakers,
 * budgets and limits are in test_stub_policies.c. */
#include "sim/stub.h"

#include "tests/unit/harness.h"
#include "tests/unit/stub_bench.h"

/* The jitter stream of the bench's stub. */
static struct rng jitter_stream(uint64_t seed)
{
    return rng_stream(seed, "load t", 0, "jitter");
}

/* ---------------------------------------------------------------------------------- plain calls */

TEST(stub, an_answer_ends_the_call_with_its_bytes_and_sender)
{
    struct bench *bench = bench_once(3, policy_plain(), 1, SCRIPT(LATE(SQ_OK, 3 * MS)));
    CHECK_SENDS(bench, 0);
    REQUIRE(bench->done_count == 1);
    const struct done *done = &bench->dones[0];
    CHECK_EQUAL(done->time_ns, 3 * MS);
    CHECK_EQUAL(done->word, 7);
    CHECK_EQUAL(done->result.status, SQ_OK);
    CHECK(done->result.is_definite);
    CHECK_EQUAL(done->result.attempts, 1);
    CHECK_EQUAL(done->result.replied_by, 0);
    CHECK_EQUAL(done->data, 1);
    CHECK_EQUAL(bench->attempt_count, 1);
    CHECK_EQUAL(stub_in_flight(bench->stub), 0);
    CHECK_EQUAL(bench->world->sched.pending, 0);
    bench_free(bench);
}

TEST(stub, without_an_answer_the_attempt_times_out)
{
    struct bench *bench = bench_once(1, policy_plain(), 1, SCRIPT(SILENT));
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 100 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(!bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->dones[0].result.replied_by, SQ_NODE_NONE);
    CHECK(bench->dones[0].result.data == NULL);
    bench_free(bench);
}

TEST(stub, an_answer_at_the_instant_of_the_time_out_is_too_late_only_if_its_event_is_later)
{
    /* The timer was pushed when the attempt left, the answer travels later: the time-out goes
     * first. */
    struct bench *bench = bench_once(1, policy_plain(), 1, SCRIPT(LATE(SQ_OK, 100 * MS)));
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

TEST(stub, every_status_is_definite_or_not_as_its_table_says)
{
    static const bool is_definite[] = {
#define DEFINITE(code, number, name, definite) [code] = definite,
        SQ_STATUS_MAP(DEFINITE)
#undef DEFINITE
    };
    for (uint32_t status = 0; status < SQ_STATUS_COUNT; status++) {
        struct bench *bench = bench_once(1, policy_plain(), 1, SCRIPT(SAY(status)));
        REQUIRE(bench->done_count == 1);
        CHECK_EQUAL(bench->dones[0].result.status, status);
        CHECK_EQUAL(bench->dones[0].result.is_definite, is_definite[status]);
        CHECK_EQUAL(bench->dones[0].result.replied_by, 0);
        bench_free(bench);
    }
}

TEST(stub, the_payload_is_copied_and_the_same_in_every_attempt)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(SAY(SQ_E_REFUSED), SAY(SQ_E_REFUSED), SAY(SQ_OK));
    bench_call(bench, &script, 0, 1);
    memset(&script, 0xff, sizeof(script)); /* the model would not survive this */
    bench_run(bench, NS_PER_S);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->dones[0].data, 3);
    bench_free(bench);
}

/* ------------------------------------------------------------------------------------- back-off */

TEST(stub, backoff_none_sends_again_at_once)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 10 * MS, 10 * MS, 4);
    policy.jitter = SPEC_JITTER_FULL;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_REFUSED)));
    CHECK_SENDS(bench, 0, 0, 0, 0);
    CHECK_EQUAL(bench->dones[0].result.attempts, 4);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_REFUSED);
    CHECK(bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub, backoff_fixed_waits_the_same_each_time)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 0, 4);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    CHECK_SENDS(bench, 0, 10 * MS, 20 * MS, 30 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 30 * MS);
    bench_free(bench);
}

TEST(stub, backoff_counts_from_the_time_out)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SILENT));
    CHECK_SENDS(bench, 0, 110 * MS, 220 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 320 * MS);
    bench_free(bench);
}

TEST(stub, backoff_doubles_up_to_its_maximum)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 50 * MS, 7);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    CHECK_SENDS(bench, 0, 10 * MS, 30 * MS, 70 * MS, 120 * MS, 170 * MS, 220 * MS);
    bench_free(bench);
}

TEST(stub, backoff_multiplies_by_thousandths_and_floors)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 7, 1000, 6);
    policy.backoff_multiplier_milli = 1500;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    /* 7, 10, 15, 22, 33 */
    CHECK_SENDS(bench, 0, 7, 17, 32, 54, 87);
    bench_free(bench);
}

TEST(stub, backoff_never_starts_above_its_maximum)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 80 * MS, 50 * MS, 3);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    CHECK_SENDS(bench, 0, 50 * MS, 100 * MS);
    bench_free(bench);
}

TEST(stub, backoff_does_not_overflow)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 1, 300 * NS_PER_S, 40);
    policy.backoff_multiplier_milli = UINT32_MAX;
    policy.attempts_max = 5;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    /* 1, 4294967 (4294967.295 times as much), the maximum */
    CHECK_SENDS(bench, 0, 1, 4294968, 300004294968, 600004294968);
    bench_free(bench);
}

/* --------------------------------------------------------------------------------------- jitter */

static int64_t gap(const struct bench *bench, uint32_t at)
{
    ASSERT(at + 1 < bench->send_count);
    return bench->sends[at + 1].time_ns - bench->sends[at].time_ns;
}

TEST(stub, full_jitter_draws_between_zero_and_the_delay)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 80 * MS, 200);
    policy.jitter = SPEC_JITTER_FULL;
    struct bench *bench = bench_once(1, policy, 5, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    struct rng rng = jitter_stream(5);
    int64_t base = 10 * MS;
    int64_t low = INT64_MAX;
    int64_t high = 0;
    REQUIRE(bench->send_count == 200);
    for (uint32_t i = 0; i + 1 < bench->send_count; i++) {
        CHECK_EQUAL(gap(bench, i), rng_below(&rng, (uint64_t)base + 1));
        base = base * 2 < 80 * MS ? base * 2 : 80 * MS;
        low = gap(bench, i) < low ? gap(bench, i) : low;
        high = gap(bench, i) > high ? gap(bench, i) : high;
    }
    CHECK(low < 3 * MS);
    CHECK(high > 76 * MS);
    CHECK(high <= 80 * MS);
    bench_free(bench);
}

TEST(stub, equal_jitter_keeps_half_of_the_delay)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS + 1, 80 * MS, 200);
    policy.jitter = SPEC_JITTER_EQUAL;
    struct bench *bench = bench_once(1, policy, 5, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    struct rng rng = jitter_stream(5);
    REQUIRE(bench->send_count == 200);
    for (uint32_t i = 0; i + 1 < bench->send_count; i++) {
        CHECK_EQUAL(gap(bench, i), 5 * MS + (int64_t)rng_below(&rng, 5 * MS + 2));
        CHECK(gap(bench, i) >= 5 * MS);
        CHECK(gap(bench, i) <= 10 * MS + 1);
    }
    bench_free(bench);
}

TEST(stub, proportional_jitter_stays_within_its_share)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 10 * MS, 200);
    policy.jitter = SPEC_JITTER_PROPORTIONAL;
    policy.jitter_proportion = RNG_ALWAYS / 4;
    struct bench *bench = bench_once(1, policy, 6, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    struct rng rng = jitter_stream(6);
    int64_t sum = 0;
    REQUIRE(bench->send_count == 200);
    for (uint32_t i = 0; i + 1 < bench->send_count; i++) {
        CHECK_EQUAL(gap(bench, i), 7500000 + (int64_t)rng_below(&rng, 5000001));
        CHECK(gap(bench, i) >= 7500000);
        CHECK(gap(bench, i) <= 12500000);
        sum += gap(bench, i);
    }
    CHECK(sum / 199 > 9500000);
    CHECK(sum / 199 < 10500000);
    bench_free(bench);
}

TEST(stub, decorrelated_jitter_draws_up_to_three_times_the_delay_before)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 200 * MS, 100);
    policy.jitter = SPEC_JITTER_DECORRELATED;
    struct bench *bench = bench_once(1, policy, 8, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    struct rng rng = jitter_stream(8);
    int64_t previous = 10 * MS;
    uint32_t capped = 0;
    REQUIRE(bench->send_count == 100);
    for (uint32_t i = 0; i + 1 < bench->send_count; i++) {
        int64_t delay = 10 * MS + (int64_t)rng_below(&rng, (uint64_t)(3 * previous - 10 * MS) + 1);
        previous = delay < 200 * MS ? delay : 200 * MS;
        CHECK_EQUAL(gap(bench, i), previous);
        CHECK(gap(bench, i) >= 10 * MS);
        capped += gap(bench, i) == 200 * MS ? 1 : 0;
    }
    CHECK(capped > 5);
    CHECK(capped < 95);
    bench_free(bench);
}

TEST(stub, jitter_draws_are_those_of_every_machine)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 80 * MS, 5);
    policy.jitter = SPEC_JITTER_FULL;
    struct bench *bench = bench_once(1, policy, 42, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    CHECK_SENDS(bench, 0, 392772, 16514069, 32099109, 73046360);
    bench_free(bench);
}

TEST(stub, routing_has_a_stream_of_its_own)
{
    /* The same seed: routing at random must not move the jitter. */
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 20);
    policy.jitter = SPEC_JITTER_FULL;
    struct bench *bench = bench_once(5, policy, 9, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    int64_t times_ns[20];
    REQUIRE(bench->send_count == 20);
    for (uint32_t i = 0; i < 20; i++) {
        times_ns[i] = bench->sends[i].time_ns;
    }
    bench_free(bench);
    policy.route = SPEC_ROUTE_RANDOM;
    bench = bench_once(5, policy, 9, SCRIPT(SAY(SQ_E_UNAVAILABLE)));
    check_sends(bench, 20, times_ns);
    bench_free(bench);
}

/* ------------------------------------------------------------------------------ what is retried */

TEST(stub, only_statuses_of_the_mask_are_retried)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, MS, MS, 9);
    policy.retry_on = UINT64_C(1) << SQ_E_UNAVAILABLE | UINT64_C(1) << SQ_E_TIMEOUT;
    struct bench *bench = bench_once(
        1, policy, 1, SCRIPT(SAY(SQ_E_UNAVAILABLE), SILENT, SAY(SQ_E_OVERLOADED), SAY(SQ_OK)));
    CHECK_SENDS(bench, 0, MS, 102 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK_EQUAL(bench->dones[0].result.attempts, 3);
    bench_free(bench);
}

TEST(stub, unlimited_retries_without_a_deadline_go_on_for_ever)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, NS_PER_S, NS_PER_S, UINT32_MAX);
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(SAY(SQ_E_REFUSED));
    bench_call(bench, &script, 0, 1);
    bench_run(bench, 400 * NS_PER_S);
    CHECK_EQUAL(bench->done_count, 0);
    CHECK_EQUAL(bench->send_count, 401);
    CHECK_EQUAL(stub_in_flight(bench->stub), 1);
    bench_free(bench);
}

TEST(stub, without_time_out_and_deadline_nothing_is_pending)
{
    struct spec_client policy = policy_plain();
    policy.timeout_ns = INT64_MAX;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(LATE(SQ_OK, 500 * NS_PER_S));
    bench_call(bench, &script, 0, 1);
    bench_run(bench, NS_PER_S);
    CHECK_EQUAL(bench->world->sched.pending, 1); /* the model's timer */
    bench_run(bench, 600 * NS_PER_S);
    CHECK_EQUAL(bench->done_count, 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 500 * NS_PER_S);
    bench_free(bench);
}

/* --------------------------------------------------------------------------------------- budget */

static struct spec_client policy_budget(uint32_t capacity, uint32_t retry, uint32_t timeout,
                                        uint32_t success_milli)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, UINT32_MAX);
    policy.budget = SPEC_BUDGET_TOKENS;
    policy.budget_capacity = capacity;
    policy.budget_retry_cost = retry;
    policy.budget_timeout_cost = timeout;
    policy.budget_success_milli = success_milli;
    return policy;
}

TEST(stub, a_retry_costs_tokens_and_without_them_the_call_ends)
{
    struct bench *bench = bench_once(1, policy_budget(14, 5, 10, 0), 1, SCRIPT(SAY(SQ_E_REFUSED)));
    CHECK_EQUAL(bench->dones[0].result.attempts, 3); /* 14 -> 9 -> 4 */
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_REFUSED);
    CHECK_EQUAL(bench->dones[0].result.replied_by, 0);
    bench_free(bench);
}

TEST(stub, a_time_out_costs_its_own_price)
{
    struct bench *bench = bench_once(1, policy_budget(25, 5, 10, 0), 1, SCRIPT(SILENT));
    CHECK_EQUAL(bench->dones[0].result.attempts, 3);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

TEST(stub, all_calls_share_the_budget_and_successes_refill_it)
{
    struct bench *bench = bench_new(1, policy_budget(1, 1, 1, 500), 1);
    struct script failing = SCRIPT(SAY(SQ_E_REFUSED));
    struct script good = SCRIPT(SAY(SQ_OK));
    const struct script *calls[] = {&failing, &failing, &good, &failing, &good, &failing,
                                    &good,    &good,    &good, &good,    &good, &failing};
    /* Tokens before each: 1, 0, 0, .5, .5, 1, 0, .5, 1, 1 (full), 1, 1 */
    const uint32_t attempts[] = {2, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2};
    for (uint32_t i = 0; i < ARRAY_COUNT(calls); i++) {
        bench_call(bench, calls[i], 0, i);
        bench_run(bench, 0);
        REQUIRE(bench->done_count == i + 1);
        CHECK_EQUAL(bench->dones[i].result.attempts, attempts[i]);
    }
    bench_free(bench);
}

/* -------------------------------------------------------------------------------------- routing */

static struct spec_client policy_leader(uint32_t redirects, uint32_t attempts)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, attempts);
    policy.route = SPEC_ROUTE_LEADER;
    policy.redirects_max = redirects;
    return policy;
}

/* Where the bench's stub believes the leader at the start. */
static uint32_t first_belief(uint64_t seed, uint32_t nodes)
{
    struct rng rng = rng_stream(seed, "load t", 0, "route");
    return (uint32_t)rng_below(&rng, nodes);
}

TEST(stub, a_redirect_is_followed_at_once_and_remembered)
{
    const uint32_t start = first_belief(3, 3);
    const uint32_t leader = (start + 2) % 3;
    struct bench *bench = bench_new(3, policy_leader(2, 1), 3);
    struct script script = SCRIPT(HINT(leader), SAY(SQ_OK));
    bench_call(bench, &script, 0, 1);
    bench_run(bench, 0);
    REQUIRE(bench->done_count == 1); /* although attempts_max is 1 */
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    CHECK_EQUAL(bench->dones[0].result.replied_by, leader);
    script = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &script, 0, 2);
    bench_run(bench, 0);
    CHECK_NODES(bench, start, leader, leader);
    bench_free(bench);
}

TEST(stub, beyond_its_redirects_a_call_rotates_and_backs_off)
{
    const uint32_t start = first_belief(3, 5);
    struct bench *bench = bench_once(
        5, policy_leader(2, 4), 3,
        SCRIPT(HINT((start + 2) % 5), HINT((start + 1) % 5), HINT((start + 4) % 5), SAY(SQ_OK)));
    CHECK_NODES(bench, start, (start + 2) % 5, (start + 1) % 5, (start + 2) % 5);
    CHECK_SENDS(bench, 0, 0, 0, 10 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(stub, redirects_count_as_sends_but_not_as_retries)
{
    const uint32_t start = first_belief(3, 3);
    struct spec_client policy = policy_leader(1, 3);
    policy.backoff = SPEC_BACKOFF_EXPONENTIAL;
    policy.backoff_max_ns = NS_PER_S;
    struct bench *bench =
        bench_once(3, policy, 3, SCRIPT(HINT((start + 1) % 3), SAY(SQ_E_UNAVAILABLE)));
    /* The first back-off is the initial one; the third send is the last. */
    CHECK_SENDS(bench, 0, 0, 10 * MS);
    CHECK_EQUAL(bench->dones[0].result.attempts, 3);
    bench_free(bench);
}

TEST(stub, a_redirect_takes_no_tokens)
{
    const uint32_t start = first_belief(3, 3);
    struct spec_client policy = policy_budget(1, 2, 2, 0);
    policy.route = SPEC_ROUTE_LEADER;
    policy.redirects_max = 1;
    struct bench *bench = bench_once(3, policy, 3, SCRIPT(HINT((start + 1) % 3), SAY(SQ_OK)));
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(stub, a_hint_to_itself_or_outside_the_group_is_no_hint)
{
    const uint32_t start = first_belief(3, 3);
    const uint32_t hints[] = {start, 3, SQ_NODE_NONE};
    for (uint32_t i = 0; i < ARRAY_COUNT(hints); i++) {
        struct bench *bench =
            bench_once(3, policy_leader(5, 2), 3, SCRIPT(HINT(hints[i]), SAY(SQ_OK)));
        CHECK_SENDS(bench, 0, 10 * MS);
        CHECK_NODES(bench, start, (start + 1) % 3);
        bench_free(bench);
    }
}

TEST(stub, not_leader_is_retried_only_if_the_mask_says_so)
{
    struct spec_client policy = policy_leader(0, 5);
    policy.retry_on = UINT64_C(1) << SQ_E_TIMEOUT;
    struct bench *bench = bench_once(3, policy, 3, SCRIPT(HINT(SQ_NODE_NONE)));
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_NOT_LEADER);
    CHECK_EQUAL(bench->dones[0].result.attempts, 1);
    CHECK(bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub, failures_of_leadership_move_the_belief_and_others_do_not)
{
    const uint32_t start = first_belief(3, 3);
    const uint32_t next = (start + 1) % 3;
    const uint32_t moving[] = {SQ_E_REFUSED, SQ_E_UNAVAILABLE, SQ_E_NOT_LEADER, SQ_E_TIMEOUT};
    for (uint32_t i = 0; i < ARRAY_COUNT(moving); i++) {
        struct bench *bench =
            bench_once(3, policy_leader(0, 2), 3, SCRIPT(SAY(moving[i]), SAY(SQ_OK)));
        CHECK_NODES(bench, start, next);
        bench_free(bench);
    }
    const uint32_t staying[] = {SQ_E_OVERLOADED, SQ_E_CONFLICT, SQ_E_IO};
    for (uint32_t i = 0; i < ARRAY_COUNT(staying); i++) {
        struct bench *bench =
            bench_once(3, policy_leader(0, 2), 3, SCRIPT(SAY(staying[i]), SAY(SQ_OK)));
        CHECK_NODES(bench, start, start);
        bench_free(bench);
    }
}

TEST(stub, calls_that_time_out_together_turn_the_belief_by_one)
{
    const uint32_t start = first_belief(3, 5);
    struct bench *bench = bench_new(5, policy_leader(0, 2), 3);
    struct script script = SCRIPT(SILENT, SAY(SQ_OK));
    for (uint32_t i = 0; i < 50; i++) {
        bench_call(bench, &script, 0, i);
    }
    bench_run(bench, NS_PER_S);
    CHECK_EQUAL(bench->done_count, 50);
    REQUIRE(bench->send_count == 100);
    for (uint32_t i = 0; i < 50; i++) {
        CHECK_EQUAL(bench->sends[50 + i].node, (start + 1) % 5);
    }
    bench_free(bench);
}

TEST(stub, a_failure_of_a_node_no_longer_believed_in_moves_nothing)
{
    const uint32_t start = first_belief(3, 5);
    const uint32_t leader = (start + 3) % 5;
    struct bench *bench = bench_new(5, policy_leader(1, 1), 3);
    struct script silent = SCRIPT(SILENT);
    struct script redirected = SCRIPT(HINT(leader), SAY(SQ_OK));
    struct script good = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &silent, 0, 1);
    bench_call(bench, &redirected, 0, 2);
    bench_advance(bench, NS_PER_S); /* the first call timed out after the belief had moved */
    CHECK_EQUAL(bench->done_count, 2);
    bench_call(bench, &good, NS_PER_S, 3);
    bench_advance(bench, 2 * NS_PER_S);
    CHECK_NODES(bench, start, start, leader, leader);
    bench_free(bench);
}

TEST(stub, a_deadline_moves_the_belief_only_after_a_whole_attempt)
{
    const uint32_t start = first_belief(3, 3);
    struct spec_client policy = policy_leader(0, 1);
    policy.timeout_ns = 10 * NS_PER_S;
    policy.deadline_ns = NS_PER_S;
    struct bench *bench = bench_new(3, policy, 3);
    struct script silent = SCRIPT(SILENT);
    bench_advance(bench, 500 * MS);
    bench_call(bench, &silent, 0, 1); /* cut short by half a second */
    bench_advance(bench, 2 * NS_PER_S);
    bench_call(bench, &silent, 2 * NS_PER_S, 2); /* waits its second out */
    bench_advance(bench, 4 * NS_PER_S);
    bench_call(bench, &silent, 4 * NS_PER_S, 3);
    bench_advance(bench, 6 * NS_PER_S);
    CHECK_NODES(bench, start, start, (start + 1) % 3);
    CHECK_EQUAL(bench->done_count, 3);
    CHECK_EQUAL(bench->dones[0].time_ns, NS_PER_S);
    bench_free(bench);
}

TEST(stub, the_first_belief_depends_on_the_seed)
{
    uint32_t seen[3] = {0};
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct bench *bench = bench_once(3, policy_leader(0, 1), seed, SCRIPT(SAY(SQ_OK)));
        REQUIRE(bench->send_count == 1);
        seen[bench->sends[0].node]++;
        bench_free(bench);
    }
    CHECK(seen[0] > 0);
    CHECK(seen[1] > 0);
    CHECK(seen[2] > 0);
}

TEST(stub, routing_first_starts_at_node_zero_and_goes_round)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 5);
    struct bench *bench = bench_new(3, policy, 1);
    struct script script = SCRIPT(SAY(SQ_E_REFUSED));
    bench_call(bench, &script, 0, 1);
    bench_run(bench, 0);
    bench_call(bench, &script, 0, 2);
    bench_run(bench, 0);
    CHECK_NODES(bench, 0, 1, 2, 0, 1, 0, 1, 2, 0, 1);
    bench_free(bench);
}

TEST(stub, routing_at_random_draws_for_each_attempt)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 300);
    policy.route = SPEC_ROUTE_RANDOM;
    struct bench *bench = bench_once(4, policy, 2, SCRIPT(SAY(SQ_E_REFUSED)));
    struct rng rng = rng_stream(2, "load t", 0, "route");
    REQUIRE(bench->send_count == 300);
    uint32_t seen[4] = {0};
    for (uint32_t i = 0; i < bench->send_count; i++) {
        CHECK_EQUAL(bench->sends[i].node, rng_below(&rng, 4));
        seen[bench->sends[i].node]++;
    }
    for (uint32_t i = 0; i < 4; i++) {
        CHECK(seen[i] > 50);
        CHECK(seen[i] < 100);
    }
    bench_free(bench);
}

/* ------------------------------------------------------------------------------------ deadlines */

TEST(stub, the_deadline_counts_from_the_intended_start)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, UINT32_MAX);
    policy.deadline_ns = 250 * MS;
    struct bench *bench = bench_new(1, policy, 1);
    bench_advance(bench, NS_PER_S);
    struct script script = SCRIPT(SILENT);
    bench_call(bench, &script, 900 * MS, 1);
    bench_run(bench, 10 * NS_PER_S);
    CHECK_SENDS(bench, 1000 * MS, 1110 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 1150 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(!bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    bench_free(bench);
}

TEST(stub, an_attempt_that_the_deadline_cuts_short_is_indefinite)
{
    struct spec_client policy = policy_plain();
    policy.deadline_ns = 60 * MS;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SILENT));
    CHECK_EQUAL(bench->dones[0].time_ns, 60 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(!bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub, a_deadline_during_the_back_off_ends_the_call_there)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, NS_PER_S, NS_PER_S, UINT32_MAX);
    policy.deadline_ns = 50 * MS;
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_REFUSED)));
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, 50 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(bench->dones[0].result.is_definite); /* its only attempt was refused */
    bench_free(bench);
}

TEST(stub, a_call_that_starts_after_its_deadline_sends_nothing)
{
    struct spec_client policy = policy_plain();
    policy.deadline_ns = 50 * MS;
    struct bench *bench = bench_new(1, policy, 1);
    bench_advance(bench, NS_PER_S);
    struct script script = SCRIPT(SAY(SQ_OK));
    bench_call(bench, &script, 950 * MS, 1);
    CHECK_EQUAL(bench->done_count, 0); /* never from inside stub_call */
    bench_run(bench, NS_PER_S);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->send_count, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, NS_PER_S);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK_EQUAL(bench->dones[0].result.attempts, 0);
    CHECK(bench->dones[0].result.is_definite);
    bench_free(bench);
}

/* ------------------------------------------------------------------- late answers, definiteness */

TEST(stub, a_time_out_taints_the_call_even_if_later_attempts_are_refused)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 3);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SILENT, SAY(SQ_E_REFUSED)));
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_REFUSED);
    CHECK(!bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub, an_indefinite_answer_taints_the_call)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 2);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(SAY(SQ_E_CRASH), SAY(SQ_E_PRECONDITION)));
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_PRECONDITION);
    CHECK(!bench->dones[0].result.is_definite);
    bench_free(bench);
}

TEST(stub, a_late_success_of_an_earlier_attempt_is_accepted)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(LATE(SQ_OK, 150 * MS), SILENT));
    CHECK_SENDS(bench, 0, 110 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 150 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK(bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    CHECK_EQUAL(bench->dones[0].data, 1);
    bench_free(bench);
}

TEST(stub, a_late_success_during_the_back_off_is_accepted)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, NS_PER_S, NS_PER_S, 3);
    struct bench *bench = bench_once(1, policy, 1, SCRIPT(LATE(SQ_OK, 150 * MS)));
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].time_ns, 150 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(stub, a_policy_may_ignore_late_successes_as_well)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    policy.ignores_late = true;
    struct bench *bench =
        bench_once(1, policy, 1, SCRIPT(LATE(SQ_OK, 150 * MS), LATE(SQ_OK, 60 * MS)));
    CHECK_SENDS(bench, 0, 110 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 170 * MS);
    CHECK_EQUAL(bench->dones[0].data, 2);
    bench_free(bench);
}

TEST(stub, other_late_answers_are_ignored)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct bench *bench =
        bench_once(1, policy, 1, SCRIPT(LATE(SQ_E_CONFLICT, 150 * MS), LATE(SQ_OK, 60 * MS)));
    CHECK_SENDS(bench, 0, 110 * MS);
    CHECK_EQUAL(bench->dones[0].time_ns, 170 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(stub, repeated_answers_count_once)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, 10 * MS, 10 * MS, 3);
    struct bench *bench = bench_new(1, policy, 1);
    struct script script =
        SCRIPT({SQ_E_REFUSED, SQ_NODE_NONE, 0, 2, 0, 0, 0}, {SQ_OK, SQ_NODE_NONE, 0, 2, 0, 0, 0});
    bench_call(bench, &script, 0, 1);
    bench_run(bench, NS_PER_S);
    CHECK_SENDS(bench, 0, 10 * MS);
    CHECK_EQUAL(bench->done_count, 1);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    bench_free(bench);
}

TEST(stub, an_answer_to_a_call_that_ended_does_not_reach_the_next_in_its_slot)
{
    struct bench *bench = bench_new(1, policy_plain(), 1);
    struct script late = SCRIPT(LATE(SQ_OK, 150 * MS));
    struct script silent = SCRIPT(SILENT);
    bench_call(bench, &late, 0, 1);
    bench_advance(bench, 120 * MS); /* timed out; its slot is free */
    CHECK_EQUAL(bench->done_count, 1);
    bench_call(bench, &silent, 120 * MS, 2);
    bench_run(bench, NS_PER_S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[1].word, 2);
    CHECK_EQUAL(bench->dones[1].time_ns, 220 * MS);
    CHECK_EQUAL(bench->dones[1].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

TEST(stub, an_answer_to_an_earlier_incarnation_is_ignored)
{
    struct bench *bench = bench_new(1, policy_plain(), 1);
    const struct spec_client *policy = &bench->load.client;
    struct stub *first = stub_new(bench->world, 1, 0, policy, "n1", 1);
    struct stub *second = stub_new(bench->world, 1, 0, policy, "n1", 2);
    struct script script = SCRIPT(SILENT);
    struct stub_call_options options = {
        .data = &script, .size = sizeof(script), .on_done = on_done, .context = bench, .word = 5};
    struct packet *packet = calloc(1, sizeof(*packet));
    ASSERT(packet != NULL);
    packet->kind = PACKET_REPLY;
    packet->status = SQ_OK;
    packet->reply_to.attempt = 1;
    stub_call(first, &options);
    stub_call(second, &options);
    for (uint64_t incarnation = 1; incarnation <= 2; incarnation++) {
        /* slot 0, call 1 */
        packet->reply_to.call = incarnation << 52 | UINT64_C(1) << 24;
        stub_on_reply(second, packet);
        CHECK_EQUAL(stub_in_flight(second), incarnation == 1 ? 1 : 0);
    }
    packet->reply_to.call = 0;
    stub_on_reply(second, packet);
    packet->reply_to.call = UINT64_MAX; /* a slot that was never made */
    stub_on_reply(second, packet);
    CHECK_EQUAL(bench->done_count, 1);
    free(packet);
    stub_free(first);
    stub_free(second);
    CHECK_EQUAL(bench->world->sched.stats.cancelled, 2);
    bench_free(bench);
}

/* ----------------------------------------------------------------------------------- many calls */

TEST(stub, a_call_may_be_followed_by_another_from_its_end)
{
    struct bench *bench = bench_new(1, policy_plain(), 1);
    struct script script = SCRIPT(LATE(SQ_OK, 5 * MS));
    bench->chain = script;
    bench_call(bench, &script, 0, 1);
    bench_run(bench, NS_PER_S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[1].word, 2);
    CHECK_EQUAL(bench->dones[1].time_ns, 10 * MS);
    bench_free(bench);
}

TEST(stub, many_calls_are_in_flight_at_once_and_end_in_their_own_order)
{
    struct bench *bench = bench_new(1, policy_plain(), 1);
    for (uint32_t i = 0; i < 200; i++) {
        struct script script = SCRIPT(LATE(SQ_OK, (200 - (int64_t)i) * 1000));
        bench_call(bench, &script, 0, i);
    }
    CHECK_EQUAL(stub_in_flight(bench->stub), 200);
    bench_run(bench, NS_PER_S);
    REQUIRE(bench->done_count == 200);
    for (uint32_t i = 0; i < 200; i++) {
        CHECK_EQUAL(bench->dones[i].word, 199 - i);
    }
    CHECK_EQUAL(stub_in_flight(bench->stub), 0);
    bench_free(bench);
}

TEST(stub, a_run_is_a_function_of_its_seed)
{
    uint64_t digests[3];
    const uint64_t seeds[] = {11, 11, 12};
    for (uint32_t i = 0; i < 3; i++) {
        struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, 80 * MS, 30);
        policy.jitter = SPEC_JITTER_EQUAL;
        policy.route = SPEC_ROUTE_RANDOM;
        struct bench *bench = bench_once(5, policy, seeds[i], SCRIPT(SAY(SQ_E_REFUSED), SILENT));
        digests[i] = world_digest(bench->world);
        bench_free(bench);
    }
    CHECK(digests[0] == digests[1]);
    CHECK(digests[0] != digests[2]);
}

/* --------------------------------------------------------------------------------- a new policy */

/* The attempt that is out keeps its time-out of 100 ms; what comes after it is the new policy's. */
TEST(stub, a_new_policy_decides_after_the_attempt_that_is_out)
{
    struct spec_client before = policy_plain();
    struct spec_client after = policy_retry(SPEC_BACKOFF_FIXED, 30 * MS, 30 * MS, 3);
    after.timeout_ns = 10 * MS;
    struct script silent = SCRIPT(SILENT);
    struct bench *bench = bench_new(1, before, 1);
    bench_call(bench, &silent, 0, 7);
    bench_advance(bench, 50 * MS);
    stub_set_policy(bench->stub, &after);
    bench_run(bench, NS_PER_S);
    CHECK_SENDS(bench, 0, 130 * MS, 170 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 180 * MS);
    CHECK_EQUAL(bench->dones[0].result.attempts, 3);
    bench_free(bench);
}

TEST(stub, a_new_policy_may_forbid_the_retry_and_leaves_a_running_back_off_alone)
{
    struct spec_client before = policy_retry(SPEC_BACKOFF_FIXED, 200 * MS, 200 * MS, 10);
    struct spec_client after = policy_plain();
    struct script silent = SCRIPT(SILENT);
    struct bench *bench = bench_new(1, before, 1);
    bench_call(bench, &silent, 0, 7);
    bench_advance(bench, 150 * MS); /* backing off until 300 ms */
    stub_set_policy(bench->stub, &after);
    bench_run(bench, 2 * NS_PER_S);
    CHECK_SENDS(bench, 0, 300 * MS); /* promised, and the last */
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 400 * MS);
    bench_free(bench);
}

TEST(stub, a_call_keeps_the_deadline_that_it_began_with)
{
    struct spec_client before = policy_retry(SPEC_BACKOFF_NONE, 0, 0, UINT32_MAX);
    before.deadline_ns = 350 * MS;
    struct spec_client after = before;
    after.deadline_ns = 10 * NS_PER_S;
    struct script silent = SCRIPT(SILENT);
    struct bench *bench = bench_new(1, before, 1);
    bench_call(bench, &silent, 0, 7);
    bench_advance(bench, 10 * MS);
    stub_set_policy(bench->stub, &after);
    bench_call(bench, &silent, 10 * MS, 8);
    bench_run(bench, 20 * NS_PER_S);
    REQUIRE(bench->done_count == 2);
    CHECK_EQUAL(bench->dones[0].time_ns, 350 * MS);
    CHECK_EQUAL(bench->dones[1].time_ns, 10 * NS_PER_S + 10 * MS);
    bench_free(bench);
}

/* A budget comes full, keeps its tokens under another one as far as they fit, and is full again
 * when it comes back after a policy without. */
TEST(stub, a_budget_comes_full_and_keeps_what_fits)
{
    struct spec_client none = policy_retry(SPEC_BACKOFF_NONE, 0, 0, UINT32_MAX);
    struct spec_client large = none;
    large.budget = SPEC_BUDGET_TOKENS;
    large.budget_capacity = 3;
    large.budget_timeout_cost = 1;
    struct spec_client small = large;
    small.budget_capacity = 1;
    struct script silent = SCRIPT(SILENT);
    struct bench *bench = bench_new(1, none, 1);
    bench_call(bench, &silent, 0, 7);
    bench_advance(bench, 150 * MS); /* sent at 0 and 100 ms */
    stub_set_policy(bench->stub, &large);
    bench_advance(bench, 250 * MS); /* a token for the one at 200 ms */
    stub_set_policy(bench->stub, &small);
    bench_run(bench, 2 * NS_PER_S);
    CHECK_SENDS(bench, 0, 100 * MS, 200 * MS, 300 * MS);
    CHECK_EQUAL(bench->done_count, 1);
    stub_set_policy(bench->stub, &none);
    stub_set_policy(bench->stub, &large);
    bench_advance(bench, 2 * NS_PER_S);
    bench_call(bench, &silent, 2 * NS_PER_S, 8);
    bench_run(bench, 4 * NS_PER_S);
    CHECK_EQUAL(bench->send_count, 4 + 4);
    bench_free(bench);
}

TEST(stub, back_off_begins_anew_with_a_new_policy)
{
    struct spec_client before = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 10 * MS, NS_PER_S, 10);
    struct spec_client after = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 5 * MS, 8 * MS, 10);
    struct script silent = SCRIPT(SILENT);
    struct bench *bench = bench_new(1, before, 1);
    bench_call(bench, &silent, 0, 7);
    bench_advance(bench, 280 * MS); /* 0, 110 and 230 ms */
    stub_set_policy(bench->stub, &after);
    bench_advance(bench, 560 * MS);
    CHECK_SENDS(bench, 0, 110 * MS, 230 * MS, 335 * MS, 443 * MS, 551 * MS);
    bench_free(bench);
}
