/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Stand: the system that a prediction speaks about, as runs. Load, trigger and length are chosen
 * run by run; everything else is the scenario's, or, without one, a model server with the numbers
 * of the prediction. Runs happen in this process, one after the other. */
#ifndef SQUALL_CLI_STAND_H
#define SQUALL_CLI_STAND_H

#include "analysis/predict_text.h"
#include "sim/cli/runner.h"

struct stand {
    struct opened opened;
    const struct cell *cell; /* the first one */
    uint32_t load;           /* index of the load that is varied */
    int64_t timeout_ns;
    struct runner runner;
    struct run_result result; /* of the last run */
    struct arena arena;       /* of its spec */
    uint32_t runs;
};

/* Takes over the scenario, which stand_close closes. False (ERR_INPUT): it has no load but
 * triggers; the scenario is closed then. */
bool stand_open(struct stand *stand, struct opened *opened, struct err *err);
/* A model server, and clients of one load, as the request has them. `full`: what a full queue does
 * and costs, "onFull: drop". False: some number cannot be written in a scenario. */
bool stand_open_system(struct stand *stand, const struct predict_request *request, const char *full,
                       struct err *err);
/* Any scenario, as text. */
bool stand_open_text(struct stand *stand, const char *text, struct err *err);
void stand_close(struct stand *stand);

#define STAND_BEFORE 10 /* time-outs before the trigger */

struct stand_run {
    double load_per_s;
    bool has_trigger;
    struct fluid_trigger trigger; /* begins STAND_BEFORE time-outs after the start */
    double limit_s;
    bool is_jittered; /* retries wait anything up to twice their delay */
    uint64_t seed;
};
/* Runs it; stand->result has the series, in windows of a quarter of a time-out. False: a limit of
 * the scenario has cut it. */
bool stand_run(struct stand *stand, const struct stand_run *run);
/* Runs the scenario as it stands; the operations stay in the world until the next run. */
bool stand_run_as_is(struct stand *stand, uint64_t seed);

/* Of the last run: share of the operations that were meant to start in [from_s, until_s) and were
 * answered within one time-out; attempts for each of them. NaN: there were none. */
double stand_goodput(const struct stand *stand, double from_s, double until_s);
double stand_sends(const struct stand *stand, double from_s, double until_s);
/* From the end of the trigger to the first window from which on, for five time-outs, 95 % of the
 * operations are good in every one that has any; infinite: there is none. */
double stand_recovery_s(const struct stand *stand, const struct stand_run *run);

#endif
