/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Groups, hosts, zones, links and disks; and the laws of durations and the selectors that the other
 * parts use too.
 *
 * Nodes are numbered through all groups in the order of the file. With one group they are called
 * n1, n2, ...; with several, store-1, store-2, ... Zones are runs of nodes in the same order. */
#include "sim/input/build.h"

#include "sim/base/base.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define LINK_RULES_MAX 4096
#define DELAY_STEPS    64 /* quantiles of a delay law, and as many for its tail */

void build_complain(struct build *build, struct view view, const char *key, const char *format, ...)
{
    const struct yaml_node *node = key == NULL ? NULL : view_node(view, key);
    const struct yaml_node *owner = view.node != NULL ? view.node : build->root.node;
    if (owner->is_bad) {
        return;
    }
    /* What comes from a default or a preset has no place of its own. */
    if (node == NULL || node->place.line == 0) {
        node = owner->place.line != 0 ? owner : build->root.node;
    }
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    diag_error(build->diag, node->place, node->width, "%s", text);
}

void build_check_unique(struct build *build, struct view view, const char *key,
                        const char *const *names, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        for (uint32_t before = 0; before < index; before++) {
            if (strcmp(names[index], names[before]) != 0) {
                continue;
            }
            const struct yaml_node *node = view_node(view, key)->items[index];
            const struct yaml_node *name = yaml_find(node, "name");
            node = name != NULL ? name : node;
            diag_error(build->diag, node->place, node->width, "the name '%s' is used twice in '%s'",
                       names[index], key);
            break;
        }
    }
}

/* ------------------------------------------------------------------------------- laws */

/* A gamma law is made into an empirical one. */
#define DIST_GAMMA_AS_EMPIRICAL ((enum dist_kind)(DIST_WEIBULL + 1))

struct law_row {
    enum dist_kind kind;
    const char *name;
    const char *keys; /* that belong to it */
};

/* In the order of the choices of law.distribution. */
static const struct law_row law_rows[] = {
    {DIST_CONSTANT, "constant", " value latency "},
    {DIST_UNIFORM, "uniform", " min max "},
    {DIST_EXPONENTIAL, "exponential", " mean "},
    {DIST_LOGNORMAL, "lognormal", " median latency mean p99 "},
    {DIST_PARETO, "pareto", " min max shape "},
    {DIST_EMPIRICAL, "empirical", " points "},
    {DIST_WEIBULL, "weibull", " mean shape "},
    {DIST_GAMMA_AS_EMPIRICAL, "gamma", " mean shape "},
};

/* The row that the law states, or that its keys show. */
static const struct law_row *find_law(struct view law)
{
    int64_t stated = view_number(law, "distribution", -1);
    if (stated >= 0) {
        ASSERT(stated < (int64_t)ARRAY_COUNT(law_rows));
        return &law_rows[stated];
    }
    enum dist_kind kind = view_has(law, "points")  ? DIST_EMPIRICAL
                          : view_has(law, "shape") ? DIST_PARETO
                          : view_has(law, "p99")   ? DIST_LOGNORMAL
                          : view_has(law, "min")   ? DIST_UNIFORM
                          : view_has(law, "mean")  ? DIST_EXPONENTIAL
                                                   : DIST_CONSTANT;
    for (uint32_t index = 0; index < ARRAY_COUNT(law_rows); index++) {
        if (law_rows[index].kind == kind) {
            return &law_rows[index];
        }
    }
    UNREACHABLE();
}

/* Complains about the first key that does not belong to the law. */
static bool check_law_keys(struct build *build, struct view law, const struct law_row *row)
{
    for (uint32_t index = 0; index < law.object->key_count; index++) {
        const char *key = law.object->keys[index].name;
        char spaced[64];
        snprintf(spaced, sizeof(spaced), " %s ", key);
        bool belongs = strcmp(key, "distribution") == 0 || strstr(row->keys, spaced) != NULL;
        if (!belongs && view_has(law, key)) {
            build_complain(build, law, key, "'%s' does not belong to a law that is %s", key,
                           row->name);
            return false;
        }
    }
    return true;
}

