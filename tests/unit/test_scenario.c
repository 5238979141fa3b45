/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scenarios: what a file becomes as a run spec, inheritance, presets, and the text of every error.
 *
 * tests/unit/data/NAME.yaml are wrong scenarios, NAME.expected what is printed about them. With
 * UNIT_UPDATE=1 in the environment the expected texts are written anew, to be reviewed like code.
 */
#include "sim/input/scenario.h"

#include "sim/base/units.h"
#include "tests/unit/harness.h"
#include "tests/unit/input_catalog.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#define DATA "tests/unit/data"

static struct arena arena;
static struct diag diag;
static struct scenario *scenario;
static struct run_spec spec;

static void release(void)
{
    scenario_free(scenario);
    diag_release(&diag);
    arena_release(&arena);
}

static bool compile_quietly(const char *text)
{
    arena_init(&arena);
    diag_init(&diag);
    spec = (struct run_spec){0};
    scenario = scenario_parse("t.yaml", text, strlen(text), &test_catalog, &diag);
    bool is_fine = scenario != NULL && scenario_compile(scenario, NULL, 0, &arena, &spec, &diag);
    CHECK((scenario == NULL) == (diag.count > 0));
    return is_fine;
}

/* Loads and compiles without settings; what is wrong is printed. */
static bool compile(const char *text)
{
    const bool is_fine = compile_quietly(text);
    if (!is_fine) {
        diag_print(&diag, stdout);
        release();
    }
    return is_fine;
}

/* A file with the head that every file needs. */
static bool compile_body(const char *body)
{
    char text[8192];
    snprintf(text, sizeof(text), "squall: 1\nname: t\n%s", body);
    return compile(text);
}

/* Is the text wrong, as it should be? To be released in either case. */
static bool is_refused(const char *body)
{
    char text[8192];
    snprintf(text, sizeof(text), "squall: 1\nname: t\n%s", body);
    return !compile_quietly(text);
}

/* Checks that the text is refused and that the first error contains `part`. */
static void check_refused(const char *body, const char *part)
{
    char text[8192];
    snprintf(text, sizeof(text), "squall: 1\nname: t\n%s", body);
    arena_init(&arena);
    diag_init(&diag);
    scenario = scenario_parse("t.yaml", text, strlen(text), &test_catalog, &diag);
    CHECK(scenario == NULL);
    if (diag.kept > 0 && strstr(diag.entries[0].text, part) == NULL) {
        CHECK_TEXT(diag.entries[0].text, part);
    }
    CHECK(diag.kept > 0);
    release();
}

/* ------------------------------------------------------------------------------- defaults */

TEST(scenario, the_shortest_file_has_defaults_for_everything)
{
    REQUIRE(compile_body("system: {model: raft}\n"));
    CHECK_TEXT(spec.name, "t");
    CHECK_TEXT(spec.file, "t.yaml");
    CHECK_EQUAL(spec.warmup_ns, 5 * NS_PER_S);
    CHECK_EQUAL(spec.limit_ns, 60 * NS_PER_S);
    CHECK_EQUAL(spec.window_ns, 100 * NS_PER_MS);
    CHECK_EQUAL(spec.event_limit, 50000000);
    CHECK_EQUAL(spec.group_count, 1);
    CHECK_TEXT(spec.groups[0].name, "main");
    CHECK(spec.groups[0].model == &catalog_raft);
    CHECK_EQUAL(spec.groups[0].count, 3);
    CHECK_EQUAL(spec.node_count, 3);
    CHECK_EQUAL(spec.groups[0].host.cores, 1);
    CHECK_EQUAL(spec.groups[0].host.per_byte_ps, 1000);
    CHECK_EQUAL(spec.groups[0].client_count, 0);
    CHECK_EQUAL(spec.link_default.latency_ns, 500000);
    CHECK_EQUAL(spec.link_default.jitter.kind, DIST_CONSTANT);
    CHECK_EQUAL(spec.link_default.bandwidth, INT64_C(1250000000));
    CHECK(spec.link_default.is_fifo);
    CHECK_EQUAL(spec.disk.sync.kind, DIST_LOGNORMAL);
    CHECK_EQUAL(spec.disk.sync.a, 800000);
    CHECK_EQUAL(spec.disk.sync.b, 6 * NS_PER_MS);
    CHECK_EQUAL(spec.disk.capacity_bytes, INT64_MAX);
    CHECK_EQUAL(spec.disk.sector_bytes, 512);
    CHECK_EQUAL(spec.load_count + spec.fault_count + spec.check_count + spec.zone_count, 0);
    CHECK_EQUAL(spec.expect, SPEC_EXPECT_PASS);
    CHECK_EQUAL(spec.availability.window_ns, NS_PER_S);
    CHECK_TEXT(scenario_seeds(scenario, NULL), "1..100");
    release();
}

TEST(scenario, options_are_typed_by_the_model)
{
    REQUIRE(compile_body("system: {model: raft, options: {electionTimeout: 2s, acks: all, "
                         "durable: false, note: hello, sampling: 25%, pageSize: 8KiB}}\n"));
    const struct sq_value *options = spec.groups[0].options;
    CHECK_EQUAL(options[0].number, 2 * NS_PER_S);
    CHECK_EQUAL(options[1].number, 1024);
    CHECK_EQUAL(options[2].number, 8192);
    CHECK_EQUAL(options[3].number, INT64_C(1) << 30);
    CHECK_EQUAL(options[4].number, 0);
    CHECK_EQUAL(options[5].number, 2);
    CHECK_TEXT(options[6].text, "hello");
    release();
}

TEST(scenario, groups_zones_and_hosts)
{
    REQUIRE(
        compile_body("system:\n"
                     "  host: {cores: 4, queue: {limit: 7}}\n"
                     "  groups:\n"
                     "    - {name: store, model: raft, nodes: 3, host: {queue: {onFull: reject}}}\n"
                     "    - {name: gate, model: echo, nodes: 2, nodesPerHost: 2,\n"
                     "       client: {target: store, timeout: 50ms}}\n"
                     "  zones: [{name: a}, {name: b, nodes: 1}, {name: c}]\n"
                     "client: {count: 9, retry: {preset: grpc}}\n"));
    CHECK_EQUAL(spec.node_count, 5);
    CHECK_EQUAL(spec.groups[0].host.cores, 4);
    CHECK_EQUAL(spec.groups[0].host.queue_limit, 7);
    CHECK_EQUAL(spec.groups[0].host.on_full, SPEC_FULL_REJECT);
    CHECK_EQUAL(spec.groups[1].host.queue_limit, 7);
    CHECK_EQUAL(spec.groups[1].host.on_full, SPEC_FULL_DROP);
    CHECK_EQUAL(spec.groups[1].first, 3);
    CHECK_EQUAL(spec.groups[1].nodes_per_host, 2);
    REQUIRE(spec.groups[1].client_count == 1);
    CHECK_EQUAL(spec.groups[1].clients[0].target_group, 0);
    CHECK_TEXT(spec.groups[1].clients[0].target, "store");
    CHECK_EQUAL(spec.groups[1].clients[0].timeout_ns, 50 * NS_PER_MS);
    CHECK_EQUAL(spec.groups[1].clients[0].attempts_max, 4);
    CHECK_EQUAL(spec.zone_count, 3);
    CHECK_EQUAL(spec.zones[0].count, 2);
    CHECK_EQUAL(spec.zones[1].first, 2);
    CHECK_EQUAL(spec.zones[1].count, 1);
    CHECK_EQUAL(spec.zones[2].first, 3);
    CHECK_EQUAL(spec.zones[2].count, 2);
    release();
}

TEST(scenario, a_policy_for_a_while_is_laid_over_each_client_of_a_group)
{
    REQUIRE(compile_body("system:\n"
                         "  groups:\n"
                         "    - name: gate\n"
                         "      model: echo\n"
                         "      nodes: 1\n"
                         "      clients: [{target: store, timeout: 70ms}, {target: cache}]\n"
                         "    - {name: cache, model: echo, nodes: 1}\n"
                         "    - {name: store, model: raft, nodes: 3}\n"
                         "client: {timeout: 90ms}\n"
                         "faults:\n"
                         "  - {name: f, kind: ClientChaos, client: {retry: {maxAttempts: 5}}, "
                         "groups: [gate], at: 1s, duration: 1s}\n"));
    const struct spec_client *policies = spec.faults[0].group_policies[0];
    CHECK_EQUAL(policies[0].target_group, 2);
    CHECK_EQUAL(policies[0].timeout_ns, 70 * NS_PER_MS);
    CHECK_EQUAL(policies[0].attempts_max, 5);
    CHECK_EQUAL(policies[1].target_group, 1);
    CHECK_EQUAL(policies[1].timeout_ns, 90 * NS_PER_MS);
    CHECK_EQUAL(policies[1].attempts_max, 5);
    release();
}

TEST(scenario, a_group_may_call_several_others_each_with_a_policy_of_its_own)
{
    REQUIRE(compile_body("system:\n"
                         "  groups:\n"
                         "    - name: gate\n"
                         "      model: echo\n"
                         "      nodes: 1\n"
                         "      clients:\n"
                         "        - {target: store, retry: {preset: grpc}}\n"
                         "        - {target: cache, timeout: 20ms}\n"
                         "    - {name: cache, model: echo, nodes: 1}\n"
                         "    - {name: store, model: raft, nodes: 3}\n"
                         "client: {timeout: 70ms}\n"));
    REQUIRE(spec.groups[0].client_count == 2);
    const struct spec_client *clients = spec.groups[0].clients;
    CHECK_TEXT(clients[0].target, "store");
    CHECK_EQUAL(clients[0].target_group, 2);
    CHECK_EQUAL(clients[0].timeout_ns, 70 * NS_PER_MS);
    CHECK_EQUAL(clients[0].attempts_max, 4);
    CHECK_EQUAL(clients[1].target_group, 1);
    CHECK_EQUAL(clients[1].timeout_ns, 20 * NS_PER_MS);
    CHECK_EQUAL(clients[1].attempts_max, 1);
    CHECK_EQUAL(spec.groups[1].client_count, 0);
    release();
}

/* ------------------------------------------------------------------------------- network */

