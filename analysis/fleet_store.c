/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Theory of a cell, computed once when the cell is made. A binomial law has no time in it, so its
 * MTTF and the probabilities of an outage within a while stay unknown; so do those of chains whose
 * transient would take longer than the campaign. */
#include "analysis/fleet_store.h"

#include "analysis/estimators.h"
#include "sim/base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define STATES_MAX           1000
#define STATES_TRANSIENT_MAX 150

static void add_transient(const struct fleet_model *model, struct results_fleet_service *row)
{
    static const double years[] = {1.0 / 12, 1, 10};
    double *const into[] = {&row->month, &row->year, &row->decade};
    for (uint32_t i = 0; i < ARRAY_COUNT(years); i++) {
        struct fleet_transient transient;
        struct err ignored = {0};
        if (fleet_exact_transient(model, years[i] * HOURS_IN_A_YEAR, &transient, &ignored)) {
            *into[i] = fmin(1, transient.outage_by_then);
        }
    }
}

/* Theory of one service, if there is any. */
static void add_theory(const struct spec_fleet *fleet, uint32_t service,
                       struct results_fleet_service *row)
{
    struct spec_fleet one = *fleet;
    struct estimate_sums sums;
    struct fleet_model model;
    struct err ignored = {0};
    if (fleet->placement.is_asked) {
        struct estimators_run run = {.sums = &sums};
        one.estimator = SPEC_ESTIMATOR_EXACT;
        if (estimate_placement(&one, &run, &ignored)) {
            row->theory = estimate_method_name(sums.method);
            row->unavailability = sums.unavailability;
        }
        return;
    }
    one.services = &fleet->services[service];
    one.service_count = 1;
    const bool is_chain =
        fleet->correlation == 0 && estimate_model(fleet, service, &model, &ignored);
    const uint32_t states = is_chain ? fleet_exact_states(&model) : 1;
    if (states == 0 || states > STATES_MAX || !estimate_exact(&one, &sums, &ignored)) {
        return;
    }
    row->theory = estimate_method_name(sums.method);
    row->unavailability = sums.unavailability;
    row->outages_per_h = sums.outages_per_h;
    row->mttf_h = sums.mttf_h;
    if (is_chain && states <= STATES_TRANSIENT_MAX) {
        add_transient(&model, row);
    }
}

bool fleet_store_add(struct results *results, int64_t cell_id, const struct spec_fleet *fleet,
                     struct err *err)
{
    ASSERT(fleet->is_asked);
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        const struct spec_service *service = &fleet->services[i];
        struct results_fleet_service row = {
            .name = service->name,
            .order = i,
            .machines = fleet->machines,
            .needed = service->needed,
            .failover_h = (double)service->failover_ns / 3.6e12,
            .half_width = (double)fleet->half_width_millionths / 1e6,
            .confidence = (double)fleet->confidence_millionths / 1e6,
            .theory = "",
            .unavailability = NAN,
            .outages_per_h = NAN,
            .mttf_h = NAN,
            .month = NAN,
            .year = NAN,
            .decade = NAN,
        };
        add_theory(fleet, i, &row);
        if (!results_add_fleet_service(results, cell_id, &row, err)) {
            return false;
        }
    }
    char why[ESTIMATE_WHY_SIZE] = "";
    if (fleet->estimator == SPEC_ESTIMATOR_AUTO) {
        estimate_choose(fleet, why);
    }
    const bool is_sequential = fleet->is_sequential && fleet->estimator != SPEC_ESTIMATOR_DECOMPOSE;
    return results_add_fleet_estimator(results, cell_id, estimate_estimator_name(fleet->estimator),
                                       why, is_sequential, err);
}

struct loader {
    struct fleet_store_row *rows;
    uint32_t count;
};

static bool on_row(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    const struct results_value *values = row->values;
    if (loader->count == FLEET_STORE_SERVICES) {
        return false;
    }
    struct fleet_store_row *into = &loader->rows[loader->count++];
    snprintf(into->name, sizeof(into->name), "%s", values[0].text);
    snprintf(into->theory, sizeof(into->theory), "%s", values[7].text);
    into->service = (struct results_fleet_service){
        .name = into->name,
        .order = (uint32_t)values[1].integer,
        .machines = (uint32_t)values[2].integer,
        .needed = (uint32_t)values[3].integer,
        .failover_h = values[4].real,
        .half_width = values[5].real,
        .confidence = values[6].real,
        .theory = into->theory,
        .unavailability = values[8].real,
        .outages_per_h = values[9].real,
        .mttf_h = values[10].real,
        .month = values[11].real,
        .year = values[12].real,
        .decade = values[13].real,
    };
    return true;
}

bool fleet_store_load(struct results *results, int64_t cell_id,
                      struct fleet_store_row rows[FLEET_STORE_SERVICES], uint32_t *count,
                      struct err *err)
{
    struct loader loader = {.rows = rows};
    int64_t has_table = 0;
    char id[24];
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    const bool is_fine =
        results_query_integer(results,
                              "SELECT count(*) FROM sqlite_master WHERE name='fleet_service'", 0,
                              &has_table, err) &&
        (has_table == 0 ||
         results_query(results,
                       "SELECT service, ord, machines, needed, failover_h, half_width, confidence, "
                       "theory, unavailability, outages_per_h, mttf_h, month, year, decade FROM "
                       "fleet_service WHERE cell_id=CAST(?1 AS INTEGER) ORDER BY ord, service",
                       parameters, 1, on_row, &loader, err));
    *count = loader.count;
    return is_fine;
}
