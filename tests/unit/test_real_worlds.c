/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The real libraries in worlds that live side by side: their process-global state (libraft's heap,
 * SQLite's allocator and random generator) must not carry anything from one world into the other.
 */
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/planned.h"

static const char text[] =
    "squall: 1\n"
    "name: side-by-side\n"
    "time: {limit: 6s}\n"
    "system: {model: MODEL, nodes: 3}\n"
    "network: {default: {latency: 300us, jitter: 100us, distribution: exponential}}\n"
    "disk: {default: {fsync: {latency: 800us, p99: 4ms}}}\n"
    "load: {all: {executor: constant-arrival-rate, rate: 100/s, workload: {recordCount: 50}}}\n"
    "client: {deadline: 3s, timeout: 500ms, retry: {maxAttempts: 4, backoff: fixed, "
    "initialBackoff: 50ms}}\n"
    "faults:\n"
    "  - {name: power, kind: NodeChaos, action: power-loss, mode: one, at: 3s, duration: 1s}\n"
    "checks: [{always: {consistency: linearizable}}]\n";

static bool plan_open(struct planned *planned, const char *model)
{
    char yaml[sizeof(text) + 64];
    const char *place = strstr(text, "MODEL");
    snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(place - text), text, model, place + 5);
    return planned_open(planned, yaml, NULL, &planned_catalog);
}

static uint64_t digest_alone(const struct run_spec *spec, uint64_t seed)
{
    struct world *world = world_new();
    world_reset(world, spec, seed, NULL);
    world_run(world, INT64_MAX, UINT64_MAX);
    uint64_t digest = world_digest(world);
    world_free(world);
    return digest;
}

static void interleave(const char *left_model, const char *right_model)
{
    struct planned left_plan;
    struct planned right_plan;
    REQUIRE(plan_open(&left_plan, left_model));
    REQUIRE(plan_open(&right_plan, right_model));
    const struct run_spec *left_spec = &left_plan.plan.cells[0].spec;
    const struct run_spec *right_spec = &right_plan.plan.cells[0].spec;
    uint64_t left_alone = digest_alone(left_spec, 7);
    uint64_t right_alone = digest_alone(right_spec, 8);
    struct world *left = world_new();
    struct world *right = world_new();
    right->heap_slot = 1;
    world_reset(left, left_spec, 7, NULL);
    world_reset(right, right_spec, 8, NULL);
    for (uint64_t events = 0; events < 200000; events += 13) {
        world_run(left, INT64_MAX, events);
        world_run(right, INT64_MAX, events * 2);
    }
    world_run(left, INT64_MAX, UINT64_MAX);
    world_run(right, INT64_MAX, UINT64_MAX);
    CHECK(left->trace.count > 10000);
    CHECK_EQUAL(world_digest(left), left_alone);
    CHECK_EQUAL(world_digest(right), right_alone);
    world_free(left);
    world_free(right);
    planned_close(&left_plan);
    planned_close(&right_plan);
}

#ifdef HAVE_RAFT
TEST(real_worlds, two_replicated_sql_stores_interleaved_run_as_they_do_alone)
{
    interleave("raft-sqlite", "raft-sqlite");
}

TEST(real_worlds, libraft_beside_a_primary_with_backups)
{
    interleave("raft", "primary-backup");
}
#endif

TEST(real_worlds, two_sqlite_servers_interleaved_run_as_they_do_alone)
{
    interleave("sqlite-single", "sqlite-single");
}
