/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A scenario keeps the tree as it was written (over its base), and compiles cells from it.
 *
 * Loading checks the file twice: as it stands, so that errors are reported with the paths that the
 * user wrote; and compiled, once for every value of every axis with the other axes at their first
 * value, so that what only shows in a cell is found too. That is the sum of the axes, not their
 * product. Errors that come again are dropped by the diag. */
#include "sim/input/scenario.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/input/build.h"
#include "sim/input/expand.h"
#include "sim/input/schema.h"
#include "sim/input/seeds.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AXES_MAX         16
#define AXIS_VALUES_MAX  1000
#define LANGUAGE_VERSION 1
#define SEEDS_DEFAULT    "1..100"

struct scenario {
    struct arena arena;
    const char *file;
    const char *folder;
    const struct catalog *catalog;
    const struct yaml_node *tree; /* as written, over its base, without `extends` */
    const char *name;
    const char *description;
    const struct yaml_node *labels; /* or NULL */
    const char *seeds;
    struct spec_place seeds_place;
    struct scenario_axis axes[AXES_MAX];
    uint32_t axis_count;
};

/* ------------------------------------------------------------------------------- files */

static const char *folder_of(struct arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL) {
        return ".";
    }
    return slash == file ? "/" : arena_strndup(arena, file, (size_t)(slash - file));
}

static const struct yaml_node *without(struct arena *arena, const struct yaml_node *tree,
                                       const char *key)
{
    const struct yaml_node *name = yaml_find_key(tree, key);
    return name == NULL ? tree : yaml_with(arena, tree, name, NULL);
}

static bool check_root(const struct yaml_node *tree, struct diag *diag)
{
    return tree->kind == YAML_MAPPING ||
           diag_error(diag, tree->place, tree->width, "a scenario must be a mapping of keys");
}

/* A file for a newer squall would only give a list of unknown keys. */
static bool check_version(const struct yaml_node *tree, struct diag *diag)
{
    const struct yaml_node *version = yaml_find(tree, "squall");
    uint64_t number = 0;
    bool is_number =
        version != NULL && version->kind == YAML_SCALAR && units_u64(version->text, &number, NULL);
    return !is_number || number <= LANGUAGE_VERSION ||
           diag_error(diag, version->place, version->width,
                      "the scenario is written in version %" PRIu64
                      " of the language, this squall reads version %d",
                      number, LANGUAGE_VERSION);
}

/* Lays the tree over the one that it extends. NULL after a report. */
static const struct yaml_node *resolve_extends(struct scenario *scenario,
                                               const struct yaml_node *tree, struct diag *diag)
{
    const struct yaml_node *extends = yaml_find(tree, "extends");
    if (extends == NULL) {
        return tree;
    }
    if (extends->kind != YAML_SCALAR || extends->text[0] == '\0') {
        diag_error(diag, extends->place, extends->width,
                   "'extends' must be a file, such as 'base.yaml'");
        return NULL;
    }
    bool is_plain = extends->text[0] == '/' || strcmp(scenario->folder, ".") == 0;
    const char *path =
        is_plain ? extends->text
                 : arena_printf(&scenario->arena, "%s/%s", scenario->folder, extends->text);
    uint32_t before = diag->count;
    const struct yaml_node *base = yaml_load(path, &scenario->arena, diag);
    if (base == NULL || !check_root(base, diag)) {
        if (diag->count > before) {
            diag_error(diag, extends->place, extends->width, "cannot extend '%s'", path);
        }
        return NULL;
    }
    const struct yaml_node *second = yaml_find(base, "extends");
    if (second != NULL) {
        diag_error(diag, second->place, second->width,
                   "a scenario that is extended cannot extend another one");
        return NULL;
    }
    tree = without(&scenario->arena, tree, "extends");
    return yaml_overlay(&scenario->arena, base, tree, &expand_restart);
}

/* ------------------------------------------------------------------------------- axes, seeds */

