/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Runner: one world and one judge, run after run. What every command that runs a seed goes
 * through. */
#ifndef SQUALL_CLI_RUNNER_H
#define SQUALL_CLI_RUNNER_H

#include "analysis/judge.h"
#include "sim/cli/cli.h"
#include "sim/world.h"

/* Digest of a run that the processor limit has cut: where it was cut is no function of the seed,
 * so there is nothing to compare. */
#define RUNNER_NO_DIGEST UINT64_C(0)

struct runner {
    struct world *world;
    struct judge *judge;
    const char *const *sets; /* --set of the command line, for the replay line */
    uint32_t set_count;
    const struct cell *cell; /* of the run in progress, for failing assertions */
    uint64_t seed;
    const char *episode; /* of the seed `episode_of`, in progress: "leader-lost:5-4#2"; or NULL */
    uint64_t episode_of;
};

void runner_init(struct runner *runner, const char *const *sets, uint32_t set_count);
void runner_release(struct runner *runner);
/* Starts a run without running it: `replay` goes on by itself. */
void runner_begin(struct runner *runner, const struct cell *cell, uint64_t seed);
/* The same with a spec derived from the cell's: an arm. `spec` must stay until the end of the run.
 * / */
void runner_begin_spec(struct runner *runner, const struct cell *cell, const struct run_spec *spec,
                       uint64_t seed);
/* Runs to the end and judges; `result` is initialised. */
void runner_run(struct runner *runner, const struct cell *cell, uint64_t seed,
                struct run_result *result);
/* Is a run of it a replication of an estimate of the fleet, without any code? */
bool runner_is_estimate(const struct run_spec *spec);
/* A run that estimates the availability of the fleet by its clocks, and runs no code at all. False:
 * the spec does not ask for one. */
bool runner_estimate(const struct run_spec *spec, uint64_t seed, struct run_result *result);
/* Ends a run that runner_begin began. */
void runner_finish(struct runner *runner, int64_t cpu_ns, struct run_result *result);

/* A line on stdout for each struct result_violation. */
void print_violations(const struct vec *violations);

/* Writes "squall replay FILE --set ... --out FOLDER --seed 0x...": the command that does this run
 * again. `folder`: where the results are, NULL when in the usual place. */
void replay_line(FILE *out, const struct cell *cell, const char *const *sets, uint32_t set_count,
                 const char *folder, uint64_t seed);
/* The same for the trajectory with this seed path, "42/3/0/1". */
void replay_path_line(FILE *out, const struct cell *cell, const char *const *sets,
                      uint32_t set_count, const char *folder, const char *seed);

#endif
