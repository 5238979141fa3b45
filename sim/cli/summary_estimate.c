/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A number without its method, its interval and its hits is a rumour; so each line has them. */
#include "sim/cli/summary_estimate.h"

#include "analysis/estimate_store.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"
#include "sim/cli/runner.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_MIN 26
#define LABEL_MAX 46

/* No NaN. */
static bool is_number(double value)
{
    return value == value;
}

static bool is_exact(const struct estimate_sums *sums)
{
    return estimate_is_exact(sums->method);
}

/* A line being printed. */
struct line {
    const struct cell *cell;
    const struct estimate_sums *sums;
    struct estimate estimate;
    int64_t runs;
    int width; /* of the label */
};

static void print_value(const struct line *line, FILE *out)
{
    const struct estimate *estimate = &line->estimate;
    char value[48];
    char interval[64];
    char downtime[48];
    if (!estimate->is_bound) {
        snprintf(value, sizeof(value), "%.4g", estimate->unavailability);
        downtime_format(downtime_s_per_year(estimate->unavailability), downtime, sizeof(downtime));
        snprintf(interval, sizeof(interval), "%.4g .. %.4g", estimate->interval.low,
                 estimate->interval.high);
    } else if (!is_number(estimate->interval.high)) {
        snprintf(value, sizeof(value), "none seen");
        snprintf(interval, sizeof(interval), "no bound");
        snprintf(downtime, sizeof(downtime), "-");
    } else {
        snprintf(value, sizeof(value), "none seen");
        snprintf(interval, sizeof(interval), "<= %.4g", estimate->interval.high);
        memcpy(downtime, "<= ", 3);
        downtime_format(downtime_s_per_year(estimate->interval.high), downtime + 3,
                        sizeof(downtime) - 3);
    }
    fprintf(out, "%-11s %-22s %-12s", value, is_exact(line->sums) ? "exact" : interval, downtime);
}

/* Why the interval is not to be believed; NULL: nothing speaks against it. */
static const char *doubt(const struct estimate *estimate)
{
    if (estimate->is_bound) {
        return "no outage was seen: only the bound means something";
    }
    if (estimate->hits > 0 && estimate->hits < ESTIMATE_HITS_MIN) {
        return "few outages were seen: more seeds";
    }
    if (estimate->hits > 0 && estimate->weight_share > ESTIMATE_SHARE_MAX) {
        return "one cycle or replication makes more than 5 % of the estimate: more seeds, or "
               "another estimator";
    }
    return NULL;
}

/* As wide as the longest label, within reason. */
static int label_width(const struct plan *plan)
{
    size_t width = LABEL_MIN;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        size_t length = strlen(plan->cells[i].label);
        width = length > width ? length : width;
    }
    return (int)(width < LABEL_MAX ? width : LABEL_MAX);
}

/* The trajectory with the longest outage, as a command. */
static void print_worst(const struct line *line, const struct summary_options *options, FILE *out)
{
    if (line->sums->worst_path[0] == '\0') {
        return;
    }
    fprintf(out, "      longest outage %.4g h: ", line->sums->worst_h);
    replay_path_line(out, line->cell, options->sets, options->set_count, options->folder,
                     line->sums->worst_path);
    if (line->cell->spec.fleet.service_count > 1) {
        fprintf(out, " --service %s", line->sums->service);
    }
    fputc('\n', out);
}

/* What it was worked out from; an exact answer needs none. */
static void print_evidence(const struct line *line, FILE *out)
{
    const struct estimate *estimate = &line->estimate;
    if (is_exact(line->sums)) {
        return;
    }
    fprintf(out, "      %llu events, %.4g h simulated", (unsigned long long)estimate->events,
            estimate->simulated_h);
    if (is_number(estimate->weight_share)) {
        fprintf(out, ", largest weight %.2g %%", 100 * estimate->weight_share);
    }
    if (is_number(estimate->rate.high)) {
        const double low = estimate->rate.low * HOURS_IN_A_YEAR;
        const double high = estimate->rate.high * HOURS_IN_A_YEAR;
        if (low > 0) {
            fprintf(out, ", outages a year %.4g .. %.4g (Poisson)", low, high);
        } else {
            fprintf(out, ", outages a year <= %.4g (Poisson)", high);
        }
    }
    fprintf(out, "; interval: %s\n", estimate->interval_method);
}

/* Of a placement: there is no year in it. */
static void print_loss(const struct line *line, FILE *out)
{
    const struct estimate *estimate = &line->estimate;
    char value[48] = "none seen";
    char interval[64] = "closed form";
    if (!estimate->is_bound) {
        snprintf(value, sizeof(value), "%.4g %%", 100 * estimate->unavailability);
    }
    if (!is_exact(line->sums)) {
        snprintf(interval, sizeof(interval), "%s%.4g .. %.4g %%", estimate->is_bound ? "<= " : "",
                 100 * estimate->interval.low, 100 * estimate->interval.high);
    }
    fprintf(out, "    %-*.*s %-16.16s %-11s %-26s %-8s %6lld", line->width, line->width,
            line->cell->label, line->sums->service, value, interval,
            estimate_method_name(line->sums->method), (long long)line->runs);
    if (!is_exact(line->sums)) {
        fprintf(out, "  %llu of %llu", (unsigned long long)estimate->hits,
                (unsigned long long)estimate->events);
    }
    fputc('\n', out);
}

