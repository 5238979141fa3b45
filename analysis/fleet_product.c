/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * All sets of dark groups are gone through: there are at most 2^FLEET_GROUPS. Of each, only how
 * many machines are left matters. Everything is a sum of products of what is not negative, so no
 * digit is lost however rare the outage.
 *
 * Rates. Independent parts are stationary renewal processes: a part goes down once in a mean cycle,
 * and finds the others as they are at any time. So outages begin at the sum over parts of that
 * rate, times the probability that the others are such that the part makes the difference.
 *
 * Not here: times to the first outage, for which laws do matter. */
#include "analysis/fleet_product.h"

#include "analysis/fleet_exact.h"
#include "sim/base/base.h"
#include "sim/fleet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NS_IN_AN_HOUR 3.6e12

struct product {
    uint32_t machines;
    uint32_t needed;
    uint32_t groups;
    double up; /* of a machine */
    double cycle_h;
    double dark[FLEET_GROUPS];  /* of each group: its share of time, ... */
    double per_h[FLEET_GROUPS]; /* ... and how often it begins */
    uint64_t members[FLEET_GROUPS];
    /* By number of machines left: chance of an outage, and rate of machines that begin one. */
    double down[FLEET_MACHINES + 1];
    double rate[FLEET_MACHINES + 1];
    /* left, gone: chance that `left` machines are enough, but not without `gone` of them; below 0:
     * not worked out yet */
    double crossing[FLEET_MACHINES + 1][FLEET_MACHINES + 1];
};

/* Chance of exactly k of n machines up. */
static double exactly(const struct product *product, uint32_t n, uint32_t k)
{
    double chance = 1;
    for (uint32_t i = 1; i <= k; i++) {
        chance *= (double)(n - k + i) / i * product->up;
    }
    return chance * pow(1 - product->up, n - k);
}

/* Chance of at least k of n. */
static double at_least(const struct product *product, uint32_t n, uint32_t k)
{
    double chance = 0;
    for (uint32_t i = k; i <= n; i++) {
        chance += exactly(product, n, i);
    }
    return chance;
}

static double crossing(struct product *product, uint32_t left, uint32_t gone)
{
    double *found = &product->crossing[left][gone];
    if (*found >= 0) {
        return *found;
    }
    *found = 0;
    for (uint32_t rest = 0; rest < product->needed && rest <= left - gone; rest++) {
        const uint32_t missing = product->needed - rest;
        if (missing <= gone) {
            *found += exactly(product, left - gone, rest) * at_least(product, gone, missing);
        }
    }
    return *found;
}

static void begin(struct product *product, const struct spec_fleet *spec, uint32_t needed)
{
    const double life = (double)dist_mean(&spec->life);
    const double repair = (double)dist_mean(&spec->repair);
    memset(product, 0, sizeof(*product));
    product->machines = spec->machines;
    product->needed = needed;
    product->groups = fleet_group_count(spec);
    product->up = life / (life + repair);
    product->cycle_h = (life + repair) / NS_IN_AN_HOUR;
    ASSERT(product->groups <= FLEET_GROUPS);
    for (uint32_t g = 0; g < product->groups; g++) {
        const struct spec_fleet_groups *groups = &spec->groups[fleet_group_kind(spec, g)];
        const double group_life = (double)dist_mean(&groups->life);
        const double cycle = group_life + (double)dist_mean(&groups->repair);
        product->members[g] = fleet_group_members(spec, g);
        if (group_life > 0) {
            product->dark[g] = (double)dist_mean(&groups->repair) / cycle;
            product->per_h[g] = NS_IN_AN_HOUR / cycle;
        }
    }
    for (uint32_t left = 0; left <= product->machines; left++) {
        product->down[left] = 1;
        if (left >= needed) {
            product->down[left] = fleet_binomial(left, needed, repair / (life + repair));
            product->rate[left] = left / product->cycle_h * exactly(product, left - 1, needed - 1);
        }
        for (uint32_t gone = 0; gone <= product->machines; gone++) {
            product->crossing[left][gone] = -1;
        }
    }
}

/* The groups of `mask` are dark, and no others. */
static void add_mask(struct product *product, uint32_t mask, struct fleet_product *sums)
{
    uint64_t away = 0;
    double chance = 1;
    for (uint32_t g = 0; g < product->groups; g++) {
        const bool is_dark = (mask >> g & 1) != 0;
        chance *= is_dark ? product->dark[g] : 1 - product->dark[g];
        away |= is_dark ? product->members[g] : 0;
    }
    const uint32_t left = product->machines - (uint32_t)__builtin_popcountll(away);
    sums->unavailability += chance * product->down[left];
    sums->outages_per_h += chance * product->rate[left];
    for (uint32_t g = 0; g < product->groups && left >= product->needed && chance > 0; g++) {
        if ((mask >> g & 1) == 0) {
            const uint32_t gone = (uint32_t)__builtin_popcountll(product->members[g] & ~away);
            const double others = chance / (1 - product->dark[g]);
            sums->outages_per_h += others * product->per_h[g] * crossing(product, left, gone);
        }
    }
}

struct fleet_product fleet_product(const struct spec_fleet *spec, uint32_t needed)
{
    struct fleet_product sums = {0};
    struct product *product = malloc(sizeof(*product));
    ASSERT(product != NULL);
    ASSERT(needed >= 1);
    ASSERT(needed <= spec->machines);
    begin(product, spec, needed);
    for (uint32_t mask = 0; mask < UINT32_C(1) << product->groups; mask++) {
        add_mask(product, mask, &sums);
    }
    free(product);
    return sums;
}
