/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model `scatter`: what each shard gets, when the answer is there, and what failures make of it. */
#include "analysis/predict_laws.h"
#include "tests/unit/target_lab.h"

#define MS NS_PER_MS

static double mean_latency_s(const struct lab *lab)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        if (lab->operations[i].outcome == SQ_OUTCOME_OK) {
            sum += lab_sojourn_s(&lab->operations[i]);
            count++;
        }
    }
    return count > 0 ? sum / count : -1;
}

static uint32_t count_outcome(const struct lab *lab, enum sq_outcome outcome)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < lab->count; i++) {
        count += lab->operations[i].outcome == outcome ? 1 : 0;
    }
    return count;
}

TEST(scatter, a_read_of_all_multiplies_by_the_number_of_shards)
{
    static const char *const fronts[] = {"fanOut: all", "fanOut: one"};
    for (uint32_t i = 0; i < 2; i++) {
        struct lab lab;
        targets_reset();
        target_must_play(&lab, (struct target_run){.model = "scatter",
                                                   .front = fronts[i],
                                                   .nodes = 8,
                                                   .rate = "100/s",
                                                   .limit_s = 10});
        CHECK(lab.count >= 999);
        CHECK_EQUAL(targets.count, i == 0 ? 8 * lab.count : lab.count);
        for (uint32_t node = 0; node < 8; node++) {
            if (i == 0) {
                CHECK_EQUAL(targets.requests[node], lab.count);
            } else {
                CHECK(targets.requests[node] > 40);
                CHECK(targets.requests[node] < 250);
            }
        }
        CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_OK), lab.count);
        lab_free(&lab);
    }
}

TEST(scatter, an_update_goes_to_the_one_shard_that_reads_of_the_key_go_to)
{
    struct lab lab;
    targets_reset();
    target_must_play(&lab, (struct target_run){.model = "scatter",
                                               .front = "fanOut: one",
                                               .nodes = 8,
                                               .rate = "100/s",
                                               .limit_s = 5,
                                               .keys = "recordCount: 1, readProportion: 50%, "
                                                       "updateProportion: 50%"});
    uint32_t used = 0;
    for (uint32_t node = 0; node < 8; node++) {
        used += targets.requests[node] > 0 ? 1 : 0;
    }
    CHECK_EQUAL(used, 1);
    lab_free(&lab);
}

TEST(scatter, the_answer_is_there_with_the_slowest_of_the_quorum)
{
    static const struct {
        const char *front;
        double latency_s;
    } cases[] = {
        {"quorum: 0", 0.04}, {"quorum: 4", 0.04}, {"quorum: 3", 0.03}, {"quorum: 1", 0.01}};
    for (uint32_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct lab lab;
        targets_reset();
        for (uint32_t node = 0; node < 4; node++) {
            targets.delay[node] = (sq_time)(node + 1) * 10 * MS;
        }
        target_must_play(&lab, (struct target_run){.model = "scatter",
                                                   .front = cases[i].front,
                                                   .nodes = 4,
                                                   .rate = "20/s",
                                                   .limit_s = 5});
        CHECK_EQUAL(targets.count, 4 * lab.count);
        CHECK(fabs(mean_latency_s(&lab) - cases[i].latency_s) < 1e-3);
        lab_free(&lab);
    }
}

TEST(scatter, more_failures_than_the_quorum_bears_fail_the_read)
{
    for (uint32_t failing = 0; failing <= 4; failing++) {
        struct lab lab;
        targets_reset();
        for (uint32_t node = 0; node < failing; node++) {
            targets.status[node] = SQ_E_UNAVAILABLE;
        }
        target_must_play(&lab, (struct target_run){.model = "scatter",
                                                   .front = "quorum: 3",
                                                   .nodes = 4,
                                                   .rate = "20/s",
                                                   .limit_s = 2});
        CHECK_EQUAL(count_outcome(&lab, failing <= 1 ? SQ_OUTCOME_OK : SQ_OUTCOME_FAIL), lab.count);
        lab_free(&lab);
    }
}

static struct {
    uint64_t permille; /* the last; UINT64_MAX: none was shown */
    uint32_t count;
} harvest;

static void on_harvest(void *context, const struct sq_seen *seen)
{
    (void)context;
    if (seen->what == SQ_SEE_GAUGE && seen->text != NULL && strcmp(seen->text, "harvest") == 0) {
        harvest.permille = seen->a;
        harvest.count++;
    }
}

static void play_harvest(struct lab *lab, const char *front, uint32_t failing)
{
    static const struct sq_observer observer = {.on_seen = on_harvest};
    harvest.permille = UINT64_MAX;
    harvest.count = 0;
    targets_reset();
    for (uint32_t node = 0; node < failing; node++) {
        targets.status[node] = SQ_E_UNAVAILABLE;
        targets.delay[node] = (sq_time)node * 10 * MS;
    }
    if (!target_play(
            lab,
            (struct target_run){
                .model = "scatter", .front = front, .nodes = 8, .rate = "20/s", .limit_s = 1.999},
            &observer)) {
        CHECK(!"the scenario is right");
    }
}

