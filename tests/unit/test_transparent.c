/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Transparent retries (gRPC A6) on the stub's bench: what a full inbox turned away is sent again,
 * with exact times. The inboxes are really full: a request is in service, another one waits, and
 * there is room for one. And what a model is told of the attempts before. */
#include "sim/node.h"
#include "sim/stub.h"

#include "tests/unit/harness.h"
#include "tests/unit/stub_bench.h"

#include <stddef.h>

#define S NS_PER_S

static uint64_t mask_of(enum sq_status status)
{
    return UINT64_C(1) << status;
}

/* One attempt, no retries. */
static struct spec_client policy_once(void)
{
    struct spec_client policy = policy_plain();
    policy.is_transparent = true;
    return policy;
}

/* 100 ms, 200 ms, 400 ms, ... */
static struct spec_client policy_many(uint32_t attempts)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, 100 * MS, S, attempts);
    policy.is_transparent = true;
    return policy;
}

static struct spec_client policy_hedged(uint32_t attempts, int64_t delay_ns)
{
    struct spec_client policy = policy_once();
    policy.hedging = (struct spec_hedging){
        .is_enabled = true,
        .attempts_max = attempts,
        .delay_ns = delay_ns,
        .non_fatal = mask_of(SQ_E_OVERLOADED) | mask_of(SQ_E_UNAVAILABLE),
    };
    return policy;
}

/* Nodes with room for one request that waits. */
static struct bench *narrow_bench_of(const struct sq_model *model, uint32_t nodes,
                                     struct spec_client policy)
{
    struct bench *bench = bench_new_with(model, nodes, policy, 1);
    bench->group.host.queue_limit = 1;
    bench->group.host.on_full = SPEC_FULL_REJECT;
    return bench;
}

static struct bench *narrow_bench(uint32_t nodes, struct spec_client policy)
{
    return narrow_bench_of(&scripted, nodes, policy);
}

/* The node is full until `until_ns`: two requests of its own, the first of which takes so long. */
static void fill(struct bench *bench, sq_node node, int64_t until_ns)
{
    const struct script silent = SCRIPT(SILENT);
    const struct request_options options = {
        .from = node,
        .to = node,
        .reply_to = {.attempt = 1},
        .data = &silent,
        .size = sizeof(silent),
        .deadline_ns = INT64_MAX,
    };
    bench->group.host.per_message_ns = until_ns - world_now(bench->world);
    world_request(bench->world, &options);
    world_request(bench->world, &options);
    bench_run(bench, world_now(bench->world));
    bench->group.host.per_message_ns = 0;
    ASSERT(bench->world->nodes[node].inbox_count == 1);
}

static void fill_all(struct bench *bench, int64_t until_ns)
{
    for (sq_node node = 0; node < bench->spec.node_count; node++) {
        fill(bench, node, until_ns);
    }
}

/* One call, now. */
static void call(struct bench *bench, struct script script)
{
    const int64_t now = world_now(bench->world);
    bench_call(bench, &script, now, (uint64_t)now);
}

/* -------------------------------------------------------------------------------- once, and free
 */

TEST(transparent, it_leaves_at_once_for_where_routing_sends_it)
{
    struct bench *bench = narrow_bench(3, policy_once());
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_SENDS(bench, 0, 0);
    CHECK_NODES(bench, 0, 1);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    CHECK_EQUAL(bench->dones[0].result.attempts, 2);
    CHECK_EQUAL(bench->dones[0].result.replied_by, 1);
    CHECK_EQUAL(bench->attempt_count, 2);
    CHECK_EQUAL(probed(bench, "client.retried-transparently"), 1);
    bench_free(bench);
}

