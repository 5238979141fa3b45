/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Election times of the real libraft against closed forms: a light version of the scenarios
 * election-timeouts.yaml and election-after-crash.yaml, which say where the forms come from. */
#include "analysis/judge.h"
#include "sim/base/base.h"
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/planned.h"

#include <math.h>

#define T_US 200000.0

/* Five servers, no load; latency and faults as given. */
#define SCENARIO(limit, latency, faults)                                                           \
    "squall: 1\nname: election\n"                                                                  \
    "time: {warmup: 0s, limit: " limit "}\n"                                                       \
    "system:\n"                                                                                    \
    "  model: raft\n"                                                                              \
    "  nodes: 5\n"                                                                                 \
    "  options: {electionTimeout: 200ms, heartbeatTimeout: 100ms, tickInterval: 1ms}\n"            \
    "  host: {cpu: {perMessage: 0s, perOperation: 0s, perByte: 0ns, perTimer: 0s}}\n"              \
    "network: {default: {latency: " latency ", bandwidth: unlimited}}\n"                           \
    "disk: {default: {fsync: {latency: 0s}}}\n"                                                    \
    "faults: [" faults "]\n"                                                                       \
    "thresholds:\n"                                                                                \
    "  \"gauge{name:raft.election-time-us}\": [\"max < 1\"]\n"                                     \
    "  \"counter{name:raft.split-votes}\": [\"count < 1\"]\n"

struct elections_seen {
    double time_us; /* mean of the longest election of each run */
    double split;   /* mean of the split terms of a run */
};

static double metric_of(const struct run_result *result, const char *name)
{
    for (uint32_t i = 0; i < result->metrics.count; i++) {
        const struct result_metric *metric = vec_at(&result->metrics, i);
        if (strcmp(metric->name, name) == 0) {
            return metric->value;
        }
    }
    return (double)NAN;
}

static struct elections_seen run_seeds(const char *yaml, uint32_t seeds)
{
    struct elections_seen mean = {0};
    struct planned planned;
    bool is_fine = planned_open(&planned, yaml, NULL, &planned_catalog);
    ASSERT(is_fine);
    const struct run_spec *spec = &planned.plan.cells[0].spec;
    struct world *world = world_new();
    struct judge *judge = judge_new();
    struct run_result result;
    result_init(&result);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        judge_begin(judge, spec, seed);
        world_reset(world, spec, seed, judge_observer(judge));
        world_run(world, INT64_MAX, UINT64_MAX);
        struct judge_end end = {.sim_ns = world_now(world)};
        judge_finish(judge, &end, &result);
        mean.time_us += metric_of(&result, "gauge{name:raft.election-time-us} max") / seeds;
        mean.split += metric_of(&result, "counter{name:raft.split-votes} count") / seeds;
    }
    result_release(&result);
    judge_free(judge);
    world_free(world);
    planned_close(&planned);
    return mean;
}

/* Ongaro's dissertation, chapter 9, one of five absent, l = 0.05: E = (1 + 1/5 + l) / (1 - p) + l
 * with p = 0.0140. */
TEST(raft_election, the_first_one_takes_as_long_as_the_closed_form_says)
{
    struct elections_seen seen = run_seeds(
        SCENARIO("3s", "10ms",
                 "{name: absent, kind: NodeChaos, action: kill, mode: fixed, value: 1, at: 0s, "
                 "duration: forever}"),
        250);
    double expected = (1.25 / (1 - 0.0140) + 0.05) * T_US;
    CHECK(fabs(seen.time_us / expected - 1) < 0.03);
    CHECK(seen.split < 0.05);
}

/* After a crash every follower refuses to vote until its own timer has run out, so the first term
 * is lost and the first second timer wins: E[min of 4 sums of two timeouts] + 3 l - 1/4. */
TEST(raft_election, after_a_crash_the_first_term_is_always_lost)
{
    struct elections_seen seen =
        run_seeds(SCENARIO("4s", "2ms",
                           "{name: crash, kind: NodeChaos, action: kill, mode: one, selector: "
                           "{role: leader}, at: 2s, duration: forever}"),
                  150);
    double expected = (2.5758 + 0.03 - 0.25) * T_US;
    CHECK(fabs(seen.time_us / expected - 1) < 0.03);
    CHECK(seen.split >= 1);
    CHECK(seen.split < 1.05);
}
