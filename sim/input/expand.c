/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Inheritance between parts of a scenario, as overlays of trees. Nothing is checked here: places
 * stay with the values that the user wrote, so that the schema's complaints point at them. */
#include "sim/input/expand.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/input/preset.h"

#include <inttypes.h>
#include <string.h>

const struct yaml_restart expand_restart = {.mapping = "retry", .key = "preset"};

static bool is_mapping(const struct yaml_node *node)
{
    return node != NULL && node->kind == YAML_MAPPING;
}

static const struct yaml_node *with(struct arena *arena, const struct yaml_node *mapping,
                                    const char *key, const struct yaml_node *value)
{
    ASSERT(is_mapping(mapping));
    if (value == NULL) {
        return mapping;
    }
    const struct yaml_node *name = yaml_find_key(mapping, key);
    if (name == NULL) {
        name = yaml_scalar_new(arena, value->place, key);
    }
    return yaml_with(arena, mapping, name, value);
}

/* Sets a key that is not there. */
static const struct yaml_node *with_default(struct arena *arena, const struct yaml_node *mapping,
                                            const char *key, const char *text)
{
    if (yaml_find(mapping, key) != NULL) {
        return mapping;
    }
    return with(arena, mapping, key, yaml_scalar_new(arena, mapping->place, text));
}

/* The mapping under `key`: an empty one when there is none, NULL when it is something else. */
static const struct yaml_node *mapping_at(struct arena *arena, const struct yaml_node *parent,
                                          const char *key)
{
    const struct yaml_node *node = yaml_find(parent, key);
    if (node == NULL) {
        return yaml_mapping_new(arena, parent->place, NULL, NULL, 0);
    }
    return is_mapping(node) ? node : NULL;
}

/* ------------------------------------------------------------------------------- clients */

/* A budget that someone wrote without a type is the one that its keys belong to. */
static const struct yaml_node *expand_budget(struct arena *arena, const struct yaml_node *client)
{
    static const struct {
        const char *key;
        const char *type;
    } rows[] = {
        {"maxTokens", "grpc"},
        {"tokenRatio", "grpc"},
        {"percent", "concurrency"},
        {"minRetryConcurrency", "concurrency"},
    };
    const struct yaml_node *retry = yaml_find(client, "retry");
    const struct yaml_node *budget = yaml_find(retry, "budget");
    if (!is_mapping(budget) || budget->count == 0) {
        return client;
    }
    const char *type = "token-bucket";
    for (uint32_t index = 0; index < ARRAY_COUNT(rows); index++) {
        type = yaml_find(budget, rows[index].key) != NULL ? rows[index].type : type;
    }
    budget = with_default(arena, budget, "type", type);
    return with(arena, client, "retry", with(arena, retry, "budget", budget));
}

static bool names_preset(const struct yaml_node *client)
{
    return yaml_find(yaml_find(client, "retry"), "preset") != NULL;
}

/* Lays the client over its preset. */
static const struct yaml_node *expand_preset(struct arena *arena, const struct yaml_node *client)
{
    const struct yaml_node *retry = mapping_at(arena, client, "retry");
    if (retry == NULL) {
        return client;
    }
    const struct yaml_node *name = yaml_find(retry, "preset");
    bool is_named = name != NULL && name->kind == YAML_SCALAR;
    const struct preset *preset = preset_find(is_named ? name->text : "none");
    if (preset == NULL) {
        return client;
    }
    client = with(arena, client, "retry", retry);
    return yaml_overlay(arena, yaml_parse_own(preset->keys, arena), client, NULL);
}

/* What a client with a preset of its own inherits: nothing that a preset says. */
static const struct yaml_node *without_preset(struct arena *arena, const struct yaml_node *client)
{
    for (uint32_t index = 0; preset_blocks[index] != NULL; index++) {
        const struct yaml_node *key = yaml_find_key(client, preset_blocks[index]);
        client = key != NULL ? yaml_with(arena, client, key, NULL) : client;
    }
    return client;
}

/* `own` over `base` (both as written), then over the preset; something that is no mapping stays. */
static const struct yaml_node *inherit_client(struct arena *arena, const struct yaml_node *base,
                                              const struct yaml_node *own)
{
    if (!is_mapping(own)) {
        return own;
    }
    const struct yaml_node *client = expand_budget(arena, own);
    if (is_mapping(base)) {
        base = names_preset(own) ? without_preset(arena, base) : base;
        client = yaml_overlay(arena, expand_budget(arena, base), client, &expand_restart);
    }
    return expand_preset(arena, client);
}