TEST(transparent, it_is_off_unless_the_policy_says_so)
{
    struct spec_client policy = policy_once();
    policy.is_transparent = false;
    struct bench *bench = narrow_bench(3, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_SENDS(bench, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK_EQUAL(probed(bench, "client.retried-transparently"), 0);
    bench_free(bench);
}

TEST(transparent, turned_away_again_it_is_a_failure)
{
    struct bench *bench = narrow_bench(3, policy_once());
    fill_all(bench, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_SENDS(bench, 0, 0);
    CHECK_NODES(bench, 0, 1);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    CHECK(bench->dones[0].result.is_definite);
    CHECK_EQUAL(bench->world->nodes[2].dropped, 0);
    CHECK_EQUAL(bench->world->nodes[0].dropped + bench->world->nodes[1].dropped, 2);
    bench_free(bench);
}

TEST(transparent, it_is_no_attempt_and_the_back_off_has_not_begun)
{
    struct bench *bench = narrow_bench(1, policy_many(3));
    fill_all(bench, 10 * S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 5 * S);
    CHECK_SENDS(bench, 0, 0, 100 * MS, 300 * MS);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 300 * MS);
    bench_free(bench);
}

TEST(transparent, each_call_has_its_own)
{
    struct bench *bench = narrow_bench(1, policy_once());
    fill_all(bench, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 2 * MS);
    CHECK_SENDS(bench, 0, 0, MS, MS);
    CHECK_EQUAL(probed(bench, "client.retried-transparently"), 2);
    bench_free(bench);
}

TEST(transparent, the_one_of_a_call_may_come_with_a_later_attempt)
{
    struct bench *bench = narrow_bench(1, policy_many(4));
    call(bench, SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_OK)));
    bench_advance(bench, 50 * MS);
    fill_all(bench, 250 * MS);
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0, 100 * MS, 100 * MS, 300 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

/* -------------------------------------------------------------------------------- what is meant */

TEST(transparent, what_a_model_turns_away_it_has_seen)
{
    struct bench *bench = bench_once(3, policy_once(), 1, SCRIPT(SAY(SQ_E_OVERLOADED)));
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    bench_free(bench);
}

TEST(transparent, a_refused_connection_is_none)
{
    struct bench *bench = narrow_bench(3, policy_once());
    node_crash(&bench->world->nodes[0], SQ_LIFE_CRASH);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_SENDS(bench, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_REFUSED);
    bench_free(bench);
}

TEST(transparent, what_is_dropped_is_none)
{
    struct bench *bench = narrow_bench(3, policy_once());
    bench->group.host.on_full = SPEC_FULL_DROP;
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    bench_free(bench);
}

TEST(transparent, the_mark_does_not_stay_with_the_packet)
{
    struct bench *bench = narrow_bench(1, policy_many(2));
    fill_all(bench, 50 * MS);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 60 * MS); /* packets of two refusals are in the pool */
    for (uint32_t i = 0; i < 4; i++) {
        call(bench, SCRIPT(SAY(SQ_E_CONFLICT)));
    }
    bench_advance(bench, S);
    CHECK_EQUAL(probed(bench, "client.retried-transparently"), 1);
    bench_free(bench);
}

/* -------------------------------------------------------------------------- the rest of the policy
 */

TEST(transparent, a_pinned_call_goes_to_its_node_again)
{
    struct bench *bench = narrow_bench(3, policy_once());
    const struct script script = SCRIPT(SAY(SQ_OK));
    fill(bench, 2, S);
    stub_call(bench->stub, &(struct stub_call_options){
                               .data = &script,
                               .size = sizeof(script),
                               .has_index = true,
                               .index = 2,
                               .on_done = on_done,
                               .context = bench,
                           });
    bench_advance(bench, MS);
    CHECK_NODES(bench, 2, 2);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    bench_free(bench);
}

TEST(transparent, the_belief_in_a_leader_stays)
{
    struct spec_client policy = policy_many(2);
    policy.route = SPEC_ROUTE_LEADER;
    struct bench *bench = narrow_bench(3, policy);
    fill_all(bench, 50 * MS);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, S);
    REQUIRE(bench->send_count == 3);
    CHECK_EQUAL(bench->sends[1].node, bench->sends[0].node);
    CHECK_EQUAL(bench->sends[2].node, bench->sends[0].node);
    bench_free(bench);
}

