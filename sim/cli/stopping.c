/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * To look often and to stop at the first good moment makes intervals too short, however many runs
 * there were before the first look (`make bench B=coverage` measures it). Looks are therefore few,
 * and the interval of a cell that may stop is wider by ESTIMATE_SEQUENTIAL, both when it is looked
 * at and when it is printed. A gate is made for looking after every run: it needs no such thing,
 * and is looked at in steps only so that workers have something to do. */
#include "sim/cli/stopping.h"

#include "analysis/estimate_store.h"
#include "sim/base/base.h"
#include "sim/cli/gate.h"

#include <stdlib.h>

#define POWER_MAX 50

uint64_t stopping_look(uint32_t power)
{
    ASSERT(power <= POWER_MAX);
    unsigned __int128 threes = 1;
    for (uint32_t i = 0; i < power; i++) {
        threes *= 3;
    }
    const unsigned __int128 twos = (unsigned __int128)1 << power;
    return (uint64_t)((threes + twos - 1) / twos);
}

/* The next look at more seeds than now; the last is at all of them. */
static void plan_look(struct stopping_cell *cell)
{
    const uint64_t now = cell->look;
    while (cell->look <= now && cell->power < POWER_MAX) {
        cell->power++;
        cell->look = stopping_look(cell->power);
    }
    cell->look = cell->look < cell->end ? cell->look : cell->end;
}

void stopping_init(struct stopping *stopping, const struct plan *plan)
{
    *stopping = (struct stopping){.plan = plan};
    stopping->cells = calloc(plan->cell_count, sizeof(*stopping->cells));
    ASSERT(stopping->cells != NULL);
    for (uint32_t i = 0; i < plan->cell_count; i++) {
        const struct spec_fleet *fleet = &plan->cells[i].spec.fleet;
        struct stopping_cell *cell = &stopping->cells[i];
        cell->is_sequential =
            fleet->is_asked && fleet->is_sequential && fleet->estimator != SPEC_ESTIMATOR_DECOMPOSE;
        cell->is_gated = gate_is_asked(&plan->cells[i].spec);
        cell->end = plan->seed_count;
        cell->look = cell->is_sequential && plan->seed_count > 1 ? 1 : plan->seed_count;
        if (cell->is_gated) {
            cell->look = STOPPING_STEP < plan->seed_count ? STOPPING_STEP : plan->seed_count;
        }
    }
}

void stopping_release(struct stopping *stopping)
{
    free(stopping->cells);
    stopping->cells = NULL;
}

bool stopping_next(struct stopping *stopping, uint32_t *cell, uint64_t *seed_index)
{
    const uint32_t count = stopping->plan->cell_count;
    uint32_t found = count;
    for (uint32_t i = 0; i < count; i++) {
        const struct stopping_cell *at = &stopping->cells[i];
        const uint64_t limit = at->look < at->end ? at->look : at->end;
        if (at->next < limit && (found == count || at->next < stopping->cells[found].next)) {
            found = i;
        }
    }
    if (found == count) {
        return false;
    }
    *cell = found;
    *seed_index = stopping->cells[found].next++;
    return true;
}

static int compare_seeds(const void *left, const void *right)
{
    const uint64_t a = *(const uint64_t *)left;
    const uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Is every service of the cell precise enough, by its first `look` seeds? */
static bool judge(const struct stopping *stopping, struct results *results, uint32_t index,
                  int64_t cell_id, bool *is_enough, struct err *err)
{
    const struct stopping_cell *cell = &stopping->cells[index];
    const struct spec_fleet *fleet = &stopping->plan->cells[index].spec.fleet;
    struct estimate_sums *sums = calloc(ESTIMATE_STORE_MAX, sizeof(*sums));
    uint64_t *seeds = calloc(cell->look, sizeof(*seeds));
    uint32_t count = 0;
    ASSERT(sums != NULL && seeds != NULL);
    for (uint64_t i = 0; i < cell->look; i++) {
        seeds[i] = plan_seed(stopping->plan, i);
    }
    qsort(seeds, cell->look, sizeof(*seeds), compare_seeds);
    const struct estimate_seeds chosen = {seeds, cell->look};
    const bool is_fine = estimate_load(results, cell_id, &chosen, sums, &count, err);
    *is_enough = is_fine && count > 0;
    for (uint32_t i = 0; i < count; i++) {
        const bool is_early = !estimate_is_exact(sums[i].method) && cell->look < fleet->runs_min;
        *is_enough = *is_enough && !is_early &&
                     estimate_is_enough(&sums[i], (double)fleet->half_width_millionths / 1e6,
                                        (double)fleet->confidence_millionths / 1e6);
    }
    free(sums);
    free(seeds);
    return is_fine;
}

bool stopping_finish(struct stopping *stopping, struct results *results, uint32_t index,
                     int64_t cell_id, struct err *err)
{
    struct stopping_cell *cell = &stopping->cells[index];
    cell->finished++;
    ASSERT(cell->finished <= cell->next);
    bool may_stop = cell->is_sequential || cell->is_gated;
    if (!may_stop || cell->finished < cell->look || cell->look == cell->end) {
        return true;
    }
    bool is_enough = false;
    struct gate_outcome gate = {0};
    bool is_fine = cell->is_gated
                       ? gate_judge(results, stopping->plan, index, cell_id, cell->look, &gate, err)
                       : judge(stopping, results, index, cell_id, &is_enough, err);
    if (!is_fine) {
        return false;
    }
    is_enough |= cell->is_gated && gate.decision != SPRT_OPEN;
    if (is_enough) {
        stopping->spared += cell->end - cell->look;
        cell->end = cell->look;
    } else if (cell->is_gated) {
        uint64_t step = gate.more < STOPPING_STEP ? gate.more : STOPPING_STEP;
        cell->look = step < cell->end - cell->look ? cell->look + step : cell->end;
    } else {
        plan_look(cell);
    }
    return true;
}