/* A law being read. */
struct law_reader {
    struct build *build;
    struct view law;
    const struct law_row *row;
    bool has_failed; /* a complaint was made */
};

/* The first of two keys that is there; complains when none is. */
static int64_t need_either(struct law_reader *reader, const char *first, const char *second)
{
    struct view law = reader->law;
    bool has_both = strcmp(first, second) != 0 && view_has(law, first) && view_has(law, second);
    const char *key = view_has(law, first) ? first : second;
    if (!view_has(law, key)) {
        build_complain(reader->build, law, NULL, "a law that is %s needs '%s'", reader->row->name,
                       first);
        reader->has_failed = true;
    } else if (has_both) {
        build_complain(reader->build, law, second, "'%s' and '%s' say the same: write one", first,
                       second);
        reader->has_failed = true;
    }
    return view_number(law, key, 0);
}

static void read_points(struct build *build, struct view law, struct dist *dist)
{
    uint32_t count = view_count(law, "points");
    struct dist_point *points = arena_alloc_array(build->arena, count + 1, sizeof(*points));
    for (uint32_t index = 0; index < count; index++) {
        struct view point = view_item(law, "points", index);
        points[index].cumulative = (uint64_t)view_number(point, "at", 0);
        points[index].value = view_number(point, "value", 0);
    }
    dist->points = points;
    dist->point_count = count;
}

static void read_lognormal(struct law_reader *reader, struct dist *dist)
{
    struct view law = reader->law;
    dist->b = need_either(reader, "p99", "p99");
    if (!view_has(law, "mean")) {
        dist->a = need_either(reader, "median", "latency");
        return;
    }
    struct err err = {0};
    int64_t mean = view_number(law, "mean", 0);
    if (view_has(law, "median") || view_has(law, "latency")) {
        build_complain(reader->build, law, "mean", "write the mean or the median, not both");
        reader->has_failed = true;
    } else if (!reader->has_failed && !dist_lognormal_of_mean(dist, mean, dist->b, &err)) {
        build_complain(reader->build, law, "mean", "%s", err.text);
        reader->has_failed = true;
    }
}

/* weibull, gamma: mean and shape. */
static void read_shaped(struct law_reader *reader, struct dist *dist)
{
    struct err err = {0};
    int64_t mean = need_either(reader, "mean", "mean");
    int64_t shape = need_either(reader, "shape", "shape");
    if (reader->has_failed) {
        return;
    }
    bool is_fine;
    if (reader->row->kind == DIST_WEIBULL) {
        is_fine = dist_weibull_of_mean(dist, mean, shape, &err);
    } else {
        struct dist_point *points =
            arena_alloc_array(reader->build->arena, DIST_GAMMA_POINTS, sizeof(*points));
        is_fine = dist_gamma_of_mean(dist, mean, shape, points, &err);
    }
    if (!is_fine) {
        build_complain(reader->build, reader->law, "mean", "%s", err.text);
        reader->has_failed = true;
    }
}

static void read_law(struct law_reader *reader, struct dist *dist)
{
    if (reader->row->kind >= DIST_WEIBULL) {
        read_shaped(reader, dist);
        return;
    }
    dist->kind = reader->row->kind;
    switch (dist->kind) {
    case DIST_CONSTANT:
        dist->a = need_either(reader, "value", "latency");
        return;
    case DIST_UNIFORM:
        dist->a = need_either(reader, "min", "min");
        dist->b = need_either(reader, "max", "max");
        return;
    case DIST_EXPONENTIAL:
        dist->a = need_either(reader, "mean", "mean");
        return;
    case DIST_LOGNORMAL:
        read_lognormal(reader, dist);
        return;
    case DIST_PARETO:
        dist->a = need_either(reader, "min", "min");
        dist->b = view_number(reader->law, "max", 0);
        dist->c = view_number(reader->law, "shape", 1500);
        return;
    case DIST_EMPIRICAL:
        read_points(reader->build, reader->law, dist);
        return;
    case DIST_WEIBULL:
        break;
    }
    UNREACHABLE();
}