/* Keys that neither a sweep nor an override may set. */
static bool is_fixed(const char *path)
{
    static const char *const keys[] = {"squall", "extends", "sweep", "zip", "seeds"};
    size_t length = strcspn(path, ".[");
    for (uint32_t index = 0; index < ARRAY_COUNT(keys); index++) {
        if (strlen(keys[index]) == length && strncmp(keys[index], path, length) == 0) {
            return true;
        }
    }
    return false;
}

static bool read_axis(struct scenario *scenario, const struct yaml_node *key,
                      const struct yaml_node *value, struct diag *diag)
{
    if (scenario->axis_count == AXES_MAX) {
        return diag_error(diag, key->place, key->width, "more than %d axes", AXES_MAX);
    }
    if (value->kind != YAML_SEQUENCE || value->count == 0) {
        return diag_error(diag, value->place, value->width,
                          "'%s' must be a list of the values to try", key->text);
    }
    if (value->count > AXIS_VALUES_MAX) {
        return diag_error(diag, value->place, value->width, "more than %d values", AXIS_VALUES_MAX);
    }
    bool is_name = strcmp(key->text, "name") == 0 || strcmp(key->text, "description") == 0;
    if (is_fixed(key->text) || is_name) {
        return diag_error(diag, key->place, key->width, "'%s' cannot be swept", key->text);
    }
    struct err err = {0};
    for (uint32_t index = 0; index < value->count; index++) {
        if (schema_set(key->text, scenario->tree, value->items[index], &scenario->arena, &err) ==
            NULL) {
            return diag_error(diag, key->place, key->width, "%s", err.text);
        }
    }
    scenario->axes[scenario->axis_count++] =
        (struct scenario_axis){key->text, key->place, value->items, value->count, 0};
    return true;
}

static void read_sweep(struct scenario *scenario, struct diag *diag)
{
    const struct yaml_node *sweep = yaml_find(scenario->tree, "sweep");
    if (sweep == NULL || sweep->kind != YAML_MAPPING) {
        return;
    }
    for (uint32_t index = 0; index < sweep->count; index++) {
        read_axis(scenario, sweep->keys[index], sweep->items[index], diag);
    }
}

/* The axis of a path; NULL after a report. */
static struct scenario_axis *find_axis(struct scenario *scenario, const struct yaml_node *path,
                                       struct diag *diag)
{
    const char *names[AXES_MAX];
    for (uint32_t index = 0; index < scenario->axis_count; index++) {
        names[index] = scenario->axes[index].path;
        if (strcmp(names[index], path->text) == 0) {
            return &scenario->axes[index];
        }
    }
    const char *nearest = text_nearest(path->text, names, scenario->axis_count);
    diag_error(diag, path->place, path->width,
               nearest != NULL ? "'%s' is no axis of the sweep; did you mean '%s'?"
                               : "'%s' is no axis of the sweep",
               path->text, nearest);
    return NULL;
}

/* Axes of one value (an override fixed them) go with any. */
static void read_zip(struct scenario *scenario, const struct yaml_node *paths, uint32_t zip,
                     struct diag *diag)
{
    const struct scenario_axis *first = NULL;
    for (uint32_t index = 0; index < paths->count; index++) {
        const struct yaml_node *path = paths->items[index];
        struct scenario_axis *axis =
            path->kind == YAML_SCALAR ? find_axis(scenario, path, diag) : NULL;
        if (axis == NULL) {
            continue;
        }
        if (axis->zip != 0) {
            diag_error(diag, path->place, path->width, "'%s' is zipped twice", axis->path);
        }
        axis->zip = zip;
        if (axis->value_count == 1) {
            continue;
        }
        first = first == NULL ? axis : first;
        if (axis->value_count != first->value_count) {
            diag_error(diag, path->place, path->width,
                       "'%s' has %" PRIu32 " values and '%s' %" PRIu32
                       ": what is zipped needs as many",
                       axis->path, axis->value_count, first->path, first->value_count);
        }
    }
}

