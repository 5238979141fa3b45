/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Availability: when a window of a run counts as up, what else watches the system, and the fleet of
 * machines that fail and are repaired. */
#include "sim/input/build.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/input/predicate.h"

#include <string.h>

#define MACHINES_MAX   64
#define SERVICES_MAX   8  /* FLEET_SERVICES */
#define GROUPS_MAX     16 /* FLEET_GROUPS */
#define MILLION        1000000
#define FAILURES_USUAL 3
#define SETTLE_NS      (10 * NS_PER_S)
#define PHASE_NS       (1 * NS_PER_S)
#define WATCH_NS       (20 * NS_PER_S)
#define PILOT          4
#define EPISODES       40

/* Keys that mean nothing without `life`. */
static const char *const fleet_keys[] = {"machines",  "repair",      "crews",    "groups",
                                         "shocks",    "correlation", "services", "maintenance",
                                         "estimator", "precision",   "episodes", "validate"};

static int64_t millionths(int64_t share)
{
    return (int64_t)(((unsigned __int128)(uint64_t)share * MILLION + (UINT64_C(1) << 31)) >> 32);
}

static bool is_positive(const struct dist *law)
{
    return dist_mean(law) > 0;
}

static void read_life(struct build *build, struct view view, struct dist *life, struct dist *repair)
{
    if (!view_has(view, "repair")) {
        build_complain(build, view, "life", "machines that fail need a 'repair' as well");
        return;
    }
    bool has_laws = build_law(build, view, "life", 1, life);
    has_laws = build_law(build, view, "repair", 1, repair) && has_laws;
    if (has_laws && (!is_positive(life) || !is_positive(repair))) {
        build_complain(build, view, "life", "life and repair must take more than no time");
    }
}

/* One kind of groups. */
static void read_kind(struct build *build, struct view groups, const struct spec_fleet *fleet,
                      struct spec_fleet_groups *kind)
{
    kind->name = view_text(groups, "name");
    kind->count = (uint32_t)view_number(groups, "count", 1);
    kind->shock_share = (uint64_t)view_number(view_at(groups, "shocks"), "share", 0);
    if (view_has(groups, "life")) {
        read_life(build, groups, &kind->life, &kind->repair);
    } else if (view_has(groups, "repair") || kind->shock_share == 0) {
        build_complain(build, groups, view_has(groups, "repair") ? "repair" : NULL,
                       "groups need a 'life' and a 'repair', or 'shocks' that strike their "
                       "machines");
    }
    if (kind->count > fleet->machines) {
        build_complain(build, groups, "count", "there are more groups than machines");
    }
}

static void read_groups(struct build *build, struct view view, struct spec_fleet *fleet)
{
    const uint32_t kinds = view_count(view, "groups");
    const char *names[SPEC_GROUP_KINDS];
    uint64_t common = fleet->shock_share;
    uint32_t count = 0;
    if (kinds > SPEC_GROUP_KINDS) {
        build_complain(build, view, "groups",
                       "there are %u kinds of groups, at most %d are possible", kinds,
                       SPEC_GROUP_KINDS);
        return;
    }
    for (uint32_t k = 0; k < kinds; k++) {
        struct view groups = view_item(view, "groups", k);
        read_kind(build, groups, fleet, &fleet->groups[k]);
        names[k] = fleet->groups[k].name;
        count += fleet->groups[k].count;
        common += fleet->groups[k].shock_share;
        if (count > GROUPS_MAX) {
            build_complain(build, groups, "count",
                           "there are %u groups of all kinds, at most %d are possible", count,
                           GROUPS_MAX);
        }
        if (common > UINT64_C(1) << 32) {
            build_complain(
                build, groups, "shocks",
                "shocks are more than all failures of a machine: the shares of 'shocks', "
                "here and above, add up to more than 100%%");
            common = 0; /* said once */
        }
    }
    build_check_unique(build, view, "groups", names, kinds);
}

