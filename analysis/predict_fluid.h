/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fluid of a server, its queue and its clients' retries through one trigger: does the system
 * come back, when, and how long must a trigger last to stick?
 *
 * Requests are a fluid: a first attempt is served in order of arrival by a server whose capacity is
 * known in advance; what would wait longer than the time-out is sent again that much later, though
 * the server will work on the first attempt all the same (a system of delay-difference equations).
 * Service takes no time of its own, so the fluid holds where service is short against the time-out,
 * and nothing fluctuates. */
#ifndef SQUALL_ANALYSIS_PREDICT_FLUID_H
#define SQUALL_ANALYSIS_PREDICT_FLUID_H

#include "analysis/predict_mean_field.h"

enum fluid_end {
    FLUID_RECOVERED, /* the queue is empty, nothing times out, no retry is under way */
    FLUID_STUCK,     /* the retries alone keep attempts late for ever */
    FLUID_UNDECIDED, /* neither within 100,000 events: it oscillates, or balances on the edge */
};

/* What happens from time 0, in a system that has no queue and no retries then. */
struct fluid_trigger {
    double capacity_factor; /* of the capacity during the trigger, >= 0; 0 is a freeze, 1 nothing */
    double load_factor;     /* of the fresh load during the trigger, >= 0; 1 nothing */
    double duration_s;      /* >= 0 */
};

struct fluid_run {
    enum fluid_end end;
    double late_until_s; /* end of the last interval in which attempts arrive that will time out,
                            after the trigger's end (0 if that came first); infinite when stuck */
    double
        empty_at_s; /* the queue is empty for good, after the trigger's end; infinite when stuck */
    double queue_max;         /* requests; where the run stopped when stuck */
    double amplification_max; /* attempts for each fresh call of the usual load */
};

/* One trigger at a fresh load > 0. A budget acts as a token bucket that starts with `budget_burst`
 * tokens (>= 0) and holds no more. Exact but for rounding: no time step. */
struct fluid_run fluid_through(const struct predict_system *system, double load_per_s,
                               struct fluid_trigger trigger, double budget_burst);

/* The shortest duration (s) for which the trigger sticks; its own duration is not looked at.
 * Infinite when none up to 1000 time-outs does. Relative error below 1e-9, if what sticks with one
 * duration sticks with every longer one. */
double fluid_tipping_duration(const struct predict_system *system, double load_per_s,
                              struct fluid_trigger trigger, double budget_burst);

#endif