static void read_zips(struct scenario *scenario, struct diag *diag)
{
    const struct yaml_node *zips = yaml_find(scenario->tree, "zip");
    bool is_map = zips != NULL && zips->kind == YAML_MAPPING;
    for (uint32_t index = 0; is_map && index < zips->count; index++) {
        if (zips->items[index]->kind == YAML_SEQUENCE) {
            read_zip(scenario, zips->items[index], index + 1, diag);
        }
    }
}

/* `complete`: the checked tree. */
static void read_seeds(struct scenario *scenario, const struct yaml_node *complete,
                       struct diag *diag)
{
    const struct yaml_node *node = yaml_find(complete, "seeds");
    scenario->seeds = SEEDS_DEFAULT;
    if (node == NULL || node->is_bad) {
        return;
    }
    scenario->seeds_place = node->place;
    if (node->kind == YAML_SCALAR) {
        scenario->seeds = node->text;
    } else {
        scenario->seeds = arena_printf(&scenario->arena, "%s@%s", yaml_find(node, "count")->text,
                                       yaml_find(node, "first")->text);
    }
    struct seed_range *ranges = NULL;
    uint32_t range_count = 0;
    uint64_t seed_count = 0;
    struct err err = {0};
    if (!seeds_parse(scenario->seeds, &scenario->arena, &ranges, &range_count, &seed_count, &err)) {
        diag_error(diag, node->place, node->width, "%s", err.text);
    }
}

/* ------------------------------------------------------------------------------- compiling */

/* The tree with settings applied. NULL after a report. */
static const struct yaml_node *apply(const struct scenario *scenario, const struct yaml_node *tree,
                                     const struct scenario_setting *settings, uint32_t count,
                                     struct arena *arena, struct diag *diag)
{
    ASSERT(scenario != NULL);
    for (uint32_t index = 0; index < count; index++) {
        const struct scenario_setting *setting = &settings[index];
        struct err err = {0};
        const struct yaml_node *next = NULL;
        if (is_fixed(setting->path)) {
            err_set(&err, ERR_INPUT, "'%s' cannot be set", setting->path);
        } else {
            next = schema_set(setting->path, tree, setting->value, arena, &err);
        }
        if (next == NULL) {
            diag_error(diag, setting->place, (uint32_t)strlen(setting->path), "%s", err.text);
            return NULL;
        }
        tree = next;
    }
    return tree;
}

/* Expands and completes; errors go to the diag. */
static const struct yaml_node *complete(const struct scenario *scenario,
                                        const struct yaml_node *tree, enum expand_mode mode,
                                        struct arena *arena, struct diag *diag)
{
    bool is_all = mode == EXPAND_INHERITED;
    tree = expand_tree(tree, mode, arena);
    tree = schema_complete(schema_root(), tree, "", is_all ? SCHEMA_FILL_ALL : SCHEMA_FILL_WRITTEN,
                           arena, diag);
    return build_options(tree, scenario->catalog, scenario->folder, arena, diag);
}

static const char *print_tree(const struct yaml_node *tree, struct arena *arena)
{
    struct text text;
    text_init(&text);
    yaml_write(tree, &text);
    const char *result = arena_strdup(arena, text_of(&text));
    text_release(&text);
    return result;
}

bool scenario_compile(const struct scenario *scenario, const struct scenario_setting *settings,
                      uint32_t count, struct arena *arena, struct run_spec *spec, struct diag *diag)
{
    ASSERT(scenario != NULL);
    ASSERT(settings != NULL || count == 0);
    uint32_t before = diag->count;
    const struct yaml_node *tree = without(arena, scenario->tree, "sweep");
    tree = without(arena, tree, "zip");
    tree = without(arena, tree, "seeds");
    tree = apply(scenario, tree, settings, count, arena, diag);
    if (tree == NULL) {
        return false;
    }
    const struct yaml_node *whole = complete(scenario, tree, EXPAND_INHERITED, arena, diag);
    build_spec(whole, scenario->catalog, scenario->folder, arena, spec, diag);
    if (diag->count > before) {
        return false;
    }
    struct arena scratch;
    arena_init(&scratch);
    tree = complete(scenario, tree, EXPAND_WRITTEN, &scratch, diag);
    ASSERT(diag->count == before);
    spec->file = scenario->file;
    spec->canonical = print_tree(tree, arena);
    arena_release(&scratch);
    return true;
}