bool build_law(struct build *build, struct view view, const char *key, int64_t otherwise,
               struct dist *dist)
{
    const struct dist fallback = {.kind = DIST_CONSTANT, .a = otherwise};
    *dist = fallback;
    struct view law = view_at(view, key);
    if (law.node == NULL) {
        return true;
    }
    struct law_reader reader = {.build = build, .law = law, .row = find_law(law)};
    if (law.node->is_bad || !check_law_keys(build, law, reader.row)) {
        return false;
    }
    read_law(&reader, dist);
    struct err err = {0};
    if (!reader.has_failed && !dist_check(dist, &err)) {
        build_complain(build, law, NULL, "%s: %s", key, err.text);
        reader.has_failed = true;
    }
    *dist = reader.has_failed ? fallback : *dist;
    return !reader.has_failed;
}

/* In the order of the choices of link.distribution. */
enum jitter_kind {
    JITTER_NONE,
    JITTER_UNIFORM,
    JITTER_EXPONENTIAL,
    JITTER_LOGNORMAL,
    JITTER_PARETO,
};

void build_jitter(struct build *build, struct view view, int64_t *latency_ns, struct dist *jitter)
{
    int64_t latency = view_number(view, "latency", 0);
    int64_t size = view_number(view, "jitter", 0);
    enum jitter_kind kind = (enum jitter_kind)view_number(view, "distribution", JITTER_UNIFORM);
    *latency_ns = latency;
    *jitter = (struct dist){.kind = DIST_CONSTANT};
    if (size == 0) {
        return;
    }
    switch (kind) {
    case JITTER_NONE:
        build_complain(build, view, "jitter", "a jitter needs a distribution other than none");
        return;
    case JITTER_UNIFORM:
        *latency_ns = latency > size ? latency - size : 0;
        *jitter = (struct dist){.kind = DIST_UNIFORM, .b = latency + size - *latency_ns};
        break;
    case JITTER_EXPONENTIAL:
        *jitter = (struct dist){.kind = DIST_EXPONENTIAL, .a = size};
        break;
    case JITTER_LOGNORMAL:
        *jitter = (struct dist){.kind = DIST_LOGNORMAL, .a = size, .b = 4 * size};
        break;
    case JITTER_PARETO:
        *jitter = (struct dist){
            .kind = DIST_PARETO, .a = size > 1 ? size / 2 : 1, .b = 100 * size, .c = 1500};
        break;
    }
    struct err err = {0};
    if (!dist_check(jitter, &err)) {
        build_complain(build, view, "jitter", "jitter: %s", err.text);
    }
}

/* A fixed part and an unbounded law have no law of their own: the sum is given by its quantiles,
 * evenly spaced first and then halving the distance to one, so that the tail is as exact as the
 * middle. */
void build_delay(struct build *build, struct view view, struct dist *law)
{
    int64_t latency = 0;
    build_jitter(build, view, &latency, law);
    if (law->kind == DIST_CONSTANT || law->kind == DIST_UNIFORM) {
        law->a += latency;
        law->b += law->kind == DIST_UNIFORM ? latency : 0;
        return;
    }
    uint32_t count = DELAY_STEPS + 26;
    struct dist_point *points = arena_alloc_array(build->arena, count, sizeof(*points));
    const uint64_t one = UINT64_C(1) << 32;
    for (uint32_t index = 0; index < count; index++) {
        uint64_t at = index < DELAY_STEPS ? index * (one / DELAY_STEPS)
                                          : one - (one >> (index - DELAY_STEPS + 7));
        points[index].cumulative = at;
        points[index].value = latency + dist_quantile(law, at);
    }
    points[count - 1].cumulative = one;
    *law = (struct dist){.kind = DIST_EMPIRICAL, .points = points, .point_count = count};
    ASSERT(dist_check(law, NULL));
}

/* ------------------------------------------------------------------------------- groups */

