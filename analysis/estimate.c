/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The interval of a ratio of means is that of Cochran (Sampling Techniques, 6.4) when both are of
 * the same cycles, and the sum of the two relative variances when they are of different ones, each
 * with Student's t. Both assume that many cycles had an outage; `hits`, the effective sample size
 * and the largest weight say whether they did. */
#include "analysis/estimate.h"

#include "analysis/estimators.h"
#include "analysis/markov.h"
#include "sim/base/base.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXACT_RELATIVE 1e-12 /* what rounding may have done to an exact answer */

static const char *const names[] = {"exact",   "binomial",  "beta-binomial", "crude",   "is",
                                    "restart", "decompose", "trials",        "copysets"};
static_assert(ARRAY_COUNT(names) == ESTIMATE_METHOD_COUNT, "a name for each method");

const char *estimate_method_name(enum estimate_method method)
{
    ASSERT((unsigned)method < ESTIMATE_METHOD_COUNT);
    return names[method];
}

bool estimate_method_find(const char *name, enum estimate_method *method)
{
    for (uint32_t i = 0; i < ESTIMATE_METHOD_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *method = (enum estimate_method)i;
            return true;
        }
    }
    return false;
}

const char *estimate_estimator_name(enum spec_estimator estimator)
{
    static const char *const words[] = {"auto", "exact", "crude", "is", "restart", "decompose"};
    ASSERT((unsigned)estimator < ARRAY_COUNT(words));
    return words[estimator];
}

bool estimate_is_exact(enum estimate_method method)
{
    return method <= ESTIMATE_BETA_BINOMIAL || method == ESTIMATE_COPYSETS;
}

void estimate_begin(struct estimate_sums *sums, const char *service, enum estimate_method method)
{
    *sums = (struct estimate_sums){.method = method, .mttf_h = NAN};
    snprintf(sums->service, sizeof(sums->service), "%s", service);
}

void estimate_merge(struct estimate_sums *sums, const struct estimate_sums *other)
{
    ASSERT(sums->method == other->method);
    ASSERT(strcmp(sums->service, other->service) == 0);
    sums->is_paired |= other->is_paired;
    sums->is_sequential |= other->is_sequential;
    sums->count += other->count;
    sums->down += other->down;
    sums->down2 += other->down2;
    sums->outages += other->outages;
    sums->cross += other->cross;
    sums->lengths += other->lengths;
    sums->hours += other->hours;
    sums->hours2 += other->hours2;
    sums->hits += other->hits;
    sums->weights += other->weights;
    sums->weights2 += other->weights2;
    sums->weight_max = fmax(sums->weight_max, other->weight_max);
    sums->events += other->events;
    sums->simulated_h += other->simulated_h;
    if (other->worst_h > sums->worst_h) {
        sums->worst_h = other->worst_h;
        sums->worst_digest = other->worst_digest;
        memcpy(sums->worst_path, other->worst_path, sizeof(sums->worst_path));
    }
    sums->unavailability = other->unavailability;
    sums->outages_per_h = other->outages_per_h;
    sums->mttf_h = other->mttf_h;
}

static void add_hit(struct estimate_sums *sums, double weight)
{
    if (weight > 0) {
        sums->hits++;
        sums->weights += weight;
        sums->weights2 += weight * weight;
        sums->weight_max = fmax(sums->weight_max, weight);
    }
}

void estimate_add_pair(struct estimate_sums *sums, double down_h, double hours, double outages)
{
    sums->is_paired = true;
    sums->count++;
    sums->down += down_h;
    sums->down2 += down_h * down_h;
    sums->outages += outages;
    sums->cross += down_h * hours;
    sums->lengths++;
    sums->hours += hours;
    sums->hours2 += hours * hours;
    add_hit(sums, down_h);
}

void estimate_add_trials(struct estimate_sums *sums, uint32_t hits, uint32_t trials)
{
    ASSERT(hits <= trials);
    sums->is_paired = true;
    sums->count += trials;
    sums->lengths += trials;
    sums->hits += hits;
    sums->events += trials;
    sums->down += hits;
    sums->hours += trials;
    sums->weights += hits;
    sums->weights2 += hits;
    sums->weight_max = hits > 0 ? 1 : 0;
}

