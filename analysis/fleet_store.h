/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What cells ask of their fleets, and what theory says of them, in results.sqlite: so that whoever
 * reads the file has the exact model beside the estimates without knowing the scenario. */
#ifndef SQUALL_ANALYSIS_FLEET_STORE_H
#define SQUALL_ANALYSIS_FLEET_STORE_H

#include "analysis/results.h"
#include "sim/spec.h"

#define FLEET_STORE_SERVICES  8
#define FLEET_STORE_NAME_SIZE 64

/* Adds how the cell is estimated, and a row for each service of the fleet, with theory unless there
 * is no exact model for it or its chain is so large (more than 1000 states) that nobody asked for
 * it. */
bool fleet_store_add(struct results *results, int64_t cell_id, const struct spec_fleet *fleet,
                     struct err *err);

/* A row, with its own texts. */
struct fleet_store_row {
    struct results_fleet_service service;
    char name[FLEET_STORE_NAME_SIZE];
    char theory[24];
};
/* The rows of a cell, in the order of the scenario; `count` is 0 for one without a fleet, and for
 * a file of an older squall. */
bool fleet_store_load(struct results *results, int64_t cell_id,
                      struct fleet_store_row rows[FLEET_STORE_SERVICES], uint32_t *count,
                      struct err *err);

#endif
