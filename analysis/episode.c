/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Transitions are faults of the language: power losses by mask, role and number. Machines that come
 * back are held down by a fault that ends at the transition. What the scenario has for faults of
 * its own stays: it is part of the world.
 *
 * Who is down is drawn evenly, which is right for machines that are alike; of a group that is lost,
 * so many members are up as the class says.
 *
 * Not here: how long a machine was down before it is back. In the fleet it is an hour, here it is
 * `settle`, so what it has missed is less. */
#include "analysis/episode.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/units.h"
#include "sim/fleet.h"

#include <string.h>

#define TRANSITION_LOST "episode.lost"
#define TRANSITION_BACK "episode.back"
#define FAULTS          3
#define PATIENCE_MAX_NS (60 * NS_PER_S)

/* ------------------------------------------------------------------------------------- the plan */

static uint64_t bit(uint32_t machine)
{
    return UINT64_C(1) << machine;
}

/* `count` random members of `mask`, all when it has fewer. */
static uint64_t choose(struct rng *rng, uint64_t mask, uint32_t count)
{
    uint64_t chosen = 0;
    for (; count > 0 && mask != 0; count--) {
        uint64_t rest = mask;
        for (uint64_t skip = rng_below(rng, (uint64_t)__builtin_popcountll(mask)); skip > 0;
             skip--) {
            rest &= rest - 1;
        }
        const uint64_t one = rest & (~rest + 1);
        chosen |= one;
        mask &= ~one;
    }
    return chosen;
}

/* A group that can lose, or give back, so many machines while so many others are down. */
static uint64_t choose_group(const struct spec_fleet *fleet, struct rng *rng, uint32_t moving,
                             uint32_t others)
{
    uint64_t groups = 0;
    for (uint32_t g = 0; g < fleet_group_count(fleet); g++) {
        const uint32_t size = (uint32_t)__builtin_popcountll(fleet_group_members(fleet, g));
        groups |= size >= moving && size - moving <= others ? bit(g) : 0;
    }
    if (groups == 0) {
        return 0;
    }
    return fleet_group_members(fleet, (uint32_t)__builtin_ctzll(choose(rng, groups, 1)));
}

static uint32_t moving_of(const struct decompose_class *class_)
{
    return class_->before > class_->after ? class_->before - class_->after
                                          : class_->after - class_->before;
}

/* Does it take a whole group? One machine more or less is taken as a machine. A shock does where
 * groups have shocks of their own; one of all machines is too large for a group. */
static bool is_about_group(const struct spec_fleet *fleet, const struct decompose_class *class_)
{
    bool are_struck = false;
    for (uint32_t k = 0; fleet->groups[k].count > 0; k++) {
        are_struck = are_struck || fleet->groups[k].shock_share > 0;
    }
    return fleet->groups[0].count > 0 && (class_->kind != DECOMPOSE_SHOCK || are_struck) &&
           (class_->kind == DECOMPOSE_GROUP_LOST || moving_of(class_) > 1);
}

bool episode_is_possible(const struct run_spec *spec, const struct decompose_class *class_)
{
    const struct spec_fleet *fleet = &spec->fleet;
    const uint32_t more = class_->before > class_->after ? class_->before : class_->after;
    return class_->before <= fleet->machines && class_->after <= fleet->machines &&
           class_->before != class_->after && more >= 1;
}