/* Attempts of a call that fails once, after `count` calls that were turned away once. */
static uint32_t attempts_after(uint32_t count, struct spec_client policy)
{
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    for (uint32_t i = 0; i < count; i++) {
        call(bench, SCRIPT(SAY(SQ_E_CONFLICT)));
    }
    bench_advance(bench, 2 * S);
    CHECK_EQUAL(bench->send_count, 2 * count);
    call(bench, SCRIPT(SAY(SQ_E_UNAVAILABLE), SAY(SQ_OK)));
    bench_advance(bench, 4 * S);
    const uint32_t attempts =
        bench->done_count == count + 1 ? bench->dones[count].result.attempts : 0;
    bench_free(bench);
    return attempts;
}

TEST(transparent, it_is_no_failure_to_throttling)
{
    struct spec_client policy = policy_many(2);
    policy.retry_on = mask_of(SQ_E_UNAVAILABLE) | mask_of(SQ_E_OVERLOADED);
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 4;
    CHECK_EQUAL(attempts_after(0, policy), 2);
    CHECK_EQUAL(attempts_after(3, policy), 2);
}

/* Four tokens, no retries at two: this is the test above with failures that count. */
TEST(transparent, the_second_time_is_a_failure_to_throttling)
{
    struct spec_client policy = policy_many(2);
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 4;
    struct bench *bench = narrow_bench(1, policy);
    fill_all(bench, 10 * S);
    call(bench, SCRIPT(SAY(SQ_OK))); /* 3, and 2 after its retry */
    bench_advance(bench, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 2 * S);
    CHECK_SENDS(bench, 0, 0, 100 * MS, S, S);
    CHECK_EQUAL(probed(bench, "client.retry-throttled"), 1);
    bench_free(bench);
}

TEST(transparent, it_takes_nothing_from_a_bucket)
{
    struct spec_client policy = policy_many(2);
    policy.retry_on = mask_of(SQ_E_UNAVAILABLE) | mask_of(SQ_E_OVERLOADED);
    policy.budget = SPEC_BUDGET_TOKENS;
    policy.budget_capacity = 5;
    policy.budget_retry_cost = 5;
    policy.budget_throttling_cost = 5;
    CHECK_EQUAL(attempts_after(3, policy), 2);
}

TEST(transparent, it_counts_against_no_share_of_retries)
{
    struct spec_client policy = policy_many(2);
    policy.budget = SPEC_BUDGET_CONCURRENCY; /* of nothing: no retries */
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_SENDS(bench, 0, 0);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

TEST(transparent, the_breaker_hears_nothing)
{
    struct spec_client policy = policy_once();
    policy.breaker = (struct spec_breaker){.is_enabled = true,
                                           .window = 1,
                                           .calls_min = 1,
                                           .failure_share = 500000,
                                           .slow_share = 1000000,
                                           .slow_ns = INT64_MAX,
                                           .open_ns = 10 * S,
                                           .trial_calls = 1,
                                           .failure_on = mask_of(SQ_E_OVERLOADED)};
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, 100 * MS);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, S);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 0);
    fill_all(bench, 2 * S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 3 * S);
    CHECK_EQUAL(probed(bench, "client.breaker-opened"), 1);
    CHECK_SENDS(bench, 0, 0, S, S);
    bench_free(bench);
}

TEST(transparent, it_keeps_its_connection_while_others_wait)
{
    struct spec_client policy = policy_once();
    policy.limits.connections = 1;
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK), LATE(SQ_OK, 20 * MS)));
    call(bench, SCRIPT(SAY(SQ_OK), LATE(SQ_OK, 20 * MS)));
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0, 0, 20 * MS, 20 * MS);
    CHECK_NODES(bench, 0, 1, 0, 1);
    CHECK_EQUAL(bench->ok_count, 2);
    bench_free(bench);
}

TEST(transparent, relief_from_retries_is_relief_from_it)
{
    struct bench *bench = narrow_bench(2, policy_once());
    bench->spec.relief = (struct spec_relief){.until_ns = S, .is_retries_off = true};
    fill(bench, 0, 3 * S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 2 * S);
    CHECK_SENDS(bench, 0, S, S);
    bench_free(bench);
}

/* -------------------------------------------------------------------------------- the deadline */

