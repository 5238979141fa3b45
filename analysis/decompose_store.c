/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fleet by itself is computed anew from the spec: the file has only what was measured. */
#include "analysis/decompose_store.h"

#include "sim/base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        loader.rows == 0 ||
        !decompose_fleet(fleet, 0, loader.has_leader, 0, &report->fleet, err) ||
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