void estimate_add_weighted(struct estimate_sums *sums, double down_h, double outages)
{
    sums->count++;
    sums->down += down_h;
    sums->down2 += down_h * down_h;
    sums->outages += outages;
    add_hit(sums, down_h);
}

void estimate_add_length(struct estimate_sums *sums, double hours)
{
    sums->lengths++;
    sums->hours += hours;
    sums->hours2 += hours * hours;
}

double estimators_quantile_t(double confidence, double freedom)
{
    gsl_set_error_handler_off();
    return gsl_cdf_tdist_Pinv(.5 + confidence / 2, freedom);
}

/* Relative standard error of the ratio; NaN: too few cycles. */
static double relative_error(const struct estimate_sums *sums)
{
    const double n = (double)sums->count;
    const double m = (double)sums->lengths;
    const double mean_down = sums->down / n;
    const double mean_hours = sums->hours / m;
    if (n < 2 || m < 2) {
        return NAN;
    }
    if (sums->is_paired) {
        const double ratio = mean_down / mean_hours;
        const double squares = sums->down2 - 2 * ratio * sums->cross + ratio * ratio * sums->hours2;
        return sqrt(fmax(0, squares) / (n - 1) / n) / mean_down;
    }
    const double of_down = fmax(0, sums->down2 / n - mean_down * mean_down) / (n - 1);
    const double of_hours = fmax(0, sums->hours2 / m - mean_hours * mean_hours) / (m - 1);
    return sqrt(of_down / (mean_down * mean_down) + of_hours / (mean_hours * mean_hours));
}

static struct estimate exact_of(const struct estimate_sums *sums)
{
    const double value = sums->unavailability;
    return (struct estimate){.unavailability = value,
                             .interval = {value, value},
                             .interval_method = "none",
                             .half_width = EXACT_RELATIVE,
                             .outages_per_h = sums->outages_per_h,
                             .rate = {NAN, NAN},
                             .outage_h = value / sums->outages_per_h,
                             .mttf_h = sums->mttf_h,
                             .effective = NAN,
                             .weight_share = NAN};
}

double estimate_hidden(const struct estimate_sums *sums, double confidence)
{
    const double n = (double)sums->count;
    return sums->method == ESTIMATE_DECOMPOSE && sums->count > 0
               ? -log(1 - confidence) * sums->weights / n / n
               : 0;
}

/* Replications of one campaign have their episodes shared out alike: the mean of theirs is that of
 * all episodes; and each has a sample of the fleet of its own, where that is not exact. What
 * analysis/decompose.c puts where, decompose_deliver says. */
static struct estimate decomposed_of(const struct estimate_sums *sums, double confidence)
{
    const double n = (double)sums->count;
    const double variance = sums->down2 + sums->weights2; /* of the sum */
    const double error = sqrt(variance) / n;
    const double freedom = sums->cross > 0 ? variance * variance / sums->cross : INFINITY;
    const double quantile = estimators_quantile_t(confidence, fmin(fmax(freedom, 1), 1e6));
    struct estimate result = {.unavailability = sums->down / n,
                              .interval_method = "delta method, t",
                              .outages_per_h = sums->outages / n,
                              .rate = {NAN, NAN},
                              .mttf_h = NAN,
                              .effective = (double)sums->hits,
                              .weight_share = NAN,
                              .hits = sums->hits,
                              .events = sums->events,
                              .simulated_h = sums->simulated_h};
    result.interval.low = fmax(0, result.unavailability - quantile * error);
    result.interval.high = result.unavailability + quantile * error + sums->weight_max +
                           estimate_hidden(sums, confidence);
    result.half_width = quantile * error / result.unavailability;
    result.outage_h = result.unavailability / result.outages_per_h;
    return result;
}

/* Is it plain simulation, in parts of equal length? */
static bool are_batches(const struct estimate_sums *sums)
{
    const double spread = sums->hours2 * (double)sums->lengths - sums->hours * sums->hours;
    return sums->method == ESTIMATE_CRUDE && fabs(spread) < 1e-9 * sums->hours * sums->hours;
}

/* Outages an hour; without one, a bound. They come in clusters: when one ends just as many machines
 * are available as are needed, and the next is near. So the number of outages in a cycle that has
 * one is nearly geometric, of mean m, and that of all varies up to 2 m - 1 times as much as
 * Poisson's; less where clusters are a good part of all time, which they make longer. (Fifteen of
 * twenty machines, lives of 20 repairs, a crew: 2.4 times; Poisson's intervals of 95 % hold 78 %.)
 * Batches do not tell which outages belong together. */