void episode_plan(const struct run_spec *spec, enum episode_stage stage, uint64_t seed,
                  const struct decompose_class *class_, uint32_t number, struct episode *episode)
{
    const struct spec_fleet *fleet = &spec->fleet;
    char name[DECOMPOSE_NAME_SIZE];
    ASSERT(episode_is_possible(spec, class_));
    decompose_class_name(class_, name);
    const uint64_t root = hash_mix(stage == EPISODE_PILOT ? 0 : seed,
                                   hash_text(stage == EPISODE_PILOT ? "pilot" : "episode"));
    const uint64_t key = hash_mix(hash_mix(root, hash_text(name)), number);
    struct rng when = rng_keyed(key, 0, 0, hash_text("when"));
    struct rng who = rng_keyed(key, 0, 0, hash_text("who"));
    const uint64_t all = fleet->machines == 64 ? UINT64_MAX : bit(fleet->machines) - 1;
    const uint32_t moving = moving_of(class_);
    const uint32_t more = class_->before > class_->after ? class_->before : class_->after;
    const uint32_t others = fleet->machines - more; /* down before and after */
    const uint64_t group =
        is_about_group(fleet, class_) ? choose_group(fleet, &who, moving, others) : 0;
    const uint64_t chosen = group != 0 ? choose(&who, group, moving) : 0;
    *episode = (struct episode){.class_ = *class_, .number = number, .seed = key};
    const int64_t phase_ns = fleet->episodes.phase_ns;
    episode->at_ns = spec->warmup_ns + fleet->episodes.settle_ns +
                     (phase_ns > 0 ? (int64_t)rng_below(&when, (uint64_t)phase_ns) : 0);
    /* Whoever of the group is not moving is down; the rest of the others are anybody. */
    episode->down = group & ~chosen;
    episode->down |= choose(&who, all & ~group & ~episode->down,
                            others - (uint32_t)__builtin_popcountll(episode->down));
    const uint64_t rest = group != 0 ? chosen : all & ~episode->down;
    if (class_->after > class_->before) {
        episode->back = choose(&who, rest, moving);
    } else {
        episode->lost = rest;
        episode->lost_count = moving;
    }
    const uint32_t first = spec->groups[0].first;
    episode->down <<= first;
    episode->back <<= first;
    episode->lost <<= first;
}

/* ------------------------------------------------------------------------------------ the spec */

/* The longest that an operation of a load may wait. */
static int64_t patience(const struct run_spec *spec)
{
    int64_t longest_ns = 0;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        const int64_t deadline_ns = spec->loads[i].client.deadline_ns;
        longest_ns = deadline_ns > longest_ns ? deadline_ns : longest_ns;
    }
    return longest_ns < PATIENCE_MAX_NS ? longest_ns : PATIENCE_MAX_NS;
}

/* A load that lasts to the end of the scenario lasts to the end of an episode. */
static void extend_loads(const struct run_spec *spec, struct arena *arena, struct run_spec *derived)
{
    derived->loads = arena_alloc_array(arena, spec->load_count + 1, sizeof(*derived->loads));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        struct spec_load *load = &derived->loads[i];
        *load = spec->loads[i];
        if (load->duration_ns >= spec->limit_ns - load->start_ns) {
            load->duration_ns = INT64_MAX;
        }
    }
}

/* A run of its own length, without checks and other questions. */
static void derive(const struct run_spec *spec, int64_t limit_ns, struct arena *arena,
                   struct run_spec *derived)
{
    *derived = *spec;
    derived->check_count = 0;
    derived->threshold_count = 0;
    derived->metastability.is_asked = false;
    derived->limit_ns = limit_ns;
    const int64_t times = limit_ns / spec->limit_ns + 1;
    derived->event_limit = spec->event_limit > UINT64_MAX / (uint64_t)times
                               ? UINT64_MAX
                               : spec->event_limit * (uint64_t)times;
    derived->cpu_limit_ns = spec->cpu_limit_ns * times;
    extend_loads(spec, arena, derived);
}

static void add_loss(struct run_spec *derived, const char *name, uint64_t nodes, int64_t at_ns,
                     int64_t duration_ns)
{
    if (nodes == 0) {
        return;
    }
    derived->faults[derived->fault_count++] = (struct spec_fault){
        .name = name,
        .kind = SPEC_NODE_CHAOS,
        .action = SPEC_ACTION_POWER_LOSS,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = nodes, .role = SQ_ROLE_NONE},
        .has_at = true,
        .at_ns = at_ns,
        .duration = {.kind = DIST_CONSTANT, .a = duration_ns},
        .has_no_end = duration_ns == INT64_MAX,
    };
}