/* A client that stands by itself: over its preset when it names one. */
static const struct yaml_node *spell_client(struct arena *arena, const struct yaml_node *own)
{
    if (!is_mapping(own)) {
        return own;
    }
    const struct yaml_node *client = expand_budget(arena, own);
    return names_preset(client) ? expand_preset(arena, client) : client;
}

/* The clients of a group that calls several others. */
static const struct yaml_node *expand_clients(struct arena *arena, const struct yaml_node *group,
                                              const struct yaml_node *base, enum expand_mode mode)
{
    const struct yaml_node *clients = yaml_find(group, "clients");
    if (clients == NULL || clients->kind != YAML_SEQUENCE) {
        return group;
    }
    for (uint32_t index = 0; index < clients->count; index++) {
        const struct yaml_node *own = clients->items[index];
        const struct yaml_node *client =
            mode == EXPAND_INHERITED ? inherit_client(arena, base, own) : spell_client(arena, own);
        clients = yaml_with_item(arena, clients, index, client);
    }
    return with(arena, group, "clients", clients);
}

/* ------------------------------------------------------------------------------- parts */

static const struct yaml_node *expand_groups(struct arena *arena, const struct yaml_node *system,
                                             const struct yaml_node *client, enum expand_mode mode)
{
    const struct yaml_node *groups = yaml_find(system, "groups");
    if (groups->kind != YAML_SEQUENCE) {
        return system;
    }
    for (uint32_t index = 0; index < groups->count; index++) {
        const struct yaml_node *group = groups->items[index];
        if (!is_mapping(group)) {
            continue;
        }
        const struct yaml_node *own = yaml_find(group, "client");
        if (mode == EXPAND_INHERITED) {
            const struct yaml_node *host =
                yaml_overlay(arena, yaml_find(system, "host"), yaml_find(group, "host"), NULL);
            group = with(arena, group, "host", host);
            group = with(arena, group, "client", inherit_client(arena, client, own));
        } else {
            group = with(arena, group, "client", spell_client(arena, own));
        }
        group = expand_clients(arena, group, client, mode);
        groups = yaml_with_item(arena, groups, index, group);
    }
    return with(arena, system, "groups", groups);
}

static const struct yaml_node *expand_system(struct arena *arena, const struct yaml_node *root,
                                             enum expand_mode mode)
{
    const struct yaml_node *system = yaml_find(root, "system");
    if (!is_mapping(system)) {
        return root;
    }
    if (yaml_find(system, "groups") != NULL) {
        system = expand_groups(arena, system, yaml_find(root, "client"), mode);
    } else {
        system = with_default(arena, system, "nodes", "3");
        system = with_default(arena, system, "nodesPerHost", "1");
        const struct yaml_node *options = mapping_at(arena, system, "options");
        system = with(arena, system, "options", options);
    }
    return with(arena, root, "system", system);
}

static const struct yaml_node *expand_network(struct arena *arena, const struct yaml_node *root)
{
    const struct yaml_node *network = yaml_find(root, "network");
    const struct yaml_node *base = yaml_find(network, "default");
    if (!is_mapping(network) || !is_mapping(base)) {
        return root;
    }
    const struct yaml_node *clients = yaml_find(network, "clients");
    network = with(arena, network, "clients", yaml_overlay(arena, base, clients, NULL));
    const struct yaml_node *links = yaml_find(network, "links");
    if (links != NULL && links->kind == YAML_SEQUENCE) {
        for (uint32_t index = 0; index < links->count; index++) {
            const struct yaml_node *link = yaml_overlay(arena, base, links->items[index], NULL);
            links = yaml_with_item(arena, links, index, link);
        }
        network = with(arena, network, "links", links);
    }
    return with(arena, root, "network", network);
}

