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

#define LABEL_MIN  26
#define LABEL_MAX  46
#define GAIN_SHOWN 1.2

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
    fprintf(out, "    %-*.*s %-16.16s %-11s %-26s %-8s %6lld  %llu of %llu\n", line->width,
            line->width, line->cell->label, line->sums->service, value, interval,
            estimate_method_name(line->sums->method), (long long)line->runs,
            (unsigned long long)estimate->hits, (unsigned long long)estimate->events);
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
    fprintf(out, " %-8s", estimate_method_name(line->sums->method));
    if (estimate->is_bound) {
        fprintf(out, " %9s", "-");
    } else {
        fprintf(out, " %9.4g", estimate->outages_per_h * HOURS_IN_A_YEAR);
    }
    fprintf(out, " %6lld", (long long)line->runs);
    if (line->sums->method == ESTIMATE_DECOMPOSE) {
        fprintf(out, "  %llu episodes", (unsigned long long)estimate->hits);
    } else if (estimate->hits > 0) {
        fprintf(out, "  %llu hits, %.0f effective", (unsigned long long)estimate->hits,
                estimate->effective);
    }
    fputc('\n', out);
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

/* ----------------------------------------------------------------------- two cells, seed by seed
 */

struct pairs {
    double *left;
    double *right;
    uint64_t count;
    uint64_t capacity;
};

static bool on_pair(void *context, const struct results_row *row)
{
    struct pairs *pairs = context;
    ASSERT(pairs->count < pairs->capacity);
    pairs->left[pairs->count] = row->values[0].real;
    pairs->right[pairs->count] = row->values[1].real;
    pairs->count++;
    return true;
}

/* Unavailabilities of one service in both cells, seed by seed. */
static bool load_pairs(struct results *results, const int64_t *cell_ids, const char *service,
                       struct pairs *pairs, struct err *err)
{
#define SHARE(e) "(" e ".down/" e ".n)/(" e ".hours/" e ".lengths)"
    static const char sql[] = "SELECT " SHARE("a") ", " SHARE(
        "b") " FROM estimate a JOIN run r ON r.run_id=a.run_id "
             "JOIN run q ON q.seed=r.seed JOIN estimate b ON "
             "b.run_id=q.run_id AND b.service=a.service "
             "WHERE r.cell_id=CAST(?1 AS INTEGER) AND "
             "q.cell_id=CAST(?2 AS INTEGER) AND a.service=?3 "
             "AND a.method<>'decompose' AND a.hours>0 AND b.hours>0 ORDER BY r.seed";
    char ids[2][24];
    snprintf(ids[0], sizeof(ids[0]), "%lld", (long long)cell_ids[0]);
    snprintf(ids[1], sizeof(ids[1]), "%lld", (long long)cell_ids[1]);
    const char *parameters[] = {ids[0], ids[1], service};
    return results_query(results, sql, parameters, 3, on_pair, pairs, err);
}

static void print_difference(const struct plan *plan, const char *service,
                             const struct pairs *pairs, FILE *out)
{
    const struct spec_fleet *fleet = &plan->cells[0].spec.fleet;
    const double confidence = (double)fleet->confidence_millionths / 1e6;
    const struct paired paired =
        paired_difference(pairs->left, pairs->right, pairs->count, confidence);
    const double half = (paired.difference.interval.high - paired.difference.interval.low) / 2;
    char mean[32];
    char width[32];
    const double mean_s = downtime_s_per_year(paired.difference.mean);
    downtime_format(mean_s < 0 ? -mean_s : mean_s, mean, sizeof(mean));
    downtime_format(downtime_s_per_year(half), width, sizeof(width));
    fprintf(out,
            "    %-14.14s %s%s a year +- %s, unavailability %.4g +- %.2g (paired t, %llu seeds",
            service, paired.difference.mean < 0 ? "-" : "", mean, width, paired.difference.mean,
            half, (unsigned long long)pairs->count);
    if (paired.gain > GAIN_SHOWN) {
        fprintf(out, "; common chances are worth %.3g times the seeds", paired.gain);
    }
    fprintf(out, ")\n");
}

/* A campaign of two cells is a comparison: both had the same seeds, so the same lives and repairs
 * where they have machines in common. */
static bool compare(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                    FILE *out, struct err *err)
{
    const struct spec_fleet *fleet = &plan->cells[0].spec.fleet;
    bool is_fine = true;
    bool is_headed = false;
    struct pairs pairs = {0};
    int64_t runs = 0;
    if (!count_runs(results, cell_ids[0], &runs, err)) {
        return false;
    }
    pairs.capacity = (uint64_t)runs;
    pairs.left = calloc(pairs.capacity + 1, sizeof(double));
    pairs.right = calloc(pairs.capacity + 1, sizeof(double));
    ASSERT(pairs.left != NULL && pairs.right != NULL);
    for (uint32_t i = 0; i < fleet->service_count && is_fine; i++) {
        pairs.count = 0;
        is_fine = load_pairs(results, cell_ids, fleet->services[i].name, &pairs, err);
        if (pairs.count < 2) {
            continue;
        }
        if (!is_headed) {
            fprintf(out, "\n  DIFFERENCE  %s less %s\n", plan->cells[0].label,
                    plan->cells[1].label);
            is_headed = true;
        }
        print_difference(plan, fleet->services[i].name, &pairs, out);
    }
    free(pairs.left);
    free(pairs.right);
    return is_fine;
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
            if (fleet->is_sequential && fleet->estimator != SPEC_ESTIMATOR_DECOMPOSE &&
                !is_exact(&sums[s])) {
                estimate_widen(&line.estimate);
                is_sequential = true;
            }
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
    const bool is_pair = plan->cell_count == 2 && !plan->cells[0].spec.fleet.placement.is_asked;
    return lines == 0 || !is_pair || compare(results, plan, cell_ids, out, err);
}