void episode_derive(const struct run_spec *spec, const struct episode *episode, struct arena *arena,
                    struct run_spec *derived)
{
    const struct spec_episodes *asked = &spec->fleet.episodes;
    derive(spec, episode->at_ns + asked->window_ns + patience(spec), arena, derived);
    derived->faults =
        arena_alloc_array(arena, spec->fault_count + FAULTS, sizeof(*derived->faults));
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        derived->faults[i] = spec->faults[i];
    }
    add_loss(derived, "episode.down", episode->down, spec->warmup_ns, INT64_MAX);
    add_loss(derived, TRANSITION_BACK, episode->back, spec->warmup_ns,
             episode->at_ns - spec->warmup_ns);
    add_loss(derived, TRANSITION_LOST, episode->lost, episode->at_ns, INT64_MAX);
    if (episode->lost == 0) {
        return;
    }
    struct spec_fault *lost = &derived->faults[derived->fault_count - 1];
    lost->mode = SPEC_MODE_FIXED;
    lost->mode_value = episode->lost_count;
    if (episode->class_.kind == DECOMPOSE_LEADER_LOST) {
        lost->selector.role = SQ_ROLE_LEADER;
    } else if (episode->class_.kind == DECOMPOSE_FOLLOWER_LOST) {
        lost->selector.role = SQ_ROLE_FOLLOWER;
    }
}

/* ----------------------------------------------------------------------------------- the verdict
 */

/* When the transition came; false: it did not. */
static bool find_transition(const struct run_result *run, int64_t *at_ns)
{
    for (uint32_t i = 0; i < run->faults.count; i++) {
        const struct result_fault *fault = vec_at(&run->faults, i);
        if (strcmp(fault->name, TRANSITION_LOST) == 0) {
            *at_ns = fault->start_ns;
            return true;
        }
        if (strcmp(fault->name, TRANSITION_BACK) == 0 && fault->end_ns != INT64_MAX) {
            *at_ns = fault->end_ns;
            return true;
        }
    }
    return false;
}

/* Is what is asked in a span answered, as far as a window counts as up? */
static bool is_served(const struct run_spec *spec, const struct client_view *view, int64_t from_ns,
                      int64_t until_ns)
{
    const struct client_span last = client_view_span(view, from_ns, until_ns);
    return last.asked > 0 && (unsigned __int128)last.ok << 32 >=
                                 (unsigned __int128)spec->availability.success_min * last.asked;
}

void episode_judge(const struct run_spec *spec, const struct episode *episode,
                   const struct run_result *run, const struct client_view *view,
                   struct result_episode *row)
{
    const struct spec_episodes *asked = &spec->fleet.episodes;
    const uint32_t needed = spec->fleet.services[0].needed;
    const bool was_up = decompose_was_up(&episode->class_, needed);
    const bool is_up = decompose_is_up(&episode->class_, needed);
    *row = (struct result_episode){.number = episode->number,
                                   .at_ns = episode->at_ns,
                                   .recovery_ns = RESULT_RECOVERY_NEVER,
                                   .digest = run->digest,
                                   .events = run->events,
                                   .sim_ns = run->sim_ns};
    char name[DECOMPOSE_NAME_SIZE];
    decompose_class_name(&episode->class_, name);
    result_copy_text(row->class_, sizeof(row->class_), name);
    row->has_struck = find_transition(run, &row->at_ns);
    if (!row->has_struck) {
        return;
    }
    const int64_t half_ns = asked->settle_ns / 2;
    const int64_t before_ns = patience(spec) < half_ns ? patience(spec) : half_ns;
    const int64_t from_ns = row->at_ns - before_ns;
    const int64_t until_ns = episode->at_ns + asked->window_ns > row->at_ns
                                 ? episode->at_ns + asked->window_ns
                                 : row->at_ns;
    const struct client_span span = client_view_span(view, from_ns, until_ns);
    row->up_ns = (was_up ? before_ns : 0) + (is_up ? until_ns - row->at_ns : 0);
    row->outage_ns = span.down_ns - (until_ns - from_ns - row->up_ns);
    const bool was_served =
        !was_up || is_served(spec, view, from_ns - asked->settle_ns / 4, from_ns);
    row->is_recovered =
        !run->is_cut && was_served &&
        (!is_up || is_served(spec, view, until_ns - asked->window_ns / 4, until_ns));
    if (is_up && row->is_recovered) {
        row->recovery_ns = span.last_down_ns > row->at_ns ? span.last_down_ns - row->at_ns : 0;
    }
    if (was_up && episode->class_.before == spec->fleet.machines) {
        row->steady_ns = from_ns - spec->warmup_ns; /* nothing was wrong up to here */
        row->steady_down_ns = client_view_span(view, spec->warmup_ns, from_ns).down_ns;
    }
}

/* ------------------------------------------------------------------------------- the validation
 */

uint64_t episode_validation_seed(uint64_t seed)
{
    return hash_mix(seed, hash_text("validation"));
}

