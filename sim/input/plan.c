/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Cells are counted like an odometer: the last axis turns fastest. In each cell the values of the
 * axes are set first, in their order, and the overrides after them, so that an override beside an
 * axis (a back-off beside a sweep of presets) holds in every cell. An override on the very path of
 * an axis fixes that axis instead: `--set system.nodes=3` picks the cell out of a sweep.
 *
 * Axes that are zipped turn together, in the place of the first of them; an override of one with
 * one of its values picks the values of the others that stand beside it.
 *
 * Two cells that come out the same are an error: an axis then does nothing, which nobody wants. */
#include "sim/input/plan.h"

#include "sim/base/base.h"
#include "sim/base/map.h"
#include "sim/input/json.h"

#include <inttypes.h>
#include <string.h>

/* What the cells are made of. */
struct grid {
    struct scenario_axis *axes;
    uint32_t axis_count;
    uint32_t *leaders; /* of each axis: the axis that it turns with, itself unless it is zipped */
    struct scenario_setting *settings; /* axes first, then the other overrides */
    uint32_t setting_count;
    const char **short_paths; /* of the axes, for labels */
};

/* ------------------------------------------------------------------------------- axes */

/* The overrides; those on an axis fix it, the others follow the axes in grid->settings. */
static bool read_sets(struct plan *plan, const struct plan_options *options, struct grid *grid,
                      struct diag *diag)
{
    bool is_fine = true;
    for (uint32_t index = 0; index < options->set_count; index++) {
        struct scenario_setting setting;
        if (!scenario_setting_parse(options->sets[index], &plan->arena, &setting, diag)) {
            is_fine = false;
            continue;
        }
        bool is_axis = false;
        for (uint32_t axis = 0; axis < grid->axis_count; axis++) {
            if (strcmp(grid->axes[axis].path, setting.path) == 0) {
                scenario_fix_axis(grid->axes, grid->axis_count, axis, &setting, &plan->arena);
                is_axis = true;
            }
        }
        if (!is_axis) {
            grid->settings[grid->setting_count++] = setting;
        }
    }
    return is_fine;
}

/* Does `path` end in `suffix`, at a point? */
static bool ends_in(const char *path, const char *suffix)
{
    size_t length = strlen(path);
    size_t own = strlen(suffix);
    if (own > length || strcmp(path + length - own, suffix) != 0) {
        return false;
    }
    return own == length || path[length - own - 1] == '.';
}

/* The shortest end of the path that no other axis shares. */
static const char *shorten(const struct grid *grid, uint32_t axis)
{
    const char *path = grid->axes[axis].path;
    const char *at = path + strlen(path);
    while (at > path) {
        at--;
        while (at > path && at[-1] != '.') {
            at--;
        }
        bool is_shared = false;
        for (uint32_t other = 0; other < grid->axis_count; other++) {
            is_shared = is_shared || (other != axis && ends_in(grid->axes[other].path, at));
        }
        if (!is_shared) {
            break;
        }
    }
    return at;
}

/* Of zipped axes the first that turns leads the others. */
static void find_leaders(struct plan *plan, struct grid *grid)
{
    grid->leaders = arena_alloc_array(&plan->arena, grid->axis_count + 1, sizeof(*grid->leaders));
    for (uint32_t index = 0; index < grid->axis_count; index++) {
        const struct scenario_axis *axis = &grid->axes[index];
        grid->leaders[index] = index;
        for (uint32_t before = index; before > 0 && axis->zip != 0; before--) {
            const struct scenario_axis *other = &grid->axes[before - 1];
            if (other->zip == axis->zip && other->value_count > 1 && axis->value_count > 1) {
                grid->leaders[index] = before - 1;
            }
        }
    }
}

