/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Several kinds of groups: who is in which, who is available, and shocks within one group. */
#include "sim/fleet.h"

#include "sim/base/base.h"
#include "sim/base/units.h"
#include "tests/unit/harness.h"

#include <math.h>

#define HOUR (INT64_C(3600) * NS_PER_S)

static struct dist constant(int64_t hours)
{
    return (struct dist){.kind = DIST_CONSTANT, .a = hours * HOUR};
}

static struct dist exponential(int64_t hours)
{
    return (struct dist){.kind = DIST_EXPONENTIAL, .a = hours * HOUR};
}

static struct spec_service service = {.name = "s", .needed = 1};

/* Machines that live for 10 h and are repaired in 1 h. */
static struct spec_fleet machines(uint32_t count)
{
    return (struct spec_fleet){.is_asked = true,
                               .machines = count,
                               .life = constant(10),
                               .repair = constant(1),
                               .services = &service,
                               .service_count = 1};
}

static bool steps(struct fleet *fleet, enum fleet_event_kind kind, uint32_t index, int64_t hours)
{
    const struct fleet_event event = fleet_peek(fleet);
    fleet_step(fleet);
    return event.kind == kind && event.index == index && event.time_ns == hours * HOUR;
}

TEST(fleet_groups, machines_are_dealt_out_to_the_groups_of_each_kind_in_turn)
{
    struct spec_fleet spec = machines(18);
    spec.groups[0] = (struct spec_fleet_groups){.name = "rack", .count = 9};
    spec.groups[1] = (struct spec_fleet_groups){.name = "zone", .count = 3};
    spec.groups[2] = (struct spec_fleet_groups){.name = "power", .count = 2};
    REQUIRE(fleet_group_count(&spec) == 14);
    uint64_t of_kind[3] = {0};
    for (uint32_t g = 0; g < 14; g++) {
        const uint32_t kind = fleet_group_kind(&spec, g);
        const uint64_t members = fleet_group_members(&spec, g);
        CHECK_EQUAL(kind, g < 9 ? 0 : g < 12 ? 1 : 2);
        CHECK_EQUAL(fleet_group_number(&spec, g), g < 9 ? g : g < 12 ? g - 9 : g - 12);
        CHECK_EQUAL(__builtin_popcountll(members), 18 / spec.groups[kind].count);
        CHECK((of_kind[kind] & members) == 0); /* nobody is in two of a kind */
        of_kind[kind] |= members;
    }
    for (uint32_t k = 0; k < 3; k++) {
        CHECK_EQUAL(of_kind[k], (1 << 18) - 1);
    }
    for (uint32_t rack = 0; rack < 9; rack++) {
        const uint64_t members = fleet_group_members(&spec, rack);
        CHECK((members & ~fleet_group_members(&spec, 9 + rack % 3)) == 0); /* in one zone */
        CHECK((members & fleet_group_members(&spec, 12)) != 0);            /* on both feeds */
        CHECK((members & fleet_group_members(&spec, 13)) != 0);
    }
}

TEST(fleet_groups, a_machine_is_there_when_it_and_all_its_groups_are_up)
{
    struct spec_fleet spec = machines(6);
    struct fleet fleet;
    spec.life = constant(50);
    spec.groups[0] =
        (struct spec_fleet_groups){.count = 3, .life = constant(4), .repair = constant(3)};
    spec.groups[1] =
        (struct spec_fleet_groups){.count = 2, .life = constant(5), .repair = constant(1)};
    fleet_begin(&fleet, &spec, 1);
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 6, 4));
    CHECK_EQUAL(fleet_available(&fleet), 0x36); /* without 0 and 3 */
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 7, 4));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 8, 4));
    CHECK_EQUAL(fleet_available(&fleet), 0);
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 9, 5));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 10, 5));
    CHECK_EQUAL(fleet.dark, 0x1f);
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 9, 6));
    CHECK(!fleet_is_up(&fleet, 0)); /* power is back, racks are not */
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 10, 6));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 6, 7));
    CHECK_EQUAL(fleet_available(&fleet), 0x09);
    fleet_force(&fleet, &(struct fleet_event){FLEET_EVENT_FAILS, 7 * HOUR, 9});
    CHECK_EQUAL(fleet_available(&fleet), 0x08); /* the even ones have no power */
    CHECK_EQUAL(fleet_available_count(&fleet), 1);
    CHECK(!fleet_is_whole(&fleet));
    CHECK_EQUAL(fleet.broken, 0);
}

