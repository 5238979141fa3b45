/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fleet by itself is computed anew from the spec: the file has only what was measured.
 *
 * A validation agrees when the two estimates of the same accelerated fleet differ by no more than
 * both intervals together (the root of the sum of their squares): one is what clients saw of the
 * real code while machines failed again and again, the other what the decomposition says. The plain
 * comparison is made only when the quorum should have been lost often enough: a mean of five
 * outages has no interval. */
#include "analysis/decompose_store.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLES_MIN 10 /* of a validation: fewer say nothing */
#define LOSSES_MIN 20 /* of the quorum: with fewer, plain sums of what clients saw say nothing */

struct loader {
    struct decompose_report *report;
    struct decompose_steady steady;
    bool has_leader;
    uint64_t rows;
};

static bool look_for_leader(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    loader->has_leader = row->values[0].integer == 0;
    loader->rows = (uint64_t)row->values[1].integer;
    return true;
}

static struct decompose_sums *sums_of(struct decompose_report *report, const char *name)
{
    for (uint32_t i = 0; i < report->fleet.class_count; i++) {
        char own[DECOMPOSE_NAME_SIZE];
        decompose_class_name(&report->fleet.classes[i], own);
        if (strcmp(own, name) == 0) {
            return &report->sums[i];
        }
    }
    return NULL;
}

static bool on_row(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    struct decompose_report *report = loader->report;
    const struct results_value *values = row->values;
    struct decompose_sums *sums = sums_of(report, values[0].text);
    const bool has_struck = values[2].integer != 0;
    const bool is_recovered = values[3].integer != 0;
    report->idle += has_struck ? 0 : 1;
    if (sums == NULL || !has_struck) {
        return true;
    }
    decompose_add(sums, (double)values[4].integer / 3.6e12, (double)values[5].integer / 3.6e12,
                  is_recovered);
    loader->steady.hours += (double)values[6].integer / 3.6e12;
    loader->steady.down_h += (double)values[7].integer / 3.6e12;
    if (!is_recovered && report->stuck_count < DECOMPOSE_STUCK_MAX) {
        struct decompose_stuck *stuck = &report->stuck[report->stuck_count++];
        snprintf(stuck->label, sizeof(stuck->label), "%.31s#%lld", values[0].text,
                 (long long)values[1].integer);
        stuck->seed = strtoull(values[8].text, NULL, 16);
    }
    return true;
}

static void sum_up(struct decompose_report *report)
{
    const struct decompose_fleet *fleet = &report->fleet;
    for (uint32_t kind = 0; kind < DECOMPOSE_KIND_COUNT; kind++) {
        struct decompose_part part = {.kind = (enum decompose_kind)kind};
        double variance = 0;
        for (uint32_t i = 0; i < fleet->class_count; i++) {
            const struct decompose_term *term = &report->estimate.terms[i];
            if (fleet->classes[i].kind != part.kind) {
                continue;
            }
            part.rate_per_h += fleet->classes[i].rate;
            part.episodes += report->sums[i].count + report->sums[i].stuck;
            part.share += term->share;
            variance += isnan(term->error) ? 0 : term->error * term->error;
        }
        part.error = sqrt(variance);
        part.outage_h = part.episodes > 0 ? part.share / part.rate_per_h : (double)NAN;
        if (part.rate_per_h > 0) {
            report->parts[report->part_count++] = part;
        }
    }
}

bool decompose_load(struct results *results, int64_t cell_id, const struct spec_fleet *fleet,
                    struct decompose_report *report, struct err *err)
{
    struct loader loader = {.report = report};
    char id[24];
    int64_t has_table = 0;
    memset(report, 0, sizeof(*report));
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    if (!results_query_integer(results, "SELECT count(*) FROM sqlite_master WHERE name='episode'",
                               0, &has_table, err) ||
        has_table == 0 ||
        !results_query(results,
                       "SELECT count(*) FILTER (WHERE class LIKE 'machine-lost:%'), count(*) FROM "
                       "episode JOIN run USING(run_id) WHERE cell_id=CAST(?1 AS INTEGER)",
                       parameters, 1, look_for_leader, &loader, err) ||
        loader.rows == 0 || !decompose_fleet(fleet, 0, loader.has_leader, 0, &report->fleet, err) ||
        !results_query(results,
                       "SELECT class, number, struck, recovered, outage_ns, e.up_ns, steady_ns, "
                       "steady_down_ns, seed FROM episode e JOIN run USING(run_id) WHERE "
                       "cell_id=CAST(?1 AS INTEGER) ORDER BY run_id, ord",
                       parameters, 1, on_row, &loader, err)) {
        return false;
    }
    decompose_combine(&report->fleet, report->sums, &loader.steady,
                      (double)fleet->episodes.window_ns / 3.6e12, &report->estimate);
    sum_up(report);
    return true;
}

/* ----------------------------------------------------------------------------------- validation */

static const struct estimate_sums *find(const struct estimate_sums *sums, uint32_t count,
                                        const char *suffix, enum estimate_method method)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *at = strchr(sums[i].service, '@');
        if (sums[i].method == method && at != NULL && strcmp(at, suffix) == 0) {
            return &sums[i];
        }
    }
    return NULL;
}

static bool agree(const struct estimate_sums *left_sums, const struct estimate_sums *right_sums,
                  double confidence)
{
    const struct estimate left = estimate_of(left_sums, confidence);
    const struct estimate right = estimate_of(right_sums, confidence);
    return fabs(left.unavailability - right.unavailability) <=
           hypot((left.interval.high - left.interval.low) / 2,
                 (right.interval.high - right.interval.low) / 2);
}

/* How often the quorum should have gone in that time of the accelerated fleet. */
static double expected_losses(const struct spec_fleet *fleet, double hours)
{
    const struct spec_fleet fast = decompose_accelerated(fleet);
    struct decompose_fleet *own = calloc(1, sizeof(*own));
    struct err err = {0};
    ASSERT(own != NULL);
    const bool is_fine = decompose_fleet(&fast, 0, true, 0, own, &err);
    const double losses = is_fine ? own->outages_per_h * hours : 0;
    free(own);
    return losses;
}

bool decompose_validation(const struct spec_fleet *fleet, const struct estimate_sums *sums,
                          uint32_t count, double risk, struct decompose_validation *validation)
{
    const double confidence = (double)fleet->confidence_millionths / 1e6;
    const double strict = 1 - risk * (1 - confidence);
    const struct estimate_sums *crude = find(sums, count, DECOMPOSE_VALIDATION, ESTIMATE_CRUDE);
    const struct estimate_sums *other = find(sums, count, DECOMPOSE_CONTROLLED, ESTIMATE_CRUDE);
    const struct estimate_sums *summed =
        find(sums, count, DECOMPOSE_VALIDATION, ESTIMATE_DECOMPOSE);
    *validation = (struct decompose_validation){0};
    if (crude == NULL || other == NULL || summed == NULL) {
        return false;
    }
    validation->seen = estimate_of(crude, confidence);
    validation->controlled = estimate_of(other, confidence);
    validation->said = estimate_of(summed, confidence);
    validation->cycles = crude->count;
    validation->is_enough = crude->count >= CYCLES_MIN && !validation->seen.is_bound;
    validation->is_plain = expected_losses(fleet, crude->simulated_h) >= LOSSES_MIN;
    validation->agrees = validation->is_enough && agree(other, summed, strict) &&
                         (!validation->is_plain || agree(crude, summed, strict));
    return true;
}
