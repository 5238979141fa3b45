/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Checks, expectations, known defects, availability and thresholds.
 *
 * Names of always-checks must be in the catalog. Names in `expect` and `knownDefects` may also be
 * invariants that a model states itself, which nobody knows before the run: they are refused only
 * when they look like a misspelt name that is known, or are one that the scenario does not watch.
 */
#include "sim/input/build.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/input/predicate.h"

#include <inttypes.h>
#include <string.h>

#define NAMES_MAX 256
/* As in the schema, and so in every normalised text: nobody may have asked for it. */
#define WITHIN_NS_USUAL (30 * NS_PER_S)
/* Of a probe that is only named; as in the schema. */
#define PROBE_NS_USUAL (30 * NS_PER_S)
#define PROBE_TO_USUAL ((int64_t)((INT64_C(1) << 32) * 3 / 10))

static uint32_t count_names(const char *const *names)
{
    uint32_t count = 0;
    while (names != NULL && names[count] != NULL) {
        count++;
    }
    return count;
}

static bool has_name(const char *const *names, uint32_t count, const char *wanted)
{
    for (uint32_t index = 0; index < count; index++) {
        if (strcmp(names[index], wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------------- checks */

static void read_always(struct build *build, struct view view, struct spec_check *check)
{
    const char *invariant = view_text(view, "invariant");
    const char *consistency = view_text(view, "consistency");
    check->word = SPEC_ALWAYS;
    if ((invariant == NULL) == (consistency == NULL)) {
        build_complain(build, view, NULL,
                       "write one of 'invariant: NAME' and 'consistency: linearizable'");
        return;
    }
    check->name = invariant != NULL ? invariant : consistency;
    uint32_t count = count_names(build->catalog->check_names);
    if (invariant == NULL || has_name(build->catalog->check_names, count, invariant)) {
        return;
    }
    const char *nearest = text_nearest(invariant, build->catalog->check_names, count);
    if (nearest != NULL) {
        build_complain(build, view, "invariant", "unknown check '%s'; did you mean '%s'?",
                       invariant, nearest);
    } else {
        build_complain(build, view, "invariant",
                       "unknown check '%s': 'squall list checks' shows all", invariant);
    }
}

static void read_eventually(struct build *build, struct view view, struct spec_check *check)
{
    const char *name = view_text(view, "name");
    const char *predicate = view_text(view, "predicate");
    check->word = SPEC_EVENTUALLY;
    check->name = name != NULL ? name : "";
    check->within_ns = view_number(view, "within", 0);
    check->hold_ns = view_number(view, "for", 0);
    struct err err = {0};
    if (predicate != NULL && !predicate_recovery(predicate, &check->ratio_millionths, &err)) {
        build_complain(build, view, "predicate", "%s", err.text);
    }
}

static void build_check(struct build *build, struct view view, struct spec_check *check)
{
    uint32_t words = (view_has(view, "always") ? 1 : 0) + (view_has(view, "sometimes") ? 1 : 0) +
                     (view_has(view, "eventually") ? 1 : 0);
    *check = (struct spec_check){.name = "", .place = view.node->place};
    if (words != 1) {
        build_complain(build, view, NULL, "a check is one of always, sometimes and eventually");
        return;
    }
    if (view_has(view, "always")) {
        read_always(build, view_at(view, "always"), check);
    } else if (view_has(view, "sometimes")) {
        const char *probe = view_text(view_at(view, "sometimes"), "probe");
        check->word = SPEC_SOMETIMES;
        check->name = probe != NULL ? probe : "";
    } else {
        read_eventually(build, view_at(view, "eventually"), check);
    }
}

void build_checks(struct build *build)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(build->root, "checks");
    spec->checks = arena_alloc_array(build->arena, count + 1, sizeof(*spec->checks));
    spec->check_count = count;
    for (uint32_t index = 0; index < count; index++) {
        struct view view = view_item(build->root, "checks", index);
        build_check(build, view, &spec->checks[index]);
        for (uint32_t before = 0; before < index; before++) {
            bool is_same_word = spec->checks[before].word == spec->checks[index].word;
            if (is_same_word && spec->checks[index].name[0] != '\0' &&
                strcmp(spec->checks[before].name, spec->checks[index].name) == 0) {
                build_complain(build, view, NULL, "the check '%s' is already in line %" PRIu32,
                               spec->checks[index].name, spec->checks[before].place.line);
                break;
            }
        }
    }
}

/* ------------------------------------------------------------------------------- expectations */

/* What the verdict of the four arms violates. */
static const char *const verdict_names[] = {"metastable", "permanent", "unstable", "verdict"};
/* The name of an `eventually` that is given none; as in the schema. */
#define USUAL_RECOVERY "recovers"

/* Does the scenario have it, so that it can be violated? */
static bool is_checked(const struct run_spec *spec, const char *name)
{
    for (uint32_t index = 0; index < spec->check_count; index++) {
        if (spec->checks[index].word != SPEC_SOMETIMES &&
            strcmp(spec->checks[index].name, name) == 0) {
            return true;
        }
    }
    return spec->metastability.is_asked &&
           has_name(verdict_names, ARRAY_COUNT(verdict_names), name);
}

/* Complains about a name that is nearly, but not quite, that of a check; returns whether it is
 * that of one, the scenario's or another. */
static bool check_name(struct build *build, const struct yaml_node *node)
{
    const char *names[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < build->spec->check_count && count < NAMES_MAX; index++) {
        if (build->spec->checks[index].word != SPEC_SOMETIMES) {
            names[count++] = build->spec->checks[index].name;
        }
    }
    uint32_t known = count_names(build->catalog->check_names);
    for (uint32_t index = 0; index < known && count < NAMES_MAX; index++) {
        names[count++] = build->catalog->check_names[index];
    }
    for (uint32_t index = 0; index < ARRAY_COUNT(verdict_names) && count < NAMES_MAX; index++) {
        names[count++] = verdict_names[index];
    }
    if (count < NAMES_MAX) {
        names[count++] = USUAL_RECOVERY;
    }
    if (has_name(names, count, node->text)) {
        return true;
    }
    const char *nearest = text_nearest(node->text, names, count);
    if (nearest != NULL) {
        diag_error(build->diag, node->place, node->width, "unknown check '%s'; did you mean '%s'?",
                   node->text, nearest);
    }
    return false;
}

/* What is expected to be violated must be watched. */
static void check_violated(struct build *build, const struct yaml_node *node)
{
    if (!check_name(build, node) || is_checked(build->spec, node->text)) {
        return;
    }
    if (has_name(verdict_names, ARRAY_COUNT(verdict_names), node->text)) {
        diag_error(build->diag, node->place, node->width,
                   "'%s' is a verdict of the four arms: add 'metastability'", node->text);
    } else {
        diag_error(build->diag, node->place, node->width,
                   "'%s' is not among this scenario's checks, so it is never violated: add it to "
                   "'checks'",
                   node->text);
    }
}

static void read_verdicts(struct build *build, struct view view)
{
    static const char *const words[] = {"stable", "metastable", "unstable", "permanent"};
    static_assert(ARRAY_COUNT(words) == SPEC_VERDICT_COUNT, "one word for each");
    struct run_spec *spec = build->spec;
    bool has_any = false;
    spec->expect_share = (uint64_t)view_number(view, "share", INT64_C(1) << 32);
    for (uint32_t verdict = 0; verdict < SPEC_VERDICT_COUNT; verdict++) {
        struct spec_verdict_cells *cells = &spec->expect_verdicts[verdict];
        uint32_t count = view_count(view, words[verdict]);
        cells->texts = arena_alloc_array(build->arena, count + 1, sizeof(*cells->texts));
        cells->count = count;
        for (uint32_t index = 0; index < count; index++) {
            cells->texts[index] = view_item_text(view, words[verdict], index);
            cells->place = view_node(view, words[verdict])->place;
        }
        has_any |= count > 0;
    }
    if (view.node == NULL) {
        return;
    }
    if (!spec->metastability.is_asked) {
        build_complain(build, view, NULL, "verdicts are of scenarios with 'metastability'");
    } else if (!has_any) {
        build_complain(build, view, NULL,
                       "which cells must be stable, metastable, unstable or permanent?");
    } else if (spec->expect_share == 0) {
        build_complain(build, view, "share", "a share of 0%% expects nothing");
    }
}

/* A violated check is a matter of single runs, and a gate one of shares. */
static void check_gate(struct build *build, const struct yaml_node *node)
{
    if (build->spec->metastability.has_gate &&
        has_name(verdict_names, ARRAY_COUNT(verdict_names), node->text)) {
        diag_error(build->diag, node->place, node->width,
                   "with metastability.gate say in 'verdicts' which cells are not stable");
    }
}

static void read_expect(struct build *build, struct view view)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(view, "violated");
    spec->expect = SPEC_EXPECT_PASS;
    spec->expect_library = view_text(view, "library");
    spec->expect_cell_count = view_count(view, "cells");
    spec->expect_cells =
        arena_alloc_array(build->arena, spec->expect_cell_count + 1, sizeof(*spec->expect_cells));
    for (uint32_t index = 0; index < spec->expect_cell_count; index++) {
        spec->expect_cells[index] = view_item_text(view, "cells", index);
    }
    read_verdicts(build, view_at(view, "verdicts"));
    if (!view_has(view, "violated")) {
        return;
    }
    if (view_has(view, "verdict")) {
        build_complain(build, view, "verdict", "a run cannot pass and violate a check");
    }
    if (count == 0) {
        build_complain(build, view, "violated", "which check must be violated?");
    }
    spec->expect = SPEC_EXPECT_VIOLATED;
    spec->expect_checks = arena_alloc_array(build->arena, count + 1, sizeof(*spec->expect_checks));
    spec->expect_check_count = count;
    for (uint32_t index = 0; index < count; index++) {
        check_violated(build, view_node(view, "violated")->items[index]);
        check_gate(build, view_node(view, "violated")->items[index]);
        spec->expect_checks[index] = view_item_text(view, "violated", index);
    }
}

static void read_known(struct build *build)
{
    struct run_spec *spec = build->spec;
    uint32_t count = view_count(build->root, "knownDefects");
    spec->known = arena_alloc_array(build->arena, count + 1, sizeof(*spec->known));
    for (uint32_t index = 0; index < count; index++) {
        struct view view = view_item(build->root, "knownDefects", index);
        if (!view_has(view, "check") || !view_has(view, "library") || !view_has(view, "reason")) {
            continue; /* reported by the schema */
        }
        check_name(build, view_node(view, "check"));
        spec->known[spec->known_count++] = (struct spec_known){
            .check = view_text(view, "check"),
            .library = view_text(view, "library"),
            .reason = view_text(view, "reason"),
        };
    }
}

/* ------------------------------------------------------------------------------- four arms */

/* Does the load begin in the run and end in it, beside others? Then it can be a trigger. */
static bool is_surge(const struct run_spec *spec, const struct spec_load *load)
{
    return spec->load_count > 1 && load->start_ns > 0 &&
           load->duration_ns < spec->limit_ns - load->start_ns;
}

static void mark_all(struct run_spec *spec)
{
    for (uint32_t index = 0; index < spec->fault_count; index++) {
        spec->faults[index].is_trigger = true;
    }
    for (uint32_t index = 0; index < spec->load_count; index++) {
        spec->loads[index].is_trigger = is_surge(spec, &spec->loads[index]);
    }
}

static void mark_named(struct build *build, const struct yaml_node *node)
{
    struct run_spec *spec = build->spec;
    const char *names[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t index = 0; index < spec->fault_count && count < NAMES_MAX; index++) {
        names[count++] = spec->faults[index].name;
        if (strcmp(spec->faults[index].name, node->text) == 0) {
            spec->faults[index].is_trigger = true;
            return;
        }
    }
    for (uint32_t index = 0; index < spec->load_count && count < NAMES_MAX; index++) {
        struct spec_load *load = &spec->loads[index];
        names[count++] = load->name;
        if (strcmp(load->name, node->text) != 0) {
            continue;
        }
        load->is_trigger = true;
        if (!is_surge(spec, load)) {
            diag_error(build->diag, node->place, node->width,
                       "the load '%s' is no trigger: one begins during the run, beside another "
                       "load, and ends before the run does",
                       node->text);
        }
        return;
    }
    const char *nearest = text_nearest(node->text, names, count);
    if (nearest != NULL) {
        diag_error(build->diag, node->place, node->width,
                   "no fault or load has the name '%s'; did you mean '%s'?", node->text, nearest);
    } else {
        diag_error(build->diag, node->place, node->width, "no fault or load has the name '%s'",
                   node->text);
    }
}

static void read_gate(struct build *build, struct view view, struct spec_metastability *asked)
{
    static const int64_t half = INT64_C(1) << 31;
    static const int64_t whole = INT64_C(1) << 32;
    if (view.node == NULL) {
        return;
    }
    int64_t accept = view_number(view, "accept", 0);
    int64_t reject = view_number(view, "reject", 0);
    int64_t error = view_number(view, "error", 0);
    if (accept <= 0 || accept >= reject || reject >= whole) {
        build_complain(
            build, view, NULL,
            "a gate tells a small share from a larger one: 0%% < accept < reject < 100%%");
    }
    if (error <= 0 || error >= half) {
        build_complain(build, view, "error", "the chance of an error is above 0%% and below 50%%");
    }
    asked->has_gate = true;
    asked->gate_accept = (uint64_t)accept;
    asked->gate_reject = (uint64_t)reject;
    asked->gate_error = (uint64_t)error;
}

/* When the trigger is over by the scenario's own times; parts that depend on chance are left out.
 */
static int64_t trigger_end(const struct run_spec *spec)
{
    int64_t end_ns = 0;
    for (uint32_t index = 0; index < spec->fault_count; index++) {
        const struct spec_fault *fault = &spec->faults[index];
        if (fault->is_trigger && fault->has_at) {
            bool is_told = fault->duration.kind == DIST_CONSTANT && !fault->has_no_end;
            int64_t lasts_ns = is_told ? fault->duration.a : 0;
            int64_t until_ns = lasts_ns < spec->limit_ns ? fault->at_ns + lasts_ns : spec->limit_ns;
            end_ns = until_ns > end_ns ? until_ns : end_ns;
        }
    }
    for (uint32_t index = 0; index < spec->load_count; index++) {
        const struct spec_load *load = &spec->loads[index];
        if (load->is_trigger && is_surge(spec, load)) {
            int64_t until_ns = load->start_ns + load->duration_ns;
            end_ns = until_ns > end_ns ? until_ns : end_ns;
        }
    }
    return end_ns;
}

static void read_metastability(struct build *build)
{
    struct view view = view_at(build->root, "metastability");
    struct run_spec *spec = build->spec;
    struct spec_metastability *asked = &spec->metastability;
    if (view.node == NULL) {
        return;
    }
    struct view probe = view_at(view, "probe");
    *asked = (struct spec_metastability){
        .is_asked = true,
        .probe = (enum spec_probe)view_number(probe, "kind", 0),
        .shed_to = (uint64_t)view_number(probe, "to", PROBE_TO_USUAL),
        .probe_ns = view_number(probe, "for", PROBE_NS_USUAL),
        .timeouts_max = (uint64_t)view_number(view, "timeouts", 0),
        .hold_ns = view_number(view, "for", 0),
        .within_ns = view_number(view, "within", 0),
        .place = view.node->place,
    };
    read_gate(build, view_at(view, "gate"), asked);
    struct err err = {0};
    const char *recovered = view_text(view, "recovered");
    if (recovered != NULL && !predicate_goodput(recovered, &asked->ratio_millionths, &err)) {
        build_complain(build, view, "recovered", "%s", err.text);
    }
    uint32_t count = view_count(view, "trigger");
    if (count == 0) {
        mark_all(spec);
    }
    for (uint32_t index = 0; index < count; index++) {
        mark_named(build, view_node(view, "trigger")->items[index]);
    }
    bool has_any = count > 0;
    for (uint32_t index = 0; index < spec->fault_count; index++) {
        has_any |= spec->faults[index].is_trigger;
    }
    for (uint32_t index = 0; index < spec->load_count; index++) {
        has_any |= spec->loads[index].is_trigger;
    }
    if (!has_any) {
        build_complain(build, view, NULL,
                       "there is no trigger: no fault, and no load that begins and ends within "
                       "the run");
    }
    if (view_has(view, "within") && asked->within_ns != WITHIN_NS_USUAL) {
        asked->within_place = view_node(view, "within")->place;
    }
    asked->left_ns = spec->limit_ns - trigger_end(spec);
}

static void check_service(struct build *build, const struct yaml_node *metric,
                          const struct spec_threshold *threshold)
{
    const struct spec_fleet *fleet = &build->spec->fleet;
    const char *asked = threshold->estimate.service;
    const bool is_loss = strcmp(threshold->metric, "loss") == 0;
    if (asked == NULL) {
        return;
    }
    const char **names = arena_alloc_array(build->arena, fleet->service_count + 1, sizeof(*names));
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        names[i] = fleet->services[i].name;
    }
    if (has_name(names, fleet->service_count, asked)) {
        return;
    }
    if (fleet->is_asked) {
        const char *nearest = text_nearest(asked, names, fleet->service_count);
        diag_error(build->diag, metric->place, metric->width,
                   nearest != NULL ? "%s: %s '%s'; did you mean '%s'?"
                                   : "%s: %s '%s'; write for example '%s'",
                   metric->text,
                   fleet->placement.is_asked ? "no placement has the name"
                                             : "availability.services has no",
                   asked, nearest != NULL ? nearest : names[0]);
        return;
    }
    diag_error(build->diag, metric->place, metric->width,
               is_loss ? "%s: there is no placement '%s'; say where replicas are with "
                         "availability.placement"
                       : "%s: there is no fleet with a service '%s'; say how long machines live "
                         "with availability.life",
               metric->text, asked);
}

/* Without the four arms no run is ever called metastable, and any limit of that would hold. */
static void check_arms(struct build *build, const struct yaml_node *metric,
                       const struct spec_threshold *threshold)
{
    if (!build->spec->metastability.is_asked && strcmp(threshold->metric, "metastable") == 0) {
        diag_error(build->diag, metric->place, metric->width,
                   "%s: only the four arms tell what is metastable: add 'metastability'",
                   metric->text);
    }
}

/* Takes a tag, "cell:", out of "metric{cell:rate=9/s,name:x}" and leaves the rest, without empty
 * braces; returns its value, NULL when there is none. */
static const char *take_tag(struct arena *arena, const char *tag, const char **metric)
{
    const char *open = strchr(*metric, '{');
    const char *at = open == NULL ? NULL : strstr(open, tag);
    const char *from = at == NULL ? NULL : at + strlen(tag);
    while (at != NULL && at[-1] == ' ') {
        at--;
    }
    if (at == NULL || (at[-1] != '{' && at[-1] != ',')) {
        return NULL;
    }
    size_t length = strcspn(at, ",}");
    from += strspn(from, " ");
    const char *value = arena_strndup(arena, from, (size_t)(at + length - from));
    const char *rest = at + length;
    bool is_first = at[-1] == '{';
    if (is_first && strcmp(rest, "}") == 0) {
        *metric = arena_strndup(arena, *metric, (size_t)(open - *metric));
    } else {
        size_t before = (size_t)(at - *metric) - (is_first ? 0 : 1);
        *metric = arena_printf(arena, "%.*s%s", (int)before, *metric,
                               rest + (is_first && *rest == ',' ? 1 : 0));
    }
    return value;
}

/* Complains of a difference between cells that cannot be asked for, beside what thresholds of the
 * metric allow. */
static void check_than(struct build *build, const struct yaml_node *metric,
                       const struct spec_threshold *threshold)
{
    const char *why = NULL;
    if (threshold->than == NULL) {
        return;
    }
    if (threshold->cell == NULL || threshold->cell[0] == '\0' || threshold->than[0] == '\0') {
        why = "'than:' is the difference of two cells: write '{cell:TEXT,than:TEXT}', the first "
              "less the second";
    } else if (threshold->estimate.is_ratio) {
        why = "'than:' is a difference to another cell, 'against:' a ratio to theory: ask for one";
    } else if (threshold->estimate.service == NULL && build->spec->fleet.is_asked) {
        why = "the cells of a fleet have no runs to compare: write 'unavailability{service:...}'";
    } else if (threshold->estimate.service == NULL && build->spec->metastability.is_asked) {
        why = "runs in arms are not compared: 'than:' is for scenarios without 'metastability'";
    }
    if (why != NULL) {
        diag_error(build->diag, metric->place, metric->width, "%s: %s", metric->text, why);
    }
}

static void read_thresholds(struct build *build)
{
    struct run_spec *spec = build->spec;
    const struct yaml_node *map = view_node(build->root, "thresholds");
    const struct catalog *catalog = build->catalog;
    uint32_t total = 0;
    for (uint32_t index = 0; map != NULL && index < map->count; index++) {
        total += map->items[index]->count;
    }
    ASSERT(total == 0 || catalog->check_threshold != NULL);
    spec->thresholds = arena_alloc_array(build->arena, total + 1, sizeof(*spec->thresholds));
    for (uint32_t index = 0; map != NULL && index < map->count; index++) {
        const char *metric = map->keys[index]->text;
        const char *cell = take_tag(build->arena, "cell:", &metric);
        const char *shown = metric;
        const char *than = take_tag(build->arena, "than:", &metric);
        for (uint32_t at = 0; at < map->items[index]->count; at++) {
            const struct yaml_node *text = map->items[index]->items[at];
            struct err err = {0};
            struct spec_threshold threshold = {.text = shown,
                                               .expression = text->text,
                                               .place = text->place,
                                               .cell = cell,
                                               .than = than};
            if (!predicate_metric(build->arena, metric, &threshold, &err)) {
                const struct yaml_node *key = map->keys[index];
                diag_error(build->diag, key->place, key->width, "%s", err.text);
            } else if (!catalog->check_threshold(&threshold, &err)) {
                diag_error(build->diag, text->place, text->width, "%s: %s", metric, err.text);
            } else {
                check_service(build, map->keys[index], &threshold);
                check_than(build, map->keys[index], &threshold);
                check_arms(build, map->keys[index], &threshold);
            }
            spec->thresholds[spec->threshold_count++] = threshold;
        }
    }
    ASSERT(spec->threshold_count == total);
}

void build_judging(struct build *build)
{
    read_metastability(build);
    read_expect(build, view_at(build->root, "expect"));
    read_known(build);
    build_availability(build);
    read_thresholds(build);
}
