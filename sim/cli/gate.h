/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The gate of `metastability.gate`: Wald's sequential test (analysis/statistics.h) of the share of
 * a cell's runs that are stuck, which takes the seeds in the order of the plan and decides at the
 * first that settles it. So what it says does not depend on how many seeds there are beyond that
 * one, on workers, or on interruptions. */
#ifndef SQUALL_CLI_GATE_H
#define SQUALL_CLI_GATE_H

#include "analysis/results.h"
#include "analysis/statistics.h"
#include "sim/input/plan.h"

struct gate_outcome {
    enum sprt_decision decision;
    uint64_t stuck; /* of the `taken`: not back in twice the run, whatever the probe said */
    uint64_t taken; /* seeds up to the decision that were stable or stuck; runs that are unstable,
                       were cut short or are missing say nothing */
    uint64_t more;  /* OPEN: so many seeds in a row that come back would accept; else 0 */
};

/* Does the gate judge this cell? It must be one that is expected to be stable, and only that. */
bool gate_is_asked(const struct run_spec *spec);
/* The test of the scenario's gate; the usual one (sprt_usual) when it has none. */
struct sprt gate_test(const struct run_spec *spec);
/* Judges the first `seed_count` seeds of the plan, as `results` has them. False: `err` says why
 * they cannot be read. */
bool gate_judge(struct results *results, const struct plan *plan, uint32_t cell, int64_t cell_id,
                uint64_t seed_count, struct gate_outcome *outcome, struct err *err);

#endif
