/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Which machine leads when one is lost does not matter to the rate: the one that is lost is any of
 * those available with the same probability, so it is the leader's with one over their number.
 *
 * The allocation decides which runs there are, so it must be the same on every computer: rates come
 * out of additions, multiplications and divisions, standard deviations out of a square root, all
 * of which IEEE 754 rounds in one way only; the shares are then rounded to 32 bits.
 *
 * Where rates are simulated, the number of transitions of a class is taken as if it had Poisson's
 * law, which is on the safe side for machines that cannot fail again before they are repaired.
 *
 * Not here: transitions that come together, which the exact chain has and the sum has not. */
#include "analysis/decompose.h"

#include "analysis/estimators.h"
#include "analysis/fleet_chain.h"
#include "sim/base/base.h"
#include "sim/base/hash.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MATTERS_SHARE 1e-6 /* of all transitions */
#define EPISODES_MIN  2    /* of a class: fewer have no variance */
#define WALK_EVENTS   200000
#define ALIKE         1e-12 /* a variance so small beside the mean square is one of rounding */

static const char *const kind_names[] = {"leader-lost", "follower-lost", "machine-lost",
                                         "group-lost",  "quorum-lost",   "shock",
                                         "quorum-back", "machine-back"};
static_assert(ARRAY_COUNT(kind_names) == DECOMPOSE_KIND_COUNT, "a name for each kind");

/* -------------------------------------------------------------------------------------- classes */

const char *decompose_kind_name(enum decompose_kind kind)
{
    ASSERT((unsigned)kind < DECOMPOSE_KIND_COUNT);
    return kind_names[kind];
}

void decompose_class_name(const struct decompose_class *class_, char name[DECOMPOSE_NAME_SIZE])
{
    snprintf(name, DECOMPOSE_NAME_SIZE, "%s:%u-%u", decompose_kind_name(class_->kind),
             (unsigned)class_->before, (unsigned)class_->after);
}

static bool is_loss(enum decompose_kind kind)
{
    return kind < DECOMPOSE_QUORUM_BACK;
}

bool decompose_class_parse(const char *name, struct decompose_class *class_)
{
    *class_ = (struct decompose_class){0};
    for (uint32_t kind = 0; kind < DECOMPOSE_KIND_COUNT; kind++) {
        const size_t length = strlen(kind_names[kind]);
        if (strncmp(name, kind_names[kind], length) != 0 || name[length] != ':') {
            continue;
        }
        char again[DECOMPOSE_NAME_SIZE];
        unsigned before = 0;
        unsigned after = 0;
        if (sscanf(name + length + 1, "%2u-%2u", &before, &after) != 2) {
            return false;
        }
        *class_ = (struct decompose_class){(enum decompose_kind)kind, before, after, 0, 0};
        decompose_class_name(class_, again);
        return strcmp(again, name) == 0 && before <= FLEET_MACHINES && after <= FLEET_MACHINES &&
               before != after && is_loss(class_->kind) == (after < before);
    }
    return false;
}

bool decompose_was_up(const struct decompose_class *class_, uint32_t needed)
{
    return class_->before >= needed;
}

bool decompose_is_up(const struct decompose_class *class_, uint32_t needed)
{
    return class_->after >= needed;
}

static bool is_before(const struct decompose_class *left, const struct decompose_class *right)
{
    if (left->kind != right->kind) {
        return left->kind < right->kind;
    }
    return left->before != right->before ? left->before > right->before
                                         : left->after > right->after;
}

struct collector {
    struct decompose_fleet *fleet;
    bool has_leader;
    bool is_full;
};

