/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The next event is found by looking at all clocks: fleets are small, and a heap would have to be
 * copied with every split. Among clocks that fire together the first part goes first.
 *
 * Crews. Groups before machines, then in order of failure. Who loses a crew to a group keeps the
 * work that is done. Without a limit everybody has a crew.
 *
 * Shocks. With a share b of common failures, shocks come as a Poisson process at b times the mean
 * rate of failure of one machine, and a machine's own life, of any law, is longer by 1 / (1 - b):
 * its availability stays what it was when lives are exponential (Marshall and Olkin, JASA 62,
 * 1967). A shock ends the lives of all machines that are up, or, where the share is that of a kind
 * of groups, of all in one group: each of them has shocks of that rate. Who is out of reach because
 * another group is down is struck as well.
 *
 * Leaders. The leader of a service is one of the available machines. When it goes, or when the
 * quorum is there again, the next one is known after an exponential time, and is drawn evenly.
 *
 * Maintenance. Every machine has its turn once in a period; the turns are spread evenly over it,
 * the first one a machine's share of the period after the start, in the order of the machines. A
 * machine goes only when all machines and groups are whole; else its turn is skipped until the
 * next period, as an operator would. Who is away may fail as well, and is then away and broken. */
#include "sim/fleet.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <stddef.h>
#include <string.h>

#define NOBODY UINT32_MAX

/* --------------------------------------------------------------------------------------- groups */

uint32_t fleet_group_count(const struct spec_fleet *spec)
{
    uint32_t count = 0;
    for (uint32_t k = 0; spec->groups[k].count > 0; k++) {
        ASSERT(k < SPEC_GROUP_KINDS);
        count += spec->groups[k].count;
    }
    return count;
}

uint32_t fleet_group_kind(const struct spec_fleet *spec, uint32_t group)
{
    uint32_t kind = 0;
    for (; group >= spec->groups[kind].count; kind++) {
        ASSERT(spec->groups[kind].count > 0);
        group -= spec->groups[kind].count;
    }
    return kind;
}

uint32_t fleet_group_number(const struct spec_fleet *spec, uint32_t group)
{
    const uint32_t kind = fleet_group_kind(spec, group);
    for (uint32_t k = 0; k < kind; k++) {
        group -= spec->groups[k].count;
    }
    return group;
}

uint64_t fleet_group_members(const struct spec_fleet *spec, uint32_t group)
{
    const uint32_t count = spec->groups[fleet_group_kind(spec, group)].count;
    uint64_t mask = 0;
    for (uint32_t i = fleet_group_number(spec, group); i < spec->machines; i += count) {
        mask |= UINT64_C(1) << i;
    }
    return mask;
}

static uint32_t part_count(const struct fleet *fleet)
{
    return fleet->spec->machines + fleet->groups;
}

/* Parts are machines, then groups. */
static bool is_group(const struct fleet *fleet, uint32_t part)
{
    return part >= fleet->spec->machines;
}

static const struct spec_fleet_groups *kind_of(const struct fleet *fleet, uint32_t part)
{
    return &fleet->spec->groups[fleet_group_kind(fleet->spec, part - fleet->spec->machines)];
}

static const struct dist *life_of(const struct fleet *fleet, uint32_t part)
{
    return is_group(fleet, part) ? &kind_of(fleet, part)->life : &fleet->spec->life;
}

static const struct dist *repair_of(const struct fleet *fleet, uint32_t part)
{
    return is_group(fleet, part) ? &kind_of(fleet, part)->repair : &fleet->spec->repair;
}

/* A group that never fails by itself. */
static bool is_eternal(const struct fleet *fleet, uint32_t part)
{
    return is_group(fleet, part) && dist_mean(life_of(fleet, part)) == 0;
}

static int64_t later(int64_t now_ns, int64_t delay_ns)
{
    ASSERT(delay_ns >= 0);
    return delay_ns > FLEET_NEVER - now_ns ? FLEET_NEVER : now_ns + delay_ns;
}

/* ---------------------------------------------------------------------------------------- parts */

