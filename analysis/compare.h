/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Variants of a scenario on the same seeds, as results.sqlite has them: cells that differ in one
 * thing are compared seed by seed. Streams of chance are named, so both had the same lives, faults
 * and arrivals as far as they have them in common, and the difference is worth many more seeds than
 * two intervals beside each other. */
#ifndef SQUALL_ANALYSIS_COMPARE_H
#define SQUALL_ANALYSIS_COMPARE_H

#include "analysis/results.h"
#include "analysis/statistics.h"

#define COMPARE_CELLS_MAX    256
#define COMPARE_SERVICE_SIZE 64

/* Share of the time in which it is down, in the first cell less that in the second. */
struct compare_pair {
    uint32_t left;                      /* index of a cell: the first value of the sweep */
    uint32_t right;                     /* another one */
    char service[COMPARE_SERVICE_SIZE]; /* of a fleet; "": what clients saw in runs */
    double confidence;
    struct paired paired; /* of at least two seeds */
};
typedef void compare_on_pair(void *context, const struct compare_pair *pair);

/* Calls `on_pair` for every cell and every axis of the sweep on which it has not the first cell's
 * value, with the cell that has it there and is the same elsewhere (axes that go hand in hand are
 * one). Cells that differ in their estimator are no variants; those that differ in the number of
 * machines are, only when there are no others. More than COMPARE_CELLS_MAX cells: none. Estimates
 * by decomposition, whose pilots are shared, and runs in arms are left out. */
bool compare_cells(struct results *results, const int64_t *cell_ids, uint32_t count,
                   compare_on_pair *on_pair, void *context, struct err *err);

/* The same for two cells that somebody asks about, variants or not. */
struct compare_question {
    int64_t left_id;
    int64_t right_id;
    const char *service; /* of a fleet; NULL: what clients saw in runs */
    double confidence;
};
/* paired->difference.count: seeds that both have. */
bool compare_two(struct results *results, const struct compare_question *question,
                 struct paired *paired, struct err *err);

#endif