TEST(scenario, jitter_becomes_a_law_on_top_of_the_latency)
{
    REQUIRE(
        compile_body("system: {model: raft, nodes: 4}\n"
                     "network:\n"
                     "  default: {latency: 10ms, jitter: 2ms}\n"
                     "  clients: {jitter: 20ms}\n"
                     "  links:\n"
                     "    - {between: [node=n1, node=n2], distribution: exponential}\n"
                     "    - {between: [node=n1, node=n3], distribution: lognormal}\n"
                     "    - {between: [node=n1, group=main], distribution: pareto, loss: 1%}\n"));
    CHECK_EQUAL(spec.link_default.latency_ns, 8 * NS_PER_MS);
    CHECK_EQUAL(spec.link_default.jitter.kind, DIST_UNIFORM);
    CHECK_EQUAL(spec.link_default.jitter.b, 4 * NS_PER_MS);
    CHECK_EQUAL(spec.link_clients.latency_ns, 0);
    CHECK_EQUAL(spec.link_clients.jitter.b, 30 * NS_PER_MS);
    REQUIRE(spec.link_rule_count == 3);
    CHECK_EQUAL(spec.link_rules[0].from, 1);
    CHECK_EQUAL(spec.link_rules[0].to, 2);
    CHECK_EQUAL(spec.link_rules[0].link.latency_ns, 10 * NS_PER_MS);
    CHECK_EQUAL(spec.link_rules[0].link.jitter.kind, DIST_EXPONENTIAL);
    CHECK_EQUAL(spec.link_rules[0].link.jitter.a, 2 * NS_PER_MS);
    CHECK_EQUAL(spec.link_rules[1].link.jitter.b, 8 * NS_PER_MS);
    CHECK_EQUAL(spec.link_rules[2].to, 15);
    CHECK_EQUAL(spec.link_rules[2].link.jitter.kind, DIST_PARETO);
    CHECK_EQUAL(spec.link_rules[2].link.jitter.a, NS_PER_MS);
    CHECK_EQUAL(spec.link_rules[2].link.jitter.b, 200 * NS_PER_MS);
    CHECK_EQUAL(spec.link_rules[2].link.jitter.c, 1500);
    CHECK_EQUAL(spec.link_rules[2].link.loss, UINT64_C(42949673));
    CHECK_EQUAL(spec.link_default.loss, 0);
    release();
}

TEST(scenario, loss_may_be_short_or_as_chaos_mesh_writes_it)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "network: {default: {loss: {loss: 50%}, duplicate: 25%, "
                         "bandwidth: unlimited}, queue: {limit: unlimited}}\n"));
    CHECK_EQUAL(spec.link_default.loss, UINT64_C(1) << 31);
    CHECK_EQUAL(spec.link_default.duplicate, UINT64_C(1) << 30);
    CHECK_EQUAL(spec.link_default.bandwidth, 0);
    CHECK_EQUAL(spec.link_default.queue_limit, 0);
    release();
}

TEST(scenario, laws_are_read_in_every_spelling)
{
    REQUIRE(compile_body(
        "system: {model: raft}\n"
        "disk: {default: {read: {min: 1ms, max: 2ms}, write: {mean: 1ms}, fsync: {mean: 1ms, "
        "p99: 5ms}, sector: 4KiB, iops: 100, capacity: 1GiB, directory: ordered}}\n"
        "load:\n"
        "  a: {executor: constant-vus, vus: 2, thinkTime: 5ms}\n"
        "  b: {executor: constant-vus, vus: 2, thinkTime: {latency: 5ms}}\n"
        "  c: {executor: constant-vus, vus: 2, thinkTime: {min: 1ms, shape: 2}}\n"
        "  d: {executor: constant-vus, vus: 2, thinkTime: {points: [{at: 0%, value: 1ms}, "
        "{at: 100%, value: 3ms}]}}\n"
        "  e: {executor: constant-vus, vus: 2, workload: {order: update-then-read}}\n"));
    CHECK_EQUAL(spec.disk.read.kind, DIST_UNIFORM);
    CHECK_EQUAL(spec.disk.write.kind, DIST_EXPONENTIAL);
    CHECK_EQUAL(spec.disk.sync.kind, DIST_LOGNORMAL);
    CHECK(spec.disk.sync.a < NS_PER_MS);
    CHECK_EQUAL(spec.disk.sync.b, 5 * NS_PER_MS);
    CHECK_EQUAL(spec.disk.sector_bytes, 4096);
    CHECK_EQUAL(spec.disk.iops, 100);
    CHECK_EQUAL(spec.disk.capacity_bytes, INT64_C(1) << 30);
    CHECK_EQUAL(spec.disk.directory, SPEC_DIRECTORY_ORDERED);
    CHECK_EQUAL(spec.loads[0].think.a, 5 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[1].think.a, 5 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[2].think.kind, DIST_PARETO);
    CHECK_EQUAL(spec.loads[2].think.c, 2000);
    CHECK_EQUAL(spec.loads[3].think.point_count, 2);
    CHECK_EQUAL(spec.loads[3].think.points[1].value, 3 * NS_PER_MS);
    CHECK(!spec.loads[3].is_paired);
    CHECK(spec.loads[4].is_paired);
    release();
}

/* ------------------------------------------------------------------------------- load, client */

TEST(scenario, rates_have_a_unit_or_a_time_unit)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "load:\n"
                         "  a: {rate: 200/s}\n"
                         "  b: {rate: 30, timeUnit: 1m, duration: 10s, startTime: 3s}\n"
                         "  c: {executor: ramping-arrival-rate, startRate: 0, stages: [{target: "
                         "2000/s, duration: 2s}, {target: 0, duration: 1s}]}\n"
                         "  d: {rate: 0.5/s, arrivals: uniform}\n"));
    CHECK_EQUAL(spec.loads[0].rate_per_1000s, 200000);
    CHECK_EQUAL(spec.loads[0].duration_ns, INT64_MAX);
    CHECK_EQUAL(spec.loads[1].rate_per_1000s, 500);
    CHECK_EQUAL(spec.loads[1].duration_ns, 10 * NS_PER_S);
    CHECK_EQUAL(spec.loads[1].start_ns, 3 * NS_PER_S);
    CHECK_EQUAL(spec.loads[2].executor, SPEC_RAMPING_ARRIVAL_RATE);
    CHECK_EQUAL(spec.loads[2].rate_per_1000s, 0);
    REQUIRE(spec.loads[2].stage_count == 2);
    CHECK_EQUAL(spec.loads[2].stages[0].target_per_1000s, 2000000);
    CHECK_EQUAL(spec.loads[2].duration_ns, 3 * NS_PER_S);
    CHECK_EQUAL(spec.loads[3].rate_per_1000s, 500);
    CHECK_EQUAL(spec.loads[3].arrivals, SPEC_ARRIVALS_UNIFORM);
    release();
}

TEST(scenario, proportions_complete_each_other)
{
    REQUIRE(compile_body(
        "system: {model: raft}\n"
        "load:\n"
        "  a: {rate: 1/s, workload: {readProportion: 95%}}\n"
        "  b: {rate: 1/s, workload: {updateProportion: 0.01%, requestDistribution: uniform}}\n"
        "  c: {rate: 1/s}\n"
        "  d: {rate: 1/s, workload: {readProportion: 99.9%, updateProportion: 0.1%}}\n"));
    CHECK_EQUAL(spec.loads[0].update_proportion, UINT64_C(214748365));
    CHECK_EQUAL(spec.loads[0].zipf_theta_milli, 990);
    CHECK_EQUAL(spec.loads[1].update_proportion, UINT64_C(429497));
    CHECK_EQUAL(spec.loads[1].zipf_theta_milli, 0);
    CHECK(strstr(spec.canonical, "readProportion: 99.99%") != NULL);
    CHECK_EQUAL(spec.loads[2].update_proportion, UINT64_C(1) << 31);
    release();
}

TEST(scenario, a_preset_gives_numbers_and_written_keys_override_it)
{
    REQUIRE(
        compile_body("system: {model: raft}\n"
                     "load: {a: {rate: 1/s}}\n"
                     "client: {deadline: none, retry: {preset: aws-standard, maxAttempts: 7}}\n"));
    const struct spec_client *client = &spec.loads[0].client;
    CHECK_EQUAL(client->deadline_ns, INT64_MAX);
    CHECK_EQUAL(client->attempts_max, 7);
    CHECK_EQUAL(client->backoff, SPEC_BACKOFF_EXPONENTIAL);
    CHECK_EQUAL(client->backoff_initial_ns, NS_PER_S);
    CHECK_EQUAL(client->backoff_max_ns, 20 * NS_PER_S);
    CHECK_EQUAL(client->backoff_multiplier_milli, 2000);
    CHECK_EQUAL(client->jitter, SPEC_JITTER_FULL);
    CHECK_EQUAL(client->budget, SPEC_BUDGET_TOKENS);
    CHECK_EQUAL(client->budget_capacity, 500);
    CHECK_EQUAL(client->budget_retry_cost, 5);
    CHECK_EQUAL(client->budget_timeout_cost, 10);
    CHECK_EQUAL(client->budget_success_milli, 1000);
    CHECK_EQUAL(client->redirects_max, 3);
    CHECK(client->retry_on >> SQ_E_TIMEOUT & 1);
    CHECK(client->retry_on >> SQ_E_OVERLOADED & 1);
    CHECK(!(client->retry_on >> SQ_OK & 1));
    CHECK(!(client->retry_on >> SQ_E_INVALID & 1));
    release();
}

TEST(scenario, retries_are_read_key_by_key)
{
    REQUIRE(
        compile_body("system: {model: raft}\n"
                     "load: {a: {rate: 1/s}}\n"
                     "client: {route: first, retry: {maxAttempts: unlimited, backoff: fixed, "
                     "initialBackoff: 5ms, maxBackoff: 5ms, jitter: proportional(50%), "
                     "retryOn: [EINVAL, timeout], redirects: 0, budget: {successCredit: 0.1}}}\n"));
    const struct spec_client *client = &spec.loads[0].client;
    CHECK_EQUAL(client->attempts_max, UINT32_MAX);
    CHECK_EQUAL(client->route, SPEC_ROUTE_FIRST);
    CHECK_EQUAL(client->backoff, SPEC_BACKOFF_FIXED);
    CHECK_EQUAL(client->jitter, SPEC_JITTER_PROPORTIONAL);
    CHECK_EQUAL(client->jitter_proportion, UINT64_C(1) << 31);
    CHECK_EQUAL(client->retry_on, UINT64_C(1) << SQ_E_INVALID | UINT64_C(1) << SQ_E_TIMEOUT);
    CHECK_EQUAL(client->redirects_max, 0);
    CHECK_EQUAL(client->budget, SPEC_BUDGET_TOKENS);
    CHECK_EQUAL(client->budget_success_milli, 100);
    release();
}