/* A time over a share out of 2^32 of it; FLEET_NEVER: too long. */
static int64_t stretched(int64_t time_ns, uint64_t share)
{
    const unsigned __int128 longer = ((unsigned __int128)(uint64_t)time_ns << 32) / share;
    return longer > (unsigned __int128)FLEET_NEVER ? FLEET_NEVER : (int64_t)longer;
}

/* What is left of the present life or repair of a part that is `age_ns` old. A machine's own life
 * is longer by RNG_ALWAYS / fleet->alone than its law says. */
static int64_t draw_clock(const struct fleet *fleet, struct fleet_part *part, uint32_t index,
                          int64_t age_ns)
{
    const bool is_stretched = part->state == FLEET_UP && !is_group(fleet, index);
    const struct dist *law =
        part->state == FLEET_UP ? life_of(fleet, index) : repair_of(fleet, index);
    const uint64_t alone = is_stretched ? fleet->alone : RNG_ALWAYS;
    if (alone == 0 || is_eternal(fleet, index)) {
        return FLEET_NEVER;
    }
    if (alone < RNG_ALWAYS) {
        age_ns = (int64_t)((unsigned __int128)(uint64_t)age_ns * alone >> 32);
    }
    const int64_t left_ns =
        age_ns == 0 ? dist_sample(law, &part->rng) : dist_remaining(law, age_ns, &part->rng);
    return alone == RNG_ALWAYS ? left_ns : stretched(left_ns, alone);
}

/* A life or a repair begins now, or goes on at its age. */
static void start_clock(struct fleet *fleet, uint32_t index)
{
    struct fleet_part *part = &fleet->parts[index];
    part->since_ns = fleet->now_ns;
    part->fires_ns = later(fleet->now_ns, draw_clock(fleet, part, index, part->age_ns));
}

static void set_down(struct fleet *fleet, uint32_t index)
{
    struct fleet_part *part = &fleet->parts[index];
    ASSERT(part->state == FLEET_UP);
    part->state = FLEET_WAITS;
    part->age_ns = 0;
    part->fires_ns = FLEET_NEVER;
    part->turn = fleet->turn++;
    if (is_group(fleet, index)) {
        fleet->dark |= 1u << (index - fleet->spec->machines);
    } else {
        fleet->broken |= UINT64_C(1) << index;
    }
}

static void set_up(struct fleet *fleet, uint32_t index)
{
    struct fleet_part *part = &fleet->parts[index];
    ASSERT(part->state == FLEET_REPAIRED);
    part->state = FLEET_UP;
    part->age_ns = 0;
    start_clock(fleet, index);
    if (is_group(fleet, index)) {
        fleet->dark &= ~(1u << (index - fleet->spec->machines));
    } else {
        fleet->broken &= ~(UINT64_C(1) << index);
    }
}

static void give_crew(struct fleet *fleet, uint32_t index)
{
    struct fleet_part *part = &fleet->parts[index];
    part->state = FLEET_REPAIRED;
    start_clock(fleet, index);
}

static void take_crew(struct fleet *fleet, uint32_t index)
{
    struct fleet_part *part = &fleet->parts[index];
    part->state = FLEET_WAITS;
    part->age_ns += fleet->now_ns - part->since_ns;
    part->fires_ns = FLEET_NEVER;
}

/* Does `left` come before `right` where crews are given? */
static bool is_before(const struct fleet *fleet, uint32_t left, uint32_t right)
{
    if (is_group(fleet, left) != is_group(fleet, right)) {
        return is_group(fleet, left);
    }
    return fleet->parts[left].turn < fleet->parts[right].turn;
}

/* Who is down and has no crew, in their order of service; NOBODY: none. */
static uint32_t find_first(const struct fleet *fleet, enum fleet_part_state state)
{
    uint32_t found = NOBODY;
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        if (fleet->parts[i].state == state &&
            (found == NOBODY || is_before(fleet, i, found) == (state == FLEET_WAITS))) {
            found = i;
        }
    }
    return found;
}

