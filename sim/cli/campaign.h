/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Campaign: the runs of one plan that results.sqlite does not hold yet, through the pool into the
 * file. */
#ifndef SQUALL_CLI_CAMPAIGN_H
#define SQUALL_CLI_CAMPAIGN_H

#include "analysis/judge.h"
#include "analysis/results.h"
#include "sim/cli/cli.h"

/* Chooses the runs one after the other by what came out, instead of all seeds of all cells. */
struct campaign_source {
    /* The next run; false: none before another result is there. */
    bool (*next)(void *context, uint32_t *cell, uint64_t *seed_index);
    /* Its verdict, from a worker or from the results file; METASTABILITY_NONE when there is none,
     * as when the run died. `doubled`: how the arm of twice the time ended; ARM_OUTCOME_COUNT: it
     * was not run. */
    void (*on_verdict)(void *context, uint32_t cell, uint64_t seed_index,
                       enum metastability verdict, enum arm_outcome doubled);
    void *context;
    uint64_t expected; /* about so many runs, for the progress */
};

struct campaign_options {
    const char *const *sets;
    uint32_t set_count;
    uint32_t jobs;
    int64_t deadline_ns;      /* of real_wall_ns: no run starts later; INT64_MAX = none */
    uint64_t fail_fast;       /* stop after so many failing runs; UINT64_MAX = never */
    uint32_t recheck_percent; /* 0 .. 100 */
    enum judge_windows windows;
    bool is_quiet;
    const char *command_line;             /* for the shard row */
    const struct campaign_source *source; /* NULL: all seeds of all cells */
    bool has_no_windows;                  /* keep none, not even of the first seeds */
};

struct campaign_outcome {
    uint64_t runs;       /* done now */
    uint64_t skipped;    /* were in the file */
    uint64_t spared;     /* not needed: what they would estimate is known precisely enough */
    uint64_t missing;    /* not done: interrupted, out of time, fail-fast */
    bool is_interrupted; /* SIGINT or SIGTERM */
    bool is_late;        /* the deadline passed */
    int64_t *cell_ids;   /* of the plan's cells, in the plan's arena; 0: not in the file yet */
    int64_t scenario_id;
    int64_t build_id;
};

/* Rows of the scenario, the build and the cells are made first; with a source, those of a cell with
 * its first run. False: `err` says why; everything
 * committed before stays. */
bool campaign_run(struct results *results, struct plan *plan,
                  const struct campaign_options *options, struct campaign_outcome *outcome,
                  struct err *err);

#endif
