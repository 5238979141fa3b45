/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The highest level that is clearly below the hidden capacity is where theory has the system come
 * back; how many levels the simulation is away from it is the difference that is printed, since a
 * staircase cannot tell more. */
#include "analysis/hysteresis_text.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PER_1000S  1000.0
#define CONFIDENCE 0.95

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* ------------------------------------------------------------------------------------ the seeds */

static void average(struct hysteresis_branch *branch, uint32_t step)
{
    uint32_t steps = hysteresis_steps(branch->ramp);
    struct hysteresis_step *mean = &branch->steps[step];
    *mean = branch->all[step];
    /* Goodput is the last, whose interval is kept. */
    double *const fields[] = {&mean->share,    &mean->sends,       &mean->in_flight,
                              &mean->variance, &mean->correlation, &mean->goodput_per_s};
    for (uint32_t k = 0; k < ARRAY_COUNT(fields); k++) {
        ptrdiff_t offset = (const char *)fields[k] - (const char *)mean;
        uint32_t count = 0;
        for (uint32_t seed = 0; seed < branch->seeds; seed++) {
            const char *from = (const char *)&branch->all[seed * steps + step] + offset;
            memcpy(&branch->scratch[count], from, sizeof(double));
            count += isnan(branch->scratch[count]) ? 0 : 1;
        }
        struct mean of = mean_of(branch->scratch, count, CONFIDENCE);
        *fields[k] = of.mean;
        branch->intervals[step] = of.interval;
    }
    struct interval *interval = &branch->intervals[step];
    interval->low = interval->low < 0 ? 0 : interval->low;
    double most = fmax(mean->load_per_s, mean->goodput_per_s);
    interval->high = interval->high > most ? most : interval->high;
}

void hysteresis_summarise(struct hysteresis_branch *branch, double ratio)
{
    ASSERT(branch->seeds >= 1);
    uint32_t steps = hysteresis_steps(branch->ramp);
    double *tipping = branch->scratch + branch->seeds;
    double *back = tipping + branch->seeds;
    branch->area = 0;
    branch->left = 0;
    for (uint32_t i = 0; i < branch->seeds; i++) {
        struct hysteresis_loop loop =
            hysteresis_judge(branch->ramp, &branch->all[i * steps], ratio);
        tipping[i] = isnan(loop.tipping_per_s) ? (double)INFINITY : loop.tipping_per_s;
        back[i] = isnan(loop.return_per_s) ? 0 : loop.return_per_s;
        branch->area += loop.area / branch->seeds;
        branch->left += loop.is_back ? 0 : 1;
    }
    qsort(tipping, branch->seeds, sizeof(double), compare_doubles);
    qsort(back, branch->seeds, sizeof(double), compare_doubles);
    uint32_t last = branch->seeds - 1;
    branch->tipping = (struct interval){tipping[0], tipping[last]};
    branch->back = (struct interval){back[0], back[last]};
    branch->tipping_median = tipping[last / 2];
    branch->back_median = back[last / 2];
    for (uint32_t i = 0; i < steps; i++) {
        average(branch, i);
    }
}

/* ------------------------------------------------------------------------------------- the text */

struct hysteresis_system hysteresis_system_of(const struct predict_system *system)
{
    return (struct hysteresis_system){system->capacity_per_s, system->timeout_s,
                                      system->queue_limit, mean_field_hidden_capacity(system)};
}

/* "310/s", "none" */
static const char *format_load(double load, char *out, size_t size)
{
    if (load > 0 && !isinf(load)) {
        snprintf(out, size, "%.6g/s", load);
    } else {
        snprintf(out, size, "none");
    }
    return out;
}

/* 0: there is none. */
static double return_level(const struct hysteresis_ramp *ramp, double hidden)
{
    double found = 0;
    for (uint32_t i = 0; i < ramp->level_count; i++) {
        double load = (double)ramp->levels[i] / PER_1000S;
        found = load < HYSTERESIS_CLOSE * hidden ? load : found;
    }
    return found;
}