static void build_host(struct view view, struct spec_host *host)
{
    struct view queue = view_at(view, "queue");
    struct view cpu = view_at(view, "cpu");
    struct view clock = view_at(view, "clock");
    *host = (struct spec_host){
        .cores = (uint32_t)view_number(view, "cores", 1),
        .queue_limit = (uint32_t)view_number(queue, "limit", 1),
        .on_full = (enum spec_full)view_number(queue, "onFull", 0),
        .per_message_ns = view_number(cpu, "perMessage", 0),
        .per_byte_ps = view_number(cpu, "perByte", 0),
        .per_operation_ns = view_number(cpu, "perOperation", 0),
        .per_timer_ns = view_number(cpu, "perTimer", 0),
        .clock_offset_ns = view_number(clock, "offset", 0),
        .clock_drift_ppm = view_number(clock, "drift", 0),
    };
}

/* How the schema sees an option of a model. */
static struct schema_key key_of_option(const struct sq_option *option)
{
    static const enum schema_type types[] = {
        [SQ_OPTION_DURATION] = SCHEMA_DURATION, [SQ_OPTION_COUNT] = SCHEMA_COUNT,
        [SQ_OPTION_SIZE] = SCHEMA_SIZE,         [SQ_OPTION_PERCENT] = SCHEMA_PERCENT,
        [SQ_OPTION_BOOLEAN] = SCHEMA_BOOLEAN,   [SQ_OPTION_CHOICE] = SCHEMA_CHOICE,
        [SQ_OPTION_TEXT] = SCHEMA_TEXT,
    };
    ASSERT((size_t)option->type < sizeof(types) / sizeof(types[0]));
    return (struct schema_key){.name = option->name,
                               .type = types[option->type],
                               .initial = option->initial,
                               .choices = option->choices,
                               .is_required = option->initial == NULL,
                               .description = option->description};
}

/* The options of a model as an object of the schema. */
static struct schema_object object_of_model(const struct sq_model *model, struct arena *arena)
{
    struct schema_key *keys = arena_alloc_array(arena, model->option_count, sizeof(*keys));
    for (uint32_t index = 0; index < model->option_count; index++) {
        keys[index] = key_of_option(&model->options[index]);
    }
    return (struct schema_object){
        .name = model->name, .keys = keys, .key_count = model->option_count};
}

/* NULL after a report. */
static const struct sq_model *find_model(const struct yaml_node *name,
                                         const struct catalog *catalog, const char *folder,
                                         struct diag *diag)
{
    struct err err = {0};
    const struct sq_model *model = catalog->find_model(catalog->context, name->text, folder, &err);
    if (model != NULL) {
        return model;
    }
    uint32_t count = 0;
    while (catalog->model_names != NULL && catalog->model_names[count] != NULL) {
        count++;
    }
    const char *nearest = text_nearest(name->text, catalog->model_names, count);
    if (nearest != NULL && strcmp(nearest, name->text) != 0) {
        diag_error(diag, name->place, name->width, "unknown model '%s'; did you mean '%s'?",
                   name->text, nearest);
    } else {
        diag_error(diag, name->place, name->width, "%s",
                   err.text[0] != '\0' ? err.text : "the model was not found");
    }
    return NULL;
}

/* `node`, the system or a group, with its options completed. */
static const struct yaml_node *complete_options(const struct yaml_node *node, const char *path,
                                                const struct catalog *catalog, const char *folder,
                                                struct arena *arena, struct diag *diag)
{
    const struct yaml_node *name = yaml_find(node, "model");
    const struct sq_model *model = name == NULL ? NULL : find_model(name, catalog, folder, diag);
    if (model == NULL) {
        return node;
    }
    struct schema_object object = object_of_model(model, arena);
    const struct yaml_node *options =
        schema_complete(&object, yaml_find(node, "options"), path, SCHEMA_FILL_ALL, arena, diag);
    return yaml_with(arena, node, yaml_scalar_new(arena, options->place, "options"), options);
}

const struct yaml_node *build_options(const struct yaml_node *tree, const struct catalog *catalog,
                                      const char *folder, struct arena *arena, struct diag *diag)
{
    const struct yaml_node *system = yaml_find(tree, "system");
    if (system == NULL) {
        return tree;
    }
    const struct yaml_node *groups = yaml_find(system, "groups");
    if (groups == NULL) {
        system = complete_options(system, "system.options", catalog, folder, arena, diag);
    }
    for (uint32_t index = 0; groups != NULL && index < groups->count; index++) {
        const char *path = arena_printf(arena, "system.groups[%" PRIu32 "].options", index);
        groups = yaml_with_item(
            arena, groups, index,
            complete_options(groups->items[index], path, catalog, folder, arena, diag));
    }
    if (groups != NULL) {
        system = yaml_with(arena, system, yaml_find_key(system, "groups"), groups);
    }
    return yaml_with(arena, tree, yaml_find_key(tree, "system"), system);
}

