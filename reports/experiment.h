/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a results file says of an experiment (`squall map` and its kin): its axes, the runs of each
 * point, and the curves that were drawn from them when it was run. Nothing is judged again. All
 * memory belongs to the arena of the report's data. */
#ifndef SQUALL_REPORTS_EXPERIMENT_H
#define SQUALL_REPORTS_EXPERIMENT_H

#include "reports/data.h"

struct report_axis {
    const char *name; /* "load" */
    const char *path; /* "load.application.rate" */
    const char *unit; /* of the numbers: "s", "1/s", "" */
    const char **values;
    double *numbers; /* rising */
    uint32_t count;
};

/* NaN: not known, or none. */
struct report_point {
    const char *series;
    double x;
    double y;
    double low;
    double high;
    const char *note;
};

struct report_experiment {
    bool is_there; /* the file has one of that kind; the rest is empty otherwise */
    struct report_data *data;
    const char *kind;
    int64_t scenario_id;
    int64_t build_id;
    int64_t seeds;
    const char *theory; /* lines; "": nothing was to be said */
    struct report_axis axes[4];
    uint32_t axis_count;
    struct report_point *points; /* in the order in which they were added */
    uint32_t point_count;
};

/* False: the file cannot be read. */
bool report_experiment_load(struct report_experiment *experiment, struct report_data *data,
                            const char *kind, struct err *err);
/* The index-th point of a series, NULL past the last one. */
const struct report_point *report_experiment_point(const struct report_experiment *experiment,
                                                   const char *series, uint32_t index);
/* "size of the trigger (faults.freeze.duration), seconds": what the axis is, and its key; in the
 * arena of `data`. */
const char *report_axis_title(struct report_data *data, const struct report_axis *axis);
/* Is there an experiment of any kind? */
bool report_has_experiment(struct report_data *data, bool *has, struct err *err);

/* Runs of a point of an experiment over two axes. */
struct report_runs {
    uint64_t stable;
    uint64_t metastable;
    uint64_t permanent;
    uint64_t stuck; /* among them those that no relief has told apart; of all verdicts */
    uint64_t unstable;
    uint64_t undecided; /* not stuck */
};
/* `runs` has a row for each value of the first axis, with one for each value of the second. */
bool report_experiment_runs(const struct report_experiment *experiment, struct report_runs *runs,
                            struct err *err);

#endif
