/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Hysteresis: goodput while the load climbs a staircase and comes down again. A system with two
 * states goes over at one load and comes back at a lower one; between them lies the loop.
 *
 * Each step lasts one dwell and is measured in its second half, so that what the step before left
 * behind has time to go. Goodput counts an operation at the instant at which it was meant to start,
 * and as good when it was answered within one time-out of its client, as the verdict of the four
 * arms does (analysis/metastability.h). Which load is to be judged a step up: Bronson et al.,
 * "Metastable Failures in Distributed Systems", HotOS 2021, figure 2. */
#ifndef SQUALL_ANALYSIS_HYSTERESIS_H
#define SQUALL_ANALYSIS_HYSTERESIS_H

#include "sim/base/vec.h"

#include <stdbool.h>
#include <stdint.h>

#define HYSTERESIS_LEVELS_MAX 1000
/* A level that is not below the hidden capacity by this factor is taken to be at it: the backlog
 * would need a hundred times as long to drain as without any load. */
#define HYSTERESIS_CLOSE 0.99

/* From the first level to the last, and down again: 2 level_count - 1 steps in all. */
struct hysteresis_ramp {
    const int64_t *levels; /* rates per 1000 s, rising */
    uint32_t level_count;  /* 2 .. HYSTERESIS_LEVELS_MAX */
    int64_t start_ns;      /* of the first step */
    int64_t dwell_ns;      /* of each */
};

uint32_t hysteresis_steps(const struct hysteresis_ramp *ramp);
/* Rate of a step (per 1000 s). */
int64_t hysteresis_rate(const struct hysteresis_ramp *ramp, uint32_t step);
/* Is the step on the way up? The highest one is. */
bool hysteresis_is_up(const struct hysteresis_ramp *ramp, uint32_t step);
/* End of the last step. */
int64_t hysteresis_end_ns(const struct hysteresis_ramp *ramp);

/* What the second half of a step showed. */
struct hysteresis_step {
    double load_per_s; /* as asked for */
    bool is_up;
    uint32_t windows;     /* whole windows of the series that lie in it */
    double share;         /* of the operations that were good; NaN: none was judged */
    double goodput_per_s; /* share of what was offered */
    double sends;         /* attempts for each operation; NaN: nothing was offered */
    /* Operations in flight at the end of each window: mean, variance, and correlation of
     * neighbouring windows. The last two rise when a system loses its grip on its healthy state
     * (critical slowing down; Scheffer et al., Nature 461, 2009). NaN: too few windows, or no
     * variance. */
    double in_flight;
    double variance;
    double correlation;
};
/* Fills hysteresis_steps() steps from the series of a run, a vec of struct result_window. False
 * when a step has no whole window in its second half. */
bool hysteresis_measure(const struct hysteresis_ramp *ramp, const struct vec *windows,
                        struct hysteresis_step *steps);

struct hysteresis_loop {
    double tipping_per_s; /* the first step up of which the share is below `ratio`; NaN: none */
    double return_per_s;  /* the first step down with the share back, if it had tipped; NaN: none */
    double area;  /* integral of (goodput up - goodput down) over the load, (operations/s)^2 */
    bool is_back; /* the last step is well */
};
/* `ratio` in (0, 1]. */
struct hysteresis_loop hysteresis_judge(const struct hysteresis_ramp *ramp,
                                        const struct hysteresis_step *steps, double ratio);

/* What a server, its queue and its clients ask of the staircase; rates per second, times in
 * seconds. */
struct hysteresis_system {
    double capacity_per_s;
    double timeout_s;
    double queue_limit;  /* waiting and in service; 0: none */
    double hidden_per_s; /* the load below which it comes back */
};
/* Half the dwell that the ramp needs, as far as theory can tell: to fill the queue at the top (a
 * time-out of work at what is beyond the capacity), to drain a full one at the first level
 * below HYSTERESIS_CLOSE of the hidden capacity, and never less than a full queue's work and five
 * time-outs. Without a limit of the queue the backlog is counted as none. */
double hysteresis_settling_s(const struct hysteresis_ramp *ramp,
                             const struct hysteresis_system *system);

#endif