static struct interval rate_of(const struct estimate_sums *sums, double confidence)
{
    const uint64_t outages = (uint64_t)llround(sums->outages);
    struct interval interval = interval_poisson(outages, sums->hours, confidence);
    if (outages == 0) {
        interval.high = bound_poisson(0, sums->hours, confidence);
    } else if (outages > sums->hits && sums->hits > 0 && !are_batches(sums)) {
        const double rate = sums->outages / sums->hours;
        const double wider = sqrt(2 * sums->outages / (double)sums->hits - 1);
        interval.low = fmax(0, rate - (rate - interval.low) * wider);
        interval.high = rate + (interval.high - rate) * wider;
    }
    return interval;
}

/* An interval of so much on either side, on a logarithmic scale. */
static void spread(struct estimate *estimate, double logarithm)
{
    estimate->is_logarithmic = true;
    estimate->half_width = expm1(logarithm);
    estimate->interval.low = estimate->unavailability * exp(-logarithm);
    estimate->interval.high = estimate->unavailability * exp(logarithm);
}

/* A handful of outages that were counted one by one: their number is Poisson's, so with lengths as
 * scattered as exponential ones the relative variance is at least 2 / hits, and no normal law is
 * near (3 expected: 95 % intervals of t hold 78 %, these 93 %). */
static void of_few(const struct estimate_sums *sums, double confidence, struct estimate *estimate)
{
    const double seen = relative_error(sums);
    const double error = sqrt(fmax(2 / (double)sums->hits, isnan(seen) ? 0 : seen * seen));
    spread(estimate, error * estimators_quantile_t(confidence, 1e6));
    estimate->interval_method = "few outages, logarithmic";
}

/* Trials are independent: Clopper and Pearson's interval, and a one-sided bound without a hit. */
static struct estimate trials_of(const struct estimate_sums *sums, double confidence)
{
    const bool is_bound = sums->hits == 0;
    const double one_sided = is_bound ? confidence : .5 + confidence / 2;
    struct estimate result = {.unavailability = (double)sums->hits / (double)sums->count,
                              .interval_method = is_bound ? "bound" : "Clopper-Pearson",
                              .is_bound = is_bound,
                              .outages_per_h = NAN,
                              .outage_h = NAN,
                              .mttf_h = NAN,
                              .effective = (double)sums->hits,
                              .weight_share = is_bound ? NAN : 1 / (double)sums->hits,
                              .hits = sums->hits,
                              .events = sums->events};
    result.interval.low = is_bound ? 0 : bound_lower(sums->hits, sums->count, one_sided);
    result.interval.high = bound_upper(sums->hits, sums->count, one_sided);
    result.half_width =
        is_bound ? INFINITY
                 : (result.interval.high - result.interval.low) / 2 / result.unavailability;
    return result;
}

