/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a campaign says of keys that made no difference: cells whose runs are the same. */
#ifndef SQUALL_CLI_SUMMARY_SAME_H
#define SQUALL_CLI_SUMMARY_SAME_H

#include "analysis/results.h"
#include "sim/input/plan.h"

#include <stdio.h>

/* Names cells that differ in one key only and gave the same digest for every seed that both have,
 * for keys that are part of what is simulated. Prints nothing without any. */
bool summary_same(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                  FILE *out, struct err *err);

#endif
