/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `quorum`: its laws of delays against their closed forms, its rows against a plain array,
 * and the store in worlds that small scenarios describe, judged by gauges and checks. The PBS
 * figures are those of the scenarios pbs-*.yaml, here with fewer trials and wider margins. */
#include "analysis/judge.h"
#include "models/quorum/mixture.h"
#include "models/quorum/rows.h"
#include "sim/base/base.h"
#include "sim/base/rng.h"
#include "sim/world.h"
#include "tests/unit/harness.h"
#include "tests/unit/planned.h"

#include <math.h>
#include <stdlib.h>

/* ------------------------------------------------------------------------------ a node's tools */

static struct rng stream;

static uint64_t draw(struct sq_env *env)
{
    (void)env;
    return rng_u64(&stream);
}

static uint64_t draw_below(struct sq_env *env, uint64_t bound)
{
    (void)env;
    return rng_below(&stream, bound);
}

static void *take_memory(struct sq_env *env, size_t size)
{
    (void)env;
    void *memory = malloc(size);
    ASSERT(memory != NULL);
    return memory;
}

static void drop_memory(struct sq_env *env, void *pointer)
{
    (void)env;
    free(pointer);
}

static const struct sq_rand_ops rand_ops = {.u64 = draw, .below = draw_below};
static const struct sq_mem_ops mem_ops = {.alloc = take_memory, .free = drop_memory};

static struct sq_env tools(void)
{
    stream = rng_stream(1, "test", 0, "quorum");
    return (struct sq_env){.rand = &rand_ops, .mem = &mem_ops};
}

/* -------------------------------------------------------------------------------- laws of delays
 */

#define DRAWS 200000

static int compare_times(const void *left, const void *right)
{
    sq_time a = *(const sq_time *)left;
    sq_time b = *(const sq_time *)right;
    return a < b ? -1 : a > b;
}

TEST(quorum, mixtures_have_the_tails_of_their_parts)
{
    struct mixture mixture;
    struct sq_env env = tools();
    REQUIRE(mixture_parse(&mixture, "38% pareto 1.05ms 1.51 + 62% exponential 5.464481ms"));
    sq_time *values = malloc(DRAWS * sizeof(*values));
    REQUIRE(values != NULL);
    for (uint32_t i = 0; i < DRAWS; i++) {
        values[i] = mixture_sample(&env, &mixture);
    }
    qsort(values, DRAWS, sizeof(*values), compare_times);
    static const double at[] = {0.1, 0.5, 0.9, 0.99, 0.999};
    for (uint32_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        double x = (double)values[(uint32_t)(at[i] * DRAWS)] / 1e6;
        double above = 0.62 * exp(-0.183 * x) + 0.38 * (x > 1.05 ? pow(x / 1.05, -1.51) : 1);
        double error = sqrt(at[i] * (1 - at[i]) / DRAWS);
        CHECK(fabs(above - (1 - at[i])) < 4 * error);
    }
    free(values);
}

TEST(quorum, a_law_alone_needs_no_share_and_an_empty_text_is_no_delay)
{
    struct mixture mixture;
    struct sq_env env = tools();
    REQUIRE(mixture_parse(&mixture, ""));
    CHECK_EQUAL(mixture_sample(&env, &mixture), 0);
    REQUIRE(mixture_parse(&mixture, " constant 2.5us "));
    CHECK_EQUAL(mixture_sample(&env, &mixture), 2500);
    REQUIRE(mixture_parse(&mixture, "uniform 1ms 2ms"));
    for (uint32_t i = 0; i < 1000; i++) {
        sq_time value = mixture_sample(&env, &mixture);
        CHECK(value >= 1000000);
        CHECK(value <= 2000000);
    }
    REQUIRE(mixture_parse(&mixture, "0.000001% constant 1s + 99.999999% constant 1ns"));
    CHECK_EQUAL(mixture.parts[0].until, 1);
}

TEST(quorum, a_text_that_is_no_law_is_refused)
{
    static const char *const bad[] = {
        "pareto",
        "pareto 1ms",
        "pareto 0ms 2",
        "pareto 1ms 0.0001",
        "exponential 5",
        "exponential 5 parsecs",
        "uniform 2ms 1ms",
        "gamma 1ms 2",
        "50% constant 1ms",
        "50% constant 1ms + 49% constant 2ms",
        "60% constant 1ms + 60% constant 2ms",
        "50% constant 1ms + constant 2ms",
        "constant 1ms + 50% constant 2ms",
        "constant 1ms and more",
        "constant 99999999999999999999s",
        ("9% constant 1s + 9% constant 1s + 9% constant 1s + 9% constant 1s + 9% constant 1s + "
         "9% constant 1s + 9% constant 1s + 9% constant 1s + 28% constant 1s"),
    };
    struct mixture mixture;
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!mixture_parse(&mixture, bad[i]));
    }
}