struct estimate estimate_of(const struct estimate_sums *sums, double confidence)
{
    if (sums->method == ESTIMATE_TRIALS && sums->count > 0) {
        return trials_of(sums, confidence);
    }
    if (sums->method == ESTIMATE_DECOMPOSE && sums->count > 0) {
        return decomposed_of(sums, confidence);
    }
    if (estimate_is_exact(sums->method)) {
        return exact_of(sums);
    }
    struct estimate result = {.unavailability = NAN,
                              .interval = {NAN, NAN},
                              .interval_method = "none",
                              .half_width = INFINITY,
                              .outages_per_h = NAN,
                              .rate = {NAN, NAN},
                              .outage_h = NAN,
                              .mttf_h = NAN,
                              .effective = 0,
                              .weight_share = NAN,
                              .hits = sums->hits,
                              .events = sums->events,
                              .simulated_h = sums->simulated_h};
    if (sums->count == 0 || sums->lengths == 0 || !(sums->hours > 0)) {
        return result;
    }
    const double mean_hours = sums->hours / (double)sums->lengths;
    result.unavailability = sums->down / (double)sums->count / mean_hours;
    result.outages_per_h = sums->outages / (double)sums->count / mean_hours;
    if (sums->method == ESTIMATE_CRUDE) {
        result.rate = rate_of(sums, confidence);
    }
    if (sums->hits == 0) {
        result.is_bound = true;
        result.interval.low = 0;
        if (sums->is_paired) { /* at most so many outages, each as long as a mean cycle */
            result.interval.high = fmin(1, bound_poisson(0, (double)sums->count, confidence));
            result.interval_method = "bound on the share of cycles";
        }
        return result;
    }
    const double count = (double)(sums->count < sums->lengths ? sums->count : sums->lengths);
    const double error =
        relative_error(sums) * (count < 2 ? NAN : estimators_quantile_t(confidence, count - 1));
    result.outage_h = sums->outages > 0 ? sums->down / sums->outages : (double)NAN;
    result.half_width = error;
    result.interval.low = fmax(0, result.unavailability * (1 - error));
    result.interval.high = result.unavailability * (1 + error);
    result.interval_method = !sums->is_paired    ? "two means, t"
                             : are_batches(sums) ? "batch means, t"
                                                 : "ratio of means, t";
    result.effective = sums->weights * sums->weights / sums->weights2;
    result.weight_share = sums->weight_max / sums->weights;
    if (sums->method == ESTIMATE_CRUDE && sums->hits < ESTIMATE_HITS_MIN) {
        of_few(sums, confidence, &result);
    }
    if (sums->is_sequential) {
        estimate_widen(&result);
    }
    return result;
}

void estimate_widen(struct estimate *estimate)
{
    if (estimate->hits == 0) {
        return;
    }
    if (estimate->is_logarithmic) {
        spread(estimate, ESTIMATE_SEQUENTIAL * log1p(estimate->half_width));
        return;
    }
    const double value = estimate->unavailability;
    const struct interval interval = estimate->interval;
    estimate->half_width *= ESTIMATE_SEQUENTIAL;
    estimate->interval.low = fmax(0, value - (value - interval.low) * ESTIMATE_SEQUENTIAL);
    estimate->interval.high = value + (interval.high - value) * ESTIMATE_SEQUENTIAL;
}

bool estimate_is_enough(const struct estimate_sums *sums, double half_width, double confidence)
{
    struct estimate_sums looked_at = *sums;
    looked_at.is_sequential = true;
    if (estimate_is_exact(sums->method)) {
        return true;
    }
    const struct estimate estimate = estimate_of(&looked_at, confidence);
    return estimate.hits >= ESTIMATE_HITS_MIN && estimate.weight_share <= ESTIMATE_SHARE_MAX &&
           estimate.half_width <= half_width;
}

/* ----------------------------------------------------------------------------------- all of them
 */

static bool is_still(const struct spec_fleet *fleet)
{
    return fleet->correlation > 0;
}

/* Renewal theory needs nothing else. */
static bool is_product(const struct spec_fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        if (!estimate_is_product(fleet, i)) {
            return false;
        }
    }
    return true;
}

/* States of the largest chain of its services; 0: one has too many. */
static uint32_t states_of(const struct spec_fleet *fleet)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        struct fleet_model model;
        struct err ignored = {0};
        const bool is_chain = estimate_model(fleet, i, &model, &ignored);
        const uint32_t states = is_chain ? fleet_exact_states(&model) : 0;
        if (states == 0) {
            return 0;
        }
        most = states > most ? states : most;
    }
    return most;
}

enum spec_estimator estimate_choose(const struct spec_fleet *fleet, char *why)
{
    char nowhere[ESTIMATE_WHY_SIZE];
    char *into = why == NULL ? nowhere : why;
    const uint32_t states = estimate_has_chain(fleet) ? states_of(fleet) : 0;
    if (is_still(fleet)) {
        snprintf(into, ESTIMATE_WHY_SIZE, "a given correlation has a closed form");
        return SPEC_ESTIMATOR_EXACT;
    }
    if (states > 0) {
        snprintf(into, ESTIMATE_WHY_SIZE,
                 "all laws are exponential, and the chain has no more than %d states",
                 MARKOV_STATES_MAX);
        return SPEC_ESTIMATOR_EXACT;
    }
    if (estimate_has_chain(fleet)) {
        snprintf(into, ESTIMATE_WHY_SIZE, "the exact model has more than %d states",
                 MARKOV_STATES_MAX);
        return SPEC_ESTIMATOR_IS;
    }
    if (is_product(fleet)) {
        snprintf(into, ESTIMATE_WHY_SIZE,
                 "%s are independent, so only the means of their laws matter",
                 fleet->groups[0].count > 0 ? "machines and groups" : "machines");
        return SPEC_ESTIMATOR_EXACT;
    }
    if (fleet_is_markov(fleet)) {
        snprintf(into, ESTIMATE_WHY_SIZE,
                 "machines are in several kinds of groups, with crews, shocks or a failover");
        return SPEC_ESTIMATOR_RESTART;
    }
    snprintf(into, ESTIMATE_WHY_SIZE, "%s, so it is no Markov chain",
             fleet->maintenance_every_ns > 0 ? "maintenance is planned"
                                             : "some laws are not exponential");
    return SPEC_ESTIMATOR_RESTART;
}

