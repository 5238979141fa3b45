/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact answers: a Markov chain for exponential laws (analysis/fleet_exact.h); the binomial tail
 * for independent machines of any laws, since by renewal theory only means matter then; the
 * beta-binomial one for a given correlation. */
#include "analysis/estimators.h"

#include "sim/base/base.h"

#include <math.h>

#define NS_IN_AN_HOUR 3.6e12

static double hours_of(const struct dist *law)
{
    return (double)dist_mean(law) / NS_IN_AN_HOUR;
}

bool estimate_model(const struct spec_fleet *fleet, uint32_t service, struct fleet_model *model,
                    struct err *err)
{
    ASSERT(service < fleet->service_count);
    if (!fleet_is_markov(fleet)) {
        return err_set(err, ERR_INPUT,
                       "the exact model needs exponential laws and no maintenance: "
                       "take the estimator restart or crude");
    }
    *model = (struct fleet_model){
        .machines = fleet->machines,
        .needed = fleet->services[service].needed,
        .fail_per_h = 1 / hours_of(&fleet->life),
        .repair_per_h = 1 / hours_of(&fleet->repair),
        .crews = fleet->crews,
        .shock_share = (double)fleet->shock_share / 4294967296.0,
        .groups = fleet->group_count,
        .group_fail_per_h = fleet->group_count > 0 ? 1 / hours_of(&fleet->group_life) : 0,
        .group_repair_per_h = fleet->group_count > 0 ? 1 / hours_of(&fleet->group_repair) : 0,
        .failover_h = (double)fleet->services[service].failover_ns / NS_IN_AN_HOUR,
    };
    return true;
}

bool estimate_is_independent(const struct spec_fleet *fleet, uint32_t service)
{
    return fleet->crews == 0 && fleet->shock_share == 0 && fleet->group_count == 0 &&
           fleet->maintenance_every_ns == 0 && fleet->services[service].failover_ns == 0;
}

/* Rate of outages of independent machines: one more fails while exactly `needed` are up, whatever
 * the laws (each machine is a stationary renewal process). */
static double binomial_rate(uint32_t machines, uint32_t needed, double down, double cycle_h)
{
    double pmf = 1; /* of exactly `needed` - 1 of the other machines up */
    for (uint32_t k = 1; k <= needed - 1; k++) {
        pmf *= (double)(machines - k) / k * (1 - down);
    }
    pmf *= pow(down, machines - needed);
    return machines * pmf / cycle_h;
}

static bool independent(const struct spec_fleet *fleet, uint32_t service,
                        struct estimate_sums *sums)
{
    const double life = hours_of(&fleet->life);
    const double repair = hours_of(&fleet->repair);
    const double down = repair / (life + repair);
    const uint32_t needed = fleet->services[service].needed;
    estimate_begin(sums, fleet->services[service].name, ESTIMATE_BINOMIAL);
    sums->unavailability = fleet_binomial(fleet->machines, needed, down);
    sums->outages_per_h = binomial_rate(fleet->machines, needed, down, life + repair);
    return true;
}

static bool correlated(const struct spec_fleet *fleet, uint32_t service, struct estimate_sums *sums,
                       struct err *err)
{
    if (!estimate_is_independent(fleet, service)) {
        return err_set(err, ERR_INPUT, ESTIMATE_STILL_ALONE);
    }
    const double life = hours_of(&fleet->life);
    const double repair = hours_of(&fleet->repair);
    estimate_begin(sums, fleet->services[service].name, ESTIMATE_BETA_BINOMIAL);
    sums->unavailability =
        fleet_beta_binomial(fleet->machines, fleet->services[service].needed,
                            repair / (life + repair), (double)fleet->correlation / 4294967296.0);
    sums->outages_per_h = NAN;
    return true;
}

bool estimate_exact(const struct spec_fleet *fleet, struct estimate_sums *sums, struct err *err)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        if (fleet->correlation > 0) {
            if (!correlated(fleet, i, &sums[i], err)) {
                return false;
            }
            continue;
        }
        if (!fleet_is_markov(fleet) && estimate_is_independent(fleet, i)) {
            independent(fleet, i, &sums[i]);
            continue;
        }
        struct fleet_model model;
        struct fleet_exact exact;
        if (!estimate_model(fleet, i, &model, err) || !fleet_exact(&model, &exact, err)) {
            return false;
        }
        estimate_begin(&sums[i], fleet->services[i].name, ESTIMATE_EXACT);
        sums[i].unavailability = exact.unavailability;
        sums[i].outages_per_h = exact.outages_per_h;
        sums[i].mttf_h = exact.mttf_h;
    }
    return true;
}