static void read_options(struct build *build, struct view view, struct spec_group *group)
{
    const struct sq_model *model = group->model;
    struct sq_value *values = arena_alloc_array(build->arena, model->option_count, sizeof(*values));
    for (uint32_t index = 0; index < model->option_count; index++) {
        const struct yaml_node *node =
            yaml_find(view_node(view, "options"), model->options[index].name);
        if (node == NULL) {
            continue; /* missing: reported when the options were completed */
        }
        struct schema_key key = key_of_option(&model->options[index]);
        values[index].text = node->text;
        if (!schema_read(&key, node->text, &values[index].number, NULL)) {
            build_complain(build, view, "options",
                           "the model '%s' has a bad default for its option '%s'", model->name,
                           key.name);
        }
    }
    group->options = values;
}

/* `view` is the system or one of its groups; both have these keys. */
static void build_group(struct build *build, struct view view, const char *name,
                        struct spec_group *group)
{
    uint32_t count = (uint32_t)view_number(view, "nodes", 1);
    *group = (struct spec_group){
        .name = name,
        .model_name = view_text(view, "model"),
        .first = build->spec->node_count,
        .count = count,
        .nodes_per_host = (uint32_t)view_number(view, "nodesPerHost", 1),
    };
    if (build->spec->node_count + count > BUILD_NODES_MAX) {
        build_complain(build, view, "nodes", "more than %d nodes in all", BUILD_NODES_MAX);
        group->count = 0;
    }
    build->spec->node_count += group->count;
    build_host(view_at(view, "host"), &group->host);
    if (group->model_name == NULL) {
        build_complain(build, view, NULL, "'model' is missing: write for example 'model: %s'",
                       build->catalog->model_names != NULL && build->catalog->model_names[0] != NULL
                           ? build->catalog->model_names[0]
                           : "./mine.so");
        return;
    }
    group->model =
        build->catalog->find_model(build->catalog->context, group->model_name, build->folder, NULL);
    if (group->model != NULL) {
        read_options(build, view, group);
    }
}

static void build_groups(struct build *build, struct view system)
{
    struct run_spec *spec = build->spec;
    static const char *const alone[] = {"model", "nodes", "nodesPerHost", "options"};
    uint32_t count = view_count(system, "groups");
    spec->groups = arena_alloc_array(build->arena, count + 1, sizeof(*spec->groups));
    if (!view_has(system, "groups")) {
        spec->group_count = 1;
        build_group(build, system, "main", &spec->groups[0]);
        return;
    }
    for (uint32_t index = 0; index < ARRAY_COUNT(alone); index++) {
        if (view_has(system, alone[index])) {
            build_complain(build, system, alone[index],
                           "'%s' belongs to each group, not to a system with groups", alone[index]);
        }
    }
    if (count == 0) {
        build_complain(build, system, "groups", "a system needs at least one group");
    }
    const char **names = arena_alloc_array(build->arena, count + 1, sizeof(*names));
    for (uint32_t index = 0; index < count; index++) {
        struct view group = view_item(system, "groups", index);
        const char *name = view_text(group, "name");
        names[index] = name != NULL ? name : arena_printf(build->arena, "#%" PRIu32, index);
        build_group(build, group, names[index], &spec->groups[index]);
    }
    spec->group_count = count;
    build_check_unique(build, system, "groups", names, count);
}

static void name_nodes(struct build *build)
{
    const struct run_spec *spec = build->spec;
    for (uint32_t index = 0; index < spec->group_count; index++) {
        const struct spec_group *group = &spec->groups[index];
        for (uint32_t node = 0; node < group->count; node++) {
            build->node_names[group->first + node] =
                spec->group_count == 1
                    ? arena_printf(build->arena, "n%" PRIu32, node + 1)
                    : arena_printf(build->arena, "%s-%" PRIu32, group->name, node + 1);
        }
    }
}

