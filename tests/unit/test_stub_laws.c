/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Policies of clients as laws that many calls obey, measured on the stub's bench: Brooker, "Fixing
 * retries with token buckets and circuit breakers" (2022) and "Exponential Backoff and Jitter" (AWS
 * Architecture Blog 2015), with the simulator that belongs to it; Dean & Barroso, "The Tail at
 * Scale" (2013). Every number comes out of simulated calls; seeds are fixed, so they do not move.
 */
#include "sim/stub.h"

#include "tests/unit/harness.h"
#include "tests/unit/stub_bench.h"

#define S NS_PER_S

/* ------------------------------------------------------- a store that fails a share of requests */

struct measured {
    uint32_t calls;
    uint32_t sends;
    uint32_t successes;
};

static struct script failing(uint32_t percent)
{
    struct script script = SCRIPT(SAY(SQ_E_UNAVAILABLE));
    script.steps[0].chance = percent < 100 ? UINT32_C(42949672) * percent : 0;
    return script;
}

/* So many calls, one after the other, each `every_ns` after the one before. */
static struct measured call_often(struct bench *bench, const struct script *script, uint32_t calls,
                                  int64_t every_ns)
{
    bench->is_quiet = true;
    for (uint32_t i = 0; i < calls; i++) {
        const int64_t now = world_now(bench->world);
        bench_call(bench, script, now, (uint64_t)now);
        bench_advance(bench, now + every_ns);
    }
    bench_advance(bench, world_now(bench->world) + 100 * S);
    CHECK_EQUAL(bench->done_count, calls);
    return (struct measured){calls, bench->send_count, bench->ok_count};
}

static struct measured measure(struct spec_client policy, uint32_t percent, uint32_t calls)
{
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = failing(percent);
    struct measured measured = call_often(bench, &script, calls, 10 * MS);
    bench_free(bench);
    return measured;
}

/* Is part / whole within +-off of the expected share? All in thousandths. */
static void check_share(uint32_t part, uint32_t whole, int64_t expected, int64_t off)
{
    int64_t share = (int64_t)((uint64_t)part * 1000 / whole);
    if (share < expected - off || share > expected + off) {
        CHECK_EQUAL(share, expected);
    }
}

TEST(stub_laws, n_retries_multiply_load_by_the_sum_of_powers_of_the_share_that_fails)
{
    /* load = sum f^k for k = 0 .. N, success = 1 - f^(N + 1); f in percent, the rest in 1/1000 */
    static const struct {
        uint32_t percent;
        uint32_t retries;
        int64_t load;
        int64_t success;
    } rows[] = {{10, 0, 1000, 900}, {50, 0, 1000, 500}, {10, 3, 1111, 999}, {30, 3, 1417, 991},
                {50, 3, 1875, 937}, {70, 3, 2533, 759}, {90, 3, 3439, 343}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct measured measured = measure(
            policy_retry(SPEC_BACKOFF_NONE, 0, 0, rows[i].retries + 1), rows[i].percent, 10000);
        check_share(measured.sends, measured.calls, rows[i].load, rows[i].load / 50);
        check_share(measured.successes, measured.calls, rows[i].success, 15);
    }
}

static struct spec_client policy_tenth(uint32_t capacity)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 4);
    policy.budget = SPEC_BUDGET_TOKENS;
    policy.budget_capacity = capacity;
    policy.budget_retry_cost = 1;
    policy.budget_timeout_cost = 1;
    policy.budget_throttling_cost = 1;
    policy.budget_success_milli = 100;
    return policy;
}

TEST(stub_laws, a_bucket_of_a_tenth_bounds_the_load_by_eleven_tenths)
{
    /* Retries r per call are a tenth of the successes s, and s = (1 - f)(1 + r):
     * s = (1 - f) / (1 - (1 - f) / 10). */
    static const struct {
        uint32_t percent;
        int64_t load;
        int64_t success;
    } rows[] = {{30, 1075, 753}, {50, 1053, 526}, {70, 1031, 309}, {90, 1010, 101}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct measured measured = measure(policy_tenth(5), rows[i].percent, 10000);
        check_share(measured.sends, measured.calls, rows[i].load, 8);
        check_share(measured.successes, measured.calls, rows[i].success, 15);
    }
    /* Below a tenth it is as good as retries without a limit. */
    struct measured measured = measure(policy_tenth(5), 5, 10000);
    check_share(measured.sends, measured.calls, 1053, 8);
    CHECK(measured.successes > 9990);
}

