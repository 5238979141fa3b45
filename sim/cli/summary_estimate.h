/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of a summary that is about the availability of a fleet. */
#ifndef SQUALL_CLI_SUMMARY_ESTIMATE_H
#define SQUALL_CLI_SUMMARY_ESTIMATE_H

#include "analysis/results.h"
#include "sim/cli/summary.h"

/* Prints a table of the estimates of all cells, each with its method and what makes it believable,
 * and for two cells the difference between them, seed by seed; nothing when there are none. */
bool summary_estimates(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                       const struct summary_options *options, FILE *out, struct err *err);

#endif
