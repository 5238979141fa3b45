/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Benchmarks of the whole product: real libraft and SQLite under scenarios of tests/bench/, with
 * digest, recorder, history, metrics and checkers on, as `squall run` does it. CPU time of this
 * process. */
#include "tests/bench/bench.h"

#include "sim/cli/runner.h"

#include <stdio.h>
#include <stdlib.h>

struct measured {
    double cpu_s;
    uint64_t events;
    uint64_t commits; /* updates acknowledged */
    uint64_t seeds;
};

static struct measured run_seeds(const char *path, uint64_t seeds)
{
    struct opened opened;
    struct plan_options options = {0};
    if (open_plan(&opened, path, &options) != EXIT_HELD) {
        exit(2);
    }
    struct runner runner;
    struct run_result result;
    struct measured measured = {.seeds = seeds};
    runner_init(&runner, NULL, 0);
    result_init(&result);
    runner_run(&runner, &opened.plan.cells[0], 1, &result); /* memory warm */
    int64_t started = bench_cpu_ns();
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        runner_run(&runner, &opened.plan.cells[0], seed, &result);
        measured.events += result.events;
        measured.commits += result.ok;
        if (result.verdict != VERDICT_PASS) {
            fprintf(stderr, "%s: seed %llu: %s\n", path, (unsigned long long)seed, result.reason);
        }
    }
    measured.cpu_s = (double)(bench_cpu_ns() - started) / 1e9;
    result_release(&result);
    runner_release(&runner);
    close_plan(&opened);
    return measured;
}

void bench_cluster(const struct bench *bench)
{
    struct measured measured = run_seeds("tests/bench/cluster.yaml", 2);
    bench_print(&(struct bench_row){.name = bench->name,
                                    .what = "event",
                                    .ns = measured.cpu_s * 1e9 / (double)measured.events});
    bench_print(&(struct bench_row){
        .name = "", .what = "commit", .ns = measured.cpu_s * 1e9 / (double)measured.commits});
}

void bench_raft_sqlite(const struct bench *bench)
{
    struct measured measured = run_seeds("tests/bench/raft-sqlite.yaml", 2);
    bench_print(&(struct bench_row){.name = bench->name,
                                    .what = "commit",
                                    .ns = measured.cpu_s * 1e9 / (double)measured.commits});
}

void bench_seeds(const struct bench *bench)
{
    struct measured measured = run_seeds("tests/bench/seed.yaml", 100);
    bench_print(&(struct bench_row){
        .name = bench->name, .what = "seed", .ns = measured.cpu_s * 1e9 / (double)measured.seeds});
    printf("%-22s %.0f seeds a CPU second, %.0f simulated seconds a CPU second\n", "",
           (double)measured.seeds / measured.cpu_s, 10 * (double)measured.seeds / measured.cpu_s);
}

/* ----------------------------------------------------------------------------------- a new seed */

static enum sq_status idle_boot(struct sq_env *env)
{
    (void)env;
    return SQ_OK;
}

static const struct sq_model idle = {.abi_version = SQ_ABI_VERSION,
                                     .size = sizeof(idle),
                                     .name = "idle",
                                     .version = "0",
                                     .boot = idle_boot};

struct new_seed {
    struct world *world;
    struct run_spec spec;
};

static void reset_worlds(void *context, uint64_t operations)
{
    struct new_seed *state = context;
    for (uint64_t seed = 0; seed < operations; seed++) {
        world_reset(state->world, &state->spec, seed, NULL);
        world_run(state->world, INT64_MAX, UINT64_MAX);
    }
}

void bench_new_seed(const struct bench *bench)
{
    static struct spec_group group = {.name = "n",
                                      .model = &idle,
                                      .count = 5,
                                      .nodes_per_host = 1,
                                      .host = {.cores = 1, .queue_limit = 100}};
    struct new_seed state = {
        .world = world_new(),
        .spec = {.name = "idle",
                 .limit_ns = 1000000,
                 .event_limit = UINT64_MAX,
                 .groups = &group,
                 .group_count = 1,
                 .node_count = 5,
                 .disk = {.sector_bytes = 512, .capacity_bytes = INT64_MAX}},
    };
    bench_print(&(struct bench_row){
        .name = bench->name, .what = "seed", .ns = bench_least(5, 2000, &state, reset_worlds)});
    world_free(state.world);
}