/* ----------------------------------------------------------------------------------------- rows */

TEST(quorum, rows_keep_the_newest_version_and_forget_what_is_removed)
{
    enum { KEYS = 300 };
    struct sq_env env = tools();
    struct rows rows = {0};
    struct row expected[KEYS] = {0};
    uint32_t count = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t key = (uint32_t)rng_below(&stream, KEYS);
        struct row row = {.key = key,
                          .time = 1 + rng_below(&stream, 50),
                          .writer = rng_below(&stream, 3),
                          .value = i};
        bool is_there = expected[key].time != 0;
        if (rng_below(&stream, 3) > 0) {
            bool is_kept = !is_there || row_is_newer(&row, &expected[key]);
            CHECK_EQUAL(rows_put(&env, &rows, &row), is_kept);
            expected[key] = is_kept ? row : expected[key];
            count += !is_there;
        } else {
            bool is_removed = is_there && !row_is_newer(&expected[key], &row);
            CHECK_EQUAL(rows_remove(&rows, &row), is_removed);
            expected[key].time = is_removed ? 0 : expected[key].time;
            count -= is_removed;
        }
        CHECK_EQUAL(rows.count, count);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        struct row found = rows_find(&rows, key);
        CHECK_EQUAL(found.key, key);
        CHECK_EQUAL(found.time, expected[key].time);
        CHECK(found.time == 0 || found.value == expected[key].value);
    }
    free(rows.slots);
}

/* ------------------------------------------------------------------------------ small scenarios */

#define SSD "91.22% pareto 0.235ms 10 + 8.78% exponential 0.602410ms"
#define SYSTEM(nodes, more)                                                                        \
    "system:\n"                                                                                    \
    "  model: quorum\n"                                                                            \
    "  nodes: " #nodes "\n"                                                                        \
    "  host: {cpu: {perMessage: 0s, perOperation: 0s, perByte: 0ns, perTimer: 0s}}\n"              \
    "  options: {" more "}\n"
#define PAIRS                                                                                      \
    "load: {pairs: {executor: constant-vus, vus: 1, workload: {recordCount: 1, valueSize: 0B, "    \
    "order: update-then-read}}}\n"                                                                 \
    "client: {count: 1, deadline: 1h, timeout: 1h, route: random, retry: {maxAttempts: 1}}\n"
#define ZERO_LINKS "network: {default: {latency: 0s, bandwidth: unlimited, order: any}}\n"
#define WARS                                                                                       \
    "readRepair: none, hints: none, storage: memory, replicaTimeout: 1h, timeout: 1h, "            \
    "writeDelay: \"" SSD "\", ackDelay: \"" SSD "\", readDelay: \"" SSD "\", "                     \
    "responseDelay: \"" SSD "\""

struct lab {
    struct planned planned;
    struct world *world;
    struct judge *judge;
    struct run_result result;
};

static void lab_run(struct lab *lab, const char *body, uint64_t seed)
{
    char yaml[4096];
    int size = snprintf(yaml, sizeof(yaml), "squall: 1\nname: lab\n%s", body);
    REQUIRE(size > 0);
    REQUIRE((size_t)size < sizeof(yaml));
    REQUIRE(planned_open(&lab->planned, yaml, NULL, &planned_catalog));
    const struct run_spec *spec = &lab->planned.plan.cells[0].spec;
    lab->world = world_new();
    lab->judge = judge_new();
    result_init(&lab->result);
    judge_begin(lab->judge, spec, seed);
    world_reset(lab->world, spec, seed, judge_observer(lab->judge));
    world_run(lab->world, INT64_MAX, UINT64_MAX);
    struct judge_end end = {.digest = world_digest(lab->world),
                            .events = world_event(lab->world),
                            .sim_ns = world_now(lab->world)};
    judge_finish(lab->judge, &end, &lab->result);
}

static void lab_close(struct lab *lab)
{
    result_release(&lab->result);
    judge_free(lab->judge);
    world_free(lab->world);
    planned_close(&lab->planned);
}

/* The number of the run for this threshold; NaN: none. */
static double metric_of(const struct lab *lab, const char *name)
{
    for (uint32_t i = 0; i < lab->result.metrics.count; i++) {
        const struct result_metric *metric = vec_at(&lab->result.metrics, i);
        if (strcmp(metric->name, name) == 0) {
            return metric->value;
        }
    }
    return (double)NAN;
}

static bool was_hit(const struct lab *lab, const char *probe)
{
    for (uint32_t i = 0; i < lab->result.probes.count; i++) {
        const struct result_probe *row = vec_at(&lab->result.probes, i);
        if (strcmp(row->name, probe) == 0) {
            return row->hits > 0;
        }
    }
    return false;
}

