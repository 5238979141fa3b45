/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Prediction beside simulation: two columns and the difference, and where the theory of a line does
 * not hold. */
#ifndef SQUALL_ANALYSIS_PREDICT_BESIDE_H
#define SQUALL_ANALYSIS_PREDICT_BESIDE_H

#include "analysis/predict_text.h"
#include "analysis/statistics.h"

enum beside_unit {
    BESIDE_RATE,   /* per second; the difference in percent of the prediction */
    BESIDE_TIME,   /* s; the difference in seconds */
    BESIDE_TIPS,   /* s; the difference in percent of `scale`, a time-out */
    BESIDE_NUMBER, /* without a unit; the difference in percent of the prediction */
    BESIDE_COUNT,  /* whole; the difference as it is */
};

/* A line of the comparison. Infinite: never; NaN: unknown. */
struct beside_figure {
    const char *name;
    enum beside_unit unit;
    double predicted;
    double simulated;      /* the median over the seeds */
    struct interval range; /* the smallest and the largest over the seeds; NaN: none */
    double scale;          /* BESIDE_TIPS */
    const char *note;      /* "" */
};

/* From the figures of `count` seeds, which it sorts: median and range. NaN among them: unknown. */
void beside_summarise(struct beside_figure *figure, double *values, uint32_t count);

/* Appends the head of the table, and a line of it. */
void beside_add_head(struct text *text);
void beside_add_figure(struct text *text, const struct beside_figure *figure);
/* A line of words; agreement instead of a difference. */
void beside_add_words(struct text *text, const char *name, const char *predicted,
                      const char *simulated, const char *note);

enum beside_line {
    BESIDE_HIDDEN,
    BESIDE_CLASS,
    BESIDE_TIPPING,
    BESIDE_RECOVERY,
    BESIDE_SADDLE,
    BESIDE_SENDS,
};
/* Why the theory of a line does not hold for this system, in a few words; "": it holds. */
const char *beside_limit(const struct predict_request *request, enum beside_line line);

/* What must be run to see what a request predicts; times in seconds. A freeze is a full outage. */
struct beside_plan {
    double hidden_per_s;
    double saddle_per_s;
    double freeze_s;   /* tips every load above the hidden capacity */
    double patience_s; /* to wait after it: one percent below the hidden capacity it is back */
    /* At the load of the request; without one nothing below is set. */
    enum predict_class class;
    double class_freeze_s; /* tells whether the load is vulnerable */
    double class_wait_s;
    double sends;          /* attempts for each operation when stuck; NaN: there is no such state */
    double tipping_s;      /* of the request's kind of trigger, with the service's time; infinite */
    double tipping_high_s; /* where a search for it ends */
    double tipping_wait_s;
    double back_s; /* after the request's trigger; infinite: never; NaN: it oscillates */
    double back_wait_s;
};
struct beside_plan beside_plan_of(const struct predict_request *request);

#define BESIDE_VALUES_MAX 4000
/* Rising values for a search between two loads, each some quarter of a percent above the one
 * before; and `count` even ones from 0 to `high`, a thousandth of `step` apart or more. Both write
 * at most BESIDE_VALUES_MAX and return how many, at least 3. */
uint32_t beside_loads(double low, double high, double *values);
uint32_t beside_sizes(double high, double step, double *values);
/* Time-outs for which a load without a trigger is watched. */
#define BESIDE_QUIET 300

#endif