static void assign_crews(struct fleet *fleet)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        busy += fleet->parts[i].state == FLEET_REPAIRED ? 1 : 0;
    }
    for (;;) {
        uint32_t first = find_first(fleet, FLEET_WAITS); /* who should be served next */
        if (first == NOBODY) {
            return;
        }
        if (fleet->spec->crews != 0 && busy >= fleet->spec->crews) {
            uint32_t last = find_first(fleet, FLEET_REPAIRED); /* who is served and comes last */
            if (last == NOBODY || !is_before(fleet, first, last)) {
                return;
            }
            take_crew(fleet, last);
            busy--;
        }
        give_crew(fleet, first);
        busy++;
    }
}

/* ------------------------------------------------------------------------------------- services */

uint64_t fleet_available(const struct fleet *fleet)
{
    const struct spec_fleet *spec = fleet->spec;
    uint64_t all = spec->machines == 64 ? UINT64_MAX : (UINT64_C(1) << spec->machines) - 1;
    uint64_t mask = all & ~fleet->broken;
    if (fleet->absent != NOBODY) {
        mask &= ~(UINT64_C(1) << fleet->absent);
    }
    for (uint32_t dark = fleet->dark; dark != 0; dark &= dark - 1) {
        mask &= ~fleet_group_members(spec, (uint32_t)__builtin_ctz(dark));
    }
    return mask;
}

uint32_t fleet_available_count(const struct fleet *fleet)
{
    return (uint32_t)__builtin_popcountll(fleet_available(fleet));
}

bool fleet_is_up(const struct fleet *fleet, uint32_t service)
{
    ASSERT(service < fleet->spec->service_count);
    return fleet->services[service].leader == FLEET_LEADER_KNOWN &&
           fleet_available_count(fleet) >= fleet->spec->services[service].needed;
}

static void seek_leader(struct fleet *fleet, uint32_t index)
{
    struct fleet_service *service = &fleet->services[index];
    const struct dist law = {.kind = DIST_EXPONENTIAL,
                             .a = fleet->spec->services[index].failover_ns};
    service->leader = FLEET_LEADER_SOUGHT;
    service->fires_ns = later(fleet->now_ns, dist_sample(&law, &service->rng));
}

/* The index-th machine of a mask. */
static uint32_t machine_of(uint64_t mask, uint64_t index)
{
    for (; index > 0; index--) {
        mask &= mask - 1;
    }
    return (uint32_t)__builtin_ctzll(mask);
}

static void find_leader(struct fleet *fleet, struct fleet_service *service)
{
    uint64_t mask = fleet_available(fleet);
    uint64_t count = (uint64_t)__builtin_popcountll(mask);
    service->leader = FLEET_LEADER_KNOWN;
    service->fires_ns = FLEET_NEVER;
    service->machine = machine_of(mask, rng_below(&service->rng, count));
}

/* After machines came or went. */
static void look_for_leaders(struct fleet *fleet)
{
    const uint64_t mask = fleet_available(fleet);
    const uint32_t count = (uint32_t)__builtin_popcountll(mask);
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        struct fleet_service *service = &fleet->services[i];
        if (fleet->spec->services[i].failover_ns == 0) {
            continue;
        }
        if (count < fleet->spec->services[i].needed) {
            service->leader = FLEET_LEADER_NONE;
            service->fires_ns = FLEET_NEVER;
        } else if (service->leader == FLEET_LEADER_NONE ||
                   (service->leader == FLEET_LEADER_KNOWN && (mask >> service->machine & 1) == 0)) {
            seek_leader(fleet, i);
        }
    }
}

/* --------------------------------------------------------------------------------------- events */

/* Mean times between shocks of more than this are drawn as lives of a machine and stretched: no law
 * has them. */
#define SHOCK_MEAN_MAX (INT64_MAX / 4)

/* Of a machine's failures, those that come by these shocks, out of 2^32. */
static uint64_t share_of(const struct fleet *fleet, uint32_t shock)
{
    const struct spec_fleet *spec = fleet->spec;
    return shock == 0 ? spec->shock_share
                      : spec->groups[fleet_group_kind(spec, shock - 1)].shock_share;
}