/* Bailis et al., VLDB 2012, LNKD-SSD with N = 3, R = W = 1: 97.34 % of the reads that follow an
 * acknowledgement at once are fresh; the median operation takes 0.489 ms, 99.9 % at most 0.65. */
TEST(quorum, partial_quorums_are_as_stale_and_as_fast_as_pbs_says)
{
    struct lab lab;
    lab_run(&lab,
            "time: {warmup: 0s, limit: 16s}\n" SYSTEM(3, "readQuorum: 1, writeQuorum: 1, " WARS)
                ZERO_LINKS PAIRS "thresholds:\n"
                                 "  \"gauge{name:client.stale}\": [\"avg < 1\"]\n"
                                 "  \"gauge{name:quorum.read-latency-us}\": [\"med < 1\", "
                                 "\"p(99.9) < 1\"]\n",
            1);
    CHECK(lab.result.ok > 25000);
    CHECK(fabs(metric_of(&lab, "gauge{name:client.stale} avg") - 0.0266) < 0.01);
    CHECK(fabs(metric_of(&lab, "gauge{name:quorum.read-latency-us} med") - 489) < 20);
    CHECK(fabs(metric_of(&lab, "gauge{name:quorum.read-latency-us} p(99.9)") - 650) < 39);
    lab_close(&lab);
}

TEST(quorum, quorums_that_overlap_are_never_stale)
{
    struct lab lab;
    lab_run(&lab,
            "time: {warmup: 0s, limit: 10s}\n" SYSTEM(3, "readQuorum: 2, writeQuorum: 2, " WARS)
                ZERO_LINKS PAIRS "checks: [{always: {consistency: linearizable}}]\n"
                                 "thresholds: {\"gauge{name:client.stale}\": [\"max == 0\"]}\n",
            2);
    CHECK(metric_of(&lab, "gauge{name:client.stale} max") == 0);
    CHECK_EQUAL(lab.result.verdict, VERDICT_PASS);
    lab_close(&lab);
}

TEST(quorum, a_seed_gives_the_same_run_again_and_another_seed_another)
{
    static const char body[] =
        "time: {warmup: 0s, limit: 1s}\n" SYSTEM(3, "readQuorum: 1, " WARS) ZERO_LINKS PAIRS;
    struct lab lab;
    lab_run(&lab, body, 5);
    uint64_t first = lab.result.digest;
    lab_close(&lab);
    lab_run(&lab, body, 5);
    CHECK_EQUAL(lab.result.digest, first);
    lab_close(&lab);
    lab_run(&lab, body, 6);
    CHECK(lab.result.digest != first);
    lab_close(&lab);
}

/* --------------------------------------------------------------------- a replica that is missing
 */

#define MIXED                                                                                      \
    "load: {mixed: {rate: 100/s, duration: 8s, workload: {recordCount: 50, valueSize: 0B}}}\n"     \
    "client: {count: 20, deadline: 2s, timeout: 2s, route: random, retry: {maxAttempts: 1}}\n"
#define N3_IS_AWAY                                                                                 \
    "  - {name: away, kind: NodeChaos, action: kill, mode: one, selector: {node: n3}, at: 1s, "    \
    "duration: 5s}\n"
#define SHOWN                                                                                      \
    "thresholds:\n"                                                                                \
    "  \"gauge{name:quorum.hints}\": [\"max > 0\", \"last == 0\"]\n"                               \
    "  \"gauge{name:quorum.hints,from:5s}\": [\"max > 0\"]\n"                                      \
    "  \"counter{name:quorum.read-repairs}\": [\"count > 0\"]\n"                                   \
    "  \"gauge{name:client.stale}\": [\"avg < 1\"]\n"

TEST(quorum, hints_are_handed_over_when_the_replica_is_back)
{
    struct lab lab;
    lab_run(&lab,
            "time: {warmup: 0s, limit: 12s}\n" SYSTEM(3, "readRepair: none") MIXED
            "faults:\n" N3_IS_AWAY "checks: [{always: {invariant: no-lost-acked-write}}]\n" SHOWN,
            1);
    CHECK(metric_of(&lab, "gauge{name:quorum.hints} max") > 10);
    CHECK(metric_of(&lab, "gauge{name:quorum.hints} last") == 0);
    CHECK(metric_of(&lab, "counter{name:quorum.read-repairs} count") == 0);
    CHECK(was_hit(&lab, "quorum.handed-over"));
    CHECK_EQUAL(lab.result.verdict, VERDICT_PASS);
    lab_close(&lab);
}