static bool is_same_text(const struct yaml_node *left, const struct yaml_node *right)
{
    struct text texts[2];
    const struct yaml_node *nodes[2] = {left, right};
    for (uint32_t i = 0; i < 2; i++) {
        text_init(&texts[i]);
        yaml_write_flow(nodes[i], &texts[i]);
    }
    bool is_same = strcmp(text_of(&texts[0]), text_of(&texts[1])) == 0;
    text_release(&texts[0]);
    text_release(&texts[1]);
    return is_same;
}

/* The first value of each axis. */
static void first_values(const struct scenario *scenario, struct scenario_setting *settings)
{
    for (uint32_t index = 0; index < scenario->axis_count; index++) {
        const struct scenario_axis *axis = &scenario->axes[index];
        settings[index] = (struct scenario_setting){axis->path, axis->place, axis->values[0]};
    }
}

void scenario_fix_axis(struct scenario_axis *axes, uint32_t count, uint32_t index,
                       const struct scenario_setting *setting, struct arena *arena)
{
    ASSERT(index < count);
    const struct scenario_axis fixed = axes[index];
    uint32_t *rows = arena_alloc_array(arena, fixed.value_count, sizeof(*rows));
    uint32_t row_count = 0;
    for (uint32_t row = 0; row < fixed.value_count && fixed.zip != 0; row++) {
        if (is_same_text(fixed.values[row], setting->value)) {
            rows[row_count++] = row;
        }
    }
    const struct yaml_node **values = arena_alloc_array(arena, 1, sizeof(const struct yaml_node *));
    values[0] = setting->value;
    axes[index].values = values;
    axes[index].value_count = 1;
    axes[index].place = setting->place;
    for (uint32_t other = 0; other < count && row_count > 0; other++) {
        struct scenario_axis *axis = &axes[other];
        if (other == index || axis->zip != fixed.zip || axis->value_count != fixed.value_count) {
            continue;
        }
        values = arena_alloc_array(arena, row_count, sizeof(const struct yaml_node *));
        for (uint32_t row = 0; row < row_count; row++) {
            values[row] = axis->values[rows[row]];
        }
        axis->values = values;
        axis->value_count = row_count;
    }
}

/* The sweep with the values that the axis has now. */
static const struct yaml_node *with_values(struct arena *arena, const struct yaml_node *sweep,
                                           const struct scenario_axis *axis)
{
    const struct yaml_node *key = yaml_find_key(sweep, axis->path);
    const struct yaml_node **values =
        arena_alloc_array(arena, axis->value_count, sizeof(const struct yaml_node *));
    memcpy(values, axis->values, axis->value_count * sizeof(const struct yaml_node *));
    return yaml_with(arena, sweep, key,
                     yaml_sequence_new(arena, key->place, values, axis->value_count));
}

