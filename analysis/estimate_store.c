/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Replications are added up here and nowhere else: the file keeps each of them, so a resumed
 * campaign is the same as one that was never stopped. */
#include "analysis/estimate_store.h"

#include "sim/base/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS 14 /* of ESTIMATE_NUMBERS */

struct loader {
    bool is_sequential;
    const struct estimate_seeds *seeds;
    struct estimate_sums *sums;
    uint32_t count;
};

static struct estimate_sums *find(struct loader *loader, const struct estimate_sums *row)
{
    for (uint32_t i = 0; i < loader->count; i++) {
        if (loader->sums[i].method == row->method &&
            strcmp(loader->sums[i].service, row->service) == 0) {
            return &loader->sums[i];
        }
    }
    return NULL;
}

static bool is_wanted(const struct estimate_seeds *seeds, uint64_t seed)
{
    uint64_t low = 0;
    uint64_t high = seeds == NULL ? 0 : seeds->count;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (seeds->seeds[middle] < seed) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return seeds == NULL || (low < seeds->count && seeds->seeds[low] == seed);
}

static bool on_row(void *context, const struct results_row *row)
{
    struct loader *loader = context;
    const struct results_value *values = row->values;
    struct estimate_sums sums;
    enum estimate_method method = ESTIMATE_EXACT;
    const uint64_t seed = strtoull(values[9 + NUMBERS].text, NULL, 16);
    if (!estimate_method_find(values[1].text, &method) || !is_wanted(loader->seeds, seed)) {
        return true; /* of a newer squall; not asked for */
    }
    estimate_begin(&sums, values[0].text, method);
    sums.is_paired = values[2].integer != 0;
    sums.is_sequential = loader->is_sequential;
    sums.count = (uint64_t)values[3].integer;
    sums.lengths = (uint64_t)values[4].integer;
    sums.hits = (uint64_t)values[5].integer;
    sums.events = (uint64_t)values[6].integer;
    struct estimate_sums *at = &sums;
    double *const numbers[] = ESTIMATE_NUMBERS(&at);
    static_assert(ARRAY_COUNT(numbers) == NUMBERS, "columns of the query");
    for (uint32_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        *numbers[i] = values[7 + i].real;
    }
    snprintf(sums.worst_path, sizeof(sums.worst_path), "%s", values[7 + NUMBERS].text);
    sums.worst_digest = strtoull(values[8 + NUMBERS].text, NULL, 16);
    struct estimate_sums *known = find(loader, &sums);
    if (known != NULL) {
        estimate_merge(known, &sums);
    } else if (loader->count < ESTIMATE_STORE_MAX) {
        loader->sums[loader->count++] = sums;
    }
    return true;
}

/* A file of an older squall does not tell: its intervals are as they are. */
static bool load_sequential(struct results *results, const char *cell_id, bool *is_sequential,
                            struct err *err)
{
    int64_t has_table = 0;
    int64_t count = 0;
    char sql[128];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM fleet_estimator WHERE sequential=1 AND cell_id=%s", cell_id);
    const bool is_fine =
        results_query_integer(results,
                              "SELECT count(*) FROM sqlite_master WHERE name='fleet_estimator'", 0,
                              &has_table, err) &&
        (has_table == 0 || results_query_integer(results, sql, 0, &count, err));
    *is_sequential = count > 0;
    return is_fine;
}

bool estimate_load(struct results *results, int64_t cell_id, const struct estimate_seeds *seeds,
                   struct estimate_sums sums[ESTIMATE_STORE_MAX], uint32_t *count, struct err *err)
{
    struct loader loader = {.seeds = seeds, .sums = sums};
    char id[24];
    int64_t has_table = 0;
    snprintf(id, sizeof(id), "%lld", (long long)cell_id);
    const char *parameters[] = {id};
    bool is_fine =
        load_sequential(results, id, &loader.is_sequential, err) &&
        results_query_integer(results, "SELECT count(*) FROM sqlite_master WHERE name='estimate'",
                              0, &has_table, err) &&
        (has_table == 0 ||
         results_query(
             results,
             "SELECT e.service, e.method, paired, n, lengths, hits, e.events, down, down2, "
             "outages, cross_sum, hours, hours2, weights, weights2, weight_max, "
             "simulated_h, unavailability, outages_per_h, mttf_h, worst_h, worst_path, worst_hash, "
             "r.seed "
             "FROM estimate e JOIN run "
             "r USING(run_id) WHERE r.cell_id=CAST(?1 AS INTEGER) ORDER BY ord, run_id",
             parameters, 1, on_row, &loader, err));
    *count = loader.count;
    return is_fine;
}