/* "3", "any", "majority", "all"; 0 after a complaint. */
static uint32_t read_needed(struct build *build, struct view service, uint32_t machines)
{
    const char *text = view_has(service, "needed") ? view_text(service, "needed") : "";
    uint64_t number = 0;
    if (strcmp(text, "any") == 0) {
        return 1;
    }
    if (strcmp(text, "majority") == 0) {
        return machines / 2 + 1;
    }
    if (strcmp(text, "all") == 0) {
        return machines;
    }
    if (!units_u64(text, &number, NULL) || number < 1 || number > machines) {
        build_complain(
            build, service, "needed",
            "needed: '%s' is none of any, majority, all, or a number of 1 to %u machines", text,
            machines);
        return 0;
    }
    return (uint32_t)number;
}

static void read_services(struct build *build, struct view view, struct spec_fleet *fleet)
{
    uint32_t count = view_count(view, "services");
    fleet->services = arena_alloc_array(build->arena, count + 1, sizeof(*fleet->services));
    const char **names = arena_alloc_array(build->arena, count + 1, sizeof(*names));
    fleet->service_count = count;
    for (uint32_t index = 0; index < count; index++) {
        struct view service = view_item(view, "services", index);
        names[index] = view_has(service, "name") ? view_text(service, "name") : "";
        fleet->services[index] = (struct spec_service){
            .name = names[index],
            .needed = read_needed(build, service, fleet->machines),
            .failover_ns = view_number(service, "failover", 0),
            .place = service.node->place,
        };
    }
    build_check_unique(build, view, "services", names, count);
    if (count > SERVICES_MAX) {
        build_complain(build, view, "services",
                       "there are %u services, at most %d may be asked of "
                       "a fleet",
                       count, SERVICES_MAX);
    }
    if (count == 0) {
        fleet->services[0] =
            (struct spec_service){.name = "majority", .needed = fleet->machines / 2 + 1};
        fleet->service_count = 1;
    }
}

static void read_episodes(struct build *build, struct view view, struct spec_fleet *fleet)
{
    struct view episodes = view_at(view, "episodes");
    struct view validate = view_at(view, "validate");
    fleet->episodes = (struct spec_episodes){
        .settle_ns = view_number(episodes, "settle", SETTLE_NS),
        .phase_ns = view_number(episodes, "phase", PHASE_NS),
        .window_ns = view_number(episodes, "window", WATCH_NS),
        .pilot = (uint32_t)view_number(episodes, "pilot", PILOT),
        .count = (uint32_t)view_number(episodes, "count", EPISODES),
        .validate_ns = view_number(validate, "duration", 0),
        .validate_life_ns = view_number(validate, "life", 0),
        .validate_repair_ns = view_number(validate, "repair", 0),
    };
    if (episodes.node != NULL) {
        fleet->episodes.place = episodes.node->place;
    }
    if (validate.node != NULL) {
        fleet->episodes.validate_place = validate.node->place;
    }
    bool is_listed = fleet->life.kind == DIST_EMPIRICAL || fleet->repair.kind == DIST_EMPIRICAL;
    for (uint32_t k = 0; fleet->groups[k].count > 0; k++) {
        is_listed = is_listed || fleet->groups[k].life.kind == DIST_EMPIRICAL ||
                    fleet->groups[k].repair.kind == DIST_EMPIRICAL;
    }
    if (fleet->episodes.validate_ns > 0 && is_listed) {
        build_complain(build, view, "validate",
                       "laws that are lists of points (empirical, gamma) cannot be accelerated");
    }
    if (fleet->estimator != SPEC_ESTIMATOR_DECOMPOSE) {
        return;
    }
    if (fleet->service_count > 1) {
        build_complain(build, view, "services",
                       "decompose asks the clients, and they see one service: 'services' may have "
                       "one entry here, not %u (estimators that need no code take several)",
                       fleet->service_count);
    }
    const struct spec_group *group = build->spec->group_count > 0 ? &build->spec->groups[0] : NULL;
    if (group == NULL || group->count != fleet->machines || group->nodes_per_host != 1) {
        build_complain(
            build, view, "estimator",
            "decompose loses machines under the real code: the first group must have a "
            "node for each of the %u machines, on hosts of their own; there are %u nodes on "
            "%u hosts",
            fleet->machines, group == NULL ? 0 : group->count,
            group == NULL ? 0 : group->count / group->nodes_per_host);
    } else if (build->spec->load_count == 0) {
        build_complain(build, view, "estimator",
                       "decompose asks the clients: the scenario needs a load");
    }
}

