/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact answers where machines and groups of any number of kinds are independent: a crew for each,
 * no shocks, no maintenance, no leader. By renewal theory only the means of laws matter then, and
 * what is down is a product: the sum over which groups are dark, of the binomial law of the
 * machines that are left. */
#ifndef SQUALL_ANALYSIS_FLEET_PRODUCT_H
#define SQUALL_ANALYSIS_FLEET_PRODUCT_H

#include "sim/spec.h"

struct fleet_product {
    double unavailability;
    double outages_per_h; /* times at which fewer than `needed` machines are left */
};

/* 1 <= needed <= spec->machines. Of the spec only machines and groups, their number and the means
 * of their laws, are looked at. */
struct fleet_product fleet_product(const struct spec_fleet *spec, uint32_t needed);

#endif
