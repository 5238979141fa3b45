/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * RESTART (Villen-Altamirano and Villen-Altamirano, "RESTART: a method for accelerating rare event
 * simulations", ITC-13, 1991): whenever one machine more is away, the trajectory is split into
 * several that go on independently, each with a part of the weight; a copy ends when it comes back
 * below the level at which it was made, and the original goes on and has its weight again. Any laws
 * will do.
 *
 * Levels are the numbers of machines away, 1 .. machines - needed + 1 of the service. The factor at
 * level k is about 1 / P(level k is reached from k - 1), from mean rates: it decides the price and
 * not the result. Where several levels are passed at once (a shock, a rack), the trajectory is
 * split at the last of them only: they were not rare one by one. Where machines fail together
 * though nothing says so (lives of one length, a bathtub), such factors explode; so a replication
 * with a seed of its own is tried, and as long as it has too many events the factors get smaller.
 *
 * Shocks and groups that are rare themselves have no levels before them. A trajectory meets them
 * more often than they happen (analysis/estimate_force.h): a copy lives through each candidate,
 * from the level above the present one, and ends below it like any other copy. There is no split at
 * these rises. Nothing is forced once the quorum is lost.
 *
 * A split redraws every clock by its age (sim/fleet.h). Copies are named by the path of branches
 * that leads to them, 42/3/0/1: each is a function of its path alone, so any of them can be had
 * again by going the path from the start, without snapshots. The first branch is the number of the
 * replication.
 *
 * A replication is LIVES_WARM mean lives of warm-up and LIVES that are measured: cycles do not
 * begin anew with laws that remember. Measured times are long so that a replication sees many
 * outages, and the mean of twenty of them has nearly a normal law. */
#include "analysis/estimators.h"

#include "analysis/estimate_force.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_IN_AN_HOUR 3.6e12
#define LIVES_WARM    20
#define LIVES         200
#define REPLICATIONS  20 /* of one seed */
#define FACTOR_MAX    1000
#define EVENTS_TRIED  1000000   /* of one replication; usual are below 100,000 */
#define EVENTS_MAX    400000000 /* of all: a plan that explodes all the same */
#define SEED_TRIED    UINT64_C(0x7e57)

/* A trajectory, or copies of it that are still to be run. */
struct trial {
    uint32_t birth;            /* level at which it was made; 0: the original */
    uint32_t level;            /* now */
    uint32_t branches;         /* of it so far */
    uint32_t copies;           /* of this state that are left to run */
    struct fleet_event forced; /* what the only copy is for; FLEET_EVENT_NONE: a split */
    struct force_clocks clocks;
    double weight[FLEET_MACHINES + 1]; /* at each level up to the present one */
    bool was_up;
    uint32_t depth; /* of its path */
    uint32_t path[FLEET_MACHINES + 1];
    int64_t whole_ns;                 /* when all was whole for the last time */
    int64_t down_ns;                  /* when the present outage, or the last one, began */
    int64_t down_whole_ns;            /* whole_ns of then */
    struct estimate_trajectory story; /* since it was made */
    struct fleet fleet;               /* last: copied by itself */
};

struct plan {
    const struct spec_fleet *spec;
    uint32_t service;
    uint32_t levels;
    uint32_t factor[FLEET_MACHINES + 1];
    uint64_t events_max;
    int64_t begin_ns; /* of what is measured */
    int64_t end_ns;
    struct force_plan force;
};

struct sums {
    double down_h;
    double outages;
    uint64_t events;
    uint64_t digest;
    struct estimate_sums *total; /* gets the longest outage; NULL: nobody asks */
    uint64_t seed;
};

/* -------------------------------------------------------------------------------------- the plan
 */

static uint32_t factor_of(const struct spec_fleet *spec, uint32_t level)
{
    const double life = (double)dist_mean(&spec->life);
    const double repair = (double)dist_mean(&spec->repair);
    const uint32_t down = level - 1;
    const uint32_t crews = spec->crews == 0 || spec->crews > down ? down : spec->crews;
    const double up_rate = (spec->machines - down) / life;
    const double chance = down == 0 ? 1 : up_rate / (up_rate + crews / repair);
    const double factor = 1 / chance;
    return factor < 1.5 ? 1 : factor > FACTOR_MAX ? FACTOR_MAX : (uint32_t)(factor + .5);
}

static struct plan plan_by_means(const struct spec_fleet *spec, uint32_t service)
{
    const int64_t cycle_ns = dist_mean(&spec->life) + dist_mean(&spec->repair);
    const int64_t cycle_max_ns = FLEET_NEVER / 8 / (LIVES_WARM + LIVES);
    const int64_t span_ns = cycle_ns < cycle_max_ns ? cycle_ns : cycle_max_ns;
    struct plan plan = {.spec = spec,
                        .service = service,
                        .levels = spec->machines - spec->services[service].needed + 1,
                        .events_max = EVENTS_MAX,
                        .begin_ns = LIVES_WARM * span_ns,
                        .end_ns = (LIVES_WARM + LIVES) * span_ns,
                        .force = force_plan_of(spec)};
    for (uint32_t level = 1; level <= plan.levels; level++) {
        plan.factor[level] = factor_of(spec, level);
    }
    return plan;
}

/* ------------------------------------------------------------------------------------- the trials
 */

static uint32_t level_of(const struct plan *plan, const struct fleet *fleet)
{
    const uint32_t away = plan->spec->machines - fleet_available_count(fleet);
    return away < plan->levels ? away : plan->levels;
}

/* Hours of [from, until) that are measured. */
static double measured(const struct plan *plan, int64_t from_ns, int64_t until_ns)
{
    from_ns = from_ns < plan->begin_ns ? plan->begin_ns : from_ns;
    until_ns = until_ns > plan->end_ns ? plan->end_ns : until_ns;
    return until_ns > from_ns ? (double)(until_ns - from_ns) / NS_IN_AN_HOUR : 0;
}

/* The trial has come to a higher level: its weight there, and how many copies are to be made.
 * `forced`: by something that it meets so many times as often as it happens. */
static uint32_t rise(const struct plan *plan, struct trial *trial, uint32_t level, uint64_t forced)
{
    const uint32_t factor = forced > 1 ? 1 : plan->factor[level];
    const double weight = trial->weight[trial->level] / (double)forced;
    for (uint32_t i = trial->level + 1; i <= level; i++) {
        trial->weight[i] = i == level ? weight / factor : weight;
    }
    trial->level = level;
    return factor - 1;
}

/* The outage of the trial is over, or the trial itself. */
static void end_outage(const struct plan *plan, struct trial *trial)
{
    struct estimate_trajectory *story = &trial->story;
    const int64_t outage_ns = trial->fleet.now_ns - trial->down_ns;
    if (!trial->was_up && trial->down_ns >= plan->begin_ns && outage_ns > story->outage_ns) {
        story->outage_ns = outage_ns;
        story->outage_from_ns = trial->down_ns;
        story->whole_ns = trial->down_whole_ns;
    }
}

/* The service is up or down after an event. */
static void note_state(const struct plan *plan, struct trial *trial, bool is_up)
{
    if (trial->was_up && !is_up) {
        trial->down_ns = trial->fleet.now_ns;
        trial->down_whole_ns = trial->whole_ns;
    } else if (is_up) {
        end_outage(plan, trial);
    }
    trial->was_up = is_up;
    trial->whole_ns = fleet_is_whole(&trial->fleet) ? trial->fleet.now_ns : trial->whole_ns;
}

/* Hours and outages after an event that took the trial to `level`, where it and `copies` others go
 * on from. */
static void count_outage(const struct plan *plan, const struct trial *trial, bool was_up,
                         uint32_t copies, struct sums *sums)
{
    if (was_up && !trial->was_up && trial->fleet.now_ns >= plan->begin_ns) {
        /* Copies are made from the state after the event: all of them share this outage. */
        sums->outages += trial->weight[trial->level] * (copies + 1);
    }
}

/* One event, or a candidate before it; false: the trial is over. trial->copies: of the new state,
 * to be run later. */
static bool advance(const struct plan *plan, struct trial *trial, struct sums *sums)
{
    struct fleet *fleet = &trial->fleet;
    const struct fleet_event next = fleet_peek(fleet);
    const int64_t until_ns = next.time_ns < plan->end_ns ? next.time_ns : plan->end_ns;
    const uint32_t before = trial->level;
    trial->copies = 0;
    trial->forced.kind = FLEET_EVENT_NONE;
    if (force_next(&plan->force, fleet, until_ns, &trial->clocks, &trial->forced)) {
        trial->copies = trial->forced.kind != FLEET_EVENT_NONE && before < plan->levels ? 1 : 0;
        return true;
    }
    if (!trial->was_up) {
        sums->down_h += trial->weight[before] * measured(plan, fleet->now_ns, next.time_ns);
    }
    if (next.time_ns >= plan->end_ns) {
        return false;
    }
    const uint64_t digest = fleet->digest;
    fleet_step(fleet);
    sums->events++;
    sums->digest = hash_mix(sums->digest, digest ^ fleet->digest);
    const uint32_t level = level_of(plan, fleet);
    const bool was_up = trial->was_up;
    note_state(plan, trial, fleet_is_up(fleet, plan->service));
    if (level < trial->birth) {
        return false;
    }
    if (level > before) {
        trial->copies = rise(plan, trial, level, force_factor(&plan->force, &next, before > 0));
    }
    trial->level = level;
    force_note(&plan->force, fleet, level > 0, &trial->clocks);
    count_outage(plan, trial, was_up, trial->copies, sums);
    return sums->events < plan->events_max;
}

/* What was forced on the copy happens; false: it takes nobody away, so there is nothing to live
 * through. */
static bool suffer(const struct plan *plan, struct trial *copy, struct sums *sums)
{
    const uint64_t forced = force_factor(&plan->force, &copy->forced, copy->level > 0);
    const uint32_t before = copy->level;
    const uint64_t digest = copy->fleet.digest;
    const bool was_up = copy->was_up;
    fleet_force(&copy->fleet, &copy->forced);
    sums->events++;
    sums->digest = hash_mix(sums->digest, digest ^ copy->fleet.digest);
    const uint32_t level = level_of(plan, &copy->fleet);
    if (level <= before) {
        return false;
    }
    (void)rise(plan, copy, level, forced);
    copy->birth = before + 1;
    note_state(plan, copy, fleet_is_up(&copy->fleet, plan->service));
    count_outage(plan, copy, was_up, 0, sums);
    return true;
}

/* Makes the next copy of the trial. False: there is nothing for it to do. */
static bool make_copy(const struct plan *plan, struct trial *from, struct trial *copy,
                      struct sums *sums)
{
    ASSERT(from->copies > 0);
    from->copies--;
    memcpy(copy, from, offsetof(struct trial, fleet));
    fleet_copy(&copy->fleet, &from->fleet);
    copy->birth = from->level;
    copy->copies = 0;
    copy->branches = 0;
    copy->story = (struct estimate_trajectory){0};
    ASSERT(copy->depth < ARRAY_COUNT(copy->path));
    copy->path[copy->depth++] = from->branches;
    const bool is_alive = from->forced.kind == FLEET_EVENT_NONE || suffer(plan, copy, sums);
    fleet_branch(&copy->fleet, from->branches);
    force_begin(&plan->force, &copy->fleet, copy->level > 0, &copy->clocks);
    from->branches++;
    return is_alive;
}

/* "42/3/0/1"; "" when it does not fit. */
static void write_path(const struct trial *trial, uint64_t seed, char out[ESTIMATE_PATH_SIZE])
{
    int at = snprintf(out, ESTIMATE_PATH_SIZE, "%llu", (unsigned long long)seed);
    for (uint32_t i = 0; i < trial->depth && at < ESTIMATE_PATH_SIZE; i++) {
        at += snprintf(out + at, (size_t)(ESTIMATE_PATH_SIZE - at), "/%u", trial->path[i]);
    }
    if (at >= ESTIMATE_PATH_SIZE) {
        out[0] = '\0';
    }
}

static void end_trial(const struct plan *plan, struct trial *trial, struct sums *sums)
{
    end_outage(plan, trial);
    trial->story.digest = trial->fleet.digest;
    trial->story.events = trial->fleet.events;
    trial->story.end_ns = trial->fleet.now_ns;
    const double outage_h = (double)trial->story.outage_ns / NS_IN_AN_HOUR;
    if (sums->total != NULL && outage_h > sums->total->worst_h) {
        sums->total->worst_h = outage_h;
        sums->total->worst_digest = trial->story.digest;
        write_path(trial, sums->seed, sums->total->worst_path);
    }
}

/* Runs the original and all its copies, the deepest first. A trial waits on the stack, in the state
 * in which it was split, until its copies are done. */
static void run_trials(const struct plan *plan, struct trial *stack, struct sums *sums)
{
    uint32_t depth = 1;
    while (depth > 0) {
        struct trial *top = &stack[depth - 1];
        if (top->copies > 0) {
            ASSERT(depth <= plan->levels);
            depth += make_copy(plan, top, &stack[depth], sums) ? 1 : 0;
        } else if (!advance(plan, top, sums)) {
            end_trial(plan, top, sums);
            depth--;
        }
    }
}

static void begin_trial(const struct plan *plan, struct trial *trial, uint64_t seed,
                        uint32_t replication)
{
    *trial = (struct trial){.weight = {1}, .depth = 1, .path = {replication}};
    fleet_begin(&trial->fleet, plan->spec, seed);
    fleet_branch(&trial->fleet, replication);
    trial->was_up = fleet_is_up(&trial->fleet, plan->service);
    force_begin(&plan->force, &trial->fleet, false, &trial->clocks);
}

/* Does one replication stay within EVENTS_TRIED? */
static bool is_bearable(const struct plan *plan, struct trial *stack)
{
    struct plan tried = *plan;
    struct sums sums = {0};
    tried.events_max = EVENTS_TRIED;
    begin_trial(&tried, &stack[0], SEED_TRIED, 0);
    run_trials(&tried, stack, &sums);
    return sums.events < EVENTS_TRIED;
}

/* A function of the spec alone: paths are told by the plan that they were made by. */
static struct plan plan_of(const struct spec_fleet *spec, uint32_t service)
{
    struct plan plan = plan_by_means(spec, service);
    struct trial *stack = calloc(plan.levels + 2, sizeof(*stack));
    ASSERT(stack != NULL);
    bool is_split = true;
    while (is_split && !is_bearable(&plan, stack)) {
        is_split = false;
        for (uint32_t level = 1; level <= plan.levels; level++) {
            is_split |= plan.factor[level] > 1;
            plan.factor[level] = plan.factor[level] > 3 ? plan.factor[level] / 2 : 1;
        }
    }
    free(stack);
    return plan;
}

bool estimate_restart(const struct spec_fleet *fleet, struct estimators_run *run, struct err *err)
{
    for (uint32_t i = 0; i < fleet->service_count; i++) {
        struct plan plan = plan_of(fleet, i);
        struct trial *stack = calloc(plan.levels + 2, sizeof(*stack));
        ASSERT(stack != NULL);
        struct sums sums = {.total = &run->sums[i], .seed = run->seed};
        const double hours = (double)(plan.end_ns - plan.begin_ns) / NS_IN_AN_HOUR;
        estimate_begin(&run->sums[i], fleet->services[i].name, ESTIMATE_RESTART);
        for (uint32_t r = 0; r < REPLICATIONS && sums.events < EVENTS_MAX; r++) {
            begin_trial(&plan, &stack[0], run->seed, r);
            run_trials(&plan, stack, &sums);
            estimate_add_pair(&run->sums[i], sums.down_h, hours, sums.outages);
            run->sums[i].simulated_h += (double)plan.end_ns / NS_IN_AN_HOUR;
            sums.down_h = 0;
            sums.outages = 0;
        }
        free(stack);
        if (sums.events >= EVENTS_MAX) {
            return err_set(err, ERR_INPUT,
                           "service '%s' is too much for RESTART: more than %d events",
                           fleet->services[i].name, EVENTS_MAX);
        }
        run->sums[i].events = sums.events;
        run->events += sums.events;
        run->digest = hash_mix(run->digest, sums.digest);
    }
    return true;
}

/* ------------------------------------------------------------------------------ seed paths */

bool estimate_path_parse(const char *text, struct estimate_path *path, struct err *err)
{
    char *end;
    *path = (struct estimate_path){0};
    errno = 0;
    const bool has_seed = text[0] >= '0' && text[0] <= '9';
    path->seed = strtoull(text, &end, 0);
    while (has_seed && errno == 0 && *end == '/' && end[1] >= '0' && end[1] <= '9' &&
           path->depth < ARRAY_COUNT(path->branches)) {
        const unsigned long long branch = strtoull(end + 1, &end, 10);
        if (branch > UINT32_MAX) {
            break;
        }
        path->branches[path->depth++] = (uint32_t)branch;
    }
    return (path->depth > 0 && errno == 0 && *end == '\0') ||
           err_set(err, ERR_INPUT, "'%s' is no path of a trajectory such as 42/3/0/1", text);
}

/* One event of a path, told; false: the trajectory is over. */
static bool tell_event(const struct plan *plan, struct trial *trial, estimate_on_event *on_event,
                       void *context)
{
    struct sums sums = {0};
    const struct fleet_event event = fleet_peek(&trial->fleet);
    const uint64_t before = trial->fleet.events;
    const bool goes_on = advance(plan, trial, &sums);
    if (on_event != NULL && trial->fleet.events > before) {
        on_event(context, &trial->fleet, &event, fleet_is_up(&trial->fleet, plan->service));
    }
    return goes_on;
}

/* Goes on until the trial makes its copy `branch`, and becomes that; false: it never does. */
static bool turn_off(const struct plan *plan, struct trial *trial, uint32_t branch,
                     estimate_on_event *on_event, void *context)
{
    while (tell_event(plan, trial, on_event, context)) {
        if (branch >= trial->branches + trial->copies) {
            trial->branches += trial->copies;
            continue;
        }
        struct sums sums = {0};
        struct trial copy;
        trial->branches = branch;
        const bool is_alive = make_copy(plan, trial, &copy, &sums);
        *trial = copy;
        if (is_alive && trial->forced.kind != FLEET_EVENT_NONE && on_event != NULL) {
            on_event(context, &trial->fleet, &trial->forced,
                     fleet_is_up(&trial->fleet, plan->service));
        }
        return is_alive;
    }
    return false;
}

bool estimate_replay(const struct spec_fleet *fleet, uint32_t service,
                     const struct estimate_path *path, estimate_on_event *on_event, void *context,
                     struct estimate_trajectory *trajectory, struct err *err)
{
    ASSERT(service < fleet->service_count);
    ASSERT(path->depth >= 1);
    if (fleet->placement.is_asked) {
        return err_set(err, ERR_INPUT, "a placement has no trajectories");
    }
    const struct plan plan = plan_of(fleet, service);
    struct trial *trial = malloc(sizeof(*trial));
    ASSERT(trial != NULL);
    uint32_t reached = path->branches[0] < REPLICATIONS ? 1 : 0;
    if (reached == 1) {
        begin_trial(&plan, trial, path->seed, path->branches[0]);
    }
    while (reached > 0 && reached < path->depth &&
           turn_off(&plan, trial, path->branches[reached], on_event, context)) {
        reached++;
    }
    if (reached == path->depth) {
        struct sums sums = {0};
        while (tell_event(&plan, trial, on_event, context)) {
        }
        end_trial(&plan, trial, &sums);
        *trajectory = trial->story;
    }
    free(trial);
    return reached == path->depth ||
           err_set(err, ERR_INPUT,
                   "there is no such trajectory: branch %u, number %u of the path, is never made",
                   path->branches[reached], reached + 1);
}
