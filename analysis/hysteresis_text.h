/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Loops of several seeds as one, beside what theory expects, as text for a person. */
#ifndef SQUALL_ANALYSIS_HYSTERESIS_TEXT_H
#define SQUALL_ANALYSIS_HYSTERESIS_TEXT_H

#include "analysis/hysteresis.h"
#include "analysis/predict_text.h"
#include "analysis/statistics.h"

/* The same staircase on several seeds. The arrays are the caller's. */
struct hysteresis_branch {
    const char *label;
    const struct hysteresis_ramp *ramp;
    struct hysteresis_step *all;   /* hysteresis_steps() of each seed, seed by seed */
    struct hysteresis_step *steps; /* means over the seeds */
    struct interval *intervals;    /* of the mean goodput of each step, 95 %, within 0 and load */
    double *scratch;               /* one for each seed, thrice */
    uint32_t seeds;                /* in `all` */
    uint32_t cut;                  /* seeds without a whole series */
    /* Set by hysteresis_summarise: median and range over the seeds. */
    struct interval tipping; /* infinite: did not tip */
    struct interval back;    /* 0: was not back */
    double tipping_median;
    double back_median;
    double area;   /* mean */
    uint32_t left; /* seeds that were not well at the last step */
};
/* From `all` of at least one seed. */
void hysteresis_summarise(struct hysteresis_branch *branch, double ratio);

/* What theory knows of the system; both in one, as both need the mean field. */
struct hysteresis_system hysteresis_system_of(const struct predict_system *system);

/* Appends what came out, with the theory of `request` beside it (NULL: it says nothing). */
void hysteresis_add_branch(struct text *text, const struct hysteresis_branch *branch,
                           const struct predict_request *request);
/* Appends every level, up and down side by side, with the early warning. */
void hysteresis_add_table(struct text *text, const struct hysteresis_branch *branch);

#endif