TEST(scenario, a_load_overrides_the_client_and_its_own_preset_begins_anew)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "client: {timeout: 100ms, retry: {preset: aws-standard, maxAttempts: 9}}\n"
                         "load:\n"
                         "  same: {rate: 1/s}\n"
                         "  more: {rate: 1/s, client: {count: 77, retry: {jitter: equal}}}\n"
                         "  other: {rate: 1/s, client: {retry: {preset: grpc}}}\n"));
    CHECK_EQUAL(spec.loads[0].client.attempts_max, 9);
    CHECK_EQUAL(spec.loads[1].client.attempts_max, 9);
    CHECK_EQUAL(spec.loads[1].client.count, 77);
    CHECK_EQUAL(spec.loads[1].client.timeout_ns, 100 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[1].client.jitter, SPEC_JITTER_EQUAL);
    CHECK_EQUAL(spec.loads[1].client.budget, SPEC_BUDGET_TOKENS);
    CHECK_EQUAL(spec.loads[2].client.attempts_max, 4);
    CHECK_EQUAL(spec.loads[2].client.budget, SPEC_BUDGET_NONE);
    CHECK_EQUAL(spec.loads[2].client.timeout_ns, 100 * NS_PER_MS);
    release();
}

TEST(scenario, presets_bring_hedging_breaker_limits_and_rate_limiter_along)
{
    REQUIRE(
        compile_body("system: {model: raft}\n"
                     "load:\n"
                     "  a: {rate: 1/s, client: {retry: {preset: grpc-hedging}}}\n"
                     "  b: {rate: 1/s, client: {retry: {preset: resilience4j}}}\n"
                     "  c: {rate: 1/s, client: {retry: {preset: envoy}, limits: {maxRetries: 9}}}\n"
                     "  d: {rate: 1/s, client: {retry: {preset: aws-adaptive}}}\n"
                     "  e: {rate: 1/s, client: {retry: {preset: aws-standard-2026}}}\n"
                     "  f: {rate: 1/s, client: {retry: {preset: envoy-retry-budget}}}\n"
                     "  g: {rate: 1/s}\n"));
    const struct spec_client *hedged = &spec.loads[0].client;
    CHECK(hedged->hedging.is_enabled);
    CHECK_EQUAL(hedged->hedging.attempts_max, 4);
    CHECK_EQUAL(hedged->hedging.delay_ns, 500 * NS_PER_MS);
    CHECK(hedged->hedging.non_fatal >> SQ_E_UNAVAILABLE & 1);
    CHECK(!(hedged->hedging.non_fatal >> SQ_E_CONFLICT & 1));
    CHECK_EQUAL(hedged->budget, SPEC_BUDGET_GRPC);
    CHECK_EQUAL(hedged->budget_tokens_max, 10);
    CHECK_EQUAL(hedged->budget_ratio_milli, 100);
    const struct spec_breaker *breaker = &spec.loads[1].client.breaker;
    CHECK(breaker->is_enabled);
    CHECK(!breaker->only_retries);
    CHECK(!breaker->is_time_based);
    CHECK_EQUAL(breaker->window, 100);
    CHECK_EQUAL(breaker->calls_min, 100);
    CHECK_EQUAL(breaker->failure_share, 500000);
    CHECK_EQUAL(breaker->slow_share, 1000000);
    CHECK_EQUAL(breaker->slow_ns, 60 * NS_PER_S);
    CHECK_EQUAL(breaker->open_ns, 60 * NS_PER_S);
    CHECK_EQUAL(breaker->trial_calls, 10);
    CHECK_EQUAL(spec.loads[1].client.attempts_max, 3);
    const struct spec_limits *limits = &spec.loads[2].client.limits;
    CHECK_EQUAL(limits->connections, 1024);
    CHECK_EQUAL(limits->pending, 1024);
    CHECK_EQUAL(limits->requests, 1024);
    CHECK_EQUAL(limits->retries, 9);
    const struct spec_client *adaptive = &spec.loads[3].client;
    CHECK(adaptive->pacing.is_enabled);
    CHECK_EQUAL(adaptive->pacing.beta_milli, 700);
    CHECK_EQUAL(adaptive->pacing.scale_milli, 400);
    CHECK_EQUAL(adaptive->pacing.smoothing_milli, 800);
    CHECK_EQUAL(adaptive->pacing.rate_min_milli, 500);
    CHECK(adaptive->budget_refunds);
    CHECK_EQUAL(adaptive->backoff_throttled_ns, 0);
    CHECK_EQUAL(spec.loads[4].client.backoff_initial_ns, 50 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[4].client.backoff_throttled_ns, NS_PER_S);
    CHECK_EQUAL(spec.loads[4].client.budget_retry_cost, 14);
    CHECK_EQUAL(spec.loads[4].client.budget_timeout_cost, 14);
    CHECK_EQUAL(spec.loads[4].client.budget_throttling_cost, 5);
    CHECK_EQUAL(spec.loads[5].client.budget, SPEC_BUDGET_CONCURRENCY);
    CHECK_EQUAL(spec.loads[5].client.budget_share, 200000);
    CHECK_EQUAL(spec.loads[5].client.budget_retries_min, 3);
    const struct spec_client *plain = &spec.loads[6].client;
    CHECK(!plain->hedging.is_enabled);
    CHECK(!plain->breaker.is_enabled);
    CHECK(!plain->pacing.is_enabled);
    CHECK_EQUAL(plain->limits.retries, 0);
    CHECK_EQUAL(plain->concurrency_max, 0);
    release();
}

TEST(scenario, presets_listen_to_servers_as_their_libraries_do)
{
    static const struct {
        const char *preset;
        enum spec_pushback pushback;
    } rows[] = {
        {"none", SPEC_PUSHBACK_IGNORE},
        {"naive", SPEC_PUSHBACK_IGNORE},
        {"grpc", SPEC_PUSHBACK_EXACT},
        {"grpc-throttling", SPEC_PUSHBACK_EXACT},
        {"grpc-hedging", SPEC_PUSHBACK_EXACT},
        {"aws-standard", SPEC_PUSHBACK_IGNORE},
        {"aws-standard-2026", SPEC_PUSHBACK_BOUNDED},
        {"aws-adaptive", SPEC_PUSHBACK_IGNORE},
        {"envoy", SPEC_PUSHBACK_IGNORE},
        {"envoy-retry-budget", SPEC_PUSHBACK_IGNORE},
        {"resilience4j", SPEC_PUSHBACK_IGNORE},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char body[256];
        snprintf(body, sizeof(body),
                 "system: {model: raft}\nload: {a: {rate: 1/s}}\nclient: {deadline: 9s, retry: "
                 "{preset: %s}}\n",
                 rows[i].preset);
        REQUIRE(compile_body(body));
        CHECK_EQUAL(spec.loads[0].client.pushback, rows[i].pushback);
        CHECK_EQUAL(spec.loads[0].client.pushback_max_ns, 5 * NS_PER_S);
        release();
    }
    REQUIRE(compile_body("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                         "client: {retry: {preset: grpc, pushback: bounded, pushbackMax: 7s}}\n"));
    CHECK_EQUAL(spec.loads[0].client.pushback, SPEC_PUSHBACK_BOUNDED);
    CHECK_EQUAL(spec.loads[0].client.pushback_max_ns, 7 * NS_PER_S);
    release();
}

TEST(scenario, pushback_is_refused_where_it_means_nothing)
{
    check_refused("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                  "client: {retry: {pushback: exactly}}\n",
                  "exact");
    check_refused("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                  "client: {retry: {pushback: bounded, pushbackMax: 2}}\n",
                  "pushbackMax");
    check_refused("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                  "client: {deadline: none, retry: {preset: grpc, maxAttempts: unlimited}}\n",
                  "unlimited attempts, as soon as the server says, need a deadline");
    REQUIRE(compile_body("system: {model: raft}\nload: {a: {rate: 1/s}}\nclient: {deadline: none, "
                         "retry: {preset: grpc, maxAttempts: unlimited, pushback: bounded}}\n"));
    release();
}

TEST(scenario, transparent_retries_are_grpcs)
{
    static const struct {
        const char *retry;
        bool is_transparent;
    } rows[] = {
        {"{preset: none}", false},
        {"{preset: naive}", false},
        {"{preset: grpc}", true},
        {"{preset: grpc-throttling}", true},
        {"{preset: grpc-hedging}", true},
        {"{preset: aws-standard}", false},
        {"{preset: aws-standard-2026}", false},
        {"{preset: aws-adaptive}", false},
        {"{preset: envoy}", false},
        {"{preset: envoy-retry-budget}", false},
        {"{preset: resilience4j}", false},
        {"{maxAttempts: 2}", false},
        {"{transparent: true}", true},
        {"{preset: grpc, transparent: false}", false},
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(rows); i++) {
        char body[256];
        snprintf(body, sizeof(body),
                 "system: {model: raft}\nload: {a: {rate: 1/s}}\nclient: {deadline: 9s, retry: "
                 "%s}\n",
                 rows[i].retry);
        REQUIRE(compile_body(body));
        CHECK_EQUAL(spec.loads[0].client.is_transparent, rows[i].is_transparent);
        release();
    }
    check_refused("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                  "client: {retry: {transparent: once}}\n",
                  "transparent");
}

TEST(scenario, who_names_a_preset_inherits_no_block_that_presets_write)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "client: {retry: {preset: grpc-hedging}, hedging: {hedgingDelay: 7ms}, "
                         "maxConcurrency: 5}\n"
                         "load:\n"
                         "  same: {rate: 1/s}\n"
                         "  more: {rate: 1/s, client: {hedging: {maxAttempts: 3}}}\n"
                         "  other: {rate: 1/s, client: {retry: {preset: grpc}}}\n"
                         "  again: {rate: 1/s, client: {retry: {preset: grpc-hedging}}}\n"));
    CHECK_EQUAL(spec.loads[0].client.hedging.delay_ns, 7 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[1].client.hedging.delay_ns, 7 * NS_PER_MS);
    CHECK_EQUAL(spec.loads[1].client.hedging.attempts_max, 3);
    CHECK(!spec.loads[2].client.hedging.is_enabled);
    CHECK_EQUAL(spec.loads[2].client.attempts_max, 4);
    CHECK_EQUAL(spec.loads[2].client.concurrency_max, 5); /* no preset says so */
    CHECK_EQUAL(spec.loads[3].client.hedging.delay_ns, 500 * NS_PER_MS);
    char *canonical = strdup(spec.canonical);
    release();
    REQUIRE(compile(canonical));
    CHECK_TEXT(spec.canonical, canonical);
    CHECK(!spec.loads[2].client.hedging.is_enabled);
    CHECK_EQUAL(spec.loads[1].client.hedging.delay_ns, 7 * NS_PER_MS);
    release();
    free(canonical);
}

