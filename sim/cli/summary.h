/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Summary of a plan's runs as results.sqlite holds them: what every campaign prints at its end,
 * and the verdict over all. */
#ifndef SQUALL_CLI_SUMMARY_H
#define SQUALL_CLI_SUMMARY_H

#include "analysis/results.h"
#include "sim/cli/cli.h"

struct summary_options {
    const char *const *sets;
    uint32_t set_count;
    const char *folder; /* of the results file, for the replay lines; NULL: the usual one */
    bool is_quiet;      /* only what did not hold */
};

/* Prints to `out`; returns the exit status that the expectation of the scenario gives. False:
 * `err` says why. */
bool summary_print(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                   const struct summary_options *options, FILE *out, int *status, struct err *err);

#endif