/* Has every service an exact model, and is there room for it? */
static bool check_exact(const struct spec_fleet *fleet, struct err *err)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        struct fleet_model model;
        if (is_still(fleet) && !estimate_is_independent(fleet, i)) {
            return err_set(err, ERR_INPUT, ESTIMATE_STILL_ALONE);
        }
        if (is_still(fleet) || (estimate_is_product(fleet, i) && !estimate_has_chain(fleet))) {
            continue;
        }
        if (!estimate_model(fleet, i, &model, err)) {
            return false;
        }
        if (fleet_exact_states(&model) == 0) {
            return err_set(err, ERR_INPUT,
                           "the exact model has more than %d states: take another estimator",
                           MARKOV_STATES_MAX);
        }
    }
    return true;
}

bool estimate_check(const struct spec_fleet *fleet, struct err *err)
{
    ASSERT(fleet->is_asked);
    if (fleet->placement.is_asked) {
        return true;
    }
    const bool is_exact = fleet->estimator == SPEC_ESTIMATOR_EXACT ||
                          (fleet->estimator == SPEC_ESTIMATOR_AUTO && is_still(fleet));
    if (is_still(fleet) && !is_exact) {
        return err_set(err, ERR_INPUT,
                       "a correlation is a still picture: only the estimators exact and auto can "
                       "tell");
    }
    if (fleet->estimator == SPEC_ESTIMATOR_IS && !fleet_is_markov(fleet)) {
        return err_set(err, ERR_INPUT,
                       "importance sampling needs exponential laws and no maintenance: take the "
                       "estimator restart or crude");
    }
    if (fleet->estimator == SPEC_ESTIMATOR_IS && !estimate_has_chain(fleet)) {
        return err_set(err, ERR_INPUT,
                       "importance sampling walks the lumped chain, which several kinds of groups "
                       "do not have: take the estimator restart or crude");
    }
    return !is_exact || check_exact(fleet, err);
}

bool estimate_run(const struct spec_fleet *fleet, uint64_t seed, struct estimate_sums *sums,
                  uint64_t *digest, uint64_t *events, struct err *err)
{
    ASSERT(fleet->is_asked);
    struct estimators_run run = {.seed = seed, .sums = sums};
    bool is_fine = false;
    if (fleet->placement.is_asked) {
        is_fine = estimate_placement(fleet, &run, err);
        *digest = run.digest;
        *events = run.events;
        return is_fine;
    }
    if (!estimate_check(fleet, err)) {
        return false;
    }
    const enum spec_estimator estimator =
        fleet->estimator == SPEC_ESTIMATOR_AUTO ? estimate_choose(fleet, NULL) : fleet->estimator;
    switch (estimator) {
    case SPEC_ESTIMATOR_AUTO:
        UNREACHABLE();
    case SPEC_ESTIMATOR_EXACT:
        is_fine = estimate_exact(fleet, sums, err);
        break;
    case SPEC_ESTIMATOR_CRUDE:
        is_fine = estimate_crude(fleet, &run, err);
        break;
    case SPEC_ESTIMATOR_IS:
        is_fine = estimate_is(fleet, &run, err);
        break;
    case SPEC_ESTIMATOR_RESTART:
        is_fine = estimate_restart(fleet, &run, err);
        break;
    case SPEC_ESTIMATOR_DECOMPOSE:
        is_fine = err_set(err, ERR_INPUT, "decomposition needs runs of the real code");
        break;
    }
    *digest = run.digest;
    *events = run.events;
    return is_fine;
}