/* Of eight shards; half of them must be in an answer. */
TEST(scatter, a_partial_answer_says_how_much_is_in_it)
{
    static const uint64_t permille[] = {1000, 875, 750, 625, 500};
    struct lab lab;
    for (uint32_t failing = 0; failing <= 5; failing++) {
        play_harvest(&lab, "harvestMin: 50%", failing);
        if (failing <= 4) {
            CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_OK), lab.count);
            CHECK_EQUAL(harvest.permille, permille[failing]);
            CHECK_EQUAL(harvest.count, lab.count);
            /* and it waits for the slowest, be it one that fails */
            CHECK(fabs(mean_latency_s(&lab) - (failing > 0 ? failing - 1 : 0) * 0.01) < 1e-3);
        } else {
            CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_FAIL), lab.count);
            CHECK_EQUAL(harvest.count, 0);
        }
        lab_free(&lab);
    }
}

TEST(scatter, partial_answers_can_be_refused)
{
    struct lab lab;
    play_harvest(&lab, "harvestMin: 100%", 1);
    CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_FAIL), lab.count);
    CHECK_EQUAL(harvest.count, 0);
    lab_free(&lab);
    play_harvest(&lab, "harvestMin: 100%", 0);
    CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_OK), lab.count);
    CHECK_EQUAL(harvest.permille, 1000);
    lab_free(&lab);
    play_harvest(&lab, "fanOut: all", 0); /* who does not ask is not shown any */
    CHECK_EQUAL(harvest.count, 0);
    lab_free(&lab);
}

TEST(scatter, is_told_in_mid_run_to_ask_one_shard_only)
{
    struct lab lab;
    targets_reset();
    target_must_play(&lab,
                     (struct target_run){.model = "scatter",
                                         .front = "fanOut: all",
                                         .nodes = 4,
                                         .rate = "100/s",
                                         .limit_s = 10,
                                         .faults = "  - {name: remedy, kind: AppChaos, action: "
                                                   "signal, signal: fan-out, value: 1, mode: all, "
                                                   "selector: {group: front}, at: 4995ms}\n"});
    CHECK_EQUAL(targets.count, 4 * 500 + (lab.count - 500));
    lab_free(&lab);
}

/* A read that its caller gave up counts until its last shard has answered. */
TEST(scatter, is_overloaded_beyond_its_limit)
{
    struct lab lab;
    targets_reset();
    targets.is_silent[1] = true;
    target_must_play(&lab, (struct target_run){.model = "scatter",
                                               .front = "maxInFlight: 5",
                                               .nodes = 2,
                                               .rate = "20/s",
                                               .limit_s = 5,
                                               .timeout_s = 0.1,
                                               .target_timeout_s = 60});
    CHECK_EQUAL(targets.requests[0], 5);
    CHECK_EQUAL(count_outcome(&lab, SQ_OUTCOME_FAIL), lab.count - 5);
    lab_free(&lab);
}

/* Eight shards of 100 queries a second each: law 5.8 with the fan-out. */
TEST(scatter, its_capacity_is_that_of_the_law)
{
    const double capacity = law_cache_hidden(8 * 100, 8);
    for (int above = 0; above <= 1; above++) {
        char host[256];
        char groups[1024];
        char load[256];
        snprintf(host, sizeof(host), LAB_HOST, 1);
        snprintf(groups, sizeof(groups),
                 "system:\n  %s\n  groups:\n"
                 "    - {name: front, model: scatter, nodes: 1, options: {target: shards}, client: "
                 "{target: shards, timeout: 10s, route: first}}\n"
                 "    - {name: shards, model: server, nodes: 8, options: {serviceTime: 10ms, "
                 "serviceLaw: deterministic, queueLimit: 200}}\n",
                 host);
        snprintf(load, sizeof(load),
                 "{executor: constant-arrival-rate, rate: %.1f/s, arrivals: uniform, target: "
                 "front, workload: {recordCount: 10, readProportion: 100%%, updateProportion: "
                 "0%%}}",
                 capacity * (above != 0 ? 1.03 : 0.98));
        struct lab lab;
        REQUIRE(
            lab_run(&lab,
                    (struct lab_options){
                        .groups = groups, .load = load, .limit_s = 60, .timeout_s = 1, .seed = 1},
                    NULL));
        const double late = lab_goodput(&lab, 45, 58);
        CHECK(above != 0 ? late < 0.05 : late == 1);
        lab_free(&lab);
    }
}
