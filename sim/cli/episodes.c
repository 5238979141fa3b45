/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The pilot is run once for each cell in each worker and kept: it is a function of the cell alone,
 * so it does not matter who runs it, nor how often. It also finds out whether somebody leads and
 * somebody follows: when the machine of one of them is to be lost and nobody is struck, losses are
 * not told apart by it.
 *
 * The run as the scenario has it, with its checks, comes first and is not touched. */
#include "sim/cli/episodes.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/units.h"

#include <stdlib.h>
#include <string.h>

#define SERVICE      0 /* there is one: the clients see no more (sim/input/build_availability.c) */
#define LEADER_TRIES 2

struct session {
    struct episodes *episodes;
    const struct cell *cell;
    episodes_run_fn *run;
    void *context;
};

void episodes_init(struct episodes *episodes, struct runner *runner)
{
    memset(episodes, 0, sizeof(*episodes));
    arena_init(&episodes->arena);
    result_init(&episodes->result);
    client_view_init(&episodes->view);
    episodes->runner = runner;
}

void episodes_label(const struct decompose_class *class_, uint32_t number,
                    char label[EPISODE_LABEL_SIZE])
{
    char name[DECOMPOSE_NAME_SIZE];
    decompose_class_name(class_, name);
    snprintf(label, EPISODE_LABEL_SIZE, "%s#%u", name, (unsigned)number);
}

bool episodes_parse(const char *label, struct decompose_class *class_, uint32_t *number)
{
    char name[DECOMPOSE_NAME_SIZE];
    const size_t length = strcspn(label, "#");
    struct err err = {0};
    uint64_t value = 0;
    if (length >= sizeof(name)) {
        return false;
    }
    memcpy(name, label, length);
    name[length] = '\0';
    if (label[length] == '#' &&
        (!units_u64(label + length + 1, &value, &err) || value > UINT32_MAX)) {
        return false;
    }
    *number = (uint32_t)value;
    return decompose_class_parse(name, class_);
}

/* ------------------------------------------------------------------------------------ one of them
 */

/* Runs a derived spec; the clients' view of it is in episodes->view then. */
static void run_derived(struct session *session, const struct run_spec *derived, uint64_t seed)
{
    struct episodes *episodes = session->episodes;
    session->run(session->context, derived, seed, &episodes->result);
    const struct vec *operations = &episodes->runner->world->history.operations;
    client_view_read(&episodes->view, operations->items, operations->count, derived->load_count);
}

static void run_one(struct session *session, const struct episode *episode, uint64_t seed,
                    struct result_episode *row)
{
    struct episodes *episodes = session->episodes;
    const struct run_spec *spec = &session->cell->spec;
    char label[EPISODE_LABEL_SIZE];
    episodes_label(&episode->class_, episode->number, label);
    episodes->runner->episode = label;
    episodes->runner->episode_of = seed;
    arena_reset(&episodes->arena);
    struct run_spec *derived = arena_alloc(&episodes->arena, sizeof(*derived));
    episode_derive(spec, episode, &episodes->arena, derived);
    run_derived(session, derived, episode->seed);
    episode_judge(spec, episode, &episodes->result, &episodes->view, row);
    episodes->runner->episode = NULL;
}

static void add(struct decompose_sums *sums, const struct result_episode *row)
{
    if (row->has_struck) {
        const struct decompose_episode episode = {
            .outage_h = (double)row->outage_ns / 3.6e12,
            .up_h = (double)row->up_ns / 3.6e12,
            .recovery_h = row->recovery_ns > 0 ? (double)row->recovery_ns / 3.6e12 : 0,
            .is_recovered = row->is_recovered,
        };
        decompose_add(sums, &episode);
    }
}

/* ------------------------------------------------------------------------------------- the pilot
 */

/* Does a transition of this kind strike anybody? True where there is none. */
static bool strikes(struct session *session, enum decompose_kind kind)
{
    const struct decompose_fleet *fleet = &session->episodes->fleet;
    const struct decompose_class *most = NULL;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const struct decompose_class *one = &fleet->classes[i];
        if (one->kind == kind && (most == NULL || one->rate > most->rate)) {
            most = one;
        }
    }
    for (uint32_t number = 0; most != NULL && number < LEADER_TRIES; number++) {
        struct episode episode;
        struct result_episode row;
        episode_plan(&session->cell->spec, EPISODE_PILOT, 0, most, number, &episode);
        run_one(session, &episode, 0, &row);
        if (row.has_struck) {
            return true;
        }
    }
    return most == NULL;
}

/* Do some lead and others follow? */
static bool has_leader(struct session *session)
{
    return strikes(session, DECOMPOSE_LEADER_LOST) && strikes(session, DECOMPOSE_FOLLOWER_LOST);
}

