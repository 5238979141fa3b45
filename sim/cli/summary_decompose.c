/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Of a validation there are two comparisons in each cell, and any of them may fail by chance: their
 * intervals are those of a confidence that holds for all of them together (Bonferroni). */
#include "sim/cli/summary_decompose.h"

#include "analysis/decompose_store.h"
#include "analysis/estimate_store.h"
#include "analysis/fleet_exact.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/cli/runner.h"

#include <stdlib.h>
#include <string.h>

#define SPOKEN .05 /* of the downtime: terms below are not put into words */

struct printer {
    struct results *results;
    const struct plan *plan;
    const struct summary_options *options;
    FILE *out;
    int *status;
    bool is_headed;
    double risk; /* of each comparison of a validation */
};

static const char *describe(enum decompose_kind kind)
{
    static const char *const texts[] = {
        "fail-over: the leader's machine is lost",
        "a follower's machine is lost",
        "a machine is lost",
        "a group is lost, the quorum stays",
        "the quorum is lost",
        "a shock takes machines at once",
        "the quorum is back",
        "a machine is back",
    };
    static_assert(ARRAY_COUNT(texts) == DECOMPOSE_KIND_COUNT, "one text for each kind");
    return texts[kind];
}

/* A share in percent, without a zero that is negative. */
static double percent(double share)
{
    const double value = 100 * share;
    return value > -.005 && value < .005 ? 0 : value;
}

static void print_part(const struct printer *printer, const struct decompose_report *report,
                       const struct decompose_part *part)
{
    const double all = report->estimate.unavailability;
    fprintf(printer->out, "      %-41s %7.2f %%  %-10.4g ", describe(part->kind),
            percent(part->share / all), part->share);
    fprintf(printer->out, "%10.4g  ", part->rate_per_h * HOURS_IN_A_YEAR);
    if (part->episodes == 0) {
        fprintf(printer->out, "%12s", "-");
    } else {
        fprintf(printer->out, "%10.4f s", part->outage_h * 3600);
    }
    fprintf(printer->out, "  %8llu\n", (unsigned long long)part->episodes);
}

struct term {
    const char *what;
    double share;
};