/* The next shock. */
static void draw_shock(struct fleet *fleet, uint32_t index)
{
    struct fleet_shock *shock = &fleet->shocks[index];
    const uint64_t share = share_of(fleet, index);
    shock->fires_ns = FLEET_NEVER;
    if (share == 0) {
        return;
    }
    const int64_t life_ns = dist_mean(&fleet->spec->life);
    const int64_t mean_ns = stretched(life_ns, share);
    const bool is_rare = mean_ns > SHOCK_MEAN_MAX;
    const struct dist gap = {.kind = DIST_EXPONENTIAL, .a = is_rare ? life_ns : mean_ns};
    const int64_t gap_ns = dist_sample(&gap, &shock->rng);
    shock->fires_ns = later(fleet->now_ns, is_rare ? stretched(gap_ns, share) : gap_ns);
}

static void strike(struct fleet *fleet, uint32_t shock)
{
    const uint64_t struck = shock == 0 ? UINT64_MAX : fleet_group_members(fleet->spec, shock - 1);
    for (uint32_t i = 0; i < fleet->spec->machines; i++) {
        if ((struck >> i & 1) != 0 && fleet->parts[i].state == FLEET_UP) {
            set_down(fleet, i);
        }
    }
    draw_shock(fleet, shock);
}

static void maintain(struct fleet *fleet)
{
    const struct spec_fleet *spec = fleet->spec;
    if (fleet->absent != NOBODY) {
        fleet->absent = NOBODY;
        int64_t pause_ns = spec->maintenance_every_ns / spec->machines - spec->maintenance_ns;
        fleet->maintenance_ns = later(fleet->now_ns, pause_ns > 0 ? pause_ns : 0);
        return;
    }
    bool is_whole = fleet->broken == 0 && fleet->dark == 0;
    fleet->absent = is_whole ? fleet->next_absent : NOBODY;
    fleet->next_absent = (fleet->next_absent + 1) % spec->machines;
    fleet->maintenance_ns =
        later(fleet->now_ns,
              is_whole ? spec->maintenance_ns : spec->maintenance_every_ns / spec->machines);
}

/* What fires first: a part, or one of these. Digests have these numbers in them. */
enum {
    EVENT_SHOCK = FLEET_PARTS, /* of all machines */
    EVENT_MAINTENANCE,
    EVENT_LEADER,
    EVENT_GROUP_SHOCK = EVENT_LEADER + FLEET_SERVICES
};

static bool is_shock(uint32_t event)
{
    return event == EVENT_SHOCK || event >= EVENT_GROUP_SHOCK;
}

static uint32_t find_next(const struct fleet *fleet, int64_t *time_ns)
{
    uint32_t found = NOBODY;
    *time_ns = FLEET_NEVER;
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        if (fleet->parts[i].fires_ns < *time_ns) {
            *time_ns = fleet->parts[i].fires_ns;
            found = i;
        }
    }
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        if (fleet->services[i].fires_ns < *time_ns) {
            *time_ns = fleet->services[i].fires_ns;
            found = EVENT_LEADER + i;
        }
    }
    for (uint32_t i = 0; i < fleet->shock_count; i++) {
        if (fleet->shocks[i].fires_ns < *time_ns) {
            *time_ns = fleet->shocks[i].fires_ns;
            found = i == 0 ? EVENT_SHOCK : EVENT_GROUP_SHOCK + i - 1;
        }
    }
    if (fleet->maintenance_ns < *time_ns) {
        *time_ns = fleet->maintenance_ns;
        found = EVENT_MAINTENANCE;
    }
    return found;
}

int64_t fleet_next(const struct fleet *fleet)
{
    int64_t time_ns;
    find_next(fleet, &time_ns);
    return time_ns;
}

struct fleet_event fleet_peek(const struct fleet *fleet)
{
    struct fleet_event event = {0};
    const uint32_t next = find_next(fleet, &event.time_ns);
    if (next == NOBODY) {
        return event;
    }
    if (is_shock(next)) {
        event.kind = FLEET_EVENT_SHOCK;
        event.index = next == EVENT_SHOCK ? 0 : fleet->spec->machines + next - EVENT_GROUP_SHOCK;
    } else if (next >= EVENT_LEADER) {
        event.kind = FLEET_EVENT_LEADER;
        event.index = next - EVENT_LEADER;
    } else if (next == EVENT_MAINTENANCE) {
        event.kind = FLEET_EVENT_MAINTENANCE;
    } else {
        event.kind =
            fleet->parts[next].state == FLEET_UP ? FLEET_EVENT_FAILS : FLEET_EVENT_REPAIRED;
        event.index = next;
    }
    return event;
}