TEST(stub_laws, full_buckets_at_the_start_are_seen_in_short_runs)
{
    /* A hundred clients with five tokens each and thirty calls: about 5 / 30 more sends than above.
     * Brooker's simulation gives 1.23 and 0.614 at f = 0.5, and 1.22 and 0.864 at 0.3; how long it
     * ran is not said, its numbers imply some thirty calls. */
    static const struct {
        uint32_t percent;
        int64_t load;
        int64_t success;
    } rows[] = {{50, 1230, 614}, {30, 1220, 864}};
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct measured sum = {0, 0, 0};
        struct script script = failing(rows[i].percent);
        for (uint32_t client = 0; client < 100; client++) {
            struct bench *bench = bench_new(1, policy_tenth(5), client);
            struct measured measured = call_often(bench, &script, 30, 100 * MS);
            sum.calls += measured.calls;
            sum.sends += measured.sends;
            sum.successes += measured.successes;
            bench_free(bench);
        }
        check_share(sum.sends, sum.calls, rows[i].load, 30);
        check_share(sum.successes, sum.calls, rows[i].success, 20);
    }
}

static struct spec_client policy_breaker(bool only_retries, uint32_t failure_share)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 4);
    policy.breaker = (struct spec_breaker){.is_enabled = true,
                                           .only_retries = only_retries,
                                           .window = 100,
                                           .calls_min = 20,
                                           .failure_share = failure_share,
                                           .slow_share = 1000000,
                                           .slow_ns = 60 * S,
                                           .open_ns = 10 * S,
                                           .trial_calls = 10,
                                           .failure_on = ~UINT64_C(1)};
    return policy;
}

TEST(stub_laws, a_breaker_of_retries_at_a_tenth_leaves_the_load_as_it_is)
{
    for (uint32_t percent = 20; percent <= 80; percent += 20) {
        struct measured measured = measure(policy_breaker(true, 100000), percent, 10000);
        check_share(measured.sends, measured.calls, 1010, 12);
        check_share(measured.successes, measured.calls, 1000 - 10 * (int64_t)percent, 20);
    }
    struct measured measured = measure(policy_breaker(true, 100000), 2, 10000);
    check_share(measured.sends, measured.calls, 1020, 8); /* it retries while little fails */
    CHECK(measured.successes > 9980);
}

TEST(stub_laws, a_breaker_of_everything_makes_a_partial_outage_a_whole_one)
{
    struct measured measured = measure(policy_breaker(false, 500000), 30, 10000);
    check_share(measured.successes, measured.calls, 991, 15); /* below its threshold: nothing */
    measured = measure(policy_breaker(false, 500000), 70, 10000);
    check_share(measured.sends, measured.calls, 15, 15);
    CHECK(measured.successes * 100 < measured.calls * 3); /* and not 76% */
}

TEST(stub_laws, grpc_throttling_stops_retries_of_a_store_that_is_down)
{
    struct spec_client policy = policy_retry(SPEC_BACKOFF_NONE, 0, 0, 5);
    policy.budget = SPEC_BUDGET_GRPC;
    policy.budget_tokens_max = 10;
    policy.budget_ratio_milli = 100;
    struct measured measured = measure(policy, 100, 1000);
    CHECK_EQUAL(measured.sends, 1004); /* the fifth failure leaves 5 of 10 tokens */
    measured = measure(policy, 5, 10000);
    CHECK(measured.successes > 9990); /* failures of less than a tenth are all retried */
    check_share(measured.sends, measured.calls, 1053, 10);
    measured = measure(policy, 50, 10000);
    check_share(measured.sends, measured.calls, 1000, 10);
}

TEST(stub_laws, envoy_s_retry_budget_bounds_the_load_by_five_quarters)
{
    /* Of what is out at most a fifth is retries; who backs off is a retry and is not out. */
    struct spec_client policy = policy_retry(SPEC_BACKOFF_FIXED, MS, MS, UINT32_MAX);
    policy.deadline_ns = 200 * MS;
    policy.budget = SPEC_BUDGET_CONCURRENCY;
    policy.budget_share = 200000;
    policy.budget_retries_min = 3;
    struct bench *bench = bench_new(1, policy, 1);
    struct script script = SCRIPT(LATE(SQ_E_UNAVAILABLE, 50 * MS));
    struct measured measured = call_often(bench, &script, 5000, MS);
    CHECK(measured.sends > measured.calls * 115 / 100);
    CHECK(measured.sends <= measured.calls * 125 / 100);
    bench_free(bench);
    policy.budget = SPEC_BUDGET_NONE;
    policy.limits.retries = 3; /* max_retries */
    bench = bench_new(1, policy, 1);
    measured = call_often(bench, &script, 5000, MS);
    check_share(measured.sends, measured.calls, 1059, 2); /* 3 in each 51 ms, beside 1000/s */
    bench_free(bench);
}

/* -------------------------------------------------------------------------------------- back-off
 */

