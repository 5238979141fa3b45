/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The estimators of analysis/estimate.h, one file each. All fill `sums` of every service of the
 * fleet; false (ERR_INPUT) says why the fleet is not for them. */
#ifndef SQUALL_ANALYSIS_ESTIMATORS_H
#define SQUALL_ANALYSIS_ESTIMATORS_H

#include "analysis/estimate.h"
#include "analysis/fleet_exact.h"
#include "sim/base/err.h"
#include "sim/fleet.h"

struct estimators_run {
    uint64_t seed;
    struct estimate_sums *sums; /* one for each service */
    uint64_t digest;
    uint64_t events;
};

/* Is the fleet a Markov chain that can be lumped (analysis/fleet_chain.h)? Not with laws that are
 * not exponential, with maintenance, or with several kinds of groups. */
bool estimate_has_chain(const struct spec_fleet *fleet);
/* The fleet as its exact model sees it, for one service. False: it has no such chain. */
bool estimate_model(const struct spec_fleet *fleet, uint32_t service, struct fleet_model *model,
                    struct err *err);
/* Do machines, and groups of any kinds, have nothing to do with each other, and a crew each? Then
 * only the means of their laws matter, and the answer is a sum of products
 * (analysis/fleet_product.h). */
bool estimate_is_product(const struct spec_fleet *fleet, uint32_t service);
/* The same, and there are no groups. */
bool estimate_is_independent(const struct spec_fleet *fleet, uint32_t service);
#define ESTIMATE_STILL_ALONE                                                                       \
    "a correlation goes with machines alone: no crews, groups, shocks, maintenance or failover"
bool estimate_exact(const struct spec_fleet *fleet, struct estimate_sums *sums, struct err *err);
/* Plain simulation: regenerative cycles when the fleet is a Markov chain, else batches of twenty
 * mean lives after as many. */
bool estimate_crude(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err);
bool estimate_is(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err);
/* Draws placements and losses, or, with the estimator exact, takes the closed form. */
bool estimate_placement(const struct spec_fleet *fleet, struct estimators_run *run,
                        struct err *err);
bool estimate_restart(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err);

/* Half-width of an interval in standard errors: Student's t. */
double estimators_quantile_t(double confidence, double freedom);

#endif