static void print_line(const struct line *line, const struct summary_options *options, FILE *out)
{
    const struct estimate *estimate = &line->estimate;
    if (line->cell->spec.fleet.placement.is_asked) {
        print_loss(line, out);
        return;
    }
    fprintf(out, "    %-*.*s %-16.16s ", line->width, line->width, line->cell->label,
            line->sums->service);
    print_value(line, out);
    const char *method = estimate_method_name(line->sums->method);
    const int room = strlen(method) > 8 ? 17 - (int)strlen(method) : 9; /* "beta-binomial" */
    fprintf(out, " %-8s", method);
    if (estimate->is_bound || !is_number(estimate->outages_per_h)) {
        fprintf(out, " %*s", room, "-");
    } else {
        fprintf(out, " %*.4g", room, estimate->outages_per_h * HOURS_IN_A_YEAR);
    }
    fprintf(out, " %6lld", (long long)line->runs);
    if (line->sums->method == ESTIMATE_DECOMPOSE) {
        fprintf(out, "  %llu episodes", (unsigned long long)estimate->hits);
    } else if (estimate->hits > 0) {
        fprintf(out, "  %llu hits, %.0f effective", (unsigned long long)estimate->hits,
                estimate->effective);
    }
    fputc('\n', out);
    print_evidence(line, out);
    if (doubt(estimate) != NULL) {
        fprintf(out, "      ! %s\n", doubt(estimate));
    }
    print_worst(line, options, out);
}

static void print_head(int width, bool is_loss, FILE *out)
{
    if (is_loss) {
        fprintf(out, "\n  DATA LOST WITH MANY NODES AT ONCE\n    %-*s %-16s %-11s %-26s %-8s %6s\n",
                width, "cell", "placement", "lost", "interval", "method", "runs");
        return;
    }
    fprintf(out, "\n  AVAILABILITY OF THE FLEET\n    %-*s %-16s %-11s %-22s %-12s %-8s %9s %6s\n",
            width, "cell", "service", "unavailable", "interval", "a year", "method", "outages/y",
            "runs");
}

static bool on_count(void *context, const struct results_row *row)
{
    *(int64_t *)context = row->values[0].integer;
    return true;
}

static bool count_runs(struct results *results, int64_t cell_id, int64_t *runs, struct err *err)
{
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    return results_query(results, "SELECT count(*) FROM run WHERE cell_id=CAST(?1 AS INTEGER)",
                         parameters, 1, on_count, runs, err);
}

/* ---------------------------------------------------------------------------------------- auto */

/* Was the same said of an earlier cell? */
static bool is_said(const struct plan *plan, uint32_t index, const char *why)
{
    for (uint32_t i = 0; i < index; i++) {
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        char earlier[ESTIMATE_WHY_SIZE];
        if (fleet->is_asked && fleet->estimator == SPEC_ESTIMATOR_AUTO) {
            estimate_choose(fleet, earlier);
            if (strcmp(earlier, why) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* What auto was, and why: each answer with the first cell that it is about. */
static void print_choices(const struct plan *plan, FILE *out)
{
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        char why[ESTIMATE_WHY_SIZE];
        if (!cell->spec.fleet.is_asked || cell->spec.fleet.estimator != SPEC_ESTIMATOR_AUTO) {
            continue;
        }
        const enum spec_estimator chosen = estimate_choose(&cell->spec.fleet, why);
        if (!is_said(plan, i, why)) {
            fprintf(out, "    auto is '%s'%s%s: %s\n", estimate_estimator_name(chosen),
                    cell->label[0] == '\0' ? "" : ", as in ", cell->label, why);
        }
    }
}

/* -------------------------------------------------------------------------------------- public */

bool summary_estimates(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                       const struct summary_options *options, FILE *out, struct err *err)
{
    uint32_t lines = 0;
    bool is_sequential = false;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        static struct estimate_sums sums[ESTIMATE_STORE_MAX];
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        struct line line = {.cell = &plan->cells[i], .width = label_width(plan)};
        uint32_t count = 0;
        if (!fleet->is_asked) {
            continue;
        }
        if (!estimate_load(results, cell_ids[i], NULL, sums, &count, err) ||
            !count_runs(results, cell_ids[i], &line.runs, err)) {
            return false;
        }
        for (uint32_t s = 0; s < count; s++) {
            line.sums = &sums[s];
            line.estimate = estimate_of(&sums[s], (double)fleet->confidence_millionths / 1e6);
            if (!is_number(line.estimate.unavailability)) {
                continue;
            }
            is_sequential |= sums[s].is_sequential && !is_exact(&sums[s]);
            if (lines++ == 0) {
                print_head(line.width, fleet->placement.is_asked, out);
            }
            print_line(&line, options, out);
        }
    }
    if (is_sequential) {
        fprintf(out,
                "    seeds were asked for until the interval was short enough: for that it is "
                "%.0f %% wider\n",
                100 * (ESTIMATE_SEQUENTIAL - 1));
    }
    if (lines > 0) {
        print_choices(plan, out);
    }
    return true;
}
