/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A difference is given in the unit in which the theory is exact: rates in percent, the tipping
 * trigger in percent of the time-out, recovery in seconds. Both sides infinite agree; one of them
 * infinite is said in words, since no number would tell how wrong it is.
 *
 * The limits are those of the models behind the predictions (predict_mean_field.h,
 * predict_fluid.h). That the scenario has something which theory does not know of at all is noted
 * where the scenario is read. */
#include "analysis/predict_beside.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMES_LEAST  60.0   /* time-outs to wait after any trigger */
#define TIMES_STUCK  100.0  /* ... when theory expects it not to come back */
#define TIMES_MOST   5000.0 /* ... at most */
#define MARGIN       1.3    /* on what theory expects */
#define FREEZE_USUAL 5.0    /* time-outs, where no freeze tips */
#define SIZE_HIGHEST 10.0   /* the same, of a search */
#define LOAD_RATIO   1.0025
#define SIZES_IN_ONE 1000

#define SHORT 10.0 /* times: service against the time-out */
#define SMALL 100  /* requests that are served in a time-out */
#define CLOSE 0.9  /* of the saddle-node: where chance tips */

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left;
    const double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

void beside_summarise(struct beside_figure *figure, double *values, uint32_t count)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < count; i++) {
        values[known] = values[i];
        known += isnan(values[i]) ? 0 : 1;
    }
    figure->simulated = NAN;
    figure->range = (struct interval){NAN, NAN};
    if (known == 0) {
        return;
    }
    qsort(values, known, sizeof(*values), compare_doubles);
    figure->simulated = values[(known - 1) / 2];
    if (known > 1) {
        figure->range = (struct interval){values[0], values[known - 1]};
    }
}

static const char *format(enum beside_unit unit, double value, char *out, size_t size)
{
    if (isnan(value)) {
        snprintf(out, size, "unknown");
    } else if (isinf(value)) {
        snprintf(out, size, "never");
    } else if (unit == BESIDE_RATE) {
        snprintf(out, size, "%.5g/s", value);
    } else if (unit == BESIDE_TIME || unit == BESIDE_TIPS) {
        predict_format_time(value, out, size);
    } else {
        snprintf(out, size, "%.4g", value);
    }
    return out;
}

static const char *difference_of(const struct beside_figure *figure, char *out, size_t size)
{
    double delta = figure->simulated - figure->predicted;
    out[0] = '\0';
    if (isnan(figure->predicted) || isnan(figure->simulated)) {
        return out;
    }
    if (isinf(figure->predicted) || isinf(figure->simulated)) {
        bool is_agreed = isinf(figure->predicted) && isinf(figure->simulated);
        snprintf(out, size, "%s", is_agreed ? "agree" : "DIFFER");
        return out;
    }
    switch (figure->unit) {
    case BESIDE_TIME:
        snprintf(out, size, "%+.3gs", delta);
        break;
    case BESIDE_TIPS:
        snprintf(out, size, "%+.2f%% of T", 100 * delta / figure->scale);
        break;
    case BESIDE_RATE:
    case BESIDE_NUMBER:
        if (figure->predicted > 0) {
            snprintf(out, size, "%+.2f%%", 100 * delta / figure->predicted);
        } else {
            snprintf(out, size, "%+.3g", delta);
        }
        break;
    case BESIDE_COUNT:
        snprintf(out, size, "%+.4g", delta);
        break;
    }
    return out;
}

static void add_line(struct text *text, const char *name, const char *predicted,
                     const char *simulated, const char *range, const char *difference)
{
    text_printf(text, "%-24s %12s %12s  %-22s %s\n", name, predicted, simulated, range, difference);
}

static void add_note(struct text *text, const char *note)
{
    if (note[0] != '\0') {
        text_printf(text, "%-24s   %s\n", "", note);
    }
}

void beside_add_head(struct text *text)
{
    add_line(text, "prediction beside", "predicted", "simulated", "over the seeds", "difference");
}