static bool make_grid(struct plan *plan, const struct plan_options *options, struct grid *grid,
                      struct diag *diag)
{
    uint32_t count = 0;
    const struct scenario_axis *axes = scenario_axes(plan->scenario, &count);
    *grid = (struct grid){.axis_count = count, .setting_count = count};
    grid->axes = arena_alloc_array(&plan->arena, count + 1, sizeof(*grid->axes));
    for (uint32_t index = 0; index < count; index++) {
        grid->axes[index] = axes[index];
    }
    grid->settings =
        arena_alloc_array(&plan->arena, count + options->set_count + 1, sizeof(*grid->settings));
    if (!read_sets(plan, options, grid, diag)) {
        return false;
    }
    find_leaders(plan, grid);
    grid->short_paths = arena_alloc_array(&plan->arena, count + 1, sizeof(*grid->short_paths));
    uint64_t cells = 1;
    for (uint32_t index = 0; index < count; index++) {
        const struct scenario_axis *axis = &grid->axes[index];
        grid->short_paths[index] = shorten(grid, index);
        grid->settings[index] = (struct scenario_setting){axis->path, axis->place, axis->values[0]};
        cells *= grid->leaders[index] == index ? axis->value_count : 1;
        if (cells > PLAN_CELLS_MAX) {
            return diag_error(diag, axis->place, (uint32_t)strlen(axis->path),
                              "the sweep has more than %d cells", PLAN_CELLS_MAX);
        }
    }
    plan->cell_count = (uint32_t)cells;
    return true;
}

/* ------------------------------------------------------------------------------- cells */

static const char *text_of_value(struct arena *arena, const struct yaml_node *value, bool is_flow)
{
    if (value->kind == YAML_SCALAR && !is_flow) {
        return value->text;
    }
    struct text text;
    text_init(&text);
    yaml_write_flow(value, &text);
    const char *result = arena_strdup(arena, text_of(&text));
    text_release(&text);
    return result;
}

/* Label, parameters and overrides of the cell that the settings describe. */
static void describe_cell(struct plan *plan, const struct grid *grid, struct cell *cell)
{
    struct text label;
    struct text params;
    text_init(&label);
    text_init(&params);
    const char **sets = arena_alloc_array(&plan->arena, grid->axis_count + 1, sizeof(const char *));
    text_add(&params, "{");
    for (uint32_t index = 0; index < grid->axis_count; index++) {
        const struct scenario_setting *setting = &grid->settings[index];
        const char *value = text_of_value(&plan->arena, setting->value, false);
        text_printf(&label, "%s%s=%s", index > 0 ? " " : "", grid->short_paths[index], value);
        text_add(&params, index > 0 ? ", " : "");
        json_add_string(&params, setting->path);
        text_add(&params, ": ");
        json_add_scalar(&params, value);
        sets[index] = arena_printf(&plan->arena, "%s=%s", setting->path,
                                   text_of_value(&plan->arena, setting->value, true));
    }
    text_add(&params, "}");
    cell->label = arena_strdup(&plan->arena, text_of(&label));
    cell->params_json = arena_strdup(&plan->arena, text_of(&params));
    cell->sets = sets;
    cell->set_count = grid->axis_count;
    cell->replicas = cell->spec.group_count > 0 ? cell->spec.groups[0].count : 0;
    text_release(&label);
    text_release(&params);
}

/* Complains when an earlier cell is the same. */
static bool check_new(const struct plan *plan, const struct grid *grid, uint32_t index,
                      struct map *seen, struct diag *diag)
{
    const struct cell *cell = &plan->cells[index];
    uint64_t key = hash_text(cell->spec.canonical);
    const uint64_t *found = map_find(seen, key);
    if (found == NULL) {
        map_put(seen, key, index);
        return true;
    }
    const struct cell *first = &plan->cells[*found];
    return strcmp(first->spec.canonical, cell->spec.canonical) != 0 ||
           diag_error(diag, grid->axes[0].place, (uint32_t)strlen(grid->axes[0].path),
                      "the cells '%s' and '%s' are the same", first->label, cell->label);
}

/* Moves to the next cell. */
static void turn(const struct grid *grid, uint32_t *at)
{
    for (uint32_t leader = grid->axis_count; leader > 0; leader--) {
        bool is_round = true;
        for (uint32_t index = 0; index < grid->axis_count; index++) {
            const struct scenario_axis *axis = &grid->axes[index];
            if (grid->leaders[index] == leader - 1) {
                at[index] = (at[index] + 1) % axis->value_count;
                grid->settings[index].value = axis->values[at[index]];
                is_round = at[index] == 0;
            }
        }
        if (!is_round) {
            return;
        }
    }
}

