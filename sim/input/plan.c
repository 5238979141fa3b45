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
 * A label says what a cell is by names and numbers: a list of things that have names is shown by
 * them, and any other structure (a page of thresholds) not at all where the axes that it is zipped
 * with already say which value it is; else by its number, from 1, and its first key. So are texts
 * of more than LABEL_VALUE_MAX bytes. Values that have the same names are told apart by their
 * numbers.
 *
 * Two cells that come out the same are an error: an axis then does nothing, which nobody wants. */
#include "sim/input/plan.h"

#include "sim/base/base.h"
#include "sim/base/map.h"
#include "sim/base/units.h"
#include "sim/input/json.h"

#include <inttypes.h>
#include <string.h>

#define LABEL_VALUE_MAX 40 /* bytes */

/* What the cells are made of. */
struct grid {
    struct scenario_axis *axes;
    uint32_t axis_count;
    uint32_t *leaders; /* of each axis: the axis that it turns with, itself unless it is zipped */
    struct scenario_setting *settings; /* axes first, then the other overrides */
    uint32_t setting_count;
    const char **short_paths; /* of the axes, for labels */
    bool has_axes_given;      /* of an experiment, which counts all seeds and needs no gate */
    uint32_t *at;             /* of each axis: which of its values the settings have */
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

static bool is_given(const struct plan_options *options, const char *path)
{
    for (uint32_t index = 0; index < options->axis_count; index++) {
        if (strcmp(options->axes[index].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* Those of the scenario, and behind them those of the options. */
static bool read_axes(struct plan *plan, const struct plan_options *options, struct grid *grid,
                      struct diag *diag)
{
    uint32_t own = 0;
    const struct scenario_axis *axes = scenario_axes(plan->scenario, &own);
    grid->axes = arena_alloc_array(&plan->arena, own + options->axis_count + 1, sizeof(*axes));
    for (uint32_t index = 0; index < own; index++) {
        if (!is_given(options, axes[index].path)) {
            grid->axes[grid->axis_count++] = axes[index];
        }
    }
    for (uint32_t index = 0; index < options->axis_count; index++) {
        const struct plan_axis *given = &options->axes[index];
        ASSERT(given->value_count > 0);
        const struct yaml_node **values =
            arena_alloc_array(&plan->arena, given->value_count, sizeof(const struct yaml_node *));
        struct scenario_setting setting = {0};
        for (uint32_t i = 0; i < given->value_count; i++) {
            const char *text = arena_printf(&plan->arena, "%s=%s", given->path, given->values[i]);
            if (!scenario_setting_parse(text, &plan->arena, &setting, diag)) {
                return false;
            }
            values[i] = setting.value;
        }
        grid->axes[grid->axis_count++] = (struct scenario_axis){.path = given->path,
                                                                .place = setting.place,
                                                                .values = values,
                                                                .value_count = given->value_count};
    }
    return true;
}

/* An override that takes away the key of an axis takes away the axis. */
static bool drop_axes(struct plan *plan, const struct plan_options *options, struct grid *grid,
                      struct diag *diag)
{
    for (uint32_t index = 0; index < options->set_count; index++) {
        struct scenario_setting setting;
        if (!scenario_setting_parse(options->sets[index], &plan->arena, &setting, diag)) {
            return false;
        }
        uint32_t kept = 0;
        for (uint32_t axis = 0; axis < grid->axis_count; axis++) {
            bool is_gone =
                yaml_is_removal(setting.value) && strcmp(grid->axes[axis].path, setting.path) == 0;
            grid->axes[kept] = grid->axes[axis];
            kept += is_gone ? 0 : 1;
        }
        grid->axis_count = kept;
    }
    return true;
}

static bool make_grid(struct plan *plan, const struct plan_options *options, struct grid *grid,
                      struct diag *diag)
{
    *grid = (struct grid){.has_axes_given = options->axis_count > 0};
    if (!read_axes(plan, options, grid, diag) || !drop_axes(plan, options, grid, diag)) {
        return false;
    }
    uint32_t count = grid->axis_count;
    grid->setting_count = count;
    grid->settings =
        arena_alloc_array(&plan->arena, count + options->set_count + 1, sizeof(*grid->settings));
    if (!read_sets(plan, options, grid, diag)) {
        return false;
    }
    find_leaders(plan, grid);
    grid->at = arena_alloc_array(&plan->arena, count + 1, sizeof(*grid->at));
    grid->short_paths = arena_alloc_array(&plan->arena, count + 1, sizeof(*grid->short_paths));
    uint64_t cells = 1;
    for (uint32_t index = 0; index < count; index++) {
        const struct scenario_axis *axis = &grid->axes[index];
        grid->short_paths[index] = shorten(grid, index);
        grid->settings[index] = (struct scenario_setting){axis->path, axis->place, axis->values[0]};
        cells *= grid->leaders[index] == index ? axis->value_count : 1;
        if (cells > PLAN_CELLS_MAX) {
            return diag_error(diag, axis->place, (uint32_t)strlen(axis->path),
                              "there are more than %d cells", PLAN_CELLS_MAX);
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

/* "any+majority" for [{name: any, ...}, {name: majority, ...}], "any" for {name: any, ...}; NULL
 * when they have no names. */
static const char *names_of(struct arena *arena, const struct yaml_node *value)
{
    const char *names = "";
    const struct yaml_node *own = value->kind == YAML_MAPPING ? yaml_find(value, "name") : NULL;
    if (own != NULL && own->kind == YAML_SCALAR) {
        return own->text;
    }
    for (uint32_t i = 0; value->kind == YAML_SEQUENCE && i < value->count; i++) {
        const struct yaml_node *name = yaml_find(value->items[i], "name");
        if (name == NULL || name->kind != YAML_SCALAR) {
            return NULL;
        }
        names = arena_printf(arena, "%s%s%s", names, i == 0 ? "" : "+", name->text);
    }
    return *names == '\0' ? NULL : names;
}

/* Flow text of values in a label is for short ones: scalars, and lists of them. */
static bool is_simple(const struct yaml_node *value)
{
    bool is_list = value->kind == YAML_SEQUENCE;
    for (uint32_t i = 0; is_list && i < value->count; i++) {
        is_list = value->items[i]->kind == YAML_SCALAR;
    }
    return is_list || value->kind == YAML_SCALAR;
}

/* A value as labels show it; NULL for a structure without names, and for a long text. */
static const char *shown_value(struct arena *arena, const struct yaml_node *value)
{
    const char *names = names_of(arena, value);
    if (names != NULL || !is_simple(value)) {
        return names;
    }
    const char *text = text_of_value(arena, value, false);
    return strlen(text) <= LABEL_VALUE_MAX ? text : NULL;
}

static bool look_different(struct arena *arena, const struct yaml_node *left,
                           const struct yaml_node *right)
{
    const char *a = shown_value(arena, left);
    const char *b = shown_value(arena, right);
    return a != NULL && b != NULL && strcmp(a, b) != 0;
}

/* Does the axis, with those that turn with it, tell all its values apart by what is shown? */
static bool is_told(struct arena *arena, const struct grid *grid, uint32_t index)
{
    for (uint32_t i = 0; i < grid->axes[index].value_count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            bool is_different = false;
            for (uint32_t other = 0; other < grid->axis_count && !is_different; other++) {
                const struct scenario_axis *axis = &grid->axes[other];
                is_different = grid->leaders[other] == grid->leaders[index] &&
                               look_different(arena, axis->values[i], axis->values[j]);
            }
            if (!is_different) {
                return false;
            }
        }
    }
    return true;
}

/* Does another value of the axis look like this one? */
static bool is_ambiguous(struct arena *arena, const struct grid *grid, uint32_t index,
                         const char *shown)
{
    const struct scenario_axis *axis = &grid->axes[index];
    for (uint32_t i = 0; i < axis->value_count; i++) {
        const char *other = i != grid->at[index] ? shown_value(arena, axis->values[i]) : NULL;
        if (other != NULL && strcmp(other, shown) == 0) {
            return true;
        }
    }
    return false;
}

/* What a label says of an axis; NULL: nothing. */
static const char *label_of(struct arena *arena, const struct grid *grid, uint32_t index)
{
    const char *shown = shown_value(arena, grid->settings[index].value);
    if (shown != NULL && !is_ambiguous(arena, grid, index, shown)) {
        return shown;
    }
    if (is_told(arena, grid, index)) {
        return shown;
    }
    if (shown != NULL) {
        return arena_printf(arena, "%s#%u", shown, grid->at[index] + 1);
    }
    const struct yaml_node *value = grid->settings[index].value;
    const bool has_keys = value->kind == YAML_MAPPING && value->count > 0;
    return arena_printf(arena, "#%u%s%s", grid->at[index] + 1, has_keys ? ":" : "",
                        has_keys ? value->keys[0]->text : "");
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
        const char *shown = label_of(&plan->arena, grid, index);
        if (shown != NULL) {
            text_printf(&label, "%s%s=%s", label.length > 0 ? " " : "", grid->short_paths[index],
                        shown);
        }
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

/* ------------------------------------------------------------------------------- expectations */

static bool is_all(const char *text)
{
    return strcmp(text, "all") == 0;
}

/* Bits of the verdicts that a text other than "all" (or "all") gives the cell. */
static uint32_t verdicts_of(const struct cell *cell, bool by_all)
{
    uint32_t verdicts = 0;
    for (uint32_t verdict = 0; verdict < SPEC_VERDICT_COUNT; verdict++) {
        const struct spec_verdict_cells *cells = &cell->spec.expect_verdicts[verdict];
        for (uint32_t index = 0; index < cells->count; index++) {
            const char *text = cells->texts[index];
            bool is_about = is_all(text) ? by_all : !by_all && strstr(cell->label, text) != NULL;
            verdicts |= is_about ? 1u << verdict : 0;
        }
    }
    return verdicts;
}

/* What is said of some cells only: is it said of this one? */
static void expect_of_cell(struct cell *cell)
{
    uint32_t verdicts = verdicts_of(cell, false);
    cell->spec.verdicts_expected = verdicts != 0 ? verdicts : verdicts_of(cell, true);
    if (cell->spec.metastability.has_gate && cell->spec.verdicts_expected == 0) {
        cell->spec.verdicts_expected = 1u << SPEC_VERDICT_STABLE;
    }
    for (uint32_t index = 0; index < cell->spec.threshold_count; index++) {
        struct spec_threshold *threshold = &cell->spec.thresholds[index];
        threshold->is_elsewhere =
            threshold->cell != NULL && strstr(cell->label, threshold->cell) == NULL;
    }
}

/* Complains when no cell's label contains the text: it would expect nothing. */
static void check_text(const struct plan *plan, const char *text, struct spec_place place,
                       struct diag *diag)
{
    bool is_found = is_all(text);
    for (uint32_t cell = 0; cell < plan->cell_count && !is_found; cell++) {
        is_found = strstr(plan->cells[cell].label, text) != NULL;
    }
    if (!is_found) {
        diag_error(diag, place, 1, "no cell of the sweep has '%s' in its label", text);
    }
}

/* Complains when a limit is about fleets of a size that no cell has. */
static void check_machines(const struct plan *plan, const struct spec_threshold *threshold,
                           struct diag *diag)
{
    const uint32_t machines = threshold->estimate.machines;
    bool is_found = machines == 0 || diag_has(diag, threshold->place);
    for (uint32_t cell = 0; cell < plan->cell_count && !is_found; cell++) {
        is_found = plan->cells[cell].spec.fleet.machines == machines;
    }
    if (!is_found) {
        diag_error(diag, threshold->place, 1, "no cell of the sweep has %" PRIu32 " machines",
                   machines);
    }
}

static void check_sizes(const struct plan *plan, struct diag *diag)
{
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct run_spec *spec = &plan->cells[cell].spec;
        for (uint32_t index = 0; index < spec->threshold_count; index++) {
            check_machines(plan, &spec->thresholds[index], diag);
        }
    }
}

/* Not with overrides or axes of the caller's: the cells that a text is about may be left out. */
static void check_texts(const struct plan *plan, struct diag *diag)
{
    const struct run_spec *spec = &plan->cells[0].spec;
    for (uint32_t verdict = 0; verdict < SPEC_VERDICT_COUNT; verdict++) {
        const struct spec_verdict_cells *cells = &spec->expect_verdicts[verdict];
        for (uint32_t index = 0; index < cells->count; index++) {
            check_text(plan, cells->texts[index], cells->place, diag);
        }
    }
    for (uint32_t index = 0; index < spec->threshold_count; index++) {
        const struct spec_threshold *threshold = &spec->thresholds[index];
        if (threshold->cell != NULL) {
            check_text(plan, threshold->cell, threshold->place, diag);
        }
        if (threshold->than != NULL) {
            check_text(plan, threshold->than, threshold->place, diag);
        }
    }
}

/* Axes of the sweep on which two cells differ. */
static uint32_t distance(const struct cell *left, const struct cell *right)
{
    uint32_t count = 0;
    for (uint32_t axis = 0; axis < left->set_count; axis++) {
        count += strcmp(left->sets[axis], right->sets[axis]) != 0 ? 1 : 0;
    }
    return count;
}

/* Had both cells the same chances? A chain has none, and episodes share their pilots. */
static bool has_common_seeds(const struct cell *left, const struct cell *right)
{
    const enum spec_estimator estimator = left->spec.fleet.estimator;
    return !left->spec.fleet.is_asked ||
           (estimator == right->spec.fleet.estimator && estimator != SPEC_ESTIMATOR_EXACT &&
            estimator != SPEC_ESTIMATOR_DECOMPOSE);
}

/* Finds the cell that a threshold on a difference takes from this one; the threshold is elsewhere
 * when there is none, which is a mistake when the plan is whole. */
static void find_other(const struct plan *plan, const struct cell *cell,
                       struct spec_threshold *threshold, bool is_whole, struct diag *diag)
{
    uint32_t nearest = UINT32_MAX;
    const struct cell *ties[2] = {NULL, NULL};
    for (uint32_t index = 0; index < plan->cell_count; index++) {
        const struct cell *other = &plan->cells[index];
        const uint32_t far = distance(cell, other);
        if (other == cell || strstr(other->label, threshold->than) == NULL || far > nearest) {
            continue;
        }
        ties[1] = far == nearest ? other : NULL;
        if (far < nearest) {
            ties[0] = other;
            threshold->than_cell = index;
        }
        nearest = far;
    }
    threshold->is_elsewhere = ties[0] == NULL || ties[1] != NULL;
    if (diag_has(diag, threshold->place)) {
        return;
    }
    if (strstr(cell->label, threshold->than) != NULL) {
        diag_error(diag, threshold->place, 1,
                   "the cell '%s' has both '%s' and '%s' in its label: nothing tells which is less "
                   "which",
                   cell->label, threshold->cell, threshold->than);
    } else if (ties[0] == NULL && is_whole) {
        diag_error(diag, threshold->place, 1, "no other cell of the sweep has '%s' in its label",
                   threshold->than);
    } else if (ties[0] != NULL && ties[1] != NULL) {
        diag_error(diag, threshold->place, 1,
                   "the cell '%s' may be held against '%s' or '%s': write more of the label after "
                   "'than:'",
                   cell->label, ties[0]->label, ties[1]->label);
    } else if (ties[0] != NULL && !has_common_seeds(cell, ties[0])) {
        diag_error(diag, threshold->place, 1,
                   "the cells '%s' and '%s' have no seeds in common: both need the same "
                   "'estimator', crude, is or restart",
                   cell->label, ties[0]->label);
    }
}

static void find_others(const struct plan *plan, bool is_whole, struct diag *diag)
{
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct run_spec *spec = &plan->cells[cell].spec;
        for (uint32_t index = 0; index < spec->threshold_count; index++) {
            struct spec_threshold *threshold = &spec->thresholds[index];
            if (threshold->than != NULL && !threshold->is_elsewhere) {
                find_other(plan, &plan->cells[cell], threshold, is_whole, diag);
            }
        }
    }
}

/* Complains of what only episodes of the real code heed, when no cell's fleet is asked by them. */
static void check_episodes(const struct plan *plan, struct diag *diag)
{
    struct spec_place episodes = {0};
    struct spec_place validate = {0};
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct spec_fleet *fleet = &plan->cells[cell].spec.fleet;
        if (fleet->estimator == SPEC_ESTIMATOR_DECOMPOSE) {
            return;
        }
        episodes = episodes.line > 0 ? episodes : fleet->episodes.place;
        validate = validate.line > 0 ? validate : fleet->episodes.validate_place;
    }
    static const char text[] = "'%s' is heeded by the estimator 'decompose' only, and %s";
    const char *why =
        plan->cell_count > 1 ? "no cell of the sweep has it" : "this fleet is asked by another";
    if (episodes.line > 0) {
        diag_error(diag, episodes, 1, text, "episodes", why);
    }
    if (validate.line > 0) {
        diag_error(diag, validate, 1, text, "validate", why);
    }
}

/* Complains of a sequential rule when every fleet is told by a closed form, which needs no runs. */
static void check_precision(const struct plan *plan, struct diag *diag)
{
    struct spec_place place = {0};
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct spec_fleet *fleet = &plan->cells[cell].spec.fleet;
        if (!fleet->is_asked || fleet->estimator != SPEC_ESTIMATOR_EXACT) {
            return;
        }
        place = place.line > 0 ? place : fleet->precision_place;
    }
    if (place.line > 0) {
        diag_error(diag, place, 1,
                   "'precision' is of estimates, and the estimator 'exact' has no chance in it");
    }
}

/* Does some load of some cell read this very value, and heed it? */
static bool is_bound_heeded(const struct plan *plan, const struct spec_place *place)
{
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct run_spec *spec = &plan->cells[cell].spec;
        for (uint32_t load = 0; load < spec->load_count; load++) {
            const struct spec_client *client = &spec->loads[load].client;
            if (client->pushback == SPEC_PUSHBACK_BOUNDED &&
                client->pushback_max_place.line == place->line &&
                client->pushback_max_place.column == place->column) {
                return true;
            }
        }
    }
    return false;
}

/* Complains of a pushbackMax that no load's way with pushback heeds. */
static void check_pushback(const struct plan *plan, struct diag *diag)
{
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct run_spec *spec = &plan->cells[cell].spec;
        for (uint32_t load = 0; load < spec->load_count; load++) {
            const struct spec_place place = spec->loads[load].client.pushback_max_place;
            if (place.line > 0 && !diag_has(diag, place) && !is_bound_heeded(plan, &place)) {
                diag_error(diag, place, 1, "'pushbackMax' is heeded with 'pushback: bounded' only");
            }
        }
    }
}

/* Complains when nothing can take as long to come back as it may. A trigger that outlasts the run
 * is a matter of its own: the arms are cut, and say so. */
static void check_within(const struct plan *plan, struct diag *diag)
{
    for (uint32_t cell = 0; cell < plan->cell_count; cell++) {
        const struct spec_metastability *asked = &plan->cells[cell].spec.metastability;
        char left[32];
        if (asked->is_asked && asked->within_place.line > 0 && asked->left_ns > 0 &&
            asked->within_ns > asked->left_ns && !diag_has(diag, asked->within_place)) {
            diag_error(diag, asked->within_place, 1,
                       "only %s are left of time.limit after the trigger, so nothing can take "
                       "that long",
                       units_format_duration(asked->left_ns, left, sizeof(left)));
        }
    }
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
static void turn(const struct grid *grid)
{
    uint32_t *at = grid->at;
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

static bool make_cells(struct plan *plan, const struct grid *grid, bool is_whole, struct diag *diag)
{
    uint32_t before = diag->count;
    plan->cells = arena_alloc_array(&plan->arena, plan->cell_count, sizeof(*plan->cells));
    struct map seen;
    map_init(&seen);
    for (uint32_t index = 0; index < plan->cell_count && diag->kept < DIAG_MAX; index++) {
        struct cell *cell = &plan->cells[index];
        if (scenario_compile(plan->scenario, grid->settings, grid->setting_count, &plan->arena,
                             &cell->spec, diag)) {
            cell->spec.metastability.has_gate &= !grid->has_axes_given;
            describe_cell(plan, grid, cell);
            expect_of_cell(cell);
            check_new(plan, grid, index, &seen, diag);
        }
        turn(grid);
    }
    map_release(&seen);
    if (is_whole && diag->count == before) {
        check_texts(plan, diag);
        check_sizes(plan, diag);
        check_episodes(plan, diag);
        check_precision(plan, diag);
        check_pushback(plan, diag);
        check_within(plan, diag);
    }
    if (diag->count == before) {
        find_others(plan, is_whole, diag);
    }
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
    bool is_whole = options->set_count == 0 && options->axis_count == 0;
    bool is_built = make_grid(plan, options, &grid, diag) &&
                    make_cells(plan, &grid, is_whole, diag) && make_canonical(plan, options, diag);
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