static void read_maintenance(struct build *build, struct view view, struct spec_fleet *fleet)
{
    struct view maintenance = view_at(view, "maintenance");
    fleet->maintenance_every_ns = view_number(maintenance, "every", 0);
    fleet->maintenance_ns = view_number(maintenance, "duration", 0);
    if (fleet->maintenance_ns > fleet->maintenance_every_ns / fleet->machines) {
        build_complain(build, maintenance, "duration",
                       "%u machines one after the other are away for longer than 'every'",
                       fleet->machines);
    }
}

static void read_precision(struct build *build, struct view view, struct spec_fleet *fleet)
{
    struct view precision = view_at(view, "precision");
    const int64_t tenth = INT64_C(429496730);
    fleet->half_width_millionths = millionths(view_number(precision, "halfWidth", tenth));
    fleet->confidence_millionths =
        millionths(view_number(precision, "confidence", INT64_C(4080218931)));
    fleet->is_sequential = precision.node != NULL;
    if (precision.node != NULL) {
        fleet->precision_place = precision.node->place;
    }
    fleet->runs_min = (uint32_t)view_number(precision, "minRuns", 10);
    if (fleet->half_width_millionths == 0 || fleet->confidence_millionths < MILLION / 2 ||
        fleet->confidence_millionths >= MILLION) {
        build_complain(build, view, "precision",
                       "precision: a half-width above 0%% and a confidence of 50%% to below 100%%");
    }
}

/* A fleet that is nothing but a placement. */
static void read_placement(struct build *build, struct view view)
{
    struct spec_fleet *fleet = &build->spec->fleet;
    const struct view placement = view_at(view, "placement");
    for (uint32_t i = 0; i < ARRAY_COUNT(fleet_keys); i++) {
        const bool is_kept =
            strcmp(fleet_keys[i], "estimator") == 0 || strcmp(fleet_keys[i], "precision") == 0;
        if (view_has(view, fleet_keys[i]) && !is_kept) {
            build_complain(build, view, fleet_keys[i],
                           "'%s' is about machines that fail and are repaired, and a placement is "
                           "asked what is lost at once",
                           fleet_keys[i]);
            return;
        }
    }
    const uint64_t share = (uint64_t)view_number(placement, "lost", 0);
    const uint32_t nodes = (uint32_t)view_number(placement, "nodes", 2);
    const uint32_t replicas = (uint32_t)view_number(placement, "replicas", 2);
    const uint32_t lost =
        (uint32_t)(((unsigned __int128)nodes * share + (UINT64_C(1) << 31)) >> 32);
    fleet->is_asked = true;
    fleet->place = placement.node->place;
    fleet->estimator = (enum spec_estimator)view_number(view, "estimator", SPEC_ESTIMATOR_CRUDE);
    fleet->machines = nodes;
    fleet->placement = (struct spec_placement){
        .is_asked = true,
        .policy = (enum spec_placement_policy)view_number(placement, "policy", 0),
        .nodes = nodes,
        .lost = lost,
        .replicas = replicas,
        .scatter = (uint32_t)view_number(placement, "scatter", 1),
        .chunks = (uint32_t)view_number(placement, "chunks", 1),
        .trials = (uint32_t)view_number(placement, "trials", 1),
    };
    fleet->services = arena_alloc_array(build->arena, 1, sizeof(*fleet->services));
    fleet->service_count = 1;
    fleet->services[0] = (struct spec_service){
        .name = view_text(placement, view_has(placement, "name") ? "name" : "policy"),
        .needed = 1,
        .place = fleet->place};
    if (replicas > nodes) {
        build_complain(build, placement, "replicas", "there are more replicas than nodes");
    } else if (lost < replicas) {
        build_complain(build, placement, "lost",
                       "%u of %u nodes are fewer than %u replicas, so nothing can be lost with "
                       "them: write more",
                       lost, nodes, replicas);
    }
    if (fleet->placement.scatter + 1 < replicas || fleet->placement.scatter >= nodes) {
        build_complain(build, placement, "scatter",
                       "the scatter is at least the replicas less one, and less than the nodes");
    }
    if (fleet->estimator != SPEC_ESTIMATOR_EXACT && fleet->estimator != SPEC_ESTIMATOR_CRUDE) {
        build_complain(build, view, "estimator",
                       "a placement is drawn (crude), or told by the closed form (exact)");
    }
    read_precision(build, view, fleet);
}

