/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The chance that data is lost with many nodes at once, for one way to place replicas: trials of
 * analysis/copysets.h, or its closed form. Nothing decays or is repaired here; how often so many
 * nodes are lost at once is another question. */
#include "analysis/copysets.h"
#include "analysis/estimators.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <math.h>

static double closed_form(const struct copysets *copysets, const struct spec_placement *placement)
{
    switch (placement->policy) {
    case SPEC_PLACEMENT_RANDOM:
        return copysets_loss(copysets, copysets_of_chunks(copysets, placement->chunks));
    case SPEC_PLACEMENT_WINDOW:
        return copysets_loss(copysets, copysets_of_window(copysets));
    case SPEC_PLACEMENT_COPYSETS:
        return copysets_loss(copysets, copysets_of_permutations(copysets));
    }
    UNREACHABLE();
}

static uint32_t draw(const struct copysets *copysets, const struct spec_placement *placement,
                     uint64_t seed)
{
    const struct copysets_trials trials = {seed, placement->trials};
    switch (placement->policy) {
    case SPEC_PLACEMENT_RANDOM:
        return copysets_simulate_random(copysets, placement->chunks, trials);
    case SPEC_PLACEMENT_WINDOW:
        return copysets_simulate(copysets, COPYSETS_WINDOW, trials);
    case SPEC_PLACEMENT_COPYSETS:
        return copysets_simulate(copysets, COPYSETS_PERMUTATIONS, trials);
    }
    UNREACHABLE();
}

bool estimate_placement(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err)
{
    const struct spec_placement *placement = &fleet->placement;
    const struct copysets copysets = {.nodes = placement->nodes,
                                      .lost = placement->lost,
                                      .replicas = placement->replicas,
                                      .scatter = placement->scatter};
    if (!copysets_check(&copysets, err)) {
        return false;
    }
    if (fleet->estimator == SPEC_ESTIMATOR_EXACT) {
        estimate_begin(run->sums, fleet->services[0].name, ESTIMATE_COPYSETS);
        run->sums->unavailability = closed_form(&copysets, placement);
        run->sums->outages_per_h = NAN;
        return true;
    }
    const uint32_t lost = draw(&copysets, placement, run->seed);
    estimate_begin(run->sums, fleet->services[0].name, ESTIMATE_TRIALS);
    estimate_add_trials(run->sums, lost, placement->trials);
    run->events = placement->trials;
    run->digest = hash_mix(hash_mix(run->seed, placement->trials), lost);
    return true;
}
