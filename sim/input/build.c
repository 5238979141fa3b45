/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The frame of the build: what belongs to no part, and the order of the parts. */
#include "sim/input/build.h"

#include "sim/base/base.h"

static void build_time(struct build *build)
{
    struct view time = view_at(build->root, "time");
    struct run_spec *spec = build->spec;
    spec->warmup_ns = view_number(time, "warmup", 0);
    spec->limit_ns = view_number(time, "limit", 0);
    spec->cpu_limit_ns = view_number(time, "cpuLimit", 0);
    spec->event_limit = (uint64_t)view_number(time, "eventLimit", 0);
    spec->window_ns = view_number(time, "window", 0);
    if (spec->warmup_ns >= spec->limit_ns) {
        build_complain(build, time, "warmup", "the warm-up is not shorter than the run");
    }
    if (spec->limit_ns / spec->window_ns > 10000000) {
        build_complain(build, time, "window", "the window is too short: more than 10000000 bins");
    }
}

bool build_spec(const struct yaml_node *tree, const struct catalog *catalog, const char *folder,
                struct arena *arena, struct run_spec *spec, struct diag *diag)
{
    ASSERT(tree->kind == YAML_MAPPING);
    struct build build = {
        .arena = arena,
        .diag = diag,
        .catalog = catalog,
        .folder = folder,
        .spec = spec,
        .root = view_of(schema_root(), tree),
    };
    *spec = (struct run_spec){0};
    const char *name = view_text(build.root, "name");
    spec->name = name != NULL ? name : "";
    spec->description = view_text(build.root, "description");
    spec->is_swarm = view_number(build.root, "swarm", 0) == 1;
    build_time(&build);
    build_system(&build);
    build_network(&build);
    build_disk(&build);
    build_loads(&build);
    build_faults(&build);
    build_checks(&build);
    build_judging(&build);
    return diag->count == 0;
}