static bool make_cells(struct plan *plan, const struct grid *grid, struct diag *diag)
{
    uint32_t before = diag->count;
    plan->cells = arena_alloc_array(&plan->arena, plan->cell_count, sizeof(*plan->cells));
    uint32_t *at = arena_alloc_array(&plan->arena, grid->axis_count + 1, sizeof(*at));
    struct map seen;
    map_init(&seen);
    for (uint32_t index = 0; index < plan->cell_count && diag->kept < DIAG_MAX; index++) {
        struct cell *cell = &plan->cells[index];
        if (scenario_compile(plan->scenario, grid->settings, grid->setting_count, &plan->arena,
                             &cell->spec, diag)) {
            describe_cell(plan, grid, cell);
            check_new(plan, grid, index, &seen, diag);
        }
        turn(grid, at);
    }
    map_release(&seen);
    return diag->count == before;
}

/* ------------------------------------------------------------------------------- plan */

static bool read_seeds(struct plan *plan, const struct plan_options *options, struct diag *diag)
{
    struct spec_place place = {0};
    const char *text = scenario_seeds(plan->scenario, &place);
    if (options->seeds != NULL) {
        text = options->seeds;
        place = (struct spec_place){"--seed", 0, 0};
    }
    struct err err = {0};
    if (!seeds_parse(text, &plan->arena, &plan->seeds, &plan->seed_range_count, &plan->seed_count,
                     &err)) {
        return diag_error(diag, place, 1, "%s", err.text);
    }
    if (!options->is_quick || plan->seed_count <= PLAN_QUICK_SEEDS) {
        return true;
    }
    uint64_t left = PLAN_QUICK_SEEDS;
    uint32_t used = 0;
    while (left > 0) {
        struct seed_range *range = &plan->seeds[used++];
        range->count = range->count < left ? range->count : left;
        left -= range->count;
    }
    plan->seed_range_count = used;
    plan->seed_count = PLAN_QUICK_SEEDS;
    return true;
}

static bool make_canonical(struct plan *plan, const struct plan_options *options, struct diag *diag)
{
    struct scenario_setting *settings =
        arena_alloc_array(&plan->arena, options->set_count + 1, sizeof(*settings));
    for (uint32_t index = 0; index < options->set_count; index++) {
        if (!scenario_setting_parse(options->sets[index], &plan->arena, &settings[index], diag)) {
            return false;
        }
    }
    plan->canonical =
        scenario_canonical(plan->scenario, settings, options->set_count, &plan->arena, diag);
    return plan->canonical != NULL;
}

bool plan_build(struct plan *plan, const struct scenario *scenario,
                const struct plan_options *options, struct diag *diag)
{
    ASSERT(plan != NULL);
    ASSERT(scenario != NULL);
    ASSERT(options != NULL);
    *plan = (struct plan){.scenario = scenario};
    arena_init(&plan->arena);
    struct grid grid;
    bool has_seeds = read_seeds(plan, options, diag);
    bool is_built = make_grid(plan, options, &grid, diag) && make_cells(plan, &grid, diag) &&
                    make_canonical(plan, options, diag);
    if (!has_seeds || !is_built) {
        plan_release(plan);
        return false;
    }
    plan->name = plan->cells[0].spec.name;
    plan->id = sha256_of(plan->canonical, strlen(plan->canonical));
    return true;
}

void plan_release(struct plan *plan)
{
    ASSERT(plan != NULL);
    arena_release(&plan->arena);
    *plan = (struct plan){0};
}

uint64_t plan_seed(const struct plan *plan, uint64_t index)
{
    ASSERT(index < plan->seed_count);
    for (uint32_t range = 0; range < plan->seed_range_count; range++) {
        if (index < plan->seeds[range].count) {
            return plan->seeds[range].first + index;
        }
        index -= plan->seeds[range].count;
    }
    UNREACHABLE();
}