TEST(stub_laws, back_off_reduces_no_work_of_many_clients_and_much_of_a_few_serial_ones)
{
    struct script script = SCRIPT(LATE(SQ_E_UNAVAILABLE, 10 * MS));
    uint32_t open[2];
    uint32_t serial[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_client policy = policy_retry(
            i == 0 ? SPEC_BACKOFF_NONE : SPEC_BACKOFF_EXPONENTIAL, 100 * MS, 20 * S, 4);
        struct bench *bench = bench_new(1, policy, 1);
        open[i] = call_often(bench, &script, 1000, MS).sends;
        bench_free(bench);
        /* One client that asks for the next thing when it has done with the last, for a minute. */
        bench = bench_new(1, policy, 1);
        bench->is_quiet = true;
        while (world_now(bench->world) < 60 * S) {
            uint32_t done = bench->done_count;
            bench_call(bench, &script, world_now(bench->world), 0);
            while (bench->done_count == done) {
                world_run(bench->world, INT64_MAX, world_event(bench->world) + 1);
            }
        }
        serial[i] = bench->send_count;
        bench_free(bench);
    }
    CHECK_EQUAL(open[0], 4000);
    CHECK_EQUAL(open[1], 4000);
    CHECK_EQUAL(serial[0], 6000);
    CHECK_EQUAL(serial[1], 328); /* 4 in 740 ms */
}

/* The row of the simulator of "Exponential Backoff and Jitter": a client reads its version, then
 * writes it; the write fails when somebody else wrote in between. Every message takes |N(10, 2)|
 * ms. A request to this model is one such read and write, and the messages between them. */
struct race {
    struct sq_reply_to to;
    uint64_t version;
    uint32_t hops;
};

struct row {
    uint64_t version;
};

/* Twelve uniforms make a normal. */
static int64_t hop_ns(struct sq_env *env)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < 12; i++) {
        sum += (int64_t)env->rand->below(env, 2 * MS);
    }
    int64_t delay = 10 * MS + sum - 12 * MS;
    return delay < 0 ? -delay : delay;
}

static enum sq_status row_boot(struct sq_env *env)
{
    struct row *row = env->mem->alloc(env, sizeof(*row));
    row->version = 0;
    env->state = row;
    return SQ_OK;
}

static void row_request(struct sq_env *env, const struct sq_request *request)
{
    struct race *race = env->mem->alloc(env, sizeof(*race));
    *race = (struct race){.to = request->reply_to};
    env->clock->start(env, hop_ns(env), (uint64_t)(uintptr_t)race);
}

/* Hop 1 is the read at the row, 2 its answer, 3 the write at the row, 4 its answer. */
static void row_timer(struct sq_env *env, uint64_t tag)
{
    struct race *race = (struct race *)(uintptr_t)tag;
    struct row *row = env->state;
    race->hops++;
    if (race->hops == 1) {
        race->version = row->version;
    } else if (race->hops == 3) {
        bool is_mine = race->version == row->version;
        row->version += is_mine ? 1 : 0;
        race->version = is_mine ? 1 : 0;
    } else if (race->hops == 4) {
        uint64_t nothing_more = 0;
        env->call->reply(env, race->to, race->version == 1 ? SQ_OK : SQ_E_CONFLICT, SQ_NODE_NONE,
                         &nothing_more, sizeof(nothing_more));
        env->mem->free(env, race);
        return;
    }
    env->clock->start(env, hop_ns(env), tag);
}

static const struct sq_model row_model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "row",
    .boot = row_boot,
    .request = row_request,
    .timer = row_timer,
};

static uint32_t writes_of(enum spec_backoff backoff, enum spec_jitter jitter, int64_t initial_ns)
{
    enum { TRIALS = 8, CLIENTS = 100 };
    struct script nothing_said = {.count = 1};
    uint32_t writes = 0;
    for (uint64_t seed = 0; seed < TRIALS; seed++) {
        struct spec_client policy = policy_retry(backoff, initial_ns, 2 * S, UINT32_MAX);
        policy.timeout_ns = INT64_MAX;
        policy.jitter = jitter;
        struct bench *bench = bench_new_with(&row_model, 1, policy, seed);
        bench->is_quiet = true;
        for (uint32_t i = 0; i < CLIENTS; i++) {
            bench_call(bench, &nothing_said, 0, 0);
        }
        bench_run(bench, 900 * S);
        CHECK_EQUAL(bench->ok_count, CLIENTS);
        writes += bench->send_count;
        bench_free(bench);
    }
    return writes / TRIALS;
}