TEST(fleet_groups, a_shock_in_a_group_ends_the_lives_of_its_machines_and_of_no_others)
{
    struct spec_fleet spec = machines(6);
    struct fleet fleet;
    spec.crews = 2;
    spec.groups[0] =
        (struct spec_fleet_groups){.count = 2, .life = constant(100), .repair = constant(1)};
    spec.groups[1] = (struct spec_fleet_groups){.count = 3, .shock_share = RNG_ALWAYS / 2};
    fleet_begin(&fleet, &spec, 1);
    CHECK_EQUAL(fleet.alone, RNG_ALWAYS / 2); /* own lives take 20 h */
    REQUIRE(fleet.shock_count == 6);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQUAL(fleet.shocks[i].fires_ns, FLEET_NEVER); /* of all; of the first kind */
    }
    fleet.shocks[3].fires_ns = FLEET_NEVER;
    fleet.shocks[4].fires_ns = 7 * HOUR; /* the second group of the second kind: machines 1, 4 */
    fleet.shocks[5].fires_ns = FLEET_NEVER;
    fleet_force(&fleet, &(struct fleet_event){FLEET_EVENT_FAILS, 7 * HOUR, 6}); /* 0, 2, 4 dark */
    CHECK(steps(&fleet, FLEET_EVENT_SHOCK, 6 + 3, 7));
    CHECK_EQUAL(fleet.broken, 0x12); /* who is in the dark is struck as well */
    CHECK_EQUAL(fleet_available(&fleet), 0x28);
    CHECK_EQUAL(fleet.dark, 1);
    CHECK_EQUAL(fleet.parts[9].state, FLEET_UP); /* the group itself is not */
    fleet.shocks[4].fires_ns = FLEET_NEVER;
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 1, 8)); /* a crew is at the group */
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 6, 8));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 4, 9)); /* each by itself, as crews are free */
    CHECK(fleet_is_whole(&fleet));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 20));
    fleet_force(&fleet, &(struct fleet_event){FLEET_EVENT_SHOCK, 20 * HOUR, 6 + 2});
    CHECK_EQUAL(fleet.broken, 0x09);
    CHECK_EQUAL(fleet.parts[3].turn, fleet.parts[0].turn + 1); /* 0 was down already */
}

/* Three sources of shocks and a machine's own failures: together as many as its law says, each
 * source with its share. */
TEST(fleet_groups, shocks_take_their_shares_of_the_failures_of_a_machine)
{
    struct spec_fleet spec = machines(6);
    struct fleet fleet;
    spec.life = exponential(9);
    spec.repair = exponential(1);
    spec.shock_share = RNG_ALWAYS / 20;
    spec.groups[0] = (struct spec_fleet_groups){.count = 3, .shock_share = RNG_ALWAYS / 10};
    spec.groups[1] = (struct spec_fleet_groups){.count = 2, .shock_share = RNG_ALWAYS / 4};
    fleet_begin(&fleet, &spec, 7);
    double down_h = 0;
    uint32_t counts[3] = {0};
    while (fleet.events < 400000) {
        const struct fleet_event event = fleet_peek(&fleet);
        const double hours = (double)(event.time_ns - fleet.now_ns) / (double)HOUR;
        down_h += hours * __builtin_popcountll(fleet.broken);
        if (event.kind == FLEET_EVENT_SHOCK) {
            counts[event.index == 0 ? 0 : event.index < 9 ? 1 : 2]++;
        }
        fleet_step(&fleet);
    }
    const double all_h = (double)fleet.now_ns / (double)HOUR;
    CHECK(fabs(down_h / all_h / 6 - .1) < .001); /* Marshall and Olkin: as it was */
    CHECK(fabs(counts[0] / all_h * 9 - .05) < .05 * .05);
    CHECK(fabs(counts[1] / all_h * 9 - 3 * .1) < 3 * .1 * .05);
    CHECK(fabs(counts[2] / all_h * 9 - 2 * .25) < 2 * .25 * .05);
}