static int compare_terms(const void *left, const void *right)
{
    const double a = ((const struct term *)left)->share;
    const double b = ((const struct term *)right)->share;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* The terms that make the most of it, in words. */
static void print_dominant(const struct printer *printer, const struct decompose_report *report)
{
    const double all = report->estimate.unavailability;
    struct term terms[DECOMPOSE_KIND_COUNT + 2] = {
        {"the quorum is not there", report->fleet.down},
        {"clients miss it while nothing happens", report->estimate.steady},
    };
    uint32_t count = 2;
    for (uint32_t i = 0; i < report->part_count; i++) {
        terms[count++] = (struct term){describe(report->parts[i].kind), report->parts[i].share};
    }
    sort_stable(terms, count, sizeof(*terms), compare_terms);
    fprintf(printer->out, "      %.0f %% of the downtime: %s", percent(terms[0].share / all),
            terms[0].what);
    for (uint32_t i = 1; i < count && terms[i].share >= SPOKEN * all; i++) {
        fprintf(printer->out, "; %.0f %%: %s", percent(terms[i].share / all), terms[i].what);
    }
    fputc('\n', printer->out);
}

static void print_steady(const struct printer *printer, const struct decompose_report *report)
{
    const double all = report->estimate.unavailability;
    fprintf(printer->out, "      %-41s ", "missed while nothing happens");
    if (report->estimate.steady > 0) {
        fprintf(printer->out, "%7.2f %%  %-10.4g %10s  %12s  %8.3g h\n",
                percent(report->estimate.steady / all), report->estimate.steady, "", "",
                report->steady.hours);
    } else {
        fprintf(printer->out, "none in %.3g h\n", report->steady.hours);
    }
}

/* Shares add up to the whole with their signs, so one below 0 makes others come out above it. */
static void print_negative(const struct printer *printer, const struct decompose_report *report)
{
    for (uint32_t i = 0; i < report->part_count; i++) {
        if (report->parts[i].episodes > 0 && report->parts[i].outage_h < 0) {
            fputs(
                "      an outage below 0 is what clients did not miss: answers that were on their "
                "way, or users who asked nothing just\n      then, beside the time without a "
                "quorum; or chance. The other shares may so come to more than 100 %\n",
                printer->out);
            return;
        }
    }
}

static void print_terms(struct printer *printer, const struct cell *cell,
                        const struct decompose_report *report)
{
    const double all = report->estimate.unavailability;
    if (!printer->is_headed) {
        fprintf(printer->out,
                "\n  WHERE THE DOWNTIME COMES FROM\n      %-41s %9s  %-10s %10s  %12s"
                "  %8s\n",
                "", "share", "of time", "a year", "mean outage", "episodes");
        printer->is_headed = true;
    }
    fprintf(printer->out, "    %s, %s of %u\n", cell->label[0] != '\0' ? cell->label : "-",
            cell->spec.fleet.services[0].name, (unsigned)report->fleet.machines);
    fprintf(printer->out, "      %-41s %7.2f %%  %-10.4g %10.4g  %10.4g s  %8s\n", "no quorum",
            percent(report->fleet.down / all), report->fleet.down,
            report->fleet.outages_per_h * HOURS_IN_A_YEAR,
            report->fleet.down / report->fleet.outages_per_h * 3600,
            report->fleet.down_error > 0 ? "RESTART" : "exact");
    for (uint32_t i = 0; i < report->part_count; i++) {
        print_part(printer, report, &report->parts[i]);
    }
    print_steady(printer, report);
    print_dominant(printer, report);
    print_negative(printer, report);
}

static void print_findings(const struct printer *printer, const struct cell *cell,
                           const struct decompose_report *report)
{
    char window[32];
    units_format_duration(cell->spec.fleet.episodes.window_ns, window, sizeof(window));
    if (report->estimate.stuck > 0) {
        fprintf(
            printer->out,
            "      ! %llu of %llu episodes did not recover within %s, or had not settled before: "
            "candidates for a metastable failure, left out of the means\n",
            (unsigned long long)report->estimate.stuck,
            (unsigned long long)report->estimate.episodes, window);
    }
    for (uint32_t i = 0; i < report->stuck_count; i++) {
        fputs("        ", printer->out);
        replay_line(printer->out, cell, printer->options->sets, printer->options->set_count,
                    printer->options->folder, report->stuck[i].seed);
        fprintf(printer->out, " --episode %s\n", report->stuck[i].label);
    }
    if (report->idle > 0) {
        fprintf(printer->out, "      ! %llu episodes had nobody to strike\n",
                (unsigned long long)report->idle);
    }
}

/* What the upper end has for classes in which all episodes were alike. */
static void print_unseen(const struct printer *printer, const struct cell *cell,
                         const struct decompose_report *report, const struct estimate_sums *sums,
                         uint32_t count)
{
    const double confidence = (double)cell->spec.fleet.confidence_millionths / 1e6;
    const uint32_t alike = report->estimate.alike;
    char name[DECOMPOSE_NAME_SIZE];
    decompose_class_name(&report->fleet.classes[alike], name);
    for (uint32_t i = 0; i < count; i++) {
        const double hidden = estimate_hidden(&sums[i], confidence);
        if (sums[i].method == ESTIMATE_DECOMPOSE && strchr(sums[i].service, '@') == NULL &&
            hidden > 0 && report->estimate.unseen > 0) {
            fprintf(printer->out,
                    "      ! all %llu episodes of %s were alike: up to %.3g more is not excluded "
                    "by them, and in the upper end\n",
                    (unsigned long long)report->sums[alike].count, name, hidden);
        }
    }
}

static void print_interval(FILE *out, const char *whose, const struct estimate *estimate)
{
    fprintf(out, "        %-52s %-10.4g %.4g .. %.4g\n", whose, estimate->unavailability,
            estimate->interval.low, estimate->interval.high);
}

/* What the comparison was, for whoever reads the file. */
static bool keep_validation(struct results *results, int64_t cell_id,
                            const struct decompose_validation *validation, struct err *err)
{
    const struct {
        const char *name;
        double value;
    } values[] = {
        {"seen", validation->seen.unavailability},
        {"seen-half", validation->seen_half},
        {"controlled", validation->controlled.unavailability},
        {"controlled-half", validation->controlled_half},
        {"said", validation->said.unavailability},
        {"said-half", validation->said_half},
        {"coincidence", validation->coincidence},
        {"plain", validation->is_plain ? 1 : 0},
        {"agrees", validation->agrees ? 1 : 0},
    };
    bool is_fine = true;
    for (uint32_t i = 0; i < ARRAY_COUNT(values) && is_fine; i++) {
        is_fine = results_add_model_value(results, cell_id, "validation", values[i].name,
                                          values[i].value, err);
    }
    return is_fine;
}

static bool judge_validation(struct printer *printer, const struct cell *cell, int64_t cell_id,
                             const struct decompose_report *report,
                             const struct estimate_sums *sums, uint32_t count, struct err *err)
{
    const struct spec_episodes *asked = &cell->spec.fleet.episodes;
    struct decompose_validation validation;
    char life[32];
    char repair[32];
    if (!decompose_validation(&cell->spec.fleet, report, sums, count, printer->risk, &validation)) {
        return true;
    }
    if (!validation.is_enough) {
        *printer->status = exit_worse(*printer->status, EXIT_UNKNOWN);
    } else if (!validation.agrees) {
        *printer->status = exit_worse(*printer->status, EXIT_THRESHOLD);
    }
    if (validation.is_enough && !keep_validation(printer->results, cell_id, &validation, err)) {
        return false;
    }
    if (printer->options->is_quiet && validation.agrees) {
        return true;
    }
    fprintf(printer->out, "      %s, with a life of %s and a repair of %s, in %llu cycles:\n",
            !validation.is_enough ? "NOT VALIDATED: too few failures"
            : validation.agrees   ? "validated"
                                  : "DISAGREES: clients saw what no sum of episodes explains",
            units_format_duration(asked->validate_life_ns, life, sizeof(life)),
            units_format_duration(asked->validate_repair_ns, repair, sizeof(repair)),
            (unsigned long long)validation.cycles);
    print_interval(printer->out,
                   validation.is_plain ? "what the clients saw"
                                       : "what the clients saw (too short to compare)",
                   &validation.seen);
    print_interval(printer->out, "the same, with the expected time without a quorum",
                   &validation.controlled);
    print_interval(printer->out, "what the decomposition says", &validation.said);
    fprintf(printer->out, "        %-52s %-10.4g\n",
            "more or less, for failures that come together", validation.coincidence);
    return true;
}

/* The terms, for the report. */
static bool keep_terms(struct results *results, int64_t cell_id,
                       const struct decompose_report *report, struct err *err)
{
    static const char model[] = "decomposition";
    bool is_fine =
        results_add_model_value(results, cell_id, model, "no-quorum", report->fleet.down, err) &&
        results_add_model_value(results, cell_id, model, "steady", report->estimate.steady, err);
    for (uint32_t i = 0; i < report->part_count && is_fine; i++) {
        const struct decompose_part *part = &report->parts[i];
        is_fine = results_add_model_value(results, cell_id, model, decompose_kind_name(part->kind),
                                          part->share, err);
    }
    return is_fine;
}

static bool print_cell(struct printer *printer, const struct cell *cell, int64_t cell_id,
                       struct err *err)
{
    struct estimate_sums *sums = calloc(ESTIMATE_STORE_MAX, sizeof(*sums));
    struct decompose_report *report = calloc(1, sizeof(*report));
    uint32_t count = 0;
    ASSERT(sums != NULL && report != NULL);
    bool is_fine = true;
    if (decompose_load(printer->results, cell_id, &cell->spec.fleet, report, err)) {
        is_fine = estimate_load(printer->results, cell_id, NULL, sums, &count, err) &&
                  keep_terms(printer->results, cell_id, report, err);
        if (!printer->options->is_quiet) {
            print_terms(printer, cell, report);
        }
        print_findings(printer, cell, report);
        if (!printer->options->is_quiet) {
            print_unseen(printer, cell, report, sums, count);
        }
        if (is_fine) {
            is_fine = judge_validation(printer, cell, cell_id, report, sums, count, err);
        }
    } else {
        is_fine = err->code == ERR_NONE;
    }
    free(report);
    free(sums);
    return is_fine;
}

bool summary_decompositions(struct results *results, const struct plan *plan,
                            const int64_t *cell_ids, const struct summary_options *options,
                            FILE *out, int *status, struct err *err)
{
    uint32_t comparisons = 0;
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        comparisons += fleet->is_asked && fleet->estimator == SPEC_ESTIMATOR_DECOMPOSE &&
                               fleet->episodes.validate_ns > 0
                           ? 2
                           : 0;
    }
    struct printer printer = {
        results, plan, options, out, status, false, comparisons > 0 ? 1.0 / comparisons : 1};
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        struct err own = {0};
        if (fleet->is_asked && fleet->estimator == SPEC_ESTIMATOR_DECOMPOSE &&
            !print_cell(&printer, &plan->cells[i], cell_ids[i], &own)) {
            return err_set(err, own.code, "%s", own.text);
        }
    }
    return true;
}
