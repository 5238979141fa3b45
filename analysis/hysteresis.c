/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A step is judged by sums over its windows, not by their mean: a window with few operations weighs
 * little. The area is that of trapezoids between neighbouring levels, with the top shared by both
 * branches.
 *
 * What is not done: the return point is not corrected for a dwell that was too short to drain the
 * backlog of the step above. Below the hidden capacity of a server with R retries the backlog
 * drains at capacity - (R + 1) load, which goes to zero there, so some step is always too short;
 * hysteresis_settling_s says what the ramp would need. */
#include "analysis/hysteresis.h"

#include "analysis/result.h"
#include "sim/base/base.h"
#include "sim/base/units.h"

#include <math.h>

#define PER_1000S         1000.0
#define SETTLE_TIMEOUTS   5
#define CORRELATION_LEAST 8 /* windows */

uint32_t hysteresis_steps(const struct hysteresis_ramp *ramp)
{
    ASSERT(ramp->level_count >= 2);
    ASSERT(ramp->level_count <= HYSTERESIS_LEVELS_MAX);
    return 2 * ramp->level_count - 1;
}

int64_t hysteresis_rate(const struct hysteresis_ramp *ramp, uint32_t step)
{
    ASSERT(step < hysteresis_steps(ramp));
    return ramp->levels[step < ramp->level_count ? step : 2 * (ramp->level_count - 1) - step];
}

bool hysteresis_is_up(const struct hysteresis_ramp *ramp, uint32_t step)
{
    return step < ramp->level_count;
}

int64_t hysteresis_end_ns(const struct hysteresis_ramp *ramp)
{
    return ramp->start_ns + (int64_t)hysteresis_steps(ramp) * ramp->dwell_ns;
}

/* ------------------------------------------------------------------------------------ measuring */

struct sums {
    uint64_t offered;
    uint64_t judged;
    uint64_t good;
    uint64_t attempts;
    int64_t duration_ns;
};

/* Mean, variance and lag-1 correlation of the operations in flight. */
static void measure_in_flight(const struct result_window *windows, uint32_t count,
                              struct hysteresis_step *step)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += windows[i].in_flight;
    }
    step->in_flight = sum / count;
    step->variance = NAN;
    step->correlation = NAN;
    if (count < CORRELATION_LEAST) {
        return;
    }
    double squares = 0;
    double products = 0;
    for (uint32_t i = 0; i < count; i++) {
        double here = windows[i].in_flight - step->in_flight;
        squares += here * here;
        products += i > 0 ? here * (windows[i - 1].in_flight - step->in_flight) : 0;
    }
    step->variance = squares / (count - 1);
    step->correlation = squares > 0 ? products / squares : (double)NAN;
}

static void measure_step(const struct result_window *windows, uint32_t count,
                         struct hysteresis_step *step)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < count; i++) {
        sums.offered += windows[i].offered;
        sums.judged += windows[i].judged;
        sums.good += windows[i].good;
        sums.attempts += windows[i].attempts;
        sums.duration_ns += windows[i].duration_ns;
    }
    double seconds = (double)sums.duration_ns / (double)NS_PER_S;
    step->windows = count;
    step->share = sums.judged > 0 ? (double)sums.good / (double)sums.judged : (double)NAN;
    step->goodput_per_s =
        sums.judged > 0 ? step->share * (double)sums.offered / seconds : (double)NAN;
    step->sends = sums.offered > 0 ? (double)sums.attempts / (double)sums.offered : (double)NAN;
    measure_in_flight(windows, count, step);
}

bool hysteresis_measure(const struct hysteresis_ramp *ramp, const struct vec *windows,
                        struct hysteresis_step *steps)
{
    const struct result_window *all = windows->items;
    uint32_t first = 0;
    for (uint32_t i = 0; i < hysteresis_steps(ramp); i++) {
        int64_t begin_ns = ramp->start_ns + (int64_t)i * ramp->dwell_ns;
        int64_t middle_ns = begin_ns + ramp->dwell_ns / 2;
        while (first < windows->count && all[first].t_ns < middle_ns) {
            first++;
        }
        uint32_t end = first;
        while (end < windows->count &&
               all[end].t_ns + all[end].duration_ns <= begin_ns + ramp->dwell_ns) {
            end++;
        }
        if (end == first) {
            return false;
        }
        steps[i] = (struct hysteresis_step){
            .load_per_s = (double)hysteresis_rate(ramp, i) / PER_1000S,
            .is_up = hysteresis_is_up(ramp, i),
        };
        measure_step(&all[first], end - first, &steps[i]);
        first = end;
    }
    return true;
}

/* -------------------------------------------------------------------------------------- judging */

static bool is_well(const struct hysteresis_step *step, double ratio)
{
    return step->share >= ratio;
}

static double goodput_at(const struct hysteresis_step *step)
{
    return isnan(step->goodput_per_s) ? 0 : step->goodput_per_s;
}

struct hysteresis_loop hysteresis_judge(const struct hysteresis_ramp *ramp,
                                        const struct hysteresis_step *steps, double ratio)
{
    ASSERT(ratio > 0);
    ASSERT(ratio <= 1);
    uint32_t count = hysteresis_steps(ramp);
    uint32_t top = ramp->level_count - 1;
    struct hysteresis_loop loop = {NAN, NAN, 0, is_well(&steps[count - 1], ratio)};
    for (uint32_t i = 0; i <= top && isnan(loop.tipping_per_s); i++) {
        loop.tipping_per_s = is_well(&steps[i], ratio) ? (double)NAN : steps[i].load_per_s;
    }
    for (uint32_t i = top + 1; i < count && !isnan(loop.tipping_per_s); i++) {
        if (is_well(&steps[i], ratio)) {
            loop.return_per_s = steps[i].load_per_s;
            break;
        }
    }
    for (uint32_t level = 1; level <= top; level++) {
        double width = steps[level].load_per_s - steps[level - 1].load_per_s;
        double above = goodput_at(&steps[level]) - goodput_at(&steps[count - 1 - level]);
        double below = goodput_at(&steps[level - 1]) - goodput_at(&steps[count - level]);
        loop.area += width * (above + below) / 2;
    }
    return loop;
}

double hysteresis_settling_s(const struct hysteresis_ramp *ramp,
                             const struct hysteresis_system *system)
{
    double least =
        system->queue_limit / system->capacity_per_s + SETTLE_TIMEOUTS * system->timeout_s;
    double one_timeout = system->capacity_per_s * system->timeout_s;
    double beyond =
        (double)ramp->levels[ramp->level_count - 1] / PER_1000S - system->capacity_per_s;
    double filling = beyond > 0 ? one_timeout / beyond + system->timeout_s : 0;
    double draining = 0;
    for (uint32_t i = ramp->level_count; i > 0 && system->hidden_per_s > 0; i--) {
        double load = (double)ramp->levels[i - 1] / PER_1000S;
        double backlog = system->queue_limit - one_timeout;
        double spare = system->capacity_per_s * (1 - load / system->hidden_per_s);
        if (load < HYSTERESIS_CLOSE * system->hidden_per_s && backlog > 0) {
            draining = backlog / spare + system->timeout_s;
            break;
        }
    }
    return fmax(least, fmax(filling, draining));
}