/* So often a transition of this class more. */
static void add_rate(struct collector *collector, enum decompose_kind kind, uint32_t before,
                     uint32_t after, double rate)
{
    struct decompose_fleet *fleet = collector->fleet;
    const struct decompose_class wanted = {kind, before, after, rate, 0};
    uint32_t at = 0;
    if (rate <= 0) {
        return;
    }
    while (at < fleet->class_count && is_before(&fleet->classes[at], &wanted)) {
        at++;
    }
    if (at < fleet->class_count && !is_before(&wanted, &fleet->classes[at])) {
        fleet->classes[at].rate += rate;
        return;
    }
    if (fleet->class_count == DECOMPOSE_CLASSES_MAX) {
        collector->is_full = true;
        return;
    }
    memmove(&fleet->classes[at + 1], &fleet->classes[at],
            (fleet->class_count - at) * sizeof(wanted));
    fleet->classes[at] = wanted;
    fleet->class_count++;
}

/* One kind of move of the fleet, as the code sees it. */
static void on_move(void *context, uint32_t before, uint32_t after, int move, double rate)
{
    struct collector *collector = context;
    const uint32_t needed = collector->fleet->needed;
    const bool was_up = before >= needed;
    const bool is_up = after >= needed;
    if (before == after || (!was_up && !is_up)) {
        return; /* a machine that was out of reach anyhow; nothing to be seen */
    }
    if (was_up && !is_up) {
        collector->fleet->outages_per_h += rate;
    }
    if (after > before) {
        add_rate(collector, was_up ? DECOMPOSE_MACHINE_BACK : DECOMPOSE_QUORUM_BACK, before, after,
                 rate);
    } else if (move == FLEET_MOVE_SHOCK || move == FLEET_MOVE_SHOCK_LEADER) {
        add_rate(collector, DECOMPOSE_SHOCK, before, after, rate);
    } else if (!is_up) {
        add_rate(collector, DECOMPOSE_QUORUM_LOST, before, after, rate);
    } else if (move == FLEET_MOVE_GROUP || move == FLEET_MOVE_GROUP_LEADER) {
        add_rate(collector, DECOMPOSE_GROUP_LOST, before, after, rate);
    } else if (!collector->has_leader) {
        add_rate(collector, DECOMPOSE_MACHINE_LOST, before, after, rate);
    } else {
        add_rate(collector, DECOMPOSE_LEADER_LOST, before, after, rate / before);
        add_rate(collector, DECOMPOSE_FOLLOWER_LOST, before, after, rate / before * (before - 1));
    }
}

/* ------------------------------------------------------------------------- the fleet by itself */

/* Machines that have nothing to do with each other: by renewal theory the rates, too, depend on
 * means only. */
static void independent(const struct spec_fleet *spec, struct collector *collector)
{
    const uint32_t machines = spec->machines;
    const double life = (double)dist_mean(&spec->life);
    const double cycle = life + (double)dist_mean(&spec->repair);
    const double up = life / cycle;
    const double cycle_h = cycle / 3.6e12;
    for (uint32_t before = machines; before > 0; before--) {
        double pmf = 1; /* of exactly before - 1 of the other machines up */
        for (uint32_t k = 1; k < before; k++) {
            pmf *= (double)(machines - k) / k * up;
        }
        for (uint32_t k = before; k < machines; k++) {
            pmf *= 1 - up;
        }
        const double rate = machines * pmf / cycle_h;
        on_move(collector, before, before - 1, FLEET_MOVE_MACHINE, rate);
        on_move(collector, before - 1, before, FLEET_MOVE_REPAIR, rate);
    }
    collector->fleet->down = fleet_binomial(machines, collector->fleet->needed, 1 - up);
}

static int move_of(const struct fleet *fleet, uint64_t broken, uint32_t dark)
{
    if (fleet->dark != dark) {
        return fleet->dark > dark ? FLEET_MOVE_GROUP : FLEET_MOVE_REPAIR;
    }
    const uint32_t more = (uint32_t)__builtin_popcountll(fleet->broken & ~broken);
    return more > 1 ? FLEET_MOVE_SHOCK : FLEET_MOVE_MACHINE;
}

