/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The fleet by itself is computed anew from the spec, or simulated anew with the same seeds: the
 * file has only what was measured.
 *
 * The plain comparison of a validation is made only when the quorum should have been lost often
 * enough: a mean of five outages has no interval. The other one holds the excess of outages over
 * lost quorums against that of the decomposition, so the share without a quorum cancels out. */
#include "analysis/decompose_store.h"

#include "analysis/episode.h"
#include "analysis/estimators.h"
#include "sim/base/base.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLES_MIN   10 /* of a validation: fewer say nothing */
#define LOSSES_MIN   20 /* of the quorum: with fewer, plain sums of what clients saw say nothing */
#define SEEDS_MAX    64 /* whose fleets are simulated again, where they are */
#define ALONE_CYCLES 20000 /* of the fleet by itself */
#define ERRORS_MAX   4
#define FREEDOM_MANY 1e6 /* of a variance that is known */

struct loader {
    struct decompose_report *report;
    uint64_t seeds[SEEDS_MAX]; /* the first ones */
    uint32_t seed_count;
    uint64_t rows;
};

static bool look_for_leader(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    loader->report->has_leader = row->values[0].integer == 0;
    loader->rows = (uint64_t)row->values[1].integer;
    return true;
}

static bool on_seed(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    loader->seeds[loader->seed_count++] = strtoull(row->values[0].text, NULL, 16);
    return loader->seed_count < SEEDS_MAX;
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
    const struct decompose_episode episode = {
        .outage_h = (double)values[4].integer / 3.6e12,
        .up_h = (double)values[5].integer / 3.6e12,
        .recovery_h = values[9].type == RESULTS_INTEGER ? (double)values[9].integer / 3.6e12 : 0,
        .is_recovered = is_recovered,
    };
    decompose_add(sums, &episode);
    decompose_add_steady(&report->steady, (double)values[6].integer / 3.6e12,
                         (double)values[7].integer / 3.6e12);
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
        !results_query(results,
                       "SELECT DISTINCT seed FROM run JOIN episode USING(run_id) WHERE "
                       "cell_id=CAST(?1 AS INTEGER) ORDER BY seed",
                       parameters, 1, on_seed, &loader, err) ||
        !decompose_fleet_mean(fleet, 0, report->has_leader, loader.seeds, loader.seed_count,
                              &report->fleet, err) ||
        !results_query(
            results,
            "SELECT class, number, struck, recovered, outage_ns, e.up_ns, steady_ns, "
            "steady_down_ns, seed, e.recovery_ns FROM episode e JOIN run USING(run_id) WHERE "
            "cell_id=CAST(?1 AS INTEGER) ORDER BY run_id, ord",
            parameters, 1, on_row, &loader, err)) {
        return false;
    }
    decompose_combine(&report->fleet, report->sums, &report->steady,
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

/* Half of the interval of a mean or sum, without what is not of chance. */
static double half_of(const struct estimate *estimate)
{
    return fabs(estimate->unavailability) * fabs(estimate->half_width);
}

/* The fleet with accelerated faults by itself. */
struct fast {
    struct spec_fleet spec;
    struct decompose_fleet fleet;
    struct decompose_sums sums[DECOMPOSE_CLASSES_MAX];
    bool is_right; /* without a quorum for as long as was computed */
    double error;  /* standard error of that in a run with one cycle */
};

static bool look_at_fast(const struct spec_fleet *spec, const struct decompose_report *report,
                         struct fast *fast)
{
    struct estimate_sums alone;
    struct err err = {0};
    fast->spec = decompose_accelerated(spec);
    if (!decompose_fleet(&fast->spec, 0, report->has_leader, 0, &fast->fleet, &err)) {
        return false;
    }
    decompose_translate(&report->fleet, report->sums, &fast->fleet, fast->sums);
    estimate_begin(&alone, "", ESTIMATE_CRUDE);
    episode_validation_fleet(&fast->spec, 0, ALONE_CYCLES, &alone);
    const double confidence = 0.95;
    const struct estimate estimate = estimate_of(&alone, confidence);
    if (alone.count < CYCLES_MIN || estimate.is_bound) {
        fast->is_right = true; /* nothing is known to the contrary */
        return true;
    }
    const double error =
        half_of(&estimate) / estimators_quantile_t(confidence, (double)alone.count - 1);
    fast->error = error * sqrt((double)alone.count);
    fast->is_right = fabs(estimate.unavailability - fast->fleet.down) <=
                     ERRORS_MAX * hypot(error, fast->fleet.down_error);
    return true;
}

struct allowance {
    double more; /* where clients saw more */
    double coincidence;
};

/* Do they agree when the half of the interval of what clients saw is that? */
static bool agree(const struct estimate *seen, double half, const struct estimate *said,
                  const struct allowance *allowance)
{
    const double difference = seen->unavailability - said->unavailability;
    return fabs(difference) <= hypot(half, half_of(said)) + allowance->coincidence +
                                   (difference > 0 ? allowance->more : 0);
}

/* Half of the interval of what clients saw, with the luck of long repairs as it is in the fleet. */
static double half_of_plain(const struct fast *fast, const struct estimate_sums *crude,
                            const struct estimate_sums *other, double confidence)
{
    const struct estimate controlled = estimate_of(other, confidence);
    const double quantile = estimators_quantile_t(confidence, FREEDOM_MANY);
    return hypot(quantile * fast->error / sqrt((double)crude->count), half_of(&controlled));
}

static bool all_agree(const struct fast *fast, const struct estimate_sums *crude,
                      const struct estimate_sums *other, const struct estimate_sums *summed,
                      double confidence, const struct decompose_validation *validation)
{
    const struct estimate controlled = estimate_of(other, confidence);
    const struct estimate said = estimate_of(summed, confidence);
    const struct allowance allowance = {summed->weight_max, validation->coincidence};
    const double half = half_of_plain(fast, crude, other, confidence);
    return fast->is_right && agree(&controlled, half_of(&controlled), &said, &allowance) &&
           (!validation->is_plain || agree(&validation->seen, half, &said, &allowance));
}

bool decompose_validation(const struct spec_fleet *spec, const struct decompose_report *report,
                          const struct estimate_sums *sums, uint32_t count, double risk,
                          struct decompose_validation *validation)
{
    const double confidence = (double)spec->confidence_millionths / 1e6;
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
    struct fast *fast = calloc(1, sizeof(*fast));
    ASSERT(fast != NULL);
    if (crude->count >= CYCLES_MIN && !validation->seen.is_bound &&
        look_at_fast(spec, report, fast)) {
        validation->is_enough = true;
        validation->is_plain = fast->fleet.outages_per_h * crude->simulated_h >= LOSSES_MIN;
        validation->coincidence = decompose_coincidence(&fast->spec, &fast->fleet, fast->sums);
        validation->agrees =
            all_agree(fast, crude, other, summed, 1 - risk * (1 - confidence), validation);
        const double half = half_of_plain(fast, crude, other, confidence);
        const double value = validation->seen.unavailability;
        validation->seen.interval = (struct interval){fmax(0, value - half), value + half};
        validation->seen_half = half;
        validation->controlled_half = half_of(&validation->controlled);
        validation->said_half = half_of(&validation->said);
        validation->said.interval.high -= estimate_hidden(summed, confidence);
    }
    free(fast);
    return true;
}