/* What is left of 100%, as text; NULL when `text` is no percentage up to 100%. */
static const char *complement(struct arena *arena, const char *text)
{
    int64_t millionths = 0;
    if (!units_ratio(text, &millionths, NULL) || millionths > 1000000) {
        return NULL;
    }
    int64_t rest = 1000000 - millionths;
    const char *all = arena_printf(arena, "%" PRId64 ".%04d", rest / 10000, (int)(rest % 10000));
    size_t length = strlen(all);
    while (all[length - 1] == '0') {
        length--;
    }
    length -= all[length - 1] == '.' ? 1 : 0;
    return arena_printf(arena, "%.*s%%", (int)length, all);
}

static const struct yaml_node *expand_workload(struct arena *arena,
                                               const struct yaml_node *workload)
{
    const struct yaml_node *read = yaml_find(workload, "readProportion");
    const struct yaml_node *update = yaml_find(workload, "updateProportion");
    if (read == NULL && update == NULL) {
        workload = with_default(arena, workload, "readProportion", "50%");
        return with_default(arena, workload, "updateProportion", "50%");
    }
    const struct yaml_node *one = read != NULL ? read : update;
    const char *rest = one->kind == YAML_SCALAR ? complement(arena, one->text) : NULL;
    if (rest == NULL) {
        return workload;
    }
    return with_default(arena, workload, read != NULL ? "updateProportion" : "readProportion",
                        rest);
}

static const struct yaml_node *expand_load(struct arena *arena, const struct yaml_node *load,
                                           const struct yaml_node *client, enum expand_mode mode)
{
    const struct yaml_node *workload = mapping_at(arena, load, "workload");
    if (workload != NULL) {
        load = with(arena, load, "workload", expand_workload(arena, workload));
    }
    const struct yaml_node *own = mapping_at(arena, load, "client");
    if (mode == EXPAND_INHERITED && own != NULL) {
        load = with(arena, load, "client", inherit_client(arena, client, own));
    } else if (mode == EXPAND_WRITTEN) {
        load = with(arena, load, "client", spell_client(arena, yaml_find(load, "client")));
    }
    const struct yaml_node *executor = yaml_find(load, "executor");
    bool is_ramp = executor != NULL && executor->kind == YAML_SCALAR &&
                   strncmp(executor->text, "ramping-", strlen("ramping-")) == 0;
    if (!is_ramp) {
        load = with_default(arena, load, "duration", "forever");
    }
    return load;
}

static const struct yaml_node *expand_loads(struct arena *arena, const struct yaml_node *root,
                                            enum expand_mode mode)
{
    const struct yaml_node *loads = yaml_find(root, "load");
    if (!is_mapping(loads)) {
        return root;
    }
    const struct yaml_node *result = loads;
    for (uint32_t index = 0; index < loads->count; index++) {
        const struct yaml_node *load = loads->items[index];
        if (is_mapping(load)) {
            load = expand_load(arena, load, yaml_find(root, "client"), mode);
            result = yaml_with(arena, result, loads->keys[index], load);
        }
    }
    return with(arena, root, "load", result);
}

/* Policies of faults are laid over others when they are built, so only presets are spelled out. */
static const struct yaml_node *expand_faults(struct arena *arena, const struct yaml_node *root)
{
    const struct yaml_node *faults = yaml_find(root, "faults");
    if (faults == NULL || faults->kind != YAML_SEQUENCE) {
        return root;
    }
    for (uint32_t index = 0; index < faults->count; index++) {
        const struct yaml_node *fault = faults->items[index];
        if (is_mapping(fault) && yaml_find(fault, "client") != NULL) {
            fault = with(arena, fault, "client", spell_client(arena, yaml_find(fault, "client")));
            faults = yaml_with_item(arena, faults, index, fault);
        }
    }
    return with(arena, root, "faults", faults);
}

const struct yaml_node *expand_tree(const struct yaml_node *tree, enum expand_mode mode,
                                    struct arena *arena)
{
    ASSERT(tree != NULL);
    if (!is_mapping(tree)) {
        return tree;
    }
    tree = expand_system(arena, tree, mode);
    tree = mode == EXPAND_INHERITED ? expand_network(arena, tree) : tree;
    tree = expand_loads(arena, tree, mode);
    tree = expand_faults(arena, tree);
    /* Last: what others inherit is what was written, not what the preset added. */
    const struct yaml_node *client = mapping_at(arena, tree, "client");
    if (client != NULL) {
        tree = with(arena, tree, "client", inherit_client(arena, NULL, client));
    }
    return tree;
}