/* How many levels lie between the two loads. */
static uint32_t levels_between(const struct hysteresis_ramp *ramp, double left, double right)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ramp->level_count; i++) {
        double load = (double)ramp->levels[i] / PER_1000S;
        count += (load > left) != (load > right) ? 1 : 0;
    }
    return count;
}

static void add_theory(struct text *text, const struct hysteresis_branch *branch,
                       const struct predict_request *request)
{
    if (request == NULL) {
        text_add(text, "    theory     says nothing of this scenario\n");
        return;
    }
    double hidden = mean_field_hidden_capacity(&request->system);
    double level = return_level(branch->ramp, hidden);
    char saddle[32];
    char returns[32];
    text_printf(
        text,
        "    theory     tips from %s on (saddle-node), returns at %s (hidden capacity %.6g/s)\n",
        format_load(mean_field_saddle_node(&request->system), saddle, sizeof(saddle)),
        format_load(level, returns, sizeof(returns)), hidden);
    if (level > 0 && branch->back_median > 0) {
        uint32_t apart = levels_between(branch->ramp, level, branch->back_median);
        text_printf(text, "    difference %u level%s of the return\n", apart,
                    apart == 1 ? "" : "s");
    }
}

static void add_load(struct text *text, const char *name, double load, struct interval range,
                     uint32_t seeds)
{
    char here[32];
    char low[32];
    char high[32];
    text_printf(text, "    %-10s %s", name, format_load(load, here, sizeof(here)));
    if (range.low < range.high) {
        text_printf(text, " (%s to %s over %u seeds)", format_load(range.low, low, sizeof(low)),
                    format_load(range.high, high, sizeof(high)), seeds);
    }
    text_add(text, "\n");
}

void hysteresis_add_branch(struct text *text, const struct hysteresis_branch *branch,
                           const struct predict_request *request)
{
    text_printf(text, "\n  %s\n", branch->label[0] == '\0' ? "all" : branch->label);
    if (branch->seeds > 0) {
        add_load(text, "tips at", branch->tipping_median, branch->tipping, branch->seeds);
        if (branch->tipping.low < branch->tipping.high || !isinf(branch->tipping_median)) {
            add_load(text, "returns at", branch->back_median, branch->back, branch->seeds);
        }
        text_printf(text, "    loop area  %.6g (1/s)^2\n", branch->area);
        add_theory(text, branch, request);
    }
    if (branch->left > 0) {
        text_printf(text, "    %u of %u seeds were not back at the lowest level\n", branch->left,
                    branch->seeds);
    }
    if (branch->cut > 0) {
        text_printf(text,
                    "    %u run%s no whole series (cut by a limit, or half a dwell is shorter than "
                    "a window of the series)\n",
                    branch->cut, branch->cut == 1 ? " has" : "s have");
    }
}

static void add_number(struct text *text, double value, int digits)
{
    if (isnan(value)) {
        text_printf(text, " %10s", "-");
    } else {
        text_printf(text, " %10.*g", digits, value);
    }
}

void hysteresis_add_table(struct text *text, const struct hysteresis_branch *branch)
{
    uint32_t last = hysteresis_steps(branch->ramp) - 1;
    text_printf(text, "\n    %7s %21s %21s %21s\n", "", "answered/s", "sends", "in flight, up");
    text_printf(text, "    %7s %10s %10s %10s %10s %10s %10s\n", "load/s", "up", "down", "up",
                "down", "variance", "lag 1");
    for (uint32_t i = 0; i < branch->ramp->level_count && branch->seeds > 0; i++) {
        const struct hysteresis_step *up = &branch->steps[i];
        const struct hysteresis_step *down = &branch->steps[last - i];
        const double values[] = {up->goodput_per_s, down->goodput_per_s, up->sends,
                                 down->sends,       up->variance,        up->correlation};
        text_printf(text, "    %7.6g", up->load_per_s);
        for (uint32_t k = 0; k < ARRAY_COUNT(values); k++) {
            add_number(text, values[k], k < 2 ? 6 : 3);
        }
        text_add(text, "\n");
    }
}
