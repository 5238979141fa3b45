/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a campaign says of its variants: differences on the same seeds (analysis/compare.h). */
#ifndef SQUALL_CLI_SUMMARY_COMPARE_H
#define SQUALL_CLI_SUMMARY_COMPARE_H

#include "analysis/results.h"
#include "sim/input/plan.h"

#include <stdio.h>

/* Prints nothing when no cells are variants of each other, and nothing of those whose seeds all
 * came out alike. */
bool summary_compare(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                     FILE *out, struct err *err);

#endif