static void run_pilot(struct session *session)
{
    struct episodes *episodes = session->episodes;
    const struct run_spec *spec = &session->cell->spec;
    const struct decompose_fleet *fleet = &episodes->fleet;
    memset(episodes->sums, 0, sizeof(episodes->sums));
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const uint32_t count = decompose_matters(fleet, i) ? spec->fleet.episodes.pilot : 0;
        for (uint32_t number = 0; number < count; number++) {
            struct episode episode;
            struct result_episode row;
            episode_plan(spec, EPISODE_PILOT, 0, &fleet->classes[i], number, &episode);
            run_one(session, &episode, 0, &row);
            add(&episodes->sums[i], &row);
        }
    }
    decompose_allocate(fleet, episodes->sums, spec->fleet.episodes.count, episodes->allocation);
    /* What is rare in the fleet may be common in the one that checks it. */
    for (uint32_t i = 0; i < fleet->class_count && spec->fleet.episodes.validate_ns > 0; i++) {
        const uint32_t least = spec->fleet.episodes.pilot;
        episodes->allocation[i] = episodes->allocation[i] < least ? least : episodes->allocation[i];
    }
}

static bool prepare(struct session *session, struct err *err)
{
    struct episodes *episodes = session->episodes;
    const struct spec_fleet *spec = &session->cell->spec.fleet;
    if (episodes->cell == session->cell) {
        return true;
    }
    episodes->cell = NULL;
    if (!decompose_fleet(spec, SERVICE, true, 0, &episodes->fleet, err)) {
        return false;
    }
    const bool is_led = has_leader(session);
    episodes->is_led = is_led;
    if (!is_led && !decompose_fleet(spec, SERVICE, false, 0, &episodes->fleet, err)) {
        return false;
    }
    if (spec->episodes.validate_ns > 0) {
        const struct spec_fleet fast = decompose_accelerated(spec);
        if (!decompose_fleet(&fast, SERVICE, is_led, 0, &episodes->fast, err)) {
            return false;
        }
    }
    run_pilot(session);
    episodes->cell = session->cell;
    return true;
}

/* --------------------------------------------------------------------------------- what comes out
 */

static void violate(const struct result_episode *row, const struct spec_fleet *fleet,
                    struct run_result *result)
{
    char window[32];
    units_format_duration(fleet->episodes.window_ns, window, sizeof(window));
    if (result->violations.count < RESULT_VIOLATIONS_MAX) {
        struct result_violation *violation = vec_push(&result->violations);
        *violation = (struct result_violation){
            .time_ns = row->at_ns, .event = RESULT_EVENT_NONE, .node = SQ_NODE_NONE};
        result_copy_text(violation->check, sizeof(violation->check), EPISODE_CHECK);
        snprintf(violation->message, sizeof(violation->message),
                 "the clients were not served again within %s of a transition, or not before it: "
                 "--episode %s#%u",
                 window, row->class_, (unsigned)row->number);
    }
    if (result->verdict == VERDICT_PASS || result->verdict == VERDICT_UNKNOWN) {
        result->verdict = VERDICT_FAIL;
        result_copy_text(result->reason, sizeof(result->reason), EPISODE_CHECK);
    }
}

static void judge_all(const struct spec_fleet *fleet, struct run_result *result)
{
    bool is_violated = false;
    for (uint32_t i = 0; i < result->episodes.count; i++) {
        const struct result_episode *row = vec_at(&result->episodes, i);
        if (row->has_struck && !row->is_recovered) {
            is_violated = true;
            violate(row, fleet, result);
        }
    }
    if (result->checks.count < RESULT_CHECKS_MAX) {
        struct result_check *row = vec_push(&result->checks);
        result_copy_text(row->name, sizeof(row->name), EPISODE_CHECK);
        row->comparisons = result->episodes.count;
        row->is_violated = is_violated;
    }
}

static struct estimate_sums *add_estimate(struct run_result *result, const char *service,
                                          const char *suffix, enum estimate_method method)
{
    struct estimate_sums *sums = vec_push(&result->estimates);
    char name[ESTIMATE_NAME_SIZE];
    snprintf(name, sizeof(name), "%.40s%s", service, suffix);
    estimate_begin(sums, name, method);
    return sums;
}

/* The fleet of `spec` as this seed has it: `known`, unless it has to be simulated. */
static const struct decompose_fleet *fleet_of(struct session *session, uint64_t seed,
                                              const struct spec_fleet *spec,
                                              const struct decompose_fleet *known, struct err *err)
{
    struct episodes *episodes = session->episodes;
    if (!decompose_is_simulated(spec)) {
        return known;
    }
    const bool is_fine =
        decompose_fleet(spec, SERVICE, episodes->is_led, seed, &episodes->own, err);
    return is_fine ? &episodes->own : NULL;
}