/* The policy of the calls of a group to one other: the next of its clients, when it is right. */
static void build_group_client(struct build *build, struct view view, uint32_t index)
{
    struct spec_group *group = &build->spec->groups[index];
    struct spec_client *client = &group->clients[group->client_count];
    build_client(build, view, client);
    if (!view_has(view, "target")) {
        build_complain(build, view, NULL, "'target' is missing: which group is called?");
        return;
    }
    client->target_group = build_find_group(build, view, "target");
    if (client->target_group >= build->spec->group_count) {
        return;
    }
    client->target = build->spec->groups[client->target_group].name;
    if (client->target_group == index) {
        build_complain(build, view, "target", "a group cannot call itself");
        return;
    }
    for (uint32_t before = 0; before < group->client_count; before++) {
        if (group->clients[before].target_group == client->target_group) {
            build_complain(build, view, "target", "the target '%s' is used twice in 'clients'",
                           client->target);
            return;
        }
    }
    group->client_count++;
}

/* Policies of the calls between groups. */
static void build_group_clients(struct build *build, struct view system)
{
    for (uint32_t index = 0; index < view_count(system, "groups"); index++) {
        struct view group = view_item(system, "groups", index);
        const uint32_t count = view_count(group, "clients");
        build->spec->groups[index].clients =
            arena_alloc_array(build->arena, count + 1, sizeof(struct spec_client));
        if (view_has(group, "client") && view_has(group, "clients")) {
            build_complain(build, group, "clients",
                           "'client' and 'clients' say the same: write one");
            continue;
        }
        if (view_has(group, "client")) {
            build_group_client(build, view_at(group, "client"), index);
        }
        for (uint32_t item = 0; item < count; item++) {
            build_group_client(build, view_item(group, "clients", item), index);
        }
    }
}

uint32_t build_find_group(struct build *build, struct view view, const char *key)
{
    const struct run_spec *spec = build->spec;
    const char *wanted = view_text(view, key);
    ASSERT(wanted != NULL);
    const char *names[BUILD_NODES_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < spec->group_count; index++) {
        if (strcmp(spec->groups[index].name, wanted) == 0) {
            return index;
        }
        if (count < BUILD_NODES_MAX) {
            names[count++] = spec->groups[index].name;
        }
    }
    const char *nearest = text_nearest(wanted, names, count);
    build_complain(build, view, key,
                   nearest != NULL ? "unknown group '%s'; did you mean '%s'?"
                                   : "unknown group '%s'",
                   wanted, nearest);
    return UINT32_MAX;
}

/* ------------------------------------------------------------------------------- zones */

/* Nodes for each zone: what it states, or its part of what is left. */
static void build_zones(struct build *build, struct view system)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(system, "zones");
    spec->zones = arena_alloc_array(build->arena, count + 1, sizeof(*spec->zones));
    const char **names = arena_alloc_array(build->arena, count + 1, sizeof(*names));
    uint32_t stated = 0;
    uint32_t open = 0; /* zones without a number */
    for (uint32_t index = 0; index < count; index++) {
        struct view zone = view_item(system, "zones", index);
        names[index] = view_has(zone, "name") ? view_text(zone, "name") : "";
        stated += (uint32_t)view_number(zone, "nodes", 0);
        open += view_has(zone, "nodes") ? 0 : 1;
    }
    build_check_unique(build, system, "zones", names, count);
    bool is_full = open > 0 ? stated + open <= spec->node_count : stated == spec->node_count;
    if (count > 0 && !is_full) {
        build_complain(build, system, "zones",
                       "the zones have room for %s%" PRIu32 " nodes, the system has %" PRIu32,
                       open > 0 ? "at least " : "", stated + open, spec->node_count);
        return;
    }
    uint32_t rest = spec->node_count - stated;
    uint32_t first = 0;
    for (uint32_t index = 0; index < count; index++) {
        uint32_t share = open == 0 ? 0 : (rest + open - 1) / open;
        struct view zone = view_item(system, "zones", index);
        uint32_t nodes = (uint32_t)view_number(zone, "nodes", share);
        if (!view_has(zone, "nodes")) {
            rest -= share;
            open--;
        }
        spec->zones[index] = (struct spec_zone){names[index], first, nodes};
        first += nodes;
    }
    spec->zone_count = count;
    ASSERT(count == 0 || first == spec->node_count);
}