/* Rates by plain simulation. */
static void walk(const struct spec_fleet *spec, uint64_t seed, struct collector *collector)
{
    struct fleet fleet;
    struct decompose_fleet *out = collector->fleet;
    double hours = 0;
    fleet_begin(&fleet, spec, hash_mix(seed, hash_text("rates")));
    while (fleet.events < WALK_EVENTS && fleet_next(&fleet) != FLEET_NEVER) {
        const uint64_t broken = fleet.broken;
        const uint32_t dark = fleet.dark;
        const uint32_t before = fleet_available_count(&fleet);
        const int64_t before_ns = fleet.now_ns;
        fleet_step(&fleet);
        hours += (double)(fleet.now_ns - before_ns) / 3.6e12;
        on_move(collector, before, fleet_available_count(&fleet), move_of(&fleet, broken, dark), 1);
        if (fleet.now_ns > FLEET_NEVER / 4) {
            fleet_rebase(&fleet);
        }
    }
    for (uint32_t i = 0; i < out->class_count; i++) {
        out->classes[i].rate_error = sqrt(out->classes[i].rate) / hours;
        out->classes[i].rate /= hours;
    }
    out->outages_per_h /= hours;
}

/* The quorum goes as often as RESTART says, who has seen it, and comes back as often. */
static void trust(struct collector *collector, double outages_per_h)
{
    struct decompose_fleet *out = collector->fleet;
    const double seen = out->outages_per_h;
    if (seen <= 0) {
        on_move(collector, out->needed, out->needed - 1, FLEET_MOVE_MACHINE, outages_per_h);
        on_move(collector, out->needed - 1, out->needed, FLEET_MOVE_REPAIR, outages_per_h);
    }
    for (uint32_t i = 0; seen > 0 && i < out->class_count; i++) {
        struct decompose_class *one = &out->classes[i];
        const bool is_about =
            decompose_was_up(one, out->needed) != decompose_is_up(one, out->needed);
        one->rate *= is_about ? outages_per_h / seen : 1;
        one->rate_error = is_about ? one->rate * out->down_error / out->down : one->rate_error;
    }
    out->outages_per_h = outages_per_h;
}

static bool simulated(const struct spec_fleet *spec, uint32_t service, uint64_t seed,
                      struct collector *collector, struct err *err)
{
    struct decompose_fleet *out = collector->fleet;
    struct spec_fleet one = *spec;
    struct estimate_sums sums[FLEET_SERVICES];
    uint64_t digest;
    uint64_t events;
    one.services = &spec->services[service];
    one.service_count = 1;
    one.estimator = SPEC_ESTIMATOR_RESTART;
    if (!estimate_run(&one, seed, sums, &digest, &events, err)) {
        return false;
    }
    const double confidence = 0.95;
    const struct estimate estimate = estimate_of(&sums[0], confidence);
    walk(&one, seed, collector);
    if (estimate.hits > 0) {
        out->down = estimate.unavailability;
        out->down_freedom = (double)sums[0].count - 1;
        out->down_error = estimate.unavailability * estimate.half_width /
                          estimators_quantile_t(confidence, out->down_freedom);
        trust(collector, estimate.outages_per_h);
    }
    return true;
}

static bool is_independent(const struct spec_fleet *spec)
{
    return spec->crews == 0 && spec->shock_share == 0 && spec->groups[0].count == 0 &&
           spec->maintenance_every_ns == 0;
}

static bool has_all(const struct collector *collector, struct err *err)
{
    return !collector->is_full ||
           err_set(err, ERR_INPUT, "the fleet has more than %d classes of transitions",
                   DECOMPOSE_CLASSES_MAX);
}

