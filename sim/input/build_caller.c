/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults of callers: LoadChaos and ClientChaos, which strike loads, and groups that call others, by
 * name.
 *
 * A policy for a while is written as what differs. Each caller has a policy of its own, so there is
 * one result for each: the caller's complete client with the written keys laid over it, checked and
 * read as any client is. A retry policy with a preset of its own begins anew, as it does where a
 * load's client is laid over the scenario's. */
#include "sim/input/build.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/input/expand.h"

#include <string.h>

#define USERS_MAX 1000000 /* of one load, as in sim/load.c */

/* What the names of a list are looked up in. */
struct names {
    const char *noun;
    const char **all;
    uint32_t count;
};

static struct names load_names(struct build *build)
{
    const struct run_spec *spec = build->spec;
    struct names names = {"load",
                          arena_alloc_array(build->arena, spec->load_count + 1, sizeof(*names.all)),
                          spec->load_count};
    for (uint32_t i = 0; i < spec->load_count; i++) {
        names.all[i] = spec->loads[i].name;
    }
    return names;
}

static struct names group_names(struct build *build)
{
    const struct run_spec *spec = build->spec;
    struct names names = {
        "group", arena_alloc_array(build->arena, spec->group_count + 1, sizeof(*names.all)),
        spec->group_count};
    for (uint32_t i = 0; i < spec->group_count; i++) {
        names.all[i] = spec->groups[i].name;
    }
    return names;
}

/* By index, which of `names` the list under `key` has; all when `is_all`. */
static bool *choose(struct build *build, struct view view, const char *key,
                    const struct names *names, bool is_all)
{
    bool *chosen = arena_alloc_array(build->arena, names->count + 1, sizeof(*chosen));
    for (uint32_t i = 0; i < names->count; i++) {
        chosen[i] = is_all;
    }
    for (uint32_t item = 0; item < view_count(view, key); item++) {
        const char *wanted = view_item_text(view, key, item);
        uint32_t at = 0;
        while (at < names->count && strcmp(names->all[at], wanted) != 0) {
            at++;
        }
        if (at < names->count) {
            chosen[at] = true;
            continue;
        }
        const char *nearest = text_nearest(wanted, names->all, names->count);
        build_complain(build, view, key,
                       nearest != NULL ? "there is no %s '%s'; did you mean '%s'?"
                                       : "there is no %s '%s'",
                       names->noun, wanted, nearest);
    }
    return chosen;
}

/* Loads and groups are named, not drawn. */
static void check_no_selection(struct build *build, struct view view,
                               const struct spec_fault *fault)
{
    struct view selector = view_at(view, "selector");
    if (fault->mode != SPEC_MODE_ONE) {
        build_complain(build, view, "mode", "'mode' is for nodes: this kind strikes all it names");
    }
    if (selector.node != NULL && selector.node->count > 0) {
        build_complain(build, view, "selector", "'selector' is for nodes: this kind has 'loads%s'",
                       fault->kind == SPEC_CLIENT_CHAOS ? "' and 'groups" : "");
    }
}

void build_scale(struct build *build, struct view view, struct spec_fault *fault)
{
    const struct run_spec *spec = build->spec;
    struct names names = load_names(build);
    check_no_selection(build, view, fault);
    fault->loads = choose(build, view, "loads", &names, !view_has(view, "loads"));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        const struct spec_load *load = &spec->loads[i];
        int64_t most = load->vus;
        bool has_users = load->executor == SPEC_RAMPING_VUS;
        for (uint32_t stage = 0; stage < load->stage_count && has_users; stage++) {
            int64_t target = load->stages[stage].target_per_1000s;
            most = target > most ? target : most;
        }
        if (fault->loads[i] && most * fault->factor / 1000000 > USERS_MAX) {
            build_complain(build, view, "factor", "the load '%s' would have more than %d users",
                           load->name, USERS_MAX);
        }
    }
    if (spec->load_count == 0) {
        build_complain(build, view, NULL, "there is no load to scale");
    }
}

/* `own` over a complete client of the caller. */
static struct spec_client lay_over(struct build *build, struct view base, struct view own)
{
    struct spec_client client = {.timeout_ns = 1, .deadline_ns = 1, .attempts_max = 1};
    if (base.node == NULL || own.node == NULL || base.node->is_bad || own.node->is_bad) {
        return client;
    }
    const struct yaml_node *tree = yaml_overlay(build->arena, base.node, own.node, &expand_restart);
    tree = schema_complete(base.object, tree, "client", SCHEMA_FILL_ALL, build->arena, build->diag);
    build_client(build, view_of(base.object, tree), &client);
    return client;
}

static void read_load_policies(struct build *build, struct view own, struct spec_fault *fault)
{
    const struct run_spec *spec = build->spec;
    struct spec_client *policies =
        arena_alloc_array(build->arena, spec->load_count + 1, sizeof(*policies));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (fault->loads[i]) {
            policies[i] =
                lay_over(build, view_at(view_item(build->root, "load", i), "client"), own);
            policies[i].target = spec->loads[i].client.target;
            policies[i].target_group = spec->loads[i].client.target_group;
        }
    }
    fault->load_policies = policies;
}

/* One for each client of a group. */
static const struct spec_client *read_policies_of(struct build *build, struct view view,
                                                  const struct spec_group *group, struct view own)
{
    struct spec_client *policies =
        arena_alloc_array(build->arena, group->client_count, sizeof(*policies));
    for (uint32_t i = 0; i < group->client_count; i++) {
        struct view base =
            view_has(view, "client") ? view_at(view, "client") : view_item(view, "clients", i);
        policies[i] = lay_over(build, base, own);
        policies[i].target = group->clients[i].target;
        policies[i].target_group = group->clients[i].target_group;
    }
    return policies;
}

static void read_group_policies(struct build *build, struct view view, struct view own,
                                struct spec_fault *fault)
{
    const struct run_spec *spec = build->spec;
    struct view system = view_at(build->root, "system");
    const struct spec_client **policies =
        arena_alloc_array(build->arena, spec->group_count + 1, sizeof(*policies));
    for (uint32_t i = 0; i < spec->group_count; i++) {
        const struct spec_group *group = &spec->groups[i];
        if (fault->groups[i] && group->client_count == 0) {
            build_complain(build, view, "groups", "the group '%s' has no client: it calls nobody",
                           group->name);
        } else if (fault->groups[i]) {
            policies[i] = read_policies_of(build, view_item(system, "groups", i), group, own);
        }
    }
    fault->group_policies = policies;
}

void build_policy(struct build *build, struct view view, struct spec_fault *fault)
{
    struct names loads = load_names(build);
    struct names groups = group_names(build);
    struct view own = view_at(view, "client");
    bool is_all = !view_has(view, "loads") && !view_has(view, "groups");
    check_no_selection(build, view, fault);
    fault->loads = choose(build, view, "loads", &loads, is_all);
    fault->groups = choose(build, view, "groups", &groups, false);
    if (is_all && loads.count == 0) {
        build_complain(build, view, NULL, "there is no load whose policy could change");
    }
    if (own.node == NULL) {
        return;
    }
    if (own.node->count == 0) {
        build_complain(build, view, "client", "this policy changes nothing");
    }
    if (view_has(own, "target")) {
        build_complain(build, own, "target", "a policy cannot change whom a caller calls");
    }
    if (view_has(own, "count")) {
        build_complain(build, own, "count", "a policy cannot change how many clients there are");
    }
    read_load_policies(build, own, fault);
    read_group_policies(build, view, own, fault);
}