/* Variants share what they have in common: more kinds move no clock of the others. */
TEST(fleet_groups, another_kind_of_groups_moves_no_clock)
{
    struct spec_fleet spec = machines(4);
    struct fleet one;
    struct fleet two;
    spec.life = exponential(9);
    spec.shock_share = RNG_ALWAYS / 8;
    spec.groups[0] =
        (struct spec_fleet_groups){.count = 2, .life = exponential(90), .repair = exponential(1)};
    fleet_begin(&one, &spec, 3);
    struct spec_fleet more = spec;
    more.groups[1] =
        (struct spec_fleet_groups){.count = 4, .life = exponential(90), .repair = exponential(1)};
    fleet_begin(&two, &more, 3);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(one.parts[i].fires_ns, two.parts[i].fires_ns);
    }
    CHECK_EQUAL(one.shocks[0].fires_ns, two.shocks[0].fires_ns);
    CHECK(two.parts[6].fires_ns < FLEET_NEVER);
}

TEST(fleet_groups, a_copy_goes_the_same_way_and_a_branch_its_own)
{
    struct spec_fleet spec = machines(6);
    struct fleet fleet;
    struct fleet copy;
    struct fleet branch;
    spec.life = exponential(9);
    spec.groups[0] = (struct spec_fleet_groups){
        .count = 3, .life = exponential(90), .repair = exponential(1), .shock_share = 1u << 30};
    spec.groups[1] = (struct spec_fleet_groups){.count = 2, .shock_share = 1u << 30};
    fleet_begin(&fleet, &spec, 5);
    for (uint32_t i = 0; i < 100; i++) {
        fleet_step(&fleet);
    }
    fleet_copy(&copy, &fleet);
    fleet_copy(&branch, &fleet);
    fleet_branch(&branch, 0);
    for (uint32_t i = 0; i < 1000; i++) {
        fleet_step(&fleet);
        fleet_step(&copy);
        fleet_step(&branch);
    }
    CHECK_EQUAL(fleet.digest, copy.digest);
    CHECK(fleet.digest != branch.digest);
}

/* Groups that never fail by themselves have an age that goes beyond the end of time. */
TEST(fleet_groups, a_new_origin_of_time_changes_nothing)
{
    struct spec_fleet spec = machines(4);
    struct fleet moved;
    struct fleet still;
    spec.life = exponential(9);
    spec.groups[0] = (struct spec_fleet_groups){.count = 2, .shock_share = RNG_ALWAYS / 4};
    fleet_begin(&moved, &spec, 5);
    still = moved;
    for (uint32_t i = 0; i < 2000; i++) {
        const int64_t before_ns = still.now_ns;
        fleet_step(&still);
        fleet_step(&moved);
        CHECK_EQUAL(moved.now_ns, still.now_ns - before_ns);
        CHECK_EQUAL(moved.broken, still.broken);
        fleet_rebase(&moved);
    }
    for (uint32_t i = 0; i < 8; i++) {
        moved.now_ns = INT64_C(1) << 61; /* as far as a step may be */
        for (uint32_t k = 0; k < moved.shock_count; k++) {
            moved.shocks[k].fires_ns = FLEET_NEVER;
        }
        for (uint32_t k = 0; k < 4; k++) {
            moved.parts[k].since_ns = moved.now_ns;
            moved.parts[k].fires_ns = FLEET_NEVER;
        }
        fleet_rebase(&moved);
    }
    fleet_branch(&moved, 1);
    CHECK_EQUAL(moved.parts[4].fires_ns, FLEET_NEVER);
    CHECK(moved.parts[0].fires_ns < FLEET_NEVER);
}

TEST(fleet_groups, the_fleet_is_markov_when_all_kinds_are)
{
    struct spec_fleet spec = machines(4);
    spec.life = exponential(9);
    spec.repair = exponential(1);
    spec.groups[0] =
        (struct spec_fleet_groups){.count = 2, .life = exponential(90), .repair = exponential(1)};
    spec.groups[1] = (struct spec_fleet_groups){.count = 2, .shock_share = RNG_ALWAYS / 4};
    CHECK(fleet_is_markov(&spec)); /* who never fails has no law */
    spec.groups[1].life = constant(9);
    CHECK(!fleet_is_markov(&spec));
    spec.groups[1].life = exponential(9);
    CHECK(!fleet_is_markov(&spec)); /* repaired in no time: a constant */
    spec.groups[1].repair = exponential(9);
    CHECK(fleet_is_markov(&spec));
}