bool decompose_fleet(const struct spec_fleet *spec, uint32_t service, bool has_leader,
                     uint64_t seed, struct decompose_fleet *out, struct err *err)
{
    struct collector collector = {out, has_leader, false};
    struct fleet_model model;
    ASSERT(service < spec->service_count);
    *out = (struct decompose_fleet){.machines = spec->machines,
                                    .needed = spec->services[service].needed};
    if (spec->correlation > 0) {
        return err_set(err, ERR_INPUT,
                       "a correlation is a still picture: there are no transitions to watch");
    }
    struct spec_service still = spec->services[service];
    struct spec_fleet bare = *spec;
    still.failover_ns = 0; /* the code is asked instead */
    bare.services = &still;
    bare.service_count = 1;
    if (is_independent(spec)) {
        independent(&bare, &collector);
    } else if (estimate_has_chain(spec)) {
        if (!estimate_model(&bare, 0, &model, err) ||
            !fleet_exact_moves(&model, on_move, &collector, &out->down, err)) {
            return false;
        }
    } else if (!simulated(&bare, 0, seed, &collector, err)) {
        return false;
    }
    return has_all(&collector, err);
}

bool decompose_is_simulated(const struct spec_fleet *spec)
{
    return !is_independent(spec) && !estimate_has_chain(spec);
}

/* Adds a fleet with that weight. */
static void add_fleet(struct collector *collector, const struct decompose_fleet *one, double weight)
{
    struct decompose_fleet *out = collector->fleet;
    out->down += one->down * weight;
    out->down_error = hypot(out->down_error, one->down_error * weight);
    out->down_freedom += one->down_freedom; /* all have the same, and errors alike */
    out->outages_per_h += one->outages_per_h * weight;
    for (uint32_t i = 0; i < one->class_count; i++) {
        const struct decompose_class *class_ = &one->classes[i];
        add_rate(collector, class_->kind, class_->before, class_->after, class_->rate * weight);
        for (uint32_t k = 0; k < out->class_count; k++) {
            struct decompose_class *own = &out->classes[k];
            if (own->kind == class_->kind && own->before == class_->before &&
                own->after == class_->after) {
                own->rate_error = hypot(own->rate_error, class_->rate_error * weight);
            }
        }
    }
}

bool decompose_fleet_mean(const struct spec_fleet *spec, uint32_t service, bool has_leader,
                          const uint64_t *seeds, uint32_t count, struct decompose_fleet *out,
                          struct err *err)
{
    ASSERT(count >= 1);
    if (!decompose_is_simulated(spec)) {
        return decompose_fleet(spec, service, has_leader, seeds[0], out, err);
    }
    struct decompose_fleet *one = calloc(1, sizeof(*one));
    struct collector collector = {out, has_leader, false};
    ASSERT(one != NULL);
    *out = (struct decompose_fleet){.machines = spec->machines,
                                    .needed = spec->services[service].needed};
    bool is_fine = true;
    for (uint32_t i = 0; i < count && is_fine; i++) {
        is_fine = decompose_fleet(spec, service, has_leader, seeds[i], one, err);
        if (is_fine) {
            add_fleet(&collector, one, 1.0 / count);
        }
    }
    free(one);
    return is_fine && has_all(&collector, err);
}

/* The law with everything longer or shorter by numerator / denominator. */
static struct dist scale(const struct dist *law, int64_t numerator, int64_t denominator)
{
    struct dist scaled = *law;
    ASSERT(law->kind != DIST_EMPIRICAL); /* its points are not ours: the input layer refuses it */
    scaled.a = (int64_t)((__int128)law->a * numerator / denominator);
    if (law->kind == DIST_UNIFORM || law->kind == DIST_LOGNORMAL || law->kind == DIST_PARETO) {
        scaled.b = (int64_t)((__int128)law->b * numerator / denominator);
    }
    return scaled;
}