/* What the episodes of this seed come to in a fleet, as an estimate. */
static struct estimate_sums *sum_up(struct session *session, const struct decompose_fleet *fleet,
                                    const struct decompose_steady *steady, const char *suffix,
                                    struct run_result *result)
{
    struct episodes *episodes = session->episodes;
    const struct spec_fleet *spec = &session->cell->spec.fleet;
    struct estimate_sums *sums =
        add_estimate(result, spec->services[SERVICE].name, suffix, ESTIMATE_DECOMPOSE);
    decompose_translate(&episodes->fleet, episodes->sums, fleet, episodes->own_sums);
    decompose_combine(fleet, episodes->own_sums, steady, (double)spec->episodes.window_ns / 3.6e12,
                      &episodes->estimate);
    decompose_deliver(&episodes->estimate, sums);
    return sums;
}

static bool validate(struct session *session, uint64_t seed, const struct decompose_steady *steady,
                     struct run_result *result, struct err *err)
{
    struct episodes *episodes = session->episodes;
    const struct run_spec *spec = &session->cell->spec;
    const char *service = spec->fleet.services[SERVICE].name;
    const uint64_t world_seed = episode_validation_seed(seed);
    arena_reset(&episodes->arena);
    struct run_spec *derived = arena_alloc(&episodes->arena, sizeof(*derived));
    episode_validation_derive(spec, world_seed, &episodes->arena, derived);
    const struct decompose_fleet *fast =
        fleet_of(session, seed, derived->injected, &episodes->fast, err);
    if (fast == NULL) {
        return false;
    }
    run_derived(session, derived, world_seed);
    struct estimate_sums *crude =
        add_estimate(result, service, DECOMPOSE_VALIDATION, ESTIMATE_CRUDE);
    struct estimate_sums controlled = *crude;
    estimate_begin(&controlled, "", ESTIMATE_CRUDE);
    episode_validation_judge(derived, world_seed, fast->down, &episodes->view, crude, &controlled);
    crude->events = episodes->result.events;
    snprintf(controlled.service, sizeof(controlled.service), "%.40s%s", service,
             DECOMPOSE_CONTROLLED);
    vec_append(&result->estimates, &controlled);
    sum_up(session, fast, steady, DECOMPOSE_VALIDATION, result);
    return true;
}

/* All episodes of a seed. */
static void run_main(struct session *session, uint64_t seed, struct decompose_steady *steady,
                     struct run_result *result)
{
    struct episodes *episodes = session->episodes;
    const struct run_spec *spec = &session->cell->spec;
    memset(episodes->sums, 0, sizeof(episodes->sums));
    for (uint32_t i = 0; i < episodes->fleet.class_count; i++) {
        for (uint32_t number = 0; number < episodes->allocation[i]; number++) {
            struct episode episode;
            struct result_episode row;
            episode_plan(spec, EPISODE_MAIN, seed, &episodes->fleet.classes[i], number, &episode);
            run_one(session, &episode, seed, &row);
            add(&episodes->sums[i], &row);
            decompose_add_steady(steady, (double)row.steady_ns / 3.6e12,
                                 (double)row.steady_down_ns / 3.6e12);
            vec_append(&result->episodes, &row);
        }
    }
}

void episodes_run(struct episodes *episodes, const struct cell *cell, uint64_t seed,
                  struct run_result *result, episodes_run_fn *run, void *context)
{
    const struct run_spec *spec = &cell->spec;
    if (!spec->fleet.is_asked || spec->fleet.estimator != SPEC_ESTIMATOR_DECOMPOSE ||
        result->verdict == VERDICT_ERROR) {
        return;
    }
    struct session session = {episodes, cell, run, context};
    struct decompose_steady steady = {0};
    struct err err = {0};
    const int64_t started_ns = real_cpu_ns();
    if (!prepare(&session, &err)) {
        result_set_error(result, seed, err.text);
        return;
    }
    const struct decompose_fleet *fleet =
        fleet_of(&session, seed, &spec->fleet, &episodes->fleet, &err);
    if (fleet == NULL) {
        result_set_error(result, seed, err.text);
        return;
    }
    run_main(&session, seed, &steady, result);
    struct estimate_sums *sums = sum_up(&session, fleet, &steady, "", result);
    for (uint32_t i = 0; i < result->episodes.count; i++) {
        const struct result_episode *row = vec_at(&result->episodes, i);
        sums->events += row->events;
        sums->simulated_h += (double)row->sim_ns / 3.6e12;
    }
    if (spec->fleet.episodes.validate_ns > 0 && !validate(&session, seed, &steady, result, &err)) {
        result_set_error(result, seed, err.text);
        return;
    }
    judge_all(&spec->fleet, result);
    result->cpu_ns += real_cpu_ns() - started_ns;
}

uint64_t episodes_digest(const struct run_result *result)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < result->episodes.count; i++) {
        const struct result_episode *row = vec_at(&result->episodes, i);
        digest = hash_mix(digest, hash_mix(hash_text(row->class_), row->digest));
    }
    for (uint32_t i = 0; i < result->estimates.count; i++) {
        const struct estimate_sums *sums = vec_at(&result->estimates, i);
        digest = hash_mix(digest, sums->events);
    }
    return digest;
}