/* The event `event` of find_next happens now. */
static void happen(struct fleet *fleet, uint32_t event)
{
    fleet->events++;
    fleet->digest = hash_mix(hash_mix(fleet->digest, (uint64_t)fleet->now_ns), event);
    if (event >= EVENT_LEADER && event < EVENT_GROUP_SHOCK) {
        find_leader(fleet, &fleet->services[event - EVENT_LEADER]);
        return;
    }
    if (is_shock(event)) {
        strike(fleet, event == EVENT_SHOCK ? 0 : 1 + event - EVENT_GROUP_SHOCK);
    } else if (event == EVENT_MAINTENANCE) {
        maintain(fleet);
    } else if (fleet->parts[event].state == FLEET_UP) {
        set_down(fleet, event);
    } else {
        set_up(fleet, event);
    }
    if (fleet->spec->crews != 0 || (event < FLEET_PARTS && fleet->parts[event].state != FLEET_UP) ||
        is_shock(event)) {
        assign_crews(fleet);
    }
    look_for_leaders(fleet);
}

void fleet_step(struct fleet *fleet)
{
    int64_t time_ns;
    const uint32_t event = find_next(fleet, &time_ns);
    ASSERT(event != NOBODY);
    ASSERT(time_ns >= fleet->now_ns);
    fleet->now_ns = time_ns;
    happen(fleet, event);
}

void fleet_force(struct fleet *fleet, const struct fleet_event *event)
{
    ASSERT(event->time_ns >= fleet->now_ns);
    ASSERT(event->time_ns <= fleet_next(fleet));
    fleet->now_ns = event->time_ns;
    if (event->kind == FLEET_EVENT_SHOCK) {
        ASSERT(event->index == 0 || is_group(fleet, event->index));
        ASSERT(event->index < part_count(fleet));
        happen(fleet, event->index == 0 ? EVENT_SHOCK
                                        : EVENT_GROUP_SHOCK + event->index - fleet->spec->machines);
        return;
    }
    ASSERT(event->kind == FLEET_EVENT_FAILS);
    ASSERT(event->index < part_count(fleet));
    ASSERT(fleet->parts[event->index].state == FLEET_UP);
    happen(fleet, event->index);
}

/* --------------------------------------------------------------------------------- life of a fleet
 */

static void key_streams(struct fleet *fleet)
{
    const uint64_t part = hash_text("part");
    const uint64_t leader = hash_text("leader");
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        fleet->parts[i].rng = rng_keyed(fleet->key, i, 0, part);
    }
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        fleet->services[i].rng = rng_keyed(fleet->key, i, 0, leader);
    }
    const uint64_t shock = hash_text("shock"); /* that of all machines is number 0 */
    for (uint32_t i = 0; i < fleet->shock_count; i++) {
        fleet->shocks[i].rng = rng_keyed(fleet->key, i, 0, shock);
    }
}

/* Whose failures are not a machine's own. */
static void begin_shocks(struct fleet *fleet)
{
    const struct spec_fleet *spec = fleet->spec;
    uint64_t common = spec->shock_share;
    fleet->shock_count = common > 0 ? 1 : 0;
    for (uint32_t k = 0; spec->groups[k].count > 0; k++) {
        common += spec->groups[k].shock_share;
        fleet->shock_count =
            spec->groups[k].shock_share > 0 ? 1 + fleet->groups : fleet->shock_count;
    }
    ASSERT(common <= RNG_ALWAYS);
    fleet->alone = RNG_ALWAYS - common;
}