struct spec_fleet decompose_accelerated(const struct spec_fleet *fleet)
{
    struct spec_fleet fast = *fleet;
    const int64_t life = dist_mean(&fleet->life);
    const int64_t repair = dist_mean(&fleet->repair);
    const int64_t life_to = fleet->episodes.validate_life_ns;
    const int64_t repair_to = fleet->episodes.validate_repair_ns;
    ASSERT(life_to > 0 && repair_to > 0);
    fast.life = scale(&fleet->life, life_to, life);
    fast.repair = scale(&fleet->repair, repair_to, repair);
    for (uint32_t k = 0; fleet->groups[k].count > 0; k++) {
        fast.groups[k].life = scale(&fleet->groups[k].life, life_to, life);
        fast.groups[k].repair = scale(&fleet->groups[k].repair, repair_to, repair);
    }
    fast.maintenance_every_ns = (int64_t)((__int128)fleet->maintenance_every_ns * life_to / life);
    fast.maintenance_ns = (int64_t)((__int128)fleet->maintenance_ns * repair_to / repair);
    return fast;
}

/* ------------------------------------------------------------------------------------- episodes */

void decompose_add(struct decompose_sums *sums, const struct decompose_episode *episode)
{
    if (!episode->is_recovered) {
        sums->stuck++;
        return;
    }
    sums->count++;
    sums->outage_h += episode->outage_h;
    sums->outage2_h2 += episode->outage_h * episode->outage_h;
    sums->up_h += episode->up_h;
    sums->recovery_h += episode->recovery_h;
    sums->recovery2_h2 += episode->recovery_h * episode->recovery_h;
    sums->hits += episode->outage_h > 0 ? 1 : 0;
    sums->nothing += episode->outage_h == 0 ? 1 : 0;
}

void decompose_add_steady(struct decompose_steady *steady, double hours, double down_h)
{
    if (hours <= 0) {
        return;
    }
    steady->count++;
    steady->hits += down_h > 0 ? 1 : 0;
    steady->hours += hours;
    steady->down_h += down_h;
    steady->hours2 += hours * hours;
    steady->down2_h2 += down_h * down_h;
    steady->cross_h2 += hours * down_h;
}

void decompose_translate(const struct decompose_fleet *from, const struct decompose_sums *sums,
                         const struct decompose_fleet *to, struct decompose_sums *out)
{
    for (uint32_t i = 0; i < to->class_count; i++) {
        out[i] = (struct decompose_sums){0};
        for (uint32_t k = 0; k < from->class_count; k++) {
            if (from->classes[k].kind == to->classes[i].kind &&
                from->classes[k].before == to->classes[i].before &&
                from->classes[k].after == to->classes[i].after) {
                out[i] = sums[k];
            }
        }
    }
}

/* Of the outages of the class, as a sample. */
static double variance_of(const struct decompose_sums *sums)
{
    if (sums->count < 2) {
        return NAN;
    }
    const double n = (double)sums->count;
    const double squares = sums->outage2_h2 - sums->outage_h * sums->outage_h / n;
    return squares > ALIKE * sums->outage2_h2 ? squares / (n - 1) : 0;
}

/* Degrees of freedom of a variance in which `hits` of `count` differ from nothing. */
static double freedom_of(uint64_t count, uint64_t nothing)
{
    const double all = (double)count - 1;
    return nothing > count / 2 ? fmin(all, 2.0 * (double)(count - nothing)) : all;
}

/* What adds up to the variance. */
struct variance {
    double sum;
    double quartic;
};

static void add_variance(struct variance *variance, double part, double freedom)
{
    variance->sum += part;
    variance->quartic += part > 0 ? part * part / fmax(freedom, 1) : 0;
}

/* Of the share that clients miss while nothing happens: a ratio of means. */
static double steady_variance(const struct decompose_steady *steady)
{
    const double n = (double)steady->count;
    if (steady->count < 2 || !(steady->hours > 0)) {
        return 0;
    }
    const double ratio = steady->down_h / steady->hours;
    const double squares =
        steady->down2_h2 - 2 * ratio * steady->cross_h2 + ratio * ratio * steady->hours2;
    return fmax(squares, 0) * n / (n - 1) / (steady->hours * steady->hours);
}