TEST(scenario, client_policies_are_read_key_by_key)
{
    REQUIRE(compile_body(
        "system: {model: raft}\n"
        "load: {a: {rate: 1/s}}\n"
        "client:\n"
        "  circuitBreaker: {enabled: true, scope: retries, slidingWindowType: time, "
        "slidingWindowSize: 10, failureRateThreshold: 12.5%, slowCallRateThreshold: 80%, "
        "slowCallDurationThreshold: 2s, minimumNumberOfCalls: 20, waitDurationInOpenState: 5s, "
        "permittedNumberOfCallsInHalfOpenState: 3, failureOn: [timeout, overloaded]}\n"
        "  limits: {maxConnections: 1, maxPendingRequests: 2, maxRequests: 3, maxRetries: 4}\n"
        "  maxConcurrency: 100\n"
        "  queue: {limit: 50, timeout: 200ms}\n"
        "  rateLimiter: {type: adaptive, beta: 0.5, scaleConstant: 1, smoothing: 0.25, minRate: "
        "30/m}\n"
        "  retry: {preset: grpc, throttlingBackoff: 3s, maxBackoff: 10s, budget: {maxTokens: "
        "100}}\n"));
    const struct spec_client *client = &spec.loads[0].client;
    CHECK(client->breaker.only_retries);
    CHECK(client->breaker.is_time_based);
    CHECK_EQUAL(client->breaker.window, 10);
    CHECK_EQUAL(client->breaker.failure_share, 125000);
    CHECK_EQUAL(client->breaker.slow_share, 800000);
    CHECK_EQUAL(client->breaker.slow_ns, 2 * NS_PER_S);
    CHECK_EQUAL(client->breaker.calls_min, 20);
    CHECK_EQUAL(client->breaker.open_ns, 5 * NS_PER_S);
    CHECK_EQUAL(client->breaker.trial_calls, 3);
    CHECK_EQUAL(client->breaker.failure_on, UINT64_C(1) << SQ_E_TIMEOUT | UINT64_C(1)
                                                                              << SQ_E_OVERLOADED);
    CHECK_EQUAL(client->limits.connections, 1);
    CHECK_EQUAL(client->limits.pending, 2);
    CHECK_EQUAL(client->limits.requests, 3);
    CHECK_EQUAL(client->limits.retries, 4);
    CHECK_EQUAL(client->concurrency_max, 100);
    CHECK_EQUAL(client->queue_limit, 50);
    CHECK_EQUAL(client->queue_timeout_ns, 200 * NS_PER_MS);
    CHECK_EQUAL(client->pacing.beta_milli, 500);
    CHECK_EQUAL(client->pacing.scale_milli, 1000);
    CHECK_EQUAL(client->pacing.smoothing_milli, 250);
    CHECK_EQUAL(client->pacing.rate_min_milli, 500);
    CHECK_EQUAL(client->backoff_throttled_ns, 3 * NS_PER_S);
    CHECK_EQUAL(client->budget, SPEC_BUDGET_GRPC); /* the one that has the key */
    CHECK_EQUAL(client->budget_tokens_max, 100);
    release();
    REQUIRE(compile_body("system: {model: raft}\n"
                         "client: {maxConcurrency: 1, queue: {limit: unlimited}, retry: {budget: "
                         "{percent: 25%}}}\nload: {a: {rate: 1/s}}\n"));
    CHECK_EQUAL(spec.loads[0].client.queue_limit, UINT32_MAX);
    CHECK_EQUAL(spec.loads[0].client.queue_timeout_ns, 0);
    CHECK_EQUAL(spec.loads[0].client.budget, SPEC_BUDGET_CONCURRENCY);
    CHECK_EQUAL(spec.loads[0].client.budget_share, 250000);
    release();
}

TEST(scenario, a_load_may_target_a_group)
{
    REQUIRE(compile_body("system: {groups: [{name: a, model: echo, nodes: 1}, {name: b, model: "
                         "raft, nodes: 3}]}\n"
                         "load: {x: {rate: 1/s}, y: {rate: 1/s, target: b}}\n"));
    CHECK_EQUAL(spec.loads[0].client.target_group, 0);
    CHECK_TEXT(spec.loads[0].client.target, "a");
    CHECK_EQUAL(spec.loads[1].client.target_group, 1);
    CHECK_TEXT(spec.loads[1].client.target, "b");
    release();
}

/* ------------------------------------------------------------------------------- faults */

static bool compile_fault(const char *fault)
{
    char body[2048];
    snprintf(body, sizeof(body),
             "system: {model: raft, nodes: 5, zones: [{name: a, nodes: 2}, {name: b}]}\n"
             "faults: [{name: f, %s}]\n",
             fault);
    return compile_body(body) && spec.fault_count == 1;
}

TEST(scenario, a_fault_strikes_once_or_in_renewals_or_for_a_span)
{
    REQUIRE(compile_fault("kind: NodeChaos, action: pause, selector: {role: leader}, at: 30s, "
                          "duration: 4s"));
    CHECK_EQUAL(spec.faults[0].action, SPEC_ACTION_PAUSE);
    CHECK_EQUAL(spec.faults[0].mode, SPEC_MODE_ONE);
    CHECK(spec.faults[0].has_at);
    CHECK_EQUAL(spec.faults[0].at_ns, 30 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].duration.a, 4 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].selector.role, SQ_ROLE_LEADER);
    CHECK(spec.faults[0].selector.nodes == UINT64_MAX);
    CHECK_EQUAL(spec.faults[0].place.line, 4);
    release();
    REQUIRE(compile_fault("kind: NodeChaos, action: kill, mode: each, every: {mean: 20s}, "
                          "between: [10s, 50s], duration: {median: 1s, p99: 9s}"));
    CHECK(!spec.faults[0].has_at);
    CHECK_EQUAL(spec.faults[0].mode, SPEC_MODE_EACH);
    CHECK_EQUAL(spec.faults[0].every.kind, DIST_EXPONENTIAL);
    CHECK_EQUAL(spec.faults[0].from_ns, 10 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].until_ns, 50 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].duration.kind, DIST_LOGNORMAL);
    release();
    REQUIRE(compile_fault("kind: TimeChaos, mode: minority, timeOffset: -300ms, drift: -50ppm, "
                          "between: [30s, 50s]"));
    CHECK(spec.faults[0].has_at);
    CHECK_EQUAL(spec.faults[0].at_ns, 30 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].duration.a, 20 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].action, SPEC_ACTION_CLOCK);
    CHECK_EQUAL(spec.faults[0].clock_offset_ns, -300 * NS_PER_MS);
    CHECK_EQUAL(spec.faults[0].clock_drift_ppm, -50);
    release();
    REQUIRE(compile_fault("kind: NodeChaos, action: kill, at: 1s, duration: forever"));
    CHECK(spec.faults[0].has_no_end);
    release();
    REQUIRE(compile_fault("kind: NodeChaos, action: restart, every: 5s"));
    CHECK_EQUAL(spec.faults[0].until_ns, 60 * NS_PER_S);
    CHECK(!spec.faults[0].has_no_end);
    release();
}

TEST(scenario, a_signal_has_a_name_and_values_and_may_take_no_time)
{
    REQUIRE(
        compile_fault("kind: AppChaos, action: signal, signal: flush, value: 1000, mode: fixed, "
                      "count: 2, at: 30s"));
    CHECK_EQUAL(spec.faults[0].kind, SPEC_APP_CHAOS);
    CHECK_EQUAL(spec.faults[0].action, SPEC_ACTION_SIGNAL);
    CHECK_TEXT(spec.faults[0].signal, "flush");
    CHECK_EQUAL(spec.faults[0].signal_value, 1000);
    CHECK(!spec.faults[0].has_end_value);
    CHECK_EQUAL(spec.faults[0].mode_value, 2);
    CHECK_EQUAL(spec.faults[0].duration.a, 0);
    CHECK(!spec.faults[0].has_no_end);
    release();
    REQUIRE(compile_fault("kind: AppChaos, signal: slow, value: 1, endValue: 0, every: 9s, "
                          "duration: 2s"));
    CHECK(spec.faults[0].has_end_value);
    CHECK_EQUAL(spec.faults[0].signal_end_value, 0);
    CHECK_EQUAL(spec.faults[0].duration.a, 2 * NS_PER_S);
    release();
}

TEST(scenario, a_scale_names_loads_and_a_capacity_is_a_share)
{
    REQUIRE(compile_body("system: {model: raft}\nload: {a: {rate: 1/s}, b: {rate: 1/s}}\n"
                         "faults:\n"
                         "  - {name: f, kind: LoadChaos, action: scale, factor: 150%, loads: [b], "
                         "at: 1s, duration: 1s}\n"
                         "  - {name: g, kind: LoadChaos, factor: 0%, between: [1s, 9s]}\n"
                         "  - {name: h, kind: StressChaos, action: capacity, factor: 12.5%, mode: "
                         "all, at: 1s, duration: 1s}\n"));
    CHECK_EQUAL(spec.faults[0].action, SPEC_ACTION_SCALE);
    CHECK_EQUAL(spec.faults[0].factor, 1500000);
    CHECK(!spec.faults[0].loads[0]);
    CHECK(spec.faults[0].loads[1]);
    CHECK_EQUAL(spec.faults[1].factor, 0);
    CHECK(spec.faults[1].loads[0]);
    CHECK(spec.faults[1].loads[1]);
    CHECK_EQUAL(spec.faults[2].action, SPEC_ACTION_CAPACITY);
    CHECK_EQUAL(spec.faults[2].factor, 125000);
    release();
}

