/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Recovery time over load: what the runs of one load say together, and what theory expects.
 *
 * A run that was not back when it was last looked at is censored: it takes longer. The median over
 * the seeds is that of Kaplan and Meier (analysis/statistics.h). */
#ifndef SQUALL_ANALYSIS_RECOVERY_H
#define SQUALL_ANALYSIS_RECOVERY_H

#include "analysis/predict_text.h"
#include "analysis/statistics.h"

/* The runs of one load and trigger. */
struct recovery_point {
    uint64_t back;
    uint64_t censored;
    uint64_t unstable;  /* without the trigger it does not hold: there is nothing to come back to */
    uint64_t silent;    /* the run told nothing */
    struct mean median; /* s; infinite: at least half were not back. NaN interval: no spread */
    double looked_s;    /* for how long the censored ones were looked at, at most; 0: none is */
    double predicted_s; /* infinite: never; NaN: theory says nothing */
};

/* Fills in what follows from `count` times (s), which it sorts; `steps` has room for as many. */
void recovery_judge(struct recovery_point *point, struct lifetime *times, uint32_t count,
                    struct survival *steps);
/* Is there a median that is a time? */
bool recovery_is_back(const struct recovery_point *point);
/* Is nothing but "longer than looked_s" known? */
bool recovery_is_censored(const struct recovery_point *point);

/* From the end of the trigger to the last attempt that is late (s): the closed form where it holds
 * (one retry at once, a full outage longer than the time-out, a queue without limit), else the
 * fluid. Infinite: it does not come back; NaN: no trigger, no load, or it oscillates. */
double recovery_predict(const struct predict_request *request);
/* The i-th of `count` loads from `first` towards `last`, ever closer to the end, where the curve is
 * steep; 0 <= i < count. */
double recovery_load(double first, double last, uint32_t i, uint32_t count);

/* Appends columns: how many are back, median, interval, theory, difference. And their head. */
void recovery_add_head(struct text *text);
void recovery_add_point(struct text *text, const struct recovery_point *point);
/* Difference to theory (s), absolute; NaN: one of them is no time. */
double recovery_difference(const struct recovery_point *point);

#endif