void build_system(struct build *build)
{
    struct view system = view_at(build->root, "system");
    build_groups(build, system);
    ASSERT(build->spec->node_count <= BUILD_NODES_MAX);
    name_nodes(build);
    build_group_clients(build, system);
    build_zones(build, system);
}

/* ------------------------------------------------------------------------------- selectors */

static uint64_t mask_of(uint32_t first, uint32_t count)
{
    uint64_t mask = 0;
    for (uint32_t node = first; node < first + count; node++) {
        mask |= UINT64_C(1) << node;
    }
    return mask;
}

/* What a selector may name. */
static const char *const domains[] = {"node", "zone", "group"};

/* The index-th name of a domain and its nodes; false past the end. */
static bool candidate_at(const struct build *build, uint32_t domain, uint32_t index,
                         const char **name, uint64_t *mask)
{
    const struct run_spec *spec = build->spec;
    ASSERT(domain < ARRAY_COUNT(domains));
    if (domain == 0 && index < spec->node_count) {
        *name = build->node_names[index];
        *mask = mask_of(index, 1);
        return true;
    }
    if (domain == 1 && index < spec->zone_count) {
        *name = spec->zones[index].name;
        *mask = mask_of(spec->zones[index].first, spec->zones[index].count);
        return true;
    }
    if (domain == 2 && index < spec->group_count) {
        *name = spec->groups[index].name;
        *mask = mask_of(spec->groups[index].first, spec->groups[index].count);
        return true;
    }
    return false;
}

/* Nodes of a name, 0 after a complaint at `node`. */
static uint64_t find_nodes(struct build *build, struct view view, const struct yaml_node *node,
                           uint32_t domain, const char *wanted)
{
    const char *names[BUILD_NODES_MAX];
    uint32_t count = 0;
    const char *name = NULL;
    uint64_t mask = 0;
    for (uint32_t index = 0; candidate_at(build, domain, index, &name, &mask); index++) {
        if (strcmp(name, wanted) == 0) {
            return mask;
        }
        if (count < BUILD_NODES_MAX) {
            names[count++] = name;
        }
    }
    if ((view.node != NULL && view.node->is_bad) || view_at(build->root, "system").node == NULL ||
        view_at(build->root, "system").node->is_bad) {
        return 0;
    }
    const char *nearest = text_nearest(wanted, names, count);
    if (nearest != NULL) {
        diag_error(build->diag, node->place, node->width, "unknown %s '%s'; did you mean '%s'?",
                   domains[domain], wanted, nearest);
    } else {
        diag_error(build->diag, node->place, node->width, "unknown %s '%s'%s", domains[domain],
                   wanted, count == 0 ? ": the system has none" : "");
    }
    return 0;
}

void build_selector(struct build *build, struct view view, struct spec_selector *selector)
{
    static const enum sq_role roles[] = {SQ_ROLE_FOLLOWER, SQ_ROLE_CANDIDATE, SQ_ROLE_LEADER};
    *selector = (struct spec_selector){.nodes = UINT64_MAX, .role = SQ_ROLE_NONE};
    bool is_found = true;
    for (uint32_t domain = 0; domain < ARRAY_COUNT(domains); domain++) {
        if (!view_has(view, domains[domain])) {
            continue;
        }
        uint64_t mask = 0;
        for (uint32_t index = 0; index < view_count(view, domains[domain]); index++) {
            const struct yaml_node *node = view_node(view, domains[domain])->items[index];
            uint64_t found = find_nodes(build, view, node, domain, node->text);
            is_found = is_found && found != 0;
            mask |= found;
        }
        selector->nodes &= mask;
    }
    if (is_found && selector->nodes == 0) {
        build_complain(build, view, NULL, "this selects no node");
    }
    int64_t role = view_number(view, "role", -1);
    if (role >= 0) {
        ASSERT(role < (int64_t)ARRAY_COUNT(roles));
        selector->role = roles[role];
    }
}