TEST(stub_laws, jitter_saves_work_where_clients_contend)
{
    /* The simulator's first back-off is twice its base of 5 ms, but for the decorrelated one. Its
     * means of twenty runs with a hundred clients: 2420 writes without back-off, 1860 with
     * exponential, 1004 decorrelated, 814 equal, 794 full. */
    static const struct {
        enum spec_backoff backoff;
        enum spec_jitter jitter;
        int64_t initial_ns;
        int64_t writes;
    } rows[] = {
        {SPEC_BACKOFF_NONE, SPEC_JITTER_NONE, 0, 2420},
        {SPEC_BACKOFF_EXPONENTIAL, SPEC_JITTER_NONE, 10 * MS, 1860},
        {SPEC_BACKOFF_EXPONENTIAL, SPEC_JITTER_DECORRELATED, 5 * MS, 1004},
        {SPEC_BACKOFF_EXPONENTIAL, SPEC_JITTER_EQUAL, 10 * MS, 814},
        {SPEC_BACKOFF_EXPONENTIAL, SPEC_JITTER_FULL, 10 * MS, 794},
    };
    uint32_t before = UINT32_MAX;
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t writes = writes_of(rows[i].backoff, rows[i].jitter, rows[i].initial_ns);
        CHECK(writes < before);
        CHECK(writes > rows[i].writes * 93 / 100);
        CHECK(writes < rows[i].writes * 107 / 100);
        before = writes;
    }
}

/* --------------------------------------------------------------------------------------- hedging
 */

TEST(stub_laws, hedges_cut_the_tail_of_rare_slow_answers_for_little_load)
{
    /* 5% of the answers take 80 ms: without hedges they are the tail. */
    struct script script = SCRIPT(LATE(SQ_OK, 80 * MS));
    script.steps[0].chance = UINT32_C(42949672) * 5;
    uint32_t slow[2];
    uint32_t sends[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_client policy = policy_plain();
        policy.hedging = (struct spec_hedging){
            .is_enabled = i == 1, .attempts_max = 2, .delay_ns = 10 * MS, .non_fatal = 0};
        struct bench *bench = bench_new(2, policy, 1);
        bench->slow_ns = 10 * MS; /* a hedge's answer is there at once, after its delay */
        sends[i] = call_often(bench, &script, 10000, MS).sends;
        slow[i] = bench->slow_count;
        CHECK_EQUAL(bench->ok_count, 10000);
        bench_free(bench);
    }
    check_share(slow[0], 10000, 50, 6); /* p99 is 80 ms */
    check_share(slow[1], 10000, 2, 1);  /* 0.05^2: p99 is 10 ms, and p99.7 */
    CHECK_EQUAL(sends[0], 10000);
    check_share(sends[1], 10000, 1050, 6);
}

/* ------------------------------------------------------------------------------------- send rate
 */

/* Serves fifty requests a second, one second's worth at once, and refuses the rest. */
struct gate {
    int64_t busy_until_ns;
};

static enum sq_status gate_boot(struct sq_env *env)
{
    struct gate *gate = env->mem->alloc(env, sizeof(*gate));
    gate->busy_until_ns = 0;
    env->state = gate;
    return SQ_OK;
}

static void gate_request(struct sq_env *env, const struct sq_request *request)
{
    struct gate *gate = env->state;
    const int64_t now = env->clock->monotonic(env);
    const int64_t from = gate->busy_until_ns > now ? gate->busy_until_ns : now;
    bool is_served = from - now <= S;
    gate->busy_until_ns = is_served ? from + 20 * MS : gate->busy_until_ns;
    uint64_t nothing_more = 0;
    env->call->reply(env, request->reply_to, is_served ? SQ_OK : SQ_E_OVERLOADED, SQ_NODE_NONE,
                     &nothing_more, sizeof(nothing_more));
}

static const struct sq_model gate_model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(struct sq_model),
    .name = "gate",
    .boot = gate_boot,
    .request = gate_request,
};

TEST(stub_laws, the_adaptive_rate_finds_what_a_throttling_service_serves)
{
    /* 80 calls a second to a service of 50, for a hundred seconds; three attempts each. */
    uint32_t refused[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_client policy = policy_retry(SPEC_BACKOFF_EXPONENTIAL, S, 20 * S, 3);
        policy.jitter = SPEC_JITTER_FULL;
        policy.deadline_ns = 5 * S;
        policy.pacing = (struct spec_pacing){.is_enabled = i == 1,
                                             .beta_milli = 700,
                                             .scale_milli = 400,
                                             .smoothing_milli = 800,
                                             .rate_min_milli = 500};
        struct bench *bench = bench_new_with(&gate_model, 1, policy, 1);
        struct script nothing_said = {.count = 1};
        struct measured measured = call_often(bench, &nothing_said, 8000, 12500 * INT64_C(1000));
        refused[i] = measured.sends - measured.successes;
        CHECK(measured.successes > 4500); /* of 5000 and a little */
        CHECK(measured.successes < 5400);
        bench_free(bench);
    }
    CHECK(refused[0] > 5000);
    CHECK(refused[1] * 10 < refused[0]);
}