void fleet_begin(struct fleet *fleet, const struct spec_fleet *spec, uint64_t seed)
{
    ASSERT(spec->machines >= 1 && spec->machines <= FLEET_MACHINES);
    ASSERT(fleet_group_count(spec) <= FLEET_GROUPS);
    ASSERT(spec->service_count >= 1 && spec->service_count <= FLEET_SERVICES);
    memset(fleet, 0, sizeof(*fleet));
    fleet->spec = spec;
    fleet->key = hash_mix(seed, hash_text("fleet"));
    fleet->absent = NOBODY;
    fleet->groups = fleet_group_count(spec);
    fleet->maintenance_ns =
        spec->maintenance_every_ns > 0 ? spec->maintenance_every_ns / spec->machines : FLEET_NEVER;
    begin_shocks(fleet);
    key_streams(fleet);
    for (uint32_t i = 0; i < fleet->shock_count; i++) {
        draw_shock(fleet, i);
    }
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        start_clock(fleet, i);
    }
    for (uint32_t i = 0; i < spec->service_count; i++) {
        fleet->services[i].fires_ns = FLEET_NEVER;
        if (spec->services[i].failover_ns > 0) {
            find_leader(fleet, &fleet->services[i]);
        }
    }
}

void fleet_copy(struct fleet *to, const struct fleet *from)
{
    memcpy(to, from, offsetof(struct fleet, shocks));
    memcpy(to->shocks, from->shocks, from->shock_count * sizeof(*to->shocks));
    memcpy(to->services, from->services, from->spec->service_count * sizeof(*to->services));
    memcpy(to->parts, from->parts, part_count(from) * sizeof(*to->parts));
}

void fleet_branch(struct fleet *fleet, uint32_t branch)
{
    fleet->key = hash_mix(fleet->key, (uint64_t)branch + 1);
    key_streams(fleet);
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        struct fleet_part *part = &fleet->parts[i];
        if (part->state == FLEET_WAITS) {
            continue;
        }
        int64_t age_ns = part->age_ns + fleet->now_ns - part->since_ns;
        part->fires_ns = later(fleet->now_ns, draw_clock(fleet, part, i, age_ns));
    }
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        if (fleet->services[i].leader == FLEET_LEADER_SOUGHT) {
            seek_leader(fleet, i);
        }
    }
    for (uint32_t i = 0; i < fleet->shock_count; i++) {
        draw_shock(fleet, i);
    }
}

void fleet_rebase(struct fleet *fleet)
{
    const int64_t now_ns = fleet->now_ns;
    for (uint32_t i = 0; i < part_count(fleet); i++) {
        struct fleet_part *part = &fleet->parts[i];
        part->since_ns = is_eternal(fleet, i) ? 0 : part->since_ns - now_ns;
        part->fires_ns -= part->fires_ns == FLEET_NEVER ? 0 : now_ns;
    }
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        struct fleet_service *service = &fleet->services[i];
        service->fires_ns -= service->fires_ns == FLEET_NEVER ? 0 : now_ns;
    }
    for (uint32_t i = 0; i < fleet->shock_count; i++) {
        struct fleet_shock *shock = &fleet->shocks[i];
        if (shock->fires_ns != FLEET_NEVER) {
            shock->fires_ns -= now_ns;
        } else if (share_of(fleet, i) > 0) {
            /* It was beyond the end of time, which was as far from now, and has no memory. */
            draw_shock(fleet, i);
            shock->fires_ns = later(FLEET_NEVER - now_ns, shock->fires_ns - now_ns);
        }
    }
    fleet->maintenance_ns -= fleet->maintenance_ns == FLEET_NEVER ? 0 : now_ns;
    fleet->now_ns = 0;
}

bool fleet_is_whole(const struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->spec->service_count; i++) {
        if (fleet->services[i].leader != FLEET_LEADER_KNOWN) {
            return false;
        }
    }
    return fleet->broken == 0 && fleet->dark == 0 && fleet->absent == NOBODY;
}

bool fleet_is_markov(const struct spec_fleet *spec)
{
    bool are_groups = true;
    for (uint32_t k = 0; spec->groups[k].count > 0; k++) {
        const struct spec_fleet_groups *groups = &spec->groups[k];
        const bool is_eternal = dist_mean(&groups->life) == 0;
        are_groups = are_groups && (is_eternal || (groups->life.kind == DIST_EXPONENTIAL &&
                                                   groups->repair.kind == DIST_EXPONENTIAL));
    }
    return spec->life.kind == DIST_EXPONENTIAL && spec->repair.kind == DIST_EXPONENTIAL &&
           are_groups && spec->maintenance_every_ns == 0;
}