/* What is not written is each caller's own. */
TEST(scenario, a_policy_is_laid_over_that_of_each_caller)
{
    REQUIRE(compile_body(
        "system: {groups: [{name: web, model: echo, nodes: 1, client: {target: store, timeout: "
        "70ms}}, {name: store, model: raft, nodes: 3}]}\n"
        "client: {deadline: 9s, retry: {preset: grpc}}\n"
        "load: {a: {rate: 1/s, client: {timeout: 80ms}}, b: {rate: 1/s, target: store, client: "
        "{retry: {maxAttempts: 2}}}}\n"
        "faults:\n"
        "  - {name: f, kind: ClientChaos, client: {retry: {maxAttempts: 7, budget: {capacity: 3}}},"
        " loads: [a, b], groups: [web], at: 1s, duration: forever}\n"
        "  - {name: g, kind: ClientChaos, action: policy, client: {timeout: 90ms, retry: {preset: "
        "none}}, at: 1s, duration: 1s}\n"));
    const struct spec_fault *fault = &spec.faults[0];
    CHECK(fault->loads[0]);
    CHECK(fault->loads[1]);
    CHECK(fault->groups[0]);
    CHECK(!fault->groups[1]);
    CHECK_EQUAL(fault->load_policies[0].timeout_ns, 80 * NS_PER_MS);
    CHECK_EQUAL(fault->load_policies[0].deadline_ns, 9 * NS_PER_S);
    CHECK_EQUAL(fault->load_policies[0].attempts_max, 7);
    CHECK_EQUAL(fault->load_policies[0].backoff_initial_ns, 100 * NS_PER_MS);
    CHECK(fault->load_policies[0].budget != SPEC_BUDGET_NONE);
    CHECK_EQUAL(fault->load_policies[0].budget_capacity, 3);
    CHECK_EQUAL(fault->load_policies[0].target_group, 0);
    CHECK_EQUAL(fault->load_policies[1].timeout_ns, 500 * NS_PER_MS);
    CHECK_EQUAL(fault->load_policies[1].attempts_max, 7);
    CHECK_EQUAL(fault->load_policies[1].target_group, 1);
    CHECK_EQUAL(fault->group_policies[0][0].timeout_ns, 70 * NS_PER_MS);
    CHECK_EQUAL(fault->group_policies[0][0].attempts_max, 7);
    CHECK_EQUAL(fault->group_policies[0][0].target_group, 1);
    CHECK_EQUAL(spec.loads[0].client.budget, SPEC_BUDGET_NONE); /* nothing of it is there before */
    fault = &spec.faults[1];
    CHECK(fault->loads[0]);
    CHECK(fault->loads[1]);
    CHECK(!fault->groups[0]);
    CHECK_EQUAL(fault->load_policies[0].timeout_ns, 90 * NS_PER_MS);
    CHECK_EQUAL(fault->load_policies[0].deadline_ns, 9 * NS_PER_S);
    CHECK_EQUAL(fault->load_policies[0].attempts_max, 1); /* a preset begins anew */
    CHECK_EQUAL(fault->load_policies[1].attempts_max, 1);
    release();
}

TEST(scenario, rolling_goes_by_batches)
{
    REQUIRE(compile_fault("kind: NodeChaos, action: kill, mode: rolling, interval: 5s, batch: 25%, "
                          "duration: 2s, at: 3s"));
    CHECK_EQUAL(spec.faults[0].mode, SPEC_MODE_ROLLING);
    CHECK_EQUAL(spec.faults[0].interval_ns, 5 * NS_PER_S);
    CHECK_EQUAL(spec.faults[0].batch, 25);
    CHECK(spec.faults[0].is_batch_percent);
    release();
    REQUIRE(compile_fault("kind: AppChaos, signal: flush, mode: rolling, interval: 1s, every: 9s"));
    CHECK_EQUAL(spec.faults[0].batch, 1);
    CHECK(!spec.faults[0].is_batch_percent);
    release();
}

TEST(scenario, users_may_ramp)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "load: {a: {executor: ramping-vus, startVUs: 5, stages: [{target: 50, "
                         "duration: 2s}, {target: 0, duration: 3s}], thinkTime: 10ms}, b: "
                         "{executor: ramping-vus, stages: [{target: 2, duration: 1s}]}}\n"));
    CHECK_EQUAL(spec.loads[0].executor, SPEC_RAMPING_VUS);
    CHECK_EQUAL(spec.loads[0].vus, 5);
    CHECK_EQUAL(spec.loads[0].stage_count, 2);
    CHECK_EQUAL(spec.loads[0].stages[0].target_per_1000s, 50);
    CHECK_EQUAL(spec.loads[0].stages[1].target_per_1000s, 0);
    CHECK_EQUAL(spec.loads[0].duration_ns, 5 * NS_PER_S);
    CHECK_EQUAL(spec.loads[1].vus, 1);
    release();
}

