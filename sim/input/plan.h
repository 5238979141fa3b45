/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plan: what a campaign will run: the cells of the sweep (the cartesian product of its axes, the
 * last one fastest),
 * each compiled to a run spec, times the seeds. */
#ifndef SQUALL_INPUT_PLAN_H
#define SQUALL_INPUT_PLAN_H

#include "sim/base/hash.h"
#include "sim/input/scenario.h"
#include "sim/input/seeds.h"

#define PLAN_CELLS_MAX   10000
#define PLAN_QUICK_SEEDS 10

struct cell {
    struct run_spec spec;
    /* "nodes=5 preset=none": last parts of paths, more where they collide; "" without a sweep. */
    const char *label;
    /* {"system.nodes": 5, "client.retry.preset": "none"}: numbers where the value is one. */
    const char *params_json;
    /* "client.retry.preset=none", one for each axis: with the plan's own sets, the replay line. */
    const char *const *sets;
    uint32_t set_count;
    uint32_t replicas; /* nodes of the first group */
    /* Cells with the same key, not 0, have the same control arm; set by who knows it. */
    uint64_t control_key;
};

struct plan {
    struct arena arena;
    const struct scenario *scenario; /* borrowed; must outlive the plan */
    const char *name;
    const char *canonical; /* normalised YAML: overrides applied, sweep shown, seeds not */
    struct sha256 id;      /* of `canonical`: the same work, whatever seeds are added */
    struct cell *cells;
    uint32_t cell_count;
    struct seed_range *seeds;
    uint32_t seed_range_count;
    uint64_t seed_count; /* of each cell */
};

/* An axis that the scenario does not have: it comes behind those of the sweep, or takes the place
 * of one with the same path. */
struct plan_axis {
    const char *path;
    const char *const *values; /* as --set takes them; at least one */
    uint32_t value_count;
};

struct plan_options {
    /* "PATH=VALUE"; one on the path of an axis leaves that axis this single value, and
     * "PATH=null" takes key and axis away. */
    const char *const *sets;
    uint32_t set_count;
    const char *seeds; /* instead of the file's; NULL = the file's */
    bool is_quick;     /* only the first PLAN_QUICK_SEEDS seeds */
    const struct plan_axis *axes;
    uint32_t axis_count;
};

/* False: `diag` says why, and there is nothing to release. */
bool plan_build(struct plan *plan, const struct scenario *scenario,
                const struct plan_options *options, struct diag *diag);
void plan_release(struct plan *plan);
/* The index-th seed, index < seed_count. */
uint64_t plan_seed(const struct plan *plan, uint64_t index);

#endif