/* The largest share that one episode of a class in which all were alike stands for. */
static void find_unseen(const struct decompose_fleet *fleet, const struct decompose_sums *sums,
                        double window_h, struct decompose_estimate *out)
{
    double longest = 0;
    double most = 0;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        longest = fmax(longest, sums[i].count > 0 ? sums[i].outage_h / (double)sums[i].count : 0);
    }
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const bool is_alike = sums[i].count >= EPISODES_MIN && variance_of(&sums[i]) <= 0;
        const double share = is_alike ? fleet->classes[i].rate / (double)sums[i].count : 0;
        out->alike = share > most ? i : out->alike;
        most = fmax(most, share);
    }
    out->unseen = most * (longest > 0 ? longest : window_h);
}

void decompose_combine(const struct decompose_fleet *fleet, const struct decompose_sums *sums,
                       const struct decompose_steady *steady, double window_h,
                       struct decompose_estimate *out)
{
    *out = (struct decompose_estimate){0};
    const double missed = steady->hours > 0 ? steady->down_h / steady->hours : 0;
    double of_fleet = fleet->down_error * fleet->down_error;
    double weight = 1 - fleet->down; /* of what is missed all the time */
    struct variance variance = {0};
    out->steady = missed * (1 - fleet->down);
    out->unavailability = fleet->down + out->steady;
    out->outages_per_h = fleet->outages_per_h;
    find_unseen(fleet, sums, window_h, out);
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const struct decompose_class *one = &fleet->classes[i];
        const double n = (double)sums[i].count;
        struct decompose_term *term = &out->terms[i];
        out->episodes += sums[i].count + sums[i].stuck;
        out->stuck += sums[i].stuck;
        out->hits += sums[i].hits;
        if (sums[i].count < EPISODES_MIN) {
            out->unknown += one->rate * window_h;
            term->error = NAN;
        }
        if (sums[i].count == 0) {
            continue;
        }
        term->share = one->rate * (sums[i].outage_h - missed * sums[i].up_h) / n;
        out->unavailability += term->share;
        weight -= one->rate * sums[i].up_h / n;
        if (decompose_was_up(one, fleet->needed) && decompose_is_up(one, fleet->needed)) {
            out->outages_per_h += one->rate * (double)sums[i].hits / n;
        }
        const double of_rate = one->rate > 0 ? term->share / one->rate * one->rate_error : 0;
        of_fleet += of_rate * of_rate;
        if (sums[i].count >= EPISODES_MIN) {
            const double part = one->rate * one->rate * variance_of(&sums[i]) / n;
            term->error = sqrt(part);
            add_variance(&variance, part, freedom_of(sums[i].count, sums[i].nothing));
        }
    }
    add_variance(&variance, weight * weight * steady_variance(steady), 2.0 * (double)steady->hits);
    add_variance(&variance, of_fleet, fleet->down_freedom > 0 ? fleet->down_freedom : INFINITY);
    out->fleet_error = sqrt(of_fleet);
    out->error = sqrt(variance.sum);
    out->quartic = variance.quartic;
    out->freedom = out->quartic > 0 ? variance.sum * variance.sum / out->quartic : INFINITY;
}

/* All that may happen with so many machines available, per hour. */
static double rate_of_all(const struct spec_fleet *spec, uint32_t available)
{
    const double hour = 3.6e12;
    const double down = spec->machines - (double)available;
    const double crews = spec->crews > 0 && spec->crews < down ? spec->crews : down;
    double rate = available * hour / (double)dist_mean(&spec->life) +
                  crews * hour / (double)dist_mean(&spec->repair);
    for (uint32_t k = 0; spec->groups[k].count > 0; k++) {
        const struct spec_fleet_groups *groups = &spec->groups[k];
        if (dist_mean(&groups->life) > 0) {
            rate += groups->count * hour *
                    (1 / (double)dist_mean(&groups->life) + 1 / (double)dist_mean(&groups->repair));
        }
    }
    if (spec->maintenance_every_ns > 0) {
        rate += 2 * spec->machines * hour / (double)spec->maintenance_every_ns;
    }
    return rate;
}

