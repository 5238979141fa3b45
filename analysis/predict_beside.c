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
        return is_close ? "close to the saddle-node chance may tip it in a long run" : "";
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