void beside_add_figure(struct text *text, const struct beside_figure *figure)
{
    char predicted[32];
    char simulated[32];
    char low[32];
    char high[32];
    char range[72] = "";
    char difference[32];
    if (figure->range.low < figure->range.high) {
        snprintf(range, sizeof(range), "%s .. %s",
                 format(figure->unit, figure->range.low, low, sizeof(low)),
                 format(figure->unit, figure->range.high, high, sizeof(high)));
    }
    add_line(text, figure->name, format(figure->unit, figure->predicted, predicted, 32),
             format(figure->unit, figure->simulated, simulated, 32), range,
             difference_of(figure, difference, sizeof(difference)));
    add_note(text, figure->note);
}

void beside_add_words(struct text *text, const char *name, const char *predicted,
                      const char *simulated, const char *note)
{
    bool is_agreed = strcmp(predicted, simulated) == 0;
    add_line(text, name, predicted, simulated, "", is_agreed ? "agree" : "DIFFER");
    add_note(text, note);
}

static bool is_service_long(const struct predict_system *system)
{
    return system->servers / system->capacity_per_s * SHORT >= system->timeout_s;
}

const char *beside_limit(const struct predict_request *request, enum beside_line line)
{
    const struct predict_system *system = &request->system;
    bool is_random = system->service == PREDICT_EXPONENTIAL;
    bool is_close = is_random && request->load_per_s > CLOSE * mean_field_saddle_node(system);
    if (system->budget >= 0 && line != BESIDE_SADDLE) {
        return "theory lets the budget grow with calls; here it grows with successes, and a stuck "
               "server earns none";
    }
    switch (line) {
    case BESIDE_HIDDEN:
        return is_service_long(system)
                   ? "the service is not short against the time-out: chance helps it back"
               : is_random && system->capacity_per_s * system->timeout_s < SMALL
                   ? "few requests fit into a time-out: chance helps a small system back"
                   : "";
    case BESIDE_CLASS:
        return is_close && mean_field_class(system, request->load_per_s) == PREDICT_VULNERABLE
                   ? "close to the saddle-node chance may tip it in a long run"
                   : "";
    case BESIDE_TIPPING:
        if (is_service_long(system)) {
            return "the service is not short against the time-out, which the fluid takes it to be";
        }
        return is_close    ? "close to the saddle-node chance tips it after shorter triggers"
               : is_random ? "the fluid knows no chance: seeds scatter around it"
                           : "";
    case BESIDE_RECOVERY:
        return is_random ? "the fluid knows no chance, which slows the end of a recovery" : "";
    case BESIDE_SADDLE:
        return system->retry_delay_s > 0 ? "the mean field neglects the delay before a retry"
               : is_random ? "a finite system tips below it by chance, in time; seen in 300 "
                             "time-outs each"
                           : "just above it the queue fills slowly; seen in 300 time-outs";
    case BESIDE_SENDS:
        return "";
    }
    UNREACHABLE();
}

/* ------------------------------------------------------------------------------- what must be run
 */

static double least(double left, double right)
{
    return left < right ? left : right;
}

/* How long after such a trigger it is back, with a margin. */
static double wait_after(const struct predict_request *request, double load_per_s,
                         struct fluid_trigger trigger, double otherwise_s)
{
    double timeout_s = request->system.timeout_s;
    struct fluid_run run =
        fluid_through(&request->system, load_per_s, trigger, request->budget_burst);
    double back_s = run.end == FLUID_RECOVERED ? fmax(run.late_until_s, run.empty_at_s) : 0;
    return least(MARGIN * back_s + otherwise_s, TIMES_MOST * timeout_s);
}

static double freeze_at(const struct predict_request *request, double load_per_s, double times)
{
    static const struct fluid_trigger freeze = {0, 1, 0};
    const struct predict_system *system = &request->system;
    double tips = load_per_s < system->capacity_per_s
                      ? fluid_tipping_duration(system, load_per_s, freeze, request->budget_burst)
                      : (double)INFINITY;
    return isinf(tips) ? (double)NAN : times * tips;
}

