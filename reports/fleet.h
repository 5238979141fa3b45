/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Estimates of fleets as a report shows them: one point for each cell, service and method, with
 * what theory says beside it, and its place among the axes of the sweep. All texts belong to the
 * arena of the data. */
#ifndef SQUALL_REPORTS_FLEET_H
#define SQUALL_REPORTS_FLEET_H

#include "analysis/estimate.h"
#include "analysis/fleet_store.h"
#include "reports/data.h"

struct fleet_point {
    const struct report_cell *cell;
    const char *service;
    uint32_t series; /* service and variant */
    uint32_t column; /* on the first axis */
    uint32_t row;    /* on the second axis; 0 when there is none */
    bool is_first;   /* of the remaining axes each has its first value */
    double x;        /* on the first axis: machines, or the column */
    struct results_fleet_service theory;
    bool has_estimate; /* the rest; false: nothing was run yet */
    enum estimate_method method;
    struct estimate estimate;
    bool is_reached; /* its interval is as narrow as the scenario asks */
};

struct fleet_series {
    const char *service;
    const char *variant; /* "shocks.share=1%"; "": there are no variants */
    const char *title;
};

/* An axis of the sweep that cells differ in. */
struct fleet_axis {
    const char *title;   /* "machines", "repair.mean" */
    const char **labels; /* in the order of the sweep */
    double *positions;   /* for the first axis, machines; else 0, 1, 2, ... */
    uint32_t count;
};

struct report_fleet {
    struct fleet_point *points; /* in the order of the cells, then the services */
    uint32_t point_count;
    struct fleet_series *series; /* in the order of the cells: variants, then services */
    uint32_t series_count;
    uint32_t service_count;
    struct fleet_axis first;  /* count <= 1: cells do not differ in anything that can be drawn */
    struct fleet_axis second; /* count 0: none */
    double *cell_x;           /* place of each cell of the data on the first axis */
    bool counts_machines;     /* the first axis does */
    bool has_codes;           /* and its labels are "4 of 6": of codes, only some must be up */
    bool is_loss;             /* they are placements: "unavailability" is the chance of a loss */
    bool is_alone;            /* no cell has operations of clients: nothing but fleets was run */
};

/* Reads the estimates of all cells. Without any, point_count is 0. */
bool report_fleet_load(struct report_fleet *fleet, struct report_data *data, struct err *err);

/* "exact chain", "importance sampling": the method as a reader knows it. */
const char *fleet_method_title(enum estimate_method method);
/* Seconds as people read them, with the micro sign: "31.56 µs". */
const char *fleet_downtime(struct report_data *data, double seconds);

#endif