const char *scenario_canonical(const struct scenario *scenario,
                               const struct scenario_setting *settings, uint32_t count,
                               struct arena *arena, struct diag *diag)
{
    ASSERT(scenario != NULL);
    ASSERT(settings != NULL || count == 0);
    uint32_t before = diag->count;
    struct scenario_axis axes[AXES_MAX];
    struct scenario_setting firsts[AXES_MAX];
    bool is_gone[AXES_MAX] = {false};
    memcpy(axes, scenario->axes, sizeof(axes));
    struct scenario_setting *others = arena_alloc_array(arena, count + 1, sizeof(*others));
    uint32_t other_count = 0;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t axis = 0;
        while (axis < scenario->axis_count && strcmp(axes[axis].path, settings[index].path) != 0) {
            axis++;
        }
        bool is_removal = yaml_is_removal(settings[index].value);
        if (axis < scenario->axis_count && !is_removal) {
            scenario_fix_axis(axes, scenario->axis_count, axis, &settings[index], arena);
        } else {
            others[other_count++] = settings[index];
        }
        if (axis < scenario->axis_count) {
            is_gone[axis] = is_removal;
        }
    }
    const struct yaml_node *sweep = yaml_find(scenario->tree, "sweep");
    for (uint32_t axis = 0; axis < scenario->axis_count; axis++) {
        firsts[axis] =
            (struct scenario_setting){axes[axis].path, axes[axis].place, axes[axis].values[0]};
        if (is_gone[axis]) {
            sweep = yaml_with(arena, sweep, yaml_find_key(sweep, axes[axis].path), NULL);
        } else if (axes[axis].values != scenario->axes[axis].values) {
            sweep = with_values(arena, sweep, &axes[axis]);
        }
    }
    const struct yaml_node *tree = without(arena, scenario->tree, "seeds");
    tree = apply(scenario, tree, firsts, scenario->axis_count, arena, diag);
    if (tree != NULL) {
        tree = apply(scenario, tree, others, other_count, arena, diag);
    }
    if (tree == NULL) {
        return NULL;
    }
    if (sweep != NULL) {
        tree =
            yaml_with(arena, tree, yaml_find_key(tree, "sweep"), sweep->count > 0 ? sweep : NULL);
    }
    tree = complete(scenario, tree, EXPAND_WRITTEN, arena, diag);
    return diag->count == before ? print_tree(tree, arena) : NULL;
}

/* Sets the axis, and what is zipped with it, to a value each. */
static void set_axis(const struct scenario *scenario, uint32_t index, uint32_t value,
                     struct scenario_setting *settings)
{
    for (uint32_t other = 0; other < scenario->axis_count; other++) {
        const struct scenario_axis *axis = &scenario->axes[other];
        bool is_meant =
            other == index || (axis->zip != 0 && axis->zip == scenario->axes[index].zip);
        if (is_meant && value < axis->value_count) {
            settings[other].value = axis->values[value];
        }
    }
}

/* Compiles the first cell, and every further value of each axis. */
static void check_cells(const struct scenario *scenario, struct diag *diag)
{
    struct arena arena;
    arena_init(&arena);
    struct scenario_setting settings[AXES_MAX];
    first_values(scenario, settings);
    struct run_spec spec;
    scenario_compile(scenario, settings, scenario->axis_count, &arena, &spec, diag);
    for (uint32_t index = 0; index < scenario->axis_count; index++) {
        const struct scenario_axis *axis = &scenario->axes[index];
        for (uint32_t value = 1; value < axis->value_count && diag->kept < DIAG_MAX; value++) {
            arena_reset(&arena);
            set_axis(scenario, index, value, settings);
            scenario_compile(scenario, settings, scenario->axis_count, &arena, &spec, diag);
        }
        set_axis(scenario, index, 0, settings);
    }
    arena_release(&arena);
}

/* ------------------------------------------------------------------------------- loading */

static struct scenario *scenario_new(const char *file, const struct catalog *catalog)
{
    struct scenario *scenario = calloc(1, sizeof(*scenario));
    if (scenario == NULL) {
        fprintf(stderr, "squall: out of memory (scenario)\n");
        abort();
    }
    arena_init(&scenario->arena);
    scenario->file = arena_strdup(&scenario->arena, file);
    scenario->folder = folder_of(&scenario->arena, file);
    scenario->catalog = catalog;
    return scenario;
}

