/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A small world for tests: one group of nodes of a given model, no load, no faults; change the
 * spec before world_reset. */
#ifndef SQUALL_TESTS_UNIT_WORLD_FIXTURE_H
#define SQUALL_TESTS_UNIT_WORLD_FIXTURE_H

#include "sim/base/units.h"
#include "sim/world.h"

struct world_fixture {
    struct spec_group group;
    struct spec_load load;
    struct run_spec spec;
};

static inline void world_fixture_init(struct world_fixture *fixture, const struct sq_model *model,
                                      uint32_t nodes)
{
    *fixture = (struct world_fixture){0};
    fixture->group = (struct spec_group){
        .name = "store",
        .model = model,
        .model_name = model->name,
        .count = nodes,
        .nodes_per_host = 1,
        .host = {.cores = 1, .queue_limit = 1000},
    };
    fixture->load = (struct spec_load){
        .name = "steady",
        .duration_ns = INT64_MAX,
        .rate_per_1000s = 100000,
        .record_count = 10,
        .update_proportion = RNG_ALWAYS / 2,
        .client = {.target = "store",
                   .count = 4,
                   .deadline_ns = 5 * NS_PER_S,
                   .timeout_ns = NS_PER_S,
                   .attempts_max = 5,
                   .backoff = SPEC_BACKOFF_FIXED,
                   .backoff_initial_ns = 50 * NS_PER_MS,
                   .backoff_max_ns = 50 * NS_PER_MS,
                   .backoff_multiplier_milli = 1000,
                   .redirects_max = 3,
                   .retry_on = UINT64_MAX},
    };
    fixture->spec = (struct run_spec){
        .name = "fixture",
        .limit_ns = 10 * NS_PER_S,
        .event_limit = UINT64_MAX,
        .window_ns = NS_PER_S,
        .groups = &fixture->group,
        .group_count = 1,
        .node_count = nodes,
        .link_default = {.latency_ns = NS_PER_MS, .is_fifo = true},
        .link_clients = {.latency_ns = NS_PER_MS, .is_fifo = true},
        .disk = {.sync = {.kind = DIST_CONSTANT, .a = NS_PER_MS},
                 .capacity_bytes = INT64_MAX,
                 .sector_bytes = 512},
        .loads = &fixture->load,
    };
}

#endif
