/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimates of a cell as results.sqlite has them. */
#ifndef SQUALL_ANALYSIS_ESTIMATE_STORE_H
#define SQUALL_ANALYSIS_ESTIMATE_STORE_H

#include "analysis/estimate.h"
#include "analysis/results.h"

#define ESTIMATE_STORE_MAX 64 /* (service, method) of a cell */

/* Which runs. */
struct estimate_seeds {
    const uint64_t *seeds; /* in ascending order */
    uint64_t count;
};

/* Sums over the runs of a cell (`seeds` NULL: of all), one for each service and method, in the
 * order of the services. `count` is 0 for a cell without estimates. The order of summation is that
 * of the runs' names, so the same runs give the same bits. */
bool estimate_load(struct results *results, int64_t cell_id, const struct estimate_seeds *seeds,
                   struct estimate_sums sums[ESTIMATE_STORE_MAX], uint32_t *count, struct err *err);

#endif
