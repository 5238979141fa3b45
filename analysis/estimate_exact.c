/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Exact answers: a Markov chain for exponential laws (analysis/fleet_exact.h); the binomial tail
 * for independent machines of any laws, since by renewal theory only means matter then; a sum of
 * such tails where they are in independent groups (analysis/fleet_product.h); the beta-binomial one
 * for a given correlation. */
#include "analysis/estimators.h"

#include "analysis/fleet_product.h"
#include "sim/base/base.h"

#include <math.h>

#define NS_IN_AN_HOUR 3.6e12

static double hours_of(const struct dist *law)
{
    return (double)dist_mean(law) / NS_IN_AN_HOUR;
}

bool estimate_has_chain(const struct spec_fleet *fleet)
{
    return fleet_is_markov(fleet) && fleet->groups[1].count == 0;
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
    if (!estimate_has_chain(fleet)) {
        return err_set(err, ERR_INPUT,
                       "several kinds of groups with crews, shocks or a failover are no chain that "
                       "can be lumped: take the estimator restart or crude");
    }
    const struct spec_fleet_groups *groups = &fleet->groups[0];
    const bool is_eternal = groups->count == 0 || dist_mean(&groups->life) == 0;
    *model = (struct fleet_model){
        .machines = fleet->machines,
        .needed = fleet->services[service].needed,
        .fail_per_h = 1 / hours_of(&fleet->life),
        .repair_per_h = 1 / hours_of(&fleet->repair),
        .crews = fleet->crews,
        .shock_share = (double)fleet->shock_share / 4294967296.0,
        .groups = groups->count,
        .group_fail_per_h = is_eternal ? 0 : 1 / hours_of(&groups->life),
        .group_repair_per_h = is_eternal ? 0 : 1 / hours_of(&groups->repair),
        .group_shock_share = (double)groups->shock_share / 4294967296.0,
        .failover_h = (double)fleet->services[service].failover_ns / NS_IN_AN_HOUR,
    };
    return true;
}

bool estimate_is_product(const struct spec_fleet *fleet, uint32_t service)
{
    bool are_struck = fleet->shock_share > 0;
    for (uint32_t k = 0; fleet->groups[k].count > 0; k++) {
        are_struck = are_struck || fleet->groups[k].shock_share > 0;
    }
    return fleet->crews == 0 && !are_struck && fleet->maintenance_every_ns == 0 &&
           fleet->services[service].failover_ns == 0;
}

bool estimate_is_independent(const struct spec_fleet *fleet, uint32_t service)
{
    return fleet->groups[0].count == 0 && estimate_is_product(fleet, service);
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

static void product(const struct spec_fleet *fleet, uint32_t service, struct estimate_sums *sums)
{
    const struct fleet_product answer = fleet_product(fleet, fleet->services[service].needed);
    estimate_begin(sums, fleet->services[service].name, ESTIMATE_BINOMIAL);
    sums->unavailability = answer.unavailability;
    sums->outages_per_h = answer.outages_per_h;
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
        if (!estimate_has_chain(fleet) && estimate_is_product(fleet, i)) {
            product(fleet, i, &sums[i]);
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