/* Goes on to the end of the cycle in progress; false: that is later than `until_ns`. `explained_ns`
 * gets the time in it without a quorum. */
static bool next_cycle(struct fleet *fleet, int64_t until_ns, int64_t *explained_ns)
{
    const uint32_t needed = fleet->spec->services[0].needed;
    bool was_whole = true;
    *explained_ns = 0;
    while (fleet_next(fleet) <= until_ns) {
        const int64_t before_ns = fleet->now_ns;
        const bool has_quorum = fleet_available_count(fleet) >= needed;
        fleet_step(fleet);
        *explained_ns += has_quorum ? 0 : fleet->now_ns - before_ns;
        const bool is_whole = fleet_is_whole(fleet);
        if (is_whole && !was_whole) {
            return true;
        }
        was_whole = is_whole;
    }
    return false;
}

/* The latest end of a run, after its warm-up. */
static int64_t latest(const struct spec_fleet *fast)
{
    const int64_t asked_ns = fast->episodes.validate_ns;
    return asked_ns > INT64_MAX / 2 / EPISODE_VALIDATION_MAX ? asked_ns
                                                             : EPISODE_VALIDATION_MAX * asked_ns;
}

void episode_validation_derive(const struct run_spec *spec, uint64_t seed, struct arena *arena,
                               struct run_spec *derived)
{
    const struct spec_episodes *asked = &spec->fleet.episodes;
    struct spec_fleet *fast = arena_alloc(arena, sizeof(*fast));
    struct fleet fleet;
    int64_t explained_ns;
    ASSERT(asked->validate_ns > 0);
    *fast = decompose_accelerated(&spec->fleet);
    fleet_begin(&fleet, fast, seed);
    const int64_t latest_ns = latest(fast);
    int64_t end_ns = 0;
    while (end_ns < asked->validate_ns && next_cycle(&fleet, latest_ns, &explained_ns)) {
        end_ns = fleet.now_ns;
    }
    end_ns = end_ns > 0 ? end_ns : asked->validate_ns;
    derive(spec, spec->warmup_ns + end_ns + patience(spec), arena, derived);
    derived->fleet = *fast;
    derived->injected = fast;
}

void episode_validation_judge(const struct run_spec *derived, uint64_t seed, double down,
                              const struct client_view *view, struct estimate_sums *crude,
                              struct estimate_sums *controlled)
{
    const struct spec_fleet *spec = derived->injected;
    const int64_t latest_ns = latest(spec);
    struct fleet fleet;
    int64_t explained_ns = 0;
    double all_h = 0;
    fleet_begin(&fleet, spec, seed);
    bool goes_on = next_cycle(&fleet, latest_ns, &explained_ns);
    while (goes_on && fleet.now_ns < spec->episodes.validate_ns) {
        const int64_t from_ns = fleet.now_ns;
        goes_on = next_cycle(&fleet, latest_ns, &explained_ns);
        if (!goes_on) {
            break;
        }
        const struct client_span span =
            client_view_span(view, derived->warmup_ns + from_ns, derived->warmup_ns + fleet.now_ns);
        const double hours = (double)(fleet.now_ns - from_ns) / 3.6e12;
        const double excess_h = (double)(span.down_ns - explained_ns) / 3.6e12;
        estimate_add_pair(crude, (double)span.down_ns / 3.6e12, hours, (double)span.outages);
        estimate_add_pair(controlled, excess_h + down * hours, hours, (double)span.outages);
        all_h += hours;
    }
    crude->simulated_h += all_h;
    controlled->simulated_h += all_h;
}

void episode_validation_fleet(const struct spec_fleet *fast, uint64_t seed, uint32_t cycles,
                              struct estimate_sums *sums)
{
    struct fleet fleet;
    int64_t explained_ns;
    int64_t from_ns = 0;
    fleet_begin(&fleet, fast, seed);
    while (cycles > 0 && fleet.events < EPISODE_VALIDATION_EVENTS &&
           next_cycle(&fleet, FLEET_NEVER / 2, &explained_ns)) {
        estimate_add_pair(sums, (double)explained_ns / 3.6e12,
                          (double)(fleet.now_ns - from_ns) / 3.6e12, explained_ns > 0 ? 1 : 0);
        fleet_rebase(&fleet);
        from_ns = fleet.now_ns;
        cycles--;
    }
}