/* The coordinators lose power while they keep hints for a third node. */
TEST(quorum, hints_on_disk_survive_a_power_loss_and_those_in_memory_do_not)
{
    static const char body[] = "time: {warmup: 0s, limit: 12s}\n" SYSTEM(
        3, "readRepair: none, storage: STORAGE") "load: {mixed: {rate: 100/s, duration: 4s, "
                                                 "workload: {recordCount: 50, valueSize: 0B, "
                                                 "readProportion: 0%, updateProportion: 100%}}}\n"
                                                 "client: {count: 20, deadline: 1s, timeout: 1s, "
                                                 "route: random, retry: {maxAttempts: 1}}\n"
                                                 "faults:\n" N3_IS_AWAY
                                                 "  - {name: n1, kind: NodeChaos, action: "
                                                 "power-loss, mode: one, selector: {node: n1}, at: "
                                                 "4500ms, duration: 200ms}\n"
                                                 "  - {name: n2, kind: NodeChaos, action: "
                                                 "power-loss, mode: one, selector: {node: n2}, at: "
                                                 "4500ms, duration: 200ms}\n" SHOWN;
    static const char *const storages[] = {"disk", "memory"};
    for (uint32_t i = 0; i < 2; i++) {
        char text[sizeof(body) + 16];
        const char *place = strstr(body, "STORAGE");
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - body), body, storages[i], place + 7);
        struct lab lab;
        lab_run(&lab, text, 3);
        double after = metric_of(&lab, "gauge{name:quorum.hints,from:5s} max");
        CHECK(i == 0 ? after > 10 : isnan(after));
        CHECK_EQUAL(was_hit(&lab, "quorum.handed-over"), i == 0);
        lab_close(&lab);
    }
}

TEST(quorum, read_repair_mends_a_replica_that_missed_writes)
{
    struct lab lab;
    lab_run(&lab,
            "time: {warmup: 0s, limit: 12s}\n" SYSTEM(3, "readRepair: async, hints: none") MIXED
            "faults:\n" N3_IS_AWAY "checks: [{always: {invariant: no-lost-acked-write}}]\n" SHOWN,
            1);
    CHECK(metric_of(&lab, "counter{name:quorum.read-repairs} count") > 10);
    CHECK(isnan(metric_of(&lab, "gauge{name:quorum.hints} max")));
    CHECK_EQUAL(lab.result.verdict, VERDICT_PASS);
    lab_close(&lab);
}

/* All three replicas of a key must have a write, and one is away for five of eight seconds; a fifth
 * of the clients ask just that one, and get nothing either way. */
TEST(quorum, a_sloppy_quorum_goes_on_where_a_strict_one_cannot)
{
    static const char *const hints[] = {"coordinator", "sloppy"};
    double ok[2];
    for (uint32_t i = 0; i < 2; i++) {
        char text[2048];
        snprintf(text, sizeof(text),
                 "time: {warmup: 0s, limit: 12s}\n" SYSTEM(
                     5, "writeQuorum: 3, readQuorum: 1, hints: %s") MIXED "faults:\n" N3_IS_AWAY,
                 hints[i]);
        struct lab lab;
        lab_run(&lab, text, 1);
        ok[i] = (double)lab.result.ok / (double)lab.result.offered;
        CHECK_EQUAL(was_hit(&lab, "quorum.sloppy"), i == 1);
        lab_close(&lab);
    }
    CHECK(ok[0] < 0.75);
    CHECK(ok[1] > 0.85);
}

TEST(quorum, blocking_repair_makes_overlapping_quorums_linearizable)
{
    struct lab lab;
    lab_run(&lab,
            "time: {warmup: 0s, limit: 6s}\n" SYSTEM(
                3, "readRepair: blocking, storage: memory, timeout: 1h, "
                   "replicaTimeout: 1h, writeDelay: exponential 5ms") ZERO_LINKS
            "load: {mixed: {executor: constant-vus, vus: 8, workload: {recordCount: 2, valueSize: "
            "0B}}}\n"
            "client: {count: 8, deadline: 1h, timeout: 1h, route: random, retry: {maxAttempts: "
            "1}}\n"
            "checks: [{always: {consistency: linearizable}}]\n",
            1);
    CHECK(was_hit(&lab, "quorum.blocking-repair"));
    CHECK_EQUAL(lab.result.verdict, VERDICT_PASS);
    lab_close(&lab);
}

TEST(quorum, options_that_make_no_sense_stop_the_node)
{
    static const char *const bad[] = {
        "replicas: 4",   "replicas: 0",    "writeQuorum: 4",
        "readQuorum: 0", "ackDelay: soon", "replicas: 2, readQuorum: 3",
    };
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char text[1024];
        snprintf(text, sizeof(text), "time: {warmup: 0s, limit: 3s}\n" SYSTEM(3, "%s") MIXED,
                 bad[i]);
        struct lab lab;
        lab_run(&lab, text, 1);
        CHECK_EQUAL(lab.result.ok, 0);
        lab_close(&lab);
    }
}