double decompose_coincidence(const struct spec_fleet *spec, const struct decompose_fleet *fleet,
                             const struct decompose_sums *sums)
{
    double slowest = 0;
    double wrong = 0;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const double mean = sums[i].count > 0 ? sums[i].recovery_h / (double)sums[i].count : 0;
        slowest = fmax(slowest, mean);
    }
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const struct decompose_class *one = &fleet->classes[i];
        const double n = (double)sums[i].count;
        if (sums[i].count > 0) {
            wrong += one->rate * rate_of_all(spec, one->after) *
                     fmax(sums[i].recovery2_h2 / n / 2, sums[i].recovery_h / n * slowest);
        }
    }
    return wrong;
}

bool decompose_matters(const struct decompose_fleet *fleet, uint32_t index)
{
    double all = 0;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        all += fleet->classes[i].rate;
    }
    return fleet->classes[index].rate >= MATTERS_SHARE * all;
}

/* Shares `count` out in proportion to weights, of which one at least is above nothing. */
static void deal(const double *weights, uint32_t classes, uint64_t count, uint32_t *allocation)
{
    uint64_t shares[DECOMPOSE_CLASSES_MAX];
    double largest = 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < classes; i++) {
        largest = fmax(largest, weights[i]);
    }
    for (uint32_t i = 0; i < classes; i++) {
        shares[i] = (uint64_t)(weights[i] / largest * 0x1p32);
        total += shares[i];
    }
    uint64_t before = 0; /* shares are cut from one line, so that they add up */
    for (uint32_t i = 0; i < classes; i++) {
        const uint64_t after = before + shares[i];
        allocation[i] += (uint32_t)((unsigned __int128)count * after / total -
                                    (unsigned __int128)count * before / total);
        before = after;
    }
}

void decompose_allocate(const struct decompose_fleet *fleet, const struct decompose_sums *pilot,
                        uint32_t count, uint32_t *allocation)
{
    double varied[DECOMPOSE_CLASSES_MAX];
    double alike[DECOMPOSE_CLASSES_MAX];
    bool has_varied = false;
    bool has_alike = false;
    uint32_t given = 0;
    for (uint32_t i = 0; i < fleet->class_count; i++) {
        const double variance = variance_of(&pilot[i]);
        const bool is_known = decompose_matters(fleet, i) && !isnan(variance);
        varied[i] = is_known ? fleet->classes[i].rate * sqrt(variance) : 0;
        alike[i] = is_known && variance <= 0 ? fleet->classes[i].rate : 0;
        has_varied |= varied[i] > 0;
        has_alike |= alike[i] > 0;
        allocation[i] = decompose_matters(fleet, i) ? EPISODES_MIN : 0;
        given += allocation[i];
    }
    const uint64_t rest = count > given ? count - given : 0;
    const uint64_t of_alike = !has_alike ? 0 : has_varied ? rest / 2 : rest;
    if (has_alike) {
        deal(alike, fleet->class_count, of_alike, allocation);
    }
    if (has_varied) {
        deal(varied, fleet->class_count, rest - of_alike, allocation);
    }
}

void decompose_deliver(const struct decompose_estimate *estimate, struct estimate_sums *sums)
{
    ASSERT(sums->method == ESTIMATE_DECOMPOSE);
    sums->count = 1;
    sums->lengths = 1;
    sums->hours = 1;
    sums->hours2 = 1;
    sums->down = estimate->unavailability;
    sums->weights2 = estimate->fleet_error * estimate->fleet_error;
    sums->down2 = fmax(0, estimate->error * estimate->error - sums->weights2);
    sums->cross = estimate->quartic;
    sums->outages = estimate->outages_per_h;
    sums->hits = estimate->episodes;
    sums->weights = estimate->unseen;
    sums->weight_max = estimate->unknown;
}
