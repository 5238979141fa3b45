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

#endif