/* With one mean service in the time-out, where that is a correction and not a guess. */
static double tipping_of(const struct predict_request *request)
{
    struct predict_system system = request->system;
    double service_s = system.servers / system.capacity_per_s;
    if (service_s < system.timeout_s / 2 && system.queue_limit <= 0) {
        system.timeout_s -= service_s;
        system.retry_delay_s += service_s;
    }
    return fluid_tipping_duration(&system, request->load_per_s, request->trigger,
                                  request->budget_burst);
}

static double stuck_sends(const struct predict_request *request)
{
    struct mean_field_root roots[MEAN_FIELD_ROOTS_MAX];
    uint32_t count = mean_field_roots(&request->system, request->load_per_s, roots);
    const struct mean_field_root *last = &roots[count - 1];
    return last->is_stable && last->timeout_share > 0.5 ? last->attempts_per_s / request->load_per_s
                                                        : (double)NAN;
}

static void plan_load(const struct predict_request *request, struct beside_plan *plan)
{
    double timeout_s = request->system.timeout_s;
    double load = request->load_per_s;
    plan->class = mean_field_class(&request->system, load);
    double freeze_s = freeze_at(request, load, 2);
    plan->class_freeze_s = isnan(freeze_s) ? plan->freeze_s : freeze_s;
    struct fluid_trigger freeze = {0, 1, plan->class_freeze_s};
    plan->class_wait_s = wait_after(request, load, freeze, TIMES_STUCK * timeout_s);
    plan->sends = stuck_sends(request);
    plan->tipping_s = tipping_of(request);
    plan->tipping_high_s = isinf(plan->tipping_s) ? SIZE_HIGHEST * timeout_s : 2 * plan->tipping_s;
    struct fluid_trigger longest = request->trigger;
    longest.duration_s = plan->tipping_high_s;
    plan->tipping_wait_s = wait_after(request, load, longest, TIMES_STUCK * timeout_s);
    struct fluid_run run =
        fluid_through(&request->system, load, request->trigger, request->budget_burst);
    plan->back_s = run.end == FLUID_UNDECIDED ? (double)NAN : run.late_until_s;
    plan->back_wait_s =
        wait_after(request, load, request->trigger,
                   (isfinite(plan->back_s) ? TIMES_LEAST : 2 * TIMES_STUCK) * timeout_s);
}

struct beside_plan beside_plan_of(const struct predict_request *request)
{
    const struct predict_system *system = &request->system;
    struct beside_plan plan = {.hidden_per_s = mean_field_hidden_capacity(system),
                               .saddle_per_s = mean_field_saddle_node(system)};
    double freeze_s = freeze_at(request, 1.01 * plan.hidden_per_s, 1.5);
    plan.freeze_s = isnan(freeze_s) ? FREEZE_USUAL * system->timeout_s : freeze_s;
    struct fluid_trigger freeze = {0, 1, plan.freeze_s};
    plan.patience_s = TIMES_LEAST * system->timeout_s;
    if (plan.hidden_per_s > 0) {
        plan.patience_s = wait_after(request, 0.99 * plan.hidden_per_s, freeze, plan.patience_s);
    }
    if (request->load_per_s > 0) {
        plan_load(request, &plan);
    }
    return plan;
}

uint32_t beside_loads(double low, double high, double *values)
{
    double wanted = ceil(log(high / low) / log(LOAD_RATIO)) + 1;
    uint32_t count = wanted > BESIDE_VALUES_MAX ? BESIDE_VALUES_MAX
                     : wanted < 3               ? 3
                                                : (uint32_t)wanted;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = low * pow(high / low, (double)i / (count - 1));
    }
    return count;
}

uint32_t beside_sizes(double high, double step, double *values)
{
    double wanted = ceil(high / step * SIZES_IN_ONE) + 1;
    uint32_t count = wanted > BESIDE_VALUES_MAX ? BESIDE_VALUES_MAX
                     : wanted < 3               ? 3
                                                : (uint32_t)wanted;
    for (uint32_t i = 0; i < count; i++) {
        values[i] = high * i / (count - 1);
    }
    return count;
}