uint64_t build_mask(struct build *build, struct view view, const char *key, const char *text)
{
    for (uint32_t domain = 0; domain < ARRAY_COUNT(domains); domain++) {
        size_t length = strlen(domains[domain]);
        if (strncmp(text, domains[domain], length) == 0 && text[length] == '=') {
            return find_nodes(build, view, view_node(view, key), domain, text + length + 1);
        }
    }
    build_complain(build, view, key,
                   "'%s' names no nodes: write for example 'zone=a', 'node=n1' or 'group=store'",
                   text);
    return 0;
}

/* ------------------------------------------------------------------------------- network, disk */

static void build_link(struct build *build, struct view view, struct spec_link *link)
{
    struct view queue = view_at(view_at(build->root, "network"), "queue");
    int64_t limit = view_number(queue, "limit", SCHEMA_WORD);
    int64_t bandwidth = view_number(view, "bandwidth", SCHEMA_WORD);
    *link = (struct spec_link){
        .loss = (uint64_t)view_number(view_at(view, "loss"), "loss", 0),
        .duplicate = (uint64_t)view_number(view_at(view, "duplicate"), "duplicate", 0),
        .bandwidth = bandwidth == SCHEMA_WORD ? 0 : bandwidth,
        .queue_limit = limit == SCHEMA_WORD ? 0 : (uint32_t)limit,
        .is_fifo = view_number(view, "order", 0) == 0,
    };
    build_jitter(build, view, &link->latency_ns, &link->jitter);
}

void build_network(struct build *build)
{
    struct run_spec *spec = build->spec;
    struct view network = view_at(build->root, "network");
    build_link(build, view_at(network, "default"), &spec->link_default);
    build_link(build, view_at(network, "clients"), &spec->link_clients);
    uint32_t count = view_count(network, "links");
    if (count > LINK_RULES_MAX) {
        build_complain(build, network, "links", "more than %d links", LINK_RULES_MAX);
        return;
    }
    spec->link_rules = arena_alloc_array(build->arena, count + 1, sizeof(*spec->link_rules));
    spec->link_rule_count = count;
    for (uint32_t index = 0; index < count; index++) {
        struct view rule = view_item(network, "links", index);
        build_link(build, rule, &spec->link_rules[index].link);
        if (view_count(rule, "between") != 2) {
            build_complain(build, rule, "between", "a link is between two ends, not %" PRIu32,
                           view_count(rule, "between"));
            continue;
        }
        spec->link_rules[index].from =
            build_mask(build, rule, "between", view_item_text(rule, "between", 0));
        spec->link_rules[index].to =
            build_mask(build, rule, "between", view_item_text(rule, "between", 1));
    }
}

void build_disk(struct build *build)
{
    struct view device = view_at(view_at(build->root, "disk"), "default");
    struct spec_disk *disk = &build->spec->disk;
    int64_t read = view_number(device, "readBandwidth", SCHEMA_WORD);
    int64_t write = view_number(device, "writeBandwidth", SCHEMA_WORD);
    int64_t iops = view_number(device, "iops", SCHEMA_WORD);
    int64_t sector = view_number(device, "sector", 512);
    *disk = (struct spec_disk){
        .read_bandwidth = read == SCHEMA_WORD ? 0 : read,
        .write_bandwidth = write == SCHEMA_WORD ? 0 : write,
        .iops = iops == SCHEMA_WORD ? 0 : (uint32_t)iops,
        .capacity_bytes = view_number(device, "capacity", INT64_MAX),
        .directory = (enum spec_directory)view_number(device, "directory", 0),
        .sector_bytes = (uint32_t)sector,
    };
    if (sector != 512 && sector != 4096) {
        build_complain(build, device, "sector", "a sector has 512B or 4KiB, not %" PRId64 "B",
                       sector);
    }
    build_law(build, device, "read", 0, &disk->read);
    build_law(build, device, "write", 0, &disk->write);
    build_law(build, device, "fsync", 0, &disk->sync);
}
