/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of a summary that is about decompositions: where the downtime comes from, episodes that
 * did not recover, and whether a run with accelerated faults agrees. */
#ifndef SQUALL_CLI_SUMMARY_DECOMPOSE_H
#define SQUALL_CLI_SUMMARY_DECOMPOSE_H

#include "analysis/results.h"
#include "sim/cli/summary.h"

/* Prints to `out`; nothing but findings when options->is_quiet. *status gets worse by
 * EXIT_THRESHOLD when a validation disagrees, by EXIT_UNKNOWN when it saw too little. */
bool summary_decompositions(struct results *results, const struct plan *plan,
                            const int64_t *cell_ids, const struct summary_options *options,
                            FILE *out, int *status, struct err *err);

#endif