TEST(transparent, it_has_its_own_time_out_and_does_not_move_the_deadline)
{
    struct spec_client policy = policy_once();
    policy.deadline_ns = 150 * MS;
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0, 0);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 100 * MS);
    bench_free(bench);
    policy.deadline_ns = 60 * MS;
    bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, S);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].time_ns, 60 * MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_TIMEOUT);
    CHECK(!bench->dones[0].result.is_definite);
    bench_free(bench);
}

/* A model that only keeps what it was asked. */
#define ASKED_MAX 8
static struct sq_request asked[ASKED_MAX];
static uint32_t asked_count;

static void keep(struct sq_env *env, const struct sq_request *request)
{
    (void)env;
    if (asked_count < ASKED_MAX) {
        asked[asked_count] = *request;
    }
    asked_count++;
}

static const struct sq_model keeper = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "keeper",
    .boot = scripted_boot,
    .request = keep,
};

/* The node's own answer to the first request, as one of a host that is full. */
static void answer_late(void *context, struct sched_event *event)
{
    struct bench *bench = context;
    (void)event;
    stub_on_reply(bench->stub, &(struct packet){.kind = PACKET_REPLY,
                                                .status = SQ_E_OVERLOADED,
                                                .is_turned_away = true,
                                                .leader = SQ_NODE_NONE,
                                                .reply_to = asked[0].reply_to});
}

/* Sends of a call with a deadline at 50 ms, whose first attempt is turned away at that time. */
static uint32_t sends_when_turned_away_at(int64_t time_ns)
{
    struct spec_client policy = policy_once();
    policy.deadline_ns = 50 * MS;
    struct bench *bench = bench_new_with(&keeper, 2, policy, 1);
    asked_count = 0;
    struct sched_event *event = sched_push(&bench->world->sched, time_ns, NULL);
    event->fire = answer_late; /* before the timer of the call */
    event->context = bench;
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, S);
    CHECK_EQUAL(bench->done_count, 1);
    CHECK_EQUAL(asked_count, bench->send_count);
    const uint32_t sends = bench->send_count;
    bench_free(bench);
    return sends;
}

TEST(transparent, at_the_deadline_it_is_too_late)
{
    CHECK_EQUAL(sends_when_turned_away_at(50 * MS - 1), 2);
    CHECK_EQUAL(sends_when_turned_away_at(50 * MS), 1);
}

/* --------------------------------------------------------------------------------------- hedging
 */

TEST(transparent, it_stands_for_the_hedge_and_the_others_keep_their_time)
{
    struct bench *bench = narrow_bench(3, policy_hedged(3, 20 * MS));
    fill(bench, 0, 10 * MS);
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0, 0, 20 * MS, 40 * MS);
    CHECK_NODES(bench, 0, 1, 2, 0);
    CHECK_EQUAL(probed(bench, "client.hedged"), 2);
    bench_free(bench);
}

TEST(transparent, a_hedged_call_has_one_too)
{
    struct bench *bench = narrow_bench(3, policy_hedged(3, 20 * MS));
    fill_all(bench, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, 100 * MS);
    /* The first, once more, and the two hedges at once, since the failure is not fatal. */
    CHECK_SENDS(bench, 0, 0, 0, 0);
    CHECK_EQUAL(probed(bench, "client.retried-transparently"), 1);
    REQUIRE(bench->done_count == 1);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_E_OVERLOADED);
    bench_free(bench);
}

TEST(transparent, it_goes_where_no_hedge_is_out)
{
    struct bench *bench = narrow_bench(3, policy_hedged(2, 20 * MS));
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, 10 * MS);
    fill(bench, 1, S);
    bench_advance(bench, 50 * MS);
    CHECK_SENDS(bench, 0, 20 * MS, 20 * MS);
    CHECK_NODES(bench, 0, 1, 2);
    bench_free(bench);
}

