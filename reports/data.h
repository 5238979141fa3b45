/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a report knows: everything that its plots and tables show, read from a results file once.
 * Nothing here is judged again: verdicts, availability windows and violations are taken as the
 * campaign wrote them. All memory belongs to the arena of the data. */
#ifndef SQUALL_REPORTS_DATA_H
#define SQUALL_REPORTS_DATA_H

#include "analysis/results.h"
#include "reports/statistics.h"
#include "sim/base/arena.h"
#include "sim/base/vec.h"

#define REPORT_CELLS_MAX   10000
#define REPORT_KEPT_MAX    64 /* runs with a time series, of one cell */
#define REPORT_WINDOWS_MAX (1u << 20)
#define REPORT_FAULTS_MAX  4096
#define REPORT_TEXT_MAX    160 /* bytes of a label in a plot */

/* A run whose time series was kept. */
struct report_run {
    int64_t run_id;
    const char *seed;    /* "0x000000000000002a" */
    const char *verdict; /* "pass", "fail", "unknown", "error" */
    const char *reason;
    int64_t sim_ns;
};

struct report_cell {
    int64_t cell_id;
    const char *label;  /* as the file has it; "" for a scenario without a sweep */
    const char *title;  /* label, or "all runs" when that is empty */
    const char *series; /* the label without the axis that counts the replicas */
    int64_t replicas;   /* -1: not known */
    int64_t runs;
    int64_t pass;
    int64_t fail;
    int64_t unknown;
    int64_t error;
    int64_t metastable;
    int64_t offered;
    int64_t attempts;
    int64_t ok;
    int64_t failed;
    int64_t info;
    struct share
        share;         /* of measured time without service, in s, over the runs that measured any */
    int64_t faulted;   /* runs that a fault struck */
    int64_t recovered; /* of these: goodput was back before the end */
    double recovery_s; /* their mean; NaN: none */
    double recovery_s_max;   /* the longest; NaN: none */
    struct report_run *kept; /* in order of the seed */
    uint32_t kept_count;
};

struct report_data {
    struct arena arena;
    struct results *results; /* borrowed */
    const char *scenario;    /* name */
    const char *sha256;      /* of its normalised text */
    const char *yaml;
    const char *version; /* of the squall that ran it */
    const char *commit;  /* "" when not known */
    const char *compiler;
    const char *models;        /* JSON */
    char digest[17];           /* of the whole results file */
    struct report_cell *cells; /* in the order of the sweep */
    uint32_t cell_count;
    int64_t others; /* cells of other builds or of other texts of the scenario: not shown */
    int64_t nondeterministic; /* runs that came out differently when done again */
    bool has_arms;            /* these cells have verdicts of the four arms */
    bool has_replicas;        /* the cells differ in their number of replicas */
};

/* Reads the newest build's cells. False: ERR_INPUT when the file holds no cell, ERR_SYSTEM when it
 * cannot be read; there is nothing to release then. `results` must outlive the data. */
bool report_data_load(struct report_data *data, struct results *results, struct err *err);
void report_data_release(struct report_data *data);

/* One bin of a run's time series, rates per second; latencies in ms, NaN when nothing was
 * answered. */
struct report_bin {
    double start_s;
    double end_s;
    double offered;
    double attempts;
    double ok;
    double failed;
    double p50_ms; /* of several windows: the mean of their medians, weighted by answers */
    double p99_ms; /* of several windows: the worst */
    bool is_up;    /* of several windows: all were */
};
struct report_fault {
    const char *name;
    const char *kind;
    const char *action;
    const char *target;
    double start_s;
    double end_s;
    uint32_t lane; /* number of the name, in order of first strike */
};
struct report_series {
    struct arena *arena; /* of the texts; borrowed */
    struct vec bins;     /* struct report_bin; windows merged until `bins_max` suffice */
    struct vec faults; /* struct report_fault, in order of start; those before the end of the run */
    uint32_t lane_count;
    uint32_t merged; /* windows in a bin, 1 = as recorded */
    double window_s; /* of a window as recorded */
    double end_s;    /* of the run */
};
/* Reads the time series and the faults of a kept run. */
bool report_series_load(struct report_series *series, struct report_data *data,
                        const struct report_run *run, uint32_t bins_max, struct err *err);
void report_series_release(struct report_series *series);

struct report_stretch {
    double start_s;
    double end_s;
};
/* Appends the time with at least one fault, merged, to a vec of struct report_stretch. */
void report_fault_union(const struct report_series *series, struct vec *stretches);

#endif