/* Takes the scenario; gives it back, or frees it and returns NULL. */
static struct scenario *finish(struct scenario *scenario, const struct yaml_node *tree,
                               uint32_t errors_before, struct diag *diag)
{
    bool is_whole = tree != NULL && check_root(tree, diag) && check_version(tree, diag);
    tree = is_whole ? resolve_extends(scenario, tree, diag) : NULL;
    if (tree != NULL) {
        scenario->tree = tree;
        const struct yaml_node *checked =
            schema_complete(schema_root(), tree, "", SCHEMA_FILL_ALL, &scenario->arena, diag);
        const struct yaml_node *name = yaml_find(checked, "name");
        scenario->name = name == NULL ? "" : name->text;
        scenario->description = yaml_find(checked, "description")->text;
        scenario->labels = yaml_find(checked, "labels");
        read_seeds(scenario, checked, diag);
        read_sweep(scenario, diag);
        read_zips(scenario, diag);
        check_cells(scenario, diag);
    }
    if (diag->count > errors_before) {
        scenario_free(scenario);
        return NULL;
    }
    return scenario;
}

struct scenario *scenario_load(const char *path, const struct catalog *catalog, struct diag *diag)
{
    ASSERT(path != NULL);
    ASSERT(catalog != NULL);
    uint32_t before = diag->count;
    struct scenario *scenario = scenario_new(path, catalog);
    const struct yaml_node *tree = yaml_load(scenario->file, &scenario->arena, diag);
    return finish(scenario, tree, before, diag);
}

struct scenario *scenario_parse(const char *file, const char *text, size_t size,
                                const struct catalog *catalog, struct diag *diag)
{
    ASSERT(file != NULL);
    ASSERT(catalog != NULL);
    uint32_t before = diag->count;
    struct scenario *scenario = scenario_new(file, catalog);
    const struct yaml_node *tree = yaml_parse(scenario->file, text, size, &scenario->arena, diag);
    return finish(scenario, tree, before, diag);
}

void scenario_free(struct scenario *scenario)
{
    if (scenario != NULL) {
        arena_release(&scenario->arena);
        free(scenario);
    }
}

/* ------------------------------------------------------------------------------- asking */

const char *scenario_file(const struct scenario *scenario)
{
    return scenario->file;
}

const char *scenario_name(const struct scenario *scenario)
{
    return scenario->name;
}

const char *scenario_description(const struct scenario *scenario)
{
    return scenario->description;
}

const char *scenario_label(const struct scenario *scenario, const char *key)
{
    const struct yaml_node *value = yaml_find(scenario->labels, key);
    return value == NULL ? NULL : value->text;
}

bool scenario_label_at(const struct scenario *scenario, uint32_t index, const char **key,
                       const char **value)
{
    if (scenario->labels == NULL || index >= scenario->labels->count) {
        return false;
    }
    *key = scenario->labels->keys[index]->text;
    *value = scenario->labels->items[index]->text;
    return true;
}

const char *scenario_seeds(const struct scenario *scenario, struct spec_place *place)
{
    if (place != NULL) {
        *place = scenario->seeds_place;
    }
    return scenario->seeds;
}

const struct scenario_axis *scenario_axes(const struct scenario *scenario, uint32_t *count)
{
    ASSERT(count != NULL);
    *count = scenario->axis_count;
    return scenario->axes;
}

bool scenario_setting_parse(const char *text, struct arena *arena, struct scenario_setting *setting,
                            struct diag *diag)
{
    ASSERT(text != NULL);
    ASSERT(setting != NULL);
    const char *file = arena_printf(arena, "--set %s", text);
    size_t size = strlen(text);
    diag_add_source(diag, file, text, size);
    struct spec_place place = {file, 1, 1};
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return diag_error(diag, place, 1, "'%s' is no override: write PATH=VALUE", text);
    }
    size_t path_size = (size_t)(equals - text);
    place.column = (uint32_t)path_size + 2;
    if (equals[1] == '\0') {
        return diag_error(diag, place, 1, "'%s' has no value", text);
    }
    /* Blanks in place of the path keep the columns. */
    char *padded = arena_strdup(arena, text);
    memset(padded, ' ', path_size + 1);
    const struct yaml_node *value = yaml_parse(file, padded, size, arena, diag);
    if (value == NULL) {
        return false;
    }
    place.column = 1;
    *setting = (struct scenario_setting){arena_strndup(arena, text, path_size), place, value};
    return true;
}
