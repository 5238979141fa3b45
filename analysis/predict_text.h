/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What theory says of a server, its clients and a trigger, as text for a person. */
#ifndef SQUALL_ANALYSIS_PREDICT_TEXT_H
#define SQUALL_ANALYSIS_PREDICT_TEXT_H

#include "analysis/predict_fluid.h"
#include "sim/base/text.h"

struct predict_request {
    struct predict_system system;
    double load_per_s;            /* fresh; 0: a table over all loads */
    struct fluid_trigger trigger; /* duration 0: only its tipping duration is of interest */
    double budget_burst;
};

/* Appends the prediction. The system is valid, the rest in range. May take some seconds of
 * computation when the chain of (queue, orbit) is small enough to be solved. */
void predict_text_add(struct text *text, const struct predict_request *request);

/* "1.5s", "never", ">1e12s" (beyond that a number would pretend to know); `out` has room for 32. */
const char *predict_format_time(double seconds, char *out, size_t size);

#endif