static void read_fleet(struct build *build, struct view view)
{
    struct spec_fleet *fleet = &build->spec->fleet;
    *fleet = (struct spec_fleet){0};
    if (view_has(view, "placement") && !view_has(view, "life")) {
        read_placement(build, view);
        return;
    }
    if (view_has(view, "placement")) {
        build_complain(build, view, "placement",
                       "a placement and machines with a 'life' are two scenarios");
        return;
    }
    if (!view_has(view, "life")) {
        for (uint32_t i = 0; i < ARRAY_COUNT(fleet_keys); i++) {
            if (view_has(view, fleet_keys[i])) {
                build_complain(build, view, fleet_keys[i],
                               "'%s' is about machines that fail: say how long they live with "
                               "'life'",
                               fleet_keys[i]);
                return;
            }
        }
        return;
    }
    fleet->is_asked = true;
    fleet->place = view_node(view, view_has(view, "estimator") ? "estimator" : "life")->place;
    uint32_t nodes = build->spec->group_count > 0 ? build->spec->groups[0].count : 1;
    fleet->machines = (uint32_t)view_number(view, "machines", nodes);
    fleet->machines = fleet->machines > MACHINES_MAX ? MACHINES_MAX : fleet->machines;
    read_life(build, view, &fleet->life, &fleet->repair);
    int64_t crews = view_number(view, "crews", SCHEMA_WORD);
    fleet->crews = crews == SCHEMA_WORD ? 0 : (uint32_t)crews;
    fleet->shock_share = (uint64_t)view_number(view_at(view, "shocks"), "share", 0);
    fleet->correlation = (uint64_t)view_number(view, "correlation", 0);
    if (fleet->correlation >= UINT64_C(1) << 32) {
        build_complain(build, view, "correlation",
                       "correlation: '100%%' makes one machine of all: write less");
    }
    read_groups(build, view, fleet);
    read_maintenance(build, view, fleet);
    read_services(build, view, fleet);
    fleet->estimator = (enum spec_estimator)view_number(view, "estimator", SPEC_ESTIMATOR_AUTO);
    read_precision(build, view, fleet);
    read_episodes(build, view, fleet);
}

static void read_detector(struct build *build, struct view view)
{
    struct spec_detector *detector = &build->spec->availability.detector;
    const char *load = view_text(view, "load");
    *detector = (struct spec_detector){
        .is_asked = true,
        .load = UINT32_MAX,
        .failures = (uint32_t)view_number(view, "failures", FAILURES_USUAL),
        .gauge = view_text(view, "gauge"),
        .gauge_min = (uint64_t)view_number(view, "atLeast", 1),
    };
    for (uint32_t i = 0; load != NULL && i < build->spec->load_count; i++) {
        if (strcmp(build->spec->loads[i].name, load) == 0) {
            detector->load = i;
        }
    }
    if ((load == NULL) == (detector->gauge == NULL)) {
        build_complain(build, view, NULL, "a detector is a 'load' or a 'gauge'");
    } else if (load != NULL && detector->load == UINT32_MAX) {
        build_complain(build, view, "load", "there is no load '%s'", load);
    } else if (load != NULL && build->spec->load_count == 1) {
        build_complain(build, view, "load", "'%s' is the only load: there are no clients", load);
    } else if (load != NULL && view_has(view, "atLeast")) {
        build_complain(build, view, "atLeast", "'atLeast' is about a gauge");
    } else if (load == NULL && !view_has(view, "atLeast")) {
        build_complain(build, view, "gauge",
                       "a gauge needs 'atLeast': below it the gauge means "
                       "\"down\"");
    } else if (load == NULL && view_has(view, "failures")) {
        build_complain(build, view, "failures", "'failures' is about a load");
    }
}

void build_availability(struct build *build)
{
    struct view view = view_at(build->root, "availability");
    struct spec_availability *availability = &build->spec->availability;
    availability->window_ns = view_number(view, "window", 1);
    struct err err = {0};
    if (!predicate_up(view_text(view, "up"), availability, &err)) {
        build_complain(build, view, "up", "%s", err.text);
    }
    availability->idle_ns = view_number(view, "idle", 0);
    if (view_has(view, "detector")) {
        read_detector(build, view_at(view, "detector"));
    }
    read_fleet(build, view);
}