TEST(transparent, a_fatal_status_is_not_fatal_when_it_was_not_the_servers)
{
    struct spec_client policy = policy_hedged(2, 20 * MS);
    policy.hedging.non_fatal = 0;
    struct bench *bench = narrow_bench(2, policy);
    fill(bench, 0, S);
    call(bench, SCRIPT(SAY(SQ_OK)));
    bench_advance(bench, MS);
    CHECK_EQUAL(bench->dones[0].result.status, SQ_OK);
    bench_free(bench);
}

/* -------------------------------------------------------------------------- the attempts before */

TEST(transparent, a_request_says_how_many_attempts_came_before)
{
    struct bench *bench = narrow_bench_of(&keeper, 1, policy_many(3));
    asked_count = 0;
    fill_all(bench, 50 * MS);
    asked_count = 0;
    call(bench, SCRIPT(SILENT)); /* 0, twice; then, at 100 ms, 1; then, after a time-out, 2 */
    bench_advance(bench, S);
    CHECK_SENDS(bench, 0, 0, 100 * MS, 400 * MS);
    REQUIRE(asked_count == 4); /* two are those that filled it */
    CHECK_EQUAL(asked[2].previous_attempts, 1);
    CHECK_EQUAL(asked[2].reply_to.attempt, 3);
    CHECK_EQUAL(asked[3].previous_attempts, 2);
    CHECK_EQUAL(asked[3].reply_to.attempt, 4);
    bench_free(bench);
}

TEST(transparent, a_hedge_comes_after_the_others_and_its_stand_in_does_too)
{
    struct bench *bench = narrow_bench_of(&keeper, 3, policy_hedged(3, 20 * MS));
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, 10 * MS);
    fill(bench, 1, 30 * MS);
    asked_count = 0;
    bench_advance(bench, 90 * MS);
    /* The second was turned away by node 1 and went to node 2, the third finds node 1 free. */
    CHECK_NODES(bench, 0, 1, 2, 1);
    REQUIRE(asked_count == 4); /* two are those that filled it */
    CHECK_EQUAL(asked[0].previous_attempts, 1);
    CHECK_EQUAL(asked[0].reply_to.attempt, 3);
    CHECK_EQUAL(asked[3].previous_attempts, 2);
    CHECK_EQUAL(asked[3].reply_to.attempt, 4);
    bench_free(bench);
}

static void redirect_once(struct sq_env *env, const struct sq_request *request)
{
    const uint32_t attempt = request->reply_to.attempt;
    keep(env, request);
    env->call->reply(env, request->reply_to, attempt == 1 ? SQ_E_NOT_LEADER : SQ_E_UNAVAILABLE, 1,
                     NULL, 0);
}

TEST(transparent, a_redirect_is_the_attempt_that_it_follows)
{
    struct sq_model model = keeper;
    model.request = redirect_once;
    struct spec_client policy = policy_many(3);
    policy.redirects_max = 1;
    struct bench *bench = narrow_bench_of(&model, 2, policy);
    asked_count = 0;
    call(bench, SCRIPT(SILENT));
    bench_advance(bench, S);
    REQUIRE(asked_count >= 3);
    CHECK_EQUAL(asked[0].previous_attempts, 0);
    CHECK_EQUAL(asked[1].previous_attempts, 0);
    CHECK_EQUAL(asked[2].previous_attempts, 1);
    CHECK_EQUAL(asked[2].reply_to.attempt, 3);
    asked_count = 0;
    call(bench, SCRIPT(SILENT)); /* it has the slot of the first */
    bench_advance(bench, 2 * S);
    REQUIRE(asked_count >= 1);
    CHECK_EQUAL(asked[0].previous_attempts, 0);
    bench_free(bench);
}

/* A plug-in that was built with an older squall.h finds all where it was: the request has only
 * grown, at its end. */
TEST(transparent, the_request_has_grown_at_its_end)
{
    CHECK_EQUAL(offsetof(struct sq_request, reply_to), 0);
    CHECK_EQUAL(offsetof(struct sq_request, data), 16);
    CHECK_EQUAL(offsetof(struct sq_request, size), 24);
    CHECK_EQUAL(offsetof(struct sq_request, deadline), 32);
    CHECK_EQUAL(offsetof(struct sq_request, previous_attempts), 40);
}