TEST(scenario, network_faults_have_sides)
{
    REQUIRE(compile_fault("kind: NetworkChaos, action: partition, mode: all, selector: {zone: a}, "
                          "target: {node: [n3, n5]}, direction: to, clients: true, at: 1s, "
                          "duration: 1s"));
    CHECK_EQUAL(spec.faults[0].selector.nodes, 3);
    CHECK(spec.faults[0].has_target);
    CHECK_EQUAL(spec.faults[0].target.nodes, 20);
    CHECK_EQUAL(spec.faults[0].direction, SPEC_DIRECTION_TO);
    CHECK(spec.faults[0].targets_clients);
    release();
    REQUIRE(
        compile_fault("kind: NetworkChaos, action: loss, loss: {loss: 25%}, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].probability, UINT64_C(1) << 30);
    CHECK(!spec.faults[0].has_target);
    CHECK_EQUAL(spec.faults[0].direction, SPEC_DIRECTION_BOTH);
    release();
    REQUIRE(compile_fault("kind: NetworkChaos, action: bandwidth, bandwidth: {rate: 8mbit}, at: "
                          "1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].bandwidth, 1000000);
    release();
}

TEST(scenario, a_delay_is_one_law)
{
    REQUIRE(compile_fault("kind: NetworkChaos, action: delay, delay: 90ms, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].delay.kind, DIST_CONSTANT);
    CHECK_EQUAL(spec.faults[0].delay.a, 90 * NS_PER_MS);
    release();
    REQUIRE(compile_fault("kind: NetworkChaos, action: delay, delay: {latency: 90ms, jitter: "
                          "20ms}, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].delay.kind, DIST_UNIFORM);
    CHECK_EQUAL(spec.faults[0].delay.a, 70 * NS_PER_MS);
    CHECK_EQUAL(spec.faults[0].delay.b, 110 * NS_PER_MS);
    release();
    REQUIRE(compile_fault("kind: IOChaos, action: latency, delay: {latency: 90ms, jitter: 20ms, "
                          "distribution: exponential}, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].delay.kind, DIST_EMPIRICAL);
    CHECK(dist_check(&spec.faults[0].delay, NULL));
    int64_t median = dist_quantile(&spec.faults[0].delay, UINT64_C(1) << 31);
    CHECK(median > 103 * NS_PER_MS && median < 104 * NS_PER_MS); /* 90 + 20 ln 2 */
    int64_t mean = dist_mean(&spec.faults[0].delay);
    CHECK(mean > 109 * NS_PER_MS && mean < 111 * NS_PER_MS);
    release();
}

TEST(scenario, disk_faults_have_methods)
{
    REQUIRE(compile_fault("kind: IOChaos, action: fault, methods: [write, fsync], path: \"log*\", "
                          "errno: ENOSPC, percent: 50%, mode: random-max-percent, value: 20%, at: "
                          "1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].methods, SPEC_IO_WRITE | SPEC_IO_SYNC);
    CHECK_TEXT(spec.faults[0].path, "log*");
    CHECK_EQUAL(spec.faults[0].error, SQ_E_NOSPC);
    CHECK_EQUAL(spec.faults[0].probability, UINT64_C(1) << 31);
    CHECK_EQUAL(spec.faults[0].mode, SPEC_MODE_RANDOM_MAX_PERCENT);
    CHECK_EQUAL(spec.faults[0].mode_value, 20);
    release();
    REQUIRE(compile_fault("kind: IOChaos, action: lostFsync, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].methods, SPEC_IO_SYNC | SPEC_IO_DIRECTORY);
    CHECK_EQUAL(spec.faults[0].probability, RNG_ALWAYS);
    CHECK_TEXT(spec.faults[0].path, "*");
    release();
    REQUIRE(compile_fault("kind: IOChaos, action: bitRot, percent: 1%, at: 1s, duration: 1s"));
    CHECK_EQUAL(spec.faults[0].methods, SPEC_IO_READ);
    release();
    REQUIRE(compile_fault("kind: StressChaos, slowdown: 3x, at: 1s, duration: 1s, mode: fixed, "
                          "value: 2"));
    CHECK_EQUAL(spec.faults[0].slowdown_milli, 3000);
    CHECK_EQUAL(spec.faults[0].mode_value, 2);
    release();
}

TEST(scenario, swarm_holds_for_all_faults_but_those_that_say_otherwise)
{
    REQUIRE(compile_body("system: {model: raft}\n"
                         "swarm: true\n"
                         "faults:\n"
                         "  - {name: a, kind: NodeChaos, action: kill, at: 1s, duration: 1s}\n"
                         "  - {name: b, kind: NodeChaos, action: kill, at: 1s, duration: 1s, "
                         "swarm: false}\n"));
    CHECK(spec.is_swarm);
    CHECK(spec.faults[0].is_swarm);
    CHECK(!spec.faults[1].is_swarm);
    release();
}

/* ------------------------------------------------------------------------------- judging */

TEST(scenario, checks_expectations_and_thresholds)
{
    REQUIRE(compile_body(
        "system: {model: raft}\n"
        "checks:\n"
        "  - always: {consistency: linearizable}\n"
        "  - always: {invariant: raft.election-safety}\n"
        "  - sometimes: {probe: raft.leader-changed}\n"
        "  - eventually: {predicate: \"goodput >= 0.9 * baseline\", within: 7s}\n"
        "expect: {violated: recovers, library: libraft 0.15.0}\n"
        "knownDefects: [{check: raft.log-matching, library: x, reason: y}]\n"
        "availability: {window: 2s, up: \"success_rate >= 50% and p(99) <= 5ms\"}\n"
        "thresholds: {latency: [\"p(99) < 5ms\", \"med < 1ms\"], recovery: \"p(95) < 10s\",\n"
        "  \"gauge{name:a.b, node: n1,from:5s,until:10s}\": [\"max < 7.5\"], \"counter{name:c}\": "
        "\"count > 0\"}\n"));
    REQUIRE(spec.check_count == 4);
    CHECK_TEXT(spec.checks[0].name, "linearizable");
    CHECK_EQUAL(spec.checks[1].word, SPEC_ALWAYS);
    CHECK_EQUAL(spec.checks[1].place.line, 6);
    CHECK_EQUAL(spec.checks[2].word, SPEC_SOMETIMES);
    CHECK_TEXT(spec.checks[3].name, "recovers");
    CHECK_EQUAL(spec.checks[3].ratio_millionths, 900000);
    CHECK_EQUAL(spec.checks[3].within_ns, 7 * NS_PER_S);
    CHECK_EQUAL(spec.expect, SPEC_EXPECT_VIOLATED);
    REQUIRE(spec.expect_check_count == 1);
    CHECK_TEXT(spec.expect_checks[0], "recovers");
    CHECK_TEXT(spec.expect_library, "libraft 0.15.0");
    CHECK_EQUAL(spec.known_count, 1);
    CHECK_TEXT(spec.known[0].reason, "y");
    CHECK_EQUAL(spec.availability.window_ns, 2 * NS_PER_S);
    CHECK_EQUAL(spec.availability.success_min, UINT64_C(1) << 31);
    CHECK_EQUAL(spec.threshold_count, 5);
    CHECK_TEXT(spec.thresholds[2].metric, "recovery");
    CHECK_TEXT(spec.thresholds[2].expression, "p(95) < 10s");
    CHECK(spec.thresholds[2].gauge.name == NULL);
    CHECK_TEXT(spec.thresholds[3].metric, "gauge");
    CHECK_TEXT(spec.thresholds[3].gauge.name, "a.b");
    CHECK_TEXT(spec.thresholds[3].gauge.node, "n1");
    CHECK_EQUAL(spec.thresholds[3].gauge.from_ns, 5 * NS_PER_S);
    CHECK_EQUAL(spec.thresholds[3].gauge.until_ns, 10 * NS_PER_S);
    CHECK_TEXT(spec.thresholds[4].text, "counter{name:c}");
    CHECK_EQUAL(spec.thresholds[4].gauge.until_ns, INT64_MAX);
    release();
}

TEST(scenario, a_detector_is_a_load_or_a_gauge)
{
    static const char loads[] = "system: {model: raft}\n"
                                "load: {users: {executor: constant-arrival-rate, rate: 10/s},\n"
                                "  beat: {executor: constant-arrival-rate, rate: 1/s}}\n";
    char body[1024];
    snprintf(body, sizeof(body), "%savailability: {idle: 30s, detector: {load: beat}}\n", loads);
    REQUIRE(compile_body(body));
    CHECK(spec.availability.detector.is_asked);
    CHECK_EQUAL(spec.availability.detector.load, 1);
    CHECK_EQUAL(spec.availability.detector.failures, 3);
    CHECK_EQUAL(spec.availability.idle_ns, 30 * NS_PER_S);
    release();
    snprintf(body, sizeof(body), "%savailability: {detector: {gauge: lb.available, atLeast: 3}}\n",
             loads);
    REQUIRE(compile_body(body));
    CHECK_EQUAL(spec.availability.detector.load, UINT32_MAX);
    CHECK_TEXT(spec.availability.detector.gauge, "lb.available");
    CHECK_EQUAL(spec.availability.detector.gauge_min, 3);
    CHECK_EQUAL(spec.availability.idle_ns, 0);
    release();
    static const char *const bad[] = {"{}",
                                      "{load: beat, gauge: x, atLeast: 1}",
                                      "{load: heart}",
                                      "{gauge: x}",
                                      "{failures: 3}",
                                      "{load: beat, atLeast: 1}",
                                      "{gauge: x, atLeast: 1, failures: 2}",
                                      "{load: beat, failures: 0}"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        snprintf(body, sizeof(body), "%savailability: {detector: %s}\n", loads, bad[i]);
        CHECK(is_refused(body));
        release();
    }
    CHECK(is_refused("system: {model: raft}\n"
                     "load: {beat: {executor: constant-arrival-rate, rate: 1/s}}\n"
                     "availability: {detector: {load: beat}}\n"));
    release();
}

TEST(scenario, a_fleet_of_machines_that_fail)
{
    REQUIRE(compile_body(
        "system: {model: raft, nodes: 5}\n"
        "availability: {life: {mean: 99h}, repair: 1h, crews: 2, shocks: 25%, correlation: 50%,\n"
        "  groups: {count: 3, life: {mean: 10000h}, repair: {mean: 4h}}, maintenance: {every: "
        "720h, "
        "duration: 1h},\n"
        "  services: [{name: any, needed: any}, {name: w, failover: 10s}, {name: x, needed: 4}],\n"
        "  estimator: restart, precision: {halfWidth: 5%, confidence: 90%}}\n"));
    const struct spec_fleet *fleet = &spec.fleet;
    CHECK(fleet->is_asked);
    CHECK_EQUAL(fleet->machines, 5);
    CHECK_EQUAL(fleet->life.kind, DIST_EXPONENTIAL);
    CHECK_EQUAL(dist_mean(&fleet->life), 99 * 3600 * NS_PER_S);
    CHECK_EQUAL(dist_mean(&fleet->repair), 3600 * NS_PER_S);
    CHECK_EQUAL(fleet->crews, 2);
    CHECK_EQUAL(fleet->shock_share, UINT64_C(1) << 30);
    CHECK_EQUAL(fleet->correlation, UINT64_C(1) << 31);
    CHECK_EQUAL(fleet->groups[0].count, 3);
    CHECK_TEXT(fleet->groups[0].name, "rack");
    CHECK_EQUAL(dist_mean(&fleet->groups[0].repair), 4 * 3600 * NS_PER_S);
    CHECK_EQUAL(fleet->maintenance_ns, 3600 * NS_PER_S);
    REQUIRE(fleet->service_count == 3);
    CHECK_EQUAL(fleet->services[0].needed, 1);
    CHECK_EQUAL(fleet->services[1].needed, 3);
    CHECK_EQUAL(fleet->services[1].failover_ns, 10 * NS_PER_S);
    CHECK_EQUAL(fleet->services[2].needed, 4);
    CHECK_EQUAL(fleet->estimator, SPEC_ESTIMATOR_RESTART);
    CHECK_EQUAL(fleet->half_width_millionths, 50000);
    CHECK_EQUAL(fleet->confidence_millionths, 900000);
    CHECK(fleet->is_sequential);
    CHECK_EQUAL(fleet->runs_min, 10);
    release();
    REQUIRE(
        compile_body("system: {model: raft, nodes: 4}\navailability: {life: 9h, repair: 1h}\n"));
    REQUIRE(fleet->service_count == 1);
    CHECK_EQUAL(fleet->services[0].needed, 3);
    CHECK_EQUAL(fleet->half_width_millionths, 100000);
    CHECK_EQUAL(fleet->confidence_millionths, 950000);
    CHECK(!fleet->is_sequential);
    CHECK_EQUAL(fleet->crews, 0);
    release();
    REQUIRE(compile_body("system: {model: raft, nodes: 3}\navailability: {life: 9h, repair: 1h, "
                         "machines: 9, precision: {confidence: 90%, minRuns: 30}}\n"));
    CHECK_EQUAL(fleet->machines, 9); /* more than there are nodes: no code runs on them */
    CHECK_EQUAL(fleet->services[0].needed, 5);
    CHECK(fleet->is_sequential); /* whoever writes a precision means it */
    CHECK_EQUAL(fleet->runs_min, 30);
    release();
    REQUIRE(compile_body("system: {model: raft}\n"));
    CHECK(!fleet->is_asked);
    release();
}

TEST(scenario, groups_of_several_kinds_are_a_list)
{
    REQUIRE(compile_body("system: {model: raft, nodes: 6}\n"
                         "availability: {life: 99h, repair: 1h, shocks: 25%,\n"
                         "  groups: [{count: 3, life: {mean: 10000h}, repair: 4h, shocks: 50%},\n"
                         "    {name: power, count: 2, shocks: {share: 25%}},\n"
                         "    {name: zone, count: 1, life: 9h, repair: 1h}]}\n"));
    const struct spec_fleet_groups *groups = spec.fleet.groups;
    CHECK_TEXT(groups[0].name, "rack");
    CHECK_EQUAL(groups[0].count, 3);
    CHECK_EQUAL(groups[0].shock_share, UINT64_C(1) << 31);
    CHECK_TEXT(groups[1].name, "power");
    CHECK_EQUAL(groups[1].count, 2);
    CHECK_EQUAL(groups[1].shock_share, UINT64_C(1) << 30);
    CHECK_EQUAL(dist_mean(&groups[1].life), 0); /* they never fail by themselves */
    CHECK_TEXT(groups[2].name, "zone");
    CHECK_EQUAL(dist_mean(&groups[2].life), 9 * 3600 * NS_PER_S);
    CHECK_EQUAL(groups[2].shock_share, 0);
    CHECK_EQUAL(groups[3].count, 0);
    release();
    static const char *const bad[][2] = {
        {"groups: [{count: 2, life: 1h, repair: 1h}, {count: 3, life: 1h, repair: 1h}]", "twice"},
        {"groups: {count: 2}", "groups need a 'life'"},
        {"groups: [{name: a, count: 2, shocks: 1%}, {count: 2, repair: 1h, shocks: 1%}]",
         "groups need a 'life'"},
        {"groups: {count: 2, life: 1h, shocks: 1%}", "need a 'repair'"},
        {"groups: [{name: a, count: 2, shocks: 1%}, {count: 7, shocks: 1%}]", "more groups than"},
        {"groups: 3", "a mapping, or a list of them"},
        {"shocks: 60%, groups: {count: 2, shocks: 50%}", "add up to more than 100%"},
        {"groups: [{name: a, count: 6, shocks: 1%}, {name: b, count: 6, shocks: 1%}, {count: 5, "
         "shocks: 1%}]",
         "17 groups of all kinds"},
        {"groups: [{count: 1}, {count: 1}, {count: 1}, {count: 1}, {count: 1}]", "5 kinds"}};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char body[512];
        snprintf(body, sizeof(body),
                 "system: {model: raft, nodes: 6}\navailability: {life: 9h, repair: 1h, %s}\n",
                 bad[i][0]);
        check_refused(body, bad[i][1]);
    }
}

TEST(scenario, what_a_fleet_lacks_is_said)
{
    static const char *const bad[] = {
        "crews: 1",
        "life: 9h",
        "life: 9h, repair: 0s",
        "life: 0s, repair: 1h",
        "life: 9h, repair: 1h, services: [{name: a, needed: 9}]",
        "life: 9h, repair: 1h, services: [{name: a, needed: most}]",
        "life: 9h, repair: 1h, services: [{name: a}, {name: a}]",
        "life: 9h, repair: 1h, groups: {count: 9, life: 1h, repair: 1h}",
        "life: 9h, repair: 1h, precision: 0%",
        "life: 9h, repair: 1h, precision: {confidence: 9%}",
        "life: 9h, repair: 1h, machines: 65",
        "episodes: {count: 9}",
        "validate: {life: 1m, repair: 1s, duration: 1h}",
        "life: 9h, repair: 1h, episodes: {pilot: 1}",
        "life: 9h, repair: 1h, validate: {life: 1m, repair: 1s}",
        ("life: {mean: 9h, shape: 2, distribution: gamma}, repair: 1h, validate: {life: 1m, "
         "repair: 1s, duration: 1h}"),
        "life: 9h, repair: 1h, estimator: decompose",
        "life: 9h, repair: 1h, machines: 2, estimator: decompose",
        "life: 9h, repair: 1h, precision: {halfWidth: 5%, minRuns: 1}",
        "life: 9h, repair: 1h, maintenance: {every: 3h, duration: 61m}",
        "life: 9h, repair: 1h, machines: 4, estimator: decompose",
        "life: 9h, repair: 1h, machines: 65",
        "life: 9h, repair: 1h, services: [{needed: any}]",
        "life: 9h, repair: 1h, services: [{needed: any}, {needed: all}]",
        "life: 9h, repair: 1h, services: [{name: a, needed: [1]}]",
        "life: 9h, repair: 1h, services: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, "
        "{name: f}, {name: g}, {name: h}, {name: i}]"};
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char body[256];
        snprintf(body, sizeof(body), "system: {model: raft, nodes: 3}\navailability: {%s}\n",
                 bad[i]);
        CHECK(is_refused(body));
        release();
    }
}

TEST(scenario, a_placement_is_asked_what_is_lost_at_once)
{
    REQUIRE(compile_body("system: {model: raft}\navailability: {placement: {policy: copysets, "
                         "nodes: 5000, lost: 1%, name: mine}}\n"
                         "thresholds: {\"loss{service:mine,machines:5000}\": [\"value < 1%\"]}\n"));
    const struct spec_placement *placement = &spec.fleet.placement;
    CHECK(spec.fleet.is_asked && placement->is_asked);
    CHECK_EQUAL(spec.fleet.machines, 5000);
    CHECK_EQUAL(placement->policy, SPEC_PLACEMENT_COPYSETS);
    CHECK_EQUAL(placement->lost, 50);
    CHECK_EQUAL(placement->replicas, 3);
    CHECK_EQUAL(placement->scatter, 10);
    CHECK_EQUAL(spec.fleet.estimator, SPEC_ESTIMATOR_CRUDE);
    CHECK_TEXT(spec.fleet.services[0].name, "mine");
    release();
    REQUIRE(compile_body("system: {model: raft}\n"
                         "availability: {placement: {policy: random, nodes: 100, lost: 3%}}\n"));
    CHECK_EQUAL(placement->lost, 3);
    CHECK_TEXT(spec.fleet.services[0].name, "random");
    release();
    static const char *const bad[] = {
        "placement: {nodes: 100}",
        "placement: {policy: shuffle}",
        "placement: {policy: window, nodes: 2, scatter: 1, lost: 100%}",
        "placement: {policy: window, nodes: 100}",
        "placement: {policy: window, nodes: 100, lost: 2.4%}",
        "placement: {policy: window, scatter: 1}",
        "placement: {policy: window, nodes: 10, lost: 50%, scatter: 10}",
        "placement: {policy: window}, crews: 1",
        "placement: {policy: window}, estimator: restart",
        "placement: {policy: window}, life: 9h, repair: 1h",
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(bad); i++) {
        char body[256];
        snprintf(body, sizeof(body), "system: {model: raft}\navailability: {%s}\n", bad[i]);
        CHECK(is_refused(body));
        release();
    }
}

TEST(scenario, thresholds_of_a_fleet_name_its_services)
{
    static const char fleet[] = "system: {model: raft, nodes: 3}\n"
                                "availability: {life: 9h, repair: 1h, services: [{name: a}]}\n";
    char body[512];
    snprintf(body, sizeof(body),
             "%sthresholds: {\"downtime{service:a,machines:3}\": [\"value < 1h @ 95%%\"]}\n",
             fleet);
    REQUIRE(compile_body(body));
    REQUIRE(spec.threshold_count == 1);
    CHECK_TEXT(spec.thresholds[0].estimate.service, "a");
    CHECK_EQUAL(spec.thresholds[0].estimate.machines, 3);
    release();
    snprintf(body, sizeof(body), "%sthresholds: {\"downtime{service:b}\": [\"value < 1h\"]}\n",
             fleet);
    CHECK(is_refused(body));
    release();
    CHECK(is_refused("system: {model: raft}\nthresholds: {\"downtime{service:a}\": [\"value < "
                     "1h\"]}\n"));
    release();
}

TEST(scenario, episodes_around_the_transitions_of_a_fleet)
{
    REQUIRE(compile_body("system: {model: raft, nodes: 3}\n"
                         "load: {all: {executor: constant-arrival-rate, rate: 5/s}}\n"
                         "availability: {life: {mean: 99h}, repair: 1h, estimator: decompose,\n"
                         "  episodes: {settle: 3s, phase: 2s, window: 9s, pilot: 5, count: 50},\n"
                         "  validate: {life: 5m, repair: 30s, duration: 2h}}\n"));
    const struct spec_episodes *episodes = &spec.fleet.episodes;
    CHECK_EQUAL(spec.fleet.estimator, SPEC_ESTIMATOR_DECOMPOSE);
    CHECK_EQUAL(episodes->settle_ns, 3 * NS_PER_S);
    CHECK_EQUAL(episodes->phase_ns, 2 * NS_PER_S);
    CHECK_EQUAL(episodes->window_ns, 9 * NS_PER_S);
    CHECK_EQUAL(episodes->pilot, 5);
    CHECK_EQUAL(episodes->count, 50);
    CHECK_EQUAL(episodes->validate_life_ns, 300 * NS_PER_S);
    CHECK_EQUAL(episodes->validate_repair_ns, 30 * NS_PER_S);
    CHECK_EQUAL(episodes->validate_ns, 7200 * NS_PER_S);
    release();
    REQUIRE(compile_body("system: {model: raft, nodes: 3}\n"
                         "load: {all: {executor: constant-arrival-rate, rate: 5/s}}\n"
                         "availability: {life: {mean: 99h}, repair: 1h, estimator: decompose}\n"));
    CHECK_EQUAL(episodes->settle_ns, 10 * NS_PER_S);
    CHECK_EQUAL(episodes->window_ns, 20 * NS_PER_S);
    CHECK_EQUAL(episodes->count, 40);
    CHECK_EQUAL(episodes->validate_ns, 0);
    CHECK(spec.injected == NULL);
    release();
}

TEST(scenario, a_model_may_have_invariants_of_its_own)
{
    REQUIRE(compile_body("system: {model: raft}\nexpect: {violated: [my-own.invariant]}\n"));
    CHECK_TEXT(spec.expect_checks[0], "my-own.invariant");
    release();
}

TEST(scenario, labels_and_seeds_can_be_asked_for)
{
    REQUIRE(compile_body("system: {model: raft}\nlabels: {tier: pr, class: x}\nseeds: {count: 5, "
                         "first: 7}\n"));
    CHECK_TEXT(scenario_label(scenario, "tier"), "pr");
    CHECK(scenario_label(scenario, "none") == NULL);
    const char *key = NULL;
    const char *value = NULL;
    CHECK(scenario_label_at(scenario, 1, &key, &value));
    CHECK_TEXT(key, "class");
    CHECK_TEXT(value, "x");
    CHECK(!scenario_label_at(scenario, 2, &key, &value));
    CHECK_TEXT(scenario_seeds(scenario, NULL), "5@7");
    CHECK_TEXT(scenario_name(scenario), "t");
    CHECK_TEXT(scenario_description(scenario), "");
    release();
}

/* ------------------------------------------------------------------------------- canonical */

static const char whole_file[] =
    "squall: 1\nname: whole\ndescription: \"a: b\\nc\"\nlabels: {talk: x}\n"
    "system: {model: raft, zones: [{name: a}, {name: b}], options: {note: '# x'}}\n"
    "network: {default: {latency: 1000us, loss: {loss: 1%}}, links: [{between: [zone=a, zone=b], "
    "jitter: 5us}]}\n"
    "load: {steady: {rate: 5, timeUnit: 1s, client: {retry: {maxAttempts: 2}}}, b: {executor: "
    "constant-vus, vus: 3, thinkTime: {mean: 1s}, client: {retry: {preset: grpc}}}}\n"
    "client: {retry: {preset: envoy, budget: {capacity: 10}}}\n"
    "faults: [{name: f, kind: NodeChaos, action: kill, every: 0.5s, duration: 1500ms, selector: "
    "{node: n1}}]\n"
    "checks: [{always: {consistency: linearizable}}]\nexpect: {violated: linearizable}\n"
    "thresholds: {latency: \"p(99) < 5ms\"}\n";

TEST(scenario, the_canonical_text_loads_to_itself)
{
    REQUIRE(compile(whole_file));
    char *first = strdup(spec.canonical);
    release();
    REQUIRE(compile(first));
    CHECK_TEXT(spec.canonical, first);
    CHECK_EQUAL(spec.loads[0].client.attempts_max, 2);
    CHECK_EQUAL(spec.loads[0].client.budget_capacity, 10);
    CHECK_EQUAL(spec.loads[1].client.attempts_max, 4);
    CHECK_EQUAL(spec.loads[1].client.budget, SPEC_BUDGET_NONE);
    CHECK_TEXT(spec.groups[0].options[6].text, "# x");
    CHECK_TEXT(spec.description, "a: b\nc");
    CHECK_EQUAL(spec.link_rules[0].link.loss, spec.link_default.loss);
    release();
    free(first);
}

TEST(scenario, spelling_does_not_change_the_canonical_text)
{
    REQUIRE(compile_body("system: {nodes: 0x5, model: raft}\ntime: {limit: 1m, warmup: 1000ms}\n"));
    char *first = strdup(spec.canonical);
    release();
    REQUIRE(compile_body("time:\n  warmup: 1s\n  limit: 60s # a comment\nsystem:\n  model: 'raft'\n"
                         "  nodes: 5\n"));
    CHECK_TEXT(spec.canonical, first);
    release();
    free(first);
}

/* ------------------------------------------------------------------------------- extends, sets */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    REQUIRE(file != NULL);
    fputs(text, file);
    fclose(file);
}

TEST(scenario, a_scenario_extends_another)
{
    char folder[] = "/tmp/squall-unit-XXXXXX";
    REQUIRE(mkdtemp(folder) != NULL);
    char base[64];
    char over[64];
    snprintf(base, sizeof(base), "%s/base.yaml", folder);
    snprintf(over, sizeof(over), "%s/over.yaml", folder);
    write_file(base, "squall: 1\nname: base\nsystem: {model: raft, nodes: 5}\n"
                     "client: {count: 3, retry: {preset: grpc, maxAttempts: 9}}\n"
                     "load: {a: {rate: 1/s}}\n");
    write_file(over, "extends: base.yaml\nname: over\nsystem: {nodes: 7}\n"
                     "client: {retry: {preset: envoy}}\nload: {b: {rate: 2/s}}\n");
    arena_init(&arena);
    diag_init(&diag);
    scenario = scenario_load(over, &test_catalog, &diag);
    diag_print(&diag, stdout);
    CHECK(scenario != NULL);
    if (scenario != NULL && scenario_compile(scenario, NULL, 0, &arena, &spec, &diag)) {
        CHECK_TEXT(spec.name, "over");
        CHECK_TEXT(spec.file, over);
        CHECK_EQUAL(spec.node_count, 7);
        CHECK_EQUAL(spec.load_count, 2);
        CHECK_EQUAL(spec.loads[0].client.count, 3);
        CHECK_EQUAL(spec.loads[0].client.attempts_max, 2);
        CHECK(strstr(spec.canonical, "extends") == NULL);
    }
    release();
    /* An error in the base is reported there. */
    write_file(base, "squall: 1\nname: base\nsystem: {model: raft, nods: 5}\n");
    arena_init(&arena);
    diag_init(&diag);
    scenario = scenario_load(over, &test_catalog, &diag);
    CHECK(scenario == NULL);
    REQUIRE(diag.kept >= 1);
    CHECK_TEXT(diag.entries[0].place.file, base);
    CHECK_EQUAL(diag.entries[0].place.line, 3);
    release();
    remove(base);
    remove(over);
    remove(folder);
}

static bool compile_with(const char *body, const char *const *sets, uint32_t count)
{
    if (!compile_body(body)) {
        return false;
    }
    struct scenario_setting settings[8];
    for (uint32_t index = 0; index < count; index++) {
        if (!scenario_setting_parse(sets[index], &arena, &settings[index], &diag)) {
            return false;
        }
    }
    return scenario_compile(scenario, settings, count, &arena, &spec, &diag);
}

TEST(scenario, settings_override_the_file)
{
    static const char *const sets[] = {"system.nodes=5", "client.retry.preset=none",
                                       "client.retry.retryOn=[timeout, crash]", "faults.f.at=7s",
                                       "network.default.loss=1%"};
    REQUIRE(compile_with("system: {model: raft}\nload: {a: {rate: 1/s}}\n"
                         "client: {retry: {preset: grpc, maxAttempts: 8}}\n"
                         "faults: [{name: f, kind: NodeChaos, action: kill, at: 1s, duration: "
                         "1s}]\n",
                         sets, ARRAY_COUNT(sets)));
    CHECK_EQUAL(spec.node_count, 5);
    CHECK_EQUAL(spec.loads[0].client.attempts_max, 1);
    CHECK_EQUAL(spec.loads[0].client.retry_on, UINT64_C(1) << SQ_E_CRASH | UINT64_C(1)
                                                                               << SQ_E_TIMEOUT);
    CHECK_EQUAL(spec.faults[0].at_ns, 7 * NS_PER_S);
    CHECK_EQUAL(spec.link_clients.loss, UINT64_C(42949673));
    CHECK(strstr(spec.canonical, "nodes: 5") != NULL);
    release();
}

TEST(scenario, a_setting_of_null_takes_the_key_away)
{
    static const char *const sets[] = {"client.retry.maxAttempts=null",
                                       "faults.f=null",
                                       "load.b=null",
                                       "load.a.rate=null",
                                       "load.a.rate=3/s",
                                       "metastability=null"};
    REQUIRE(compile_with(
        "system: {model: raft}\nload: {a: {rate: 1/s}, b: {rate: 2/s}}\n"
        "client: {retry: {preset: grpc, maxAttempts: 8}}\n"
        "faults: [{name: e, kind: NodeChaos, action: kill, at: 1s, duration: 1s}, {name: f, "
        "kind: NodeChaos, action: kill, at: 1s, duration: 1s}]\n"
        "metastability: {trigger: f}\n",
        sets, ARRAY_COUNT(sets)));
    CHECK(spec.loads[0].client.attempts_max != 8);
    REQUIRE(spec.fault_count == 1);
    CHECK_TEXT(spec.faults[0].name, "e");
    REQUIRE(spec.load_count == 1);
    CHECK_EQUAL(spec.loads[0].rate_per_1000s, 3000);
    CHECK(!spec.metastability.is_asked);
    release();
}

TEST(scenario, a_wrong_setting_points_into_its_text)
{
    static const struct {
        const char *set;
        uint32_t column;
        const char *part;
    } rows[] = {
        {"system.nodes=banana", 14, "banana"},  {"system.nods=5", 1, "did you mean 'nodes'?"},
        {"system.nodes", 1, "PATH=VALUE"},      {"=5", 1, "PATH=VALUE"},
        {"system.nodes=", 14, "has no value"},  {"system.nodes=[1}", 16, "not YAML"},
        {"seeds=5", 1, "cannot be set"},        {"extends=x.yaml", 1, "cannot be set"},
        {"system.nodes=~", 14, "has no value"}, {"system.nods=null", 1, "did you mean"},
        {"load.a=null", 1, "unknown key 'a'"},
    };
    for (uint32_t index = 0; index < ARRAY_COUNT(rows); index++) {
        CHECK(!compile_with("system: {model: raft}\n", &rows[index].set, 1));
        REQUIRE(diag.kept >= 1);
        CHECK_EQUAL(diag.entries[0].place.line, 1);
        CHECK_EQUAL(diag.entries[0].place.column, rows[index].column);
        if (strstr(diag.entries[0].text, rows[index].part) == NULL) {
            CHECK_TEXT(diag.entries[0].text, rows[index].part);
        }
        release();
    }
}

/* ------------------------------------------------------------------------------- errors */

TEST(scenario, single_errors_say_what_to_do)
{
    check_refused("system: {}\n", "'model' is missing");
    check_refused("system: {model: raft}\ntime: {warmup: 60s}\n", "not shorter than the run");
    check_refused("system: {model: raft}\nclient: {target: main}\n", "'target' belongs");
    check_refused("system: {groups: []}\n", "at least one group");
    check_refused("system: {model: raft, nodes: 3}\nfaults: [{name: cut, kind: NetworkChaos, "
                  "action: partition, mode: all, at: 1s, duration: 1s}]\n",
                  "cuts nobody off");
    check_refused("system: {model: raft, nodes: 2, zones: [{name: a}, {name: b}, {name: c}]}\n",
                  "at least 3 nodes");
    check_refused("system: {model: raft}\nexpect: {violated: []}\n", "which check");
    check_refused("system: {model: raft}\nexpect: {violated: [raft.log-matching]}\n",
                  "'raft.log-matching' is not among this scenario's checks");
    check_refused("system: {model: raft}\nexpect: {violated: [recovers]}\n",
                  "'recovers' is not among this scenario's checks");
    check_refused("system: {model: raft}\nexpect: {verdict: pass, violated: [x]}\n",
                  "cannot pass and violate");
    check_refused("system: {model: raft}\nseeds: 1,1\n", "seed 1 is named twice");
    check_refused("system: {model: raft}\nsweep: {system.nodes: 5}\n", "must be a list");
}

/* What is printed about a file. */
static char *print_errors(const char *path)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    diag_init(&diag);
    scenario = scenario_load(path, &test_catalog, &diag);
    CHECK(scenario == NULL);
    diag_print(&diag, out);
    scenario_free(scenario);
    diag_release(&diag);
    fclose(out);
    return text;
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 16);
    if (file != NULL && text != NULL) {
        size_t got = fread(text, 1, (1 << 16) - 1, file);
        text[got] = '\0';
        fclose(file);
    }
    return text;
}

TEST(scenario, wrong_files_print_the_expected_errors)
{
    DIR *folder = opendir(DATA);
    REQUIRE(folder != NULL);
    uint32_t count = 0;
    for (struct dirent *entry = NULL; (entry = readdir(folder)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0) {
            continue;
        }
        char path[512];
        char golden[512];
        snprintf(path, sizeof(path), DATA "/%s", entry->d_name);
        snprintf(golden, sizeof(golden), DATA "/%.*s.expected", (int)(length - 5), entry->d_name);
        char *printed = print_errors(path);
        if (getenv("UNIT_UPDATE") != NULL) {
            write_file(golden, printed);
        }
        char *expected = read_file(golden);
        CHECK_TEXT(printed, expected);
        CHECK(printed[0] != '\0');
        free(expected);
        free(printed);
        count++;
    }
    closedir(folder);
    CHECK(count >= 20);
}
