/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Bronson et al., HotOS 2021, have no formula for the time; the closed form is that of
 * predict_laws.h. Both it and the fluid end with the last attempt that is late. A run is back when
 * a stretch begins in which hardly anything times out, and a time-out shows a time-out after the
 * attempt that was late, so measured times are a window or two above theory. That is left as it
 * is: the verdict's definition of recovery is the same everywhere. */
#include "analysis/recovery.h"

#include "analysis/predict_laws.h"
#include "sim/base/base.h"

#include <math.h>

#define CONFIDENCE 0.95
#define LONGEST    1e6 /* s: longer times are no different from never */

void recovery_judge(struct recovery_point *point, struct lifetime *times, uint32_t count,
                    struct survival *steps)
{
    point->back = 0;
    point->censored = 0;
    point->looked_s = 0;
    for (uint32_t i = 0; i < count; i++) {
        point->back += times[i].is_censored ? 0 : 1;
        point->censored += times[i].is_censored ? 1 : 0;
        if (times[i].is_censored) {
            point->looked_s = fmax(point->looked_s, times[i].time);
        }
    }
    uint32_t step_count = kaplan_meier(times, count, CONFIDENCE, steps);
    point->median = kaplan_meier_quantile(steps, step_count, 0.5);
    if (step_count <= 1 && point->censored == 0) {
        point->median.interval = (struct interval){NAN, NAN};
    }
}

bool recovery_is_back(const struct recovery_point *point)
{
    return point->back > 0 && isfinite(point->median.mean);
}

bool recovery_is_censored(const struct recovery_point *point)
{
    return point->censored > 0 && !recovery_is_back(point);
}

static bool has_closed_form(const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    return system->retries == 1 && system->budget < 0 && system->queue_limit <= 0 &&
           system->retry_delay_s <= 0 && request->trigger.capacity_factor <= 0 &&
           request->trigger.duration_s > system->timeout_s &&
           request->load_per_s < system->capacity_per_s;
}

double recovery_predict(const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    if (request->trigger.duration_s <= 0 || request->load_per_s <= 0) {
        return NAN;
    }
    if (has_closed_form(request)) {
        return law_recovery_time(request->load_per_s / system->capacity_per_s, system->timeout_s,
                                 request->trigger.duration_s);
    }
    struct fluid_run run =
        fluid_through(system, request->load_per_s, request->trigger, request->budget_burst);
    return run.end == FLUID_UNDECIDED ? (double)NAN : run.late_until_s;
}

double recovery_load(double first, double last, uint32_t i, uint32_t count)
{
    double rest = 1 - (double)i / count;
    return last - (last - first) * rest * rest * rest;
}

/* ------------------------------------------------------------------------------------- the text */

static const char *format_time(double seconds, char *out, size_t size)
{
    if (isnan(seconds)) {
        snprintf(out, size, "-");
    } else if (isinf(seconds)) {
        snprintf(out, size, "never");
    } else {
        snprintf(out, size, seconds < LONGEST ? "%.4gs" : "> 1e6s", seconds);
    }
    return out;
}

static const char *format_interval(const struct recovery_point *point, char *out, size_t size)
{
    const struct interval *interval = &point->median.interval;
    out[0] = '\0';
    if (point->back == 0 || !isfinite(interval->low)) {
        return out;
    }
    if (isfinite(interval->high)) {
        snprintf(out, size, "[%.4g, %.4g]", interval->low, interval->high);
    } else {
        snprintf(out, size, "[%.4g, -]", interval->low);
    }
    return out;
}

double recovery_difference(const struct recovery_point *point)
{
    return recovery_is_back(point) && isfinite(point->predicted_s)
               ? fabs(point->median.mean - point->predicted_s)
               : (double)NAN;
}

static const char *format_difference(const struct recovery_point *point, char *out, size_t size)
{
    out[0] = '\0';
    if (point->unstable > 0) {
        snprintf(out, size, "unstable without a trigger");
    } else if (isnan(point->predicted_s)) {
        return out;
    } else if (recovery_is_back(point) && isinf(point->predicted_s)) {
        snprintf(out, size, "DIFFERS");
    } else if (recovery_is_back(point)) {
        snprintf(out, size, "%+.2fs", point->median.mean - point->predicted_s);
    } else if (recovery_is_censored(point)) {
        snprintf(out, size, "%s", point->predicted_s < point->looked_s ? "DIFFERS" : "as expected");
    }
    return out;
}

void recovery_add_head(struct text *text)
{
    text_printf(text, "  %12s  %10s  %-18s  %10s  %s\n", "back", "median", "95%", "theory",
                "difference");
}

void recovery_add_point(struct text *text, const struct recovery_point *point)
{
    char median[32] = "-";
    char interval[48];
    char predicted[32];
    char difference[32];
    if (recovery_is_back(point)) {
        format_time(point->median.mean, median, sizeof(median));
    } else if (recovery_is_censored(point)) {
        snprintf(median, sizeof(median), "> %.4gs", point->looked_s);
    }
    text_printf(text, "  %4llu of %-4llu  %10s  %-18s  %10s  %s\n", (unsigned long long)point->back,
                (unsigned long long)(point->back + point->censored), median,
                format_interval(point, interval, sizeof(interval)),
                format_time(point->predicted_s, predicted, sizeof(predicted)),
                format_difference(point, difference, sizeof(difference)));
}
