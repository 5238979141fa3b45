/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fleets as clocks. Constant laws make every instant known beforehand; where chance is, shares of
 * time are compared with closed forms. */
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/fleet.h"
#include "tests/unit/harness.h"

#include <math.h>
#include <stdio.h>

#define HOUR  (INT64_C(3600) * NS_PER_S)
#define NEVER (INT64_C(1) << 61)

static struct dist constant(int64_t value)
{
    return (struct dist){.kind = DIST_CONSTANT, .a = value};
}

static struct dist exponential(int64_t mean)
{
    return (struct dist){.kind = DIST_EXPONENTIAL, .a = mean};
}

static struct spec_service service = {.name = "s", .needed = 1};

/* Machines that live 10 h and are repaired in 1 h; one service that needs one of them. */
static struct spec_fleet plain(uint32_t machines)
{
    service = (struct spec_service){.name = "s", .needed = 1};
    return (struct spec_fleet){.is_asked = true,
                               .machines = machines,
                               .life = constant(10 * HOUR),
                               .repair = constant(HOUR),
                               .groups = {{.name = "rack"}},
                               .services = &service,
                               .service_count = 1};
}

/* One step: the event must be this one, at this time in minutes. */
static bool steps(struct fleet *fleet, enum fleet_event_kind kind, uint32_t index, int64_t minutes)
{
    struct fleet_event event = fleet_peek(fleet);
    bool is_fine = event.kind == kind && event.index == index &&
                   event.time_ns == minutes * HOUR / 60 && event.time_ns == fleet_next(fleet);
    if (!is_fine) {
        printf("  kind %d, index %u, minute %.3f\n", (int)event.kind, event.index,
               (double)event.time_ns * 60 / HOUR);
    }
    fleet_step(fleet);
    return is_fine && fleet->now_ns == event.time_ns;
}

/* Share of the time until `end_ns` in which `is_true`. */
static double share_of_time(struct fleet *fleet, int64_t end_ns,
                            bool (*is_true)(const struct fleet *fleet))
{
    double sum = 0;
    while (fleet->now_ns < end_ns) {
        const int64_t next_ns = fleet_next(fleet) < end_ns ? fleet_next(fleet) : end_ns;
        sum += is_true(fleet) ? (double)(next_ns - fleet->now_ns) : 0;
        if (next_ns == end_ns) {
            break;
        }
        fleet_step(fleet);
    }
    return sum / (double)end_ns;
}

static bool is_down(const struct fleet *fleet)
{
    return !fleet_is_up(fleet, 0);
}

static bool is_first_broken(const struct fleet *fleet)
{
    return (fleet->broken & 1) != 0;
}

TEST(fleet, a_machine_lives_and_is_repaired_in_turn)
{
    struct spec_fleet spec = plain(1);
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    CHECK(fleet_is_whole(&fleet));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 600));
    CHECK(!fleet_is_up(&fleet, 0));
    CHECK(!fleet_is_whole(&fleet));
    CHECK_EQUAL(fleet_available_count(&fleet), 0);
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 0, 660));
    CHECK(fleet_is_up(&fleet, 0));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 1260));
    CHECK_EQUAL(fleet.events, 3);
}

TEST(fleet, one_crew_serves_in_order_of_failure)
{
    struct spec_fleet spec = plain(3);
    spec.crews = 1;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(steps(&fleet, FLEET_EVENT_FAILS, i, 600));
    }
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 0, 660));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 1, 720));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 2, 780));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 1260));
}

TEST(fleet, two_crews_and_no_limit_of_crews)
{
    struct spec_fleet spec = plain(3);
    struct fleet fleet;
    spec.crews = 2;
    fleet_begin(&fleet, &spec, 1);
    for (uint32_t i = 0; i < 3; i++) {
        fleet_step(&fleet);
    }
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 0, 660));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 1, 660));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 2, 720));
    spec.crews = 0;
    fleet_begin(&fleet, &spec, 1);
    for (uint32_t i = 0; i < 3; i++) {
        fleet_step(&fleet);
    }
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, i, 660));
    }
}

TEST(fleet, a_group_takes_the_crew_and_the_work_that_is_done_stays)
{
    struct spec_fleet spec = plain(1);
    spec.crews = 1;
    spec.groups[0].count = 1;
    spec.groups[0].life = constant(10 * HOUR + HOUR / 2);
    spec.groups[0].repair = constant(2 * HOUR);
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 600));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 1, 630));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 1, 750));
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 0, 780));
}

TEST(fleet, machines_are_dealt_out_to_groups_that_take_them_away_as_they_are)
{
    struct spec_fleet spec = plain(5);
    spec.life = constant(NEVER);
    spec.groups[0].count = 2;
    spec.groups[0].life = constant(7 * HOUR);
    spec.groups[0].repair = constant(HOUR);
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    CHECK_EQUAL(fleet_available(&fleet), 0x1f);
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 5, 420));
    CHECK_EQUAL(fleet_available(&fleet), 0x0a);
    CHECK_EQUAL(fleet.broken, 0);
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 6, 420));
    CHECK_EQUAL(fleet_available_count(&fleet), 0);
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 5, 480));
    CHECK_EQUAL(fleet_available(&fleet), 0x15);
}

TEST(fleet, a_share_of_failures_comes_to_all_and_the_own_life_is_longer_for_it)
{
    struct spec_fleet spec = plain(3);
    spec.shock_share = RNG_ALWAYS / 2;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    CHECK_EQUAL(fleet.alone, RNG_ALWAYS / 2);
    fleet.shocks[0].fires_ns = 3 * HOUR; /* the own life would be over at 20 h */
    CHECK(steps(&fleet, FLEET_EVENT_SHOCK, 0, 180));
    CHECK_EQUAL(fleet.broken, 7);
    fleet.shocks[0].fires_ns = FLEET_NEVER;
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, i, 240));
    }
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 240 + 1200));
    spec.shock_share = RNG_ALWAYS; /* nobody fails alone */
    fleet_begin(&fleet, &spec, 1);
    for (uint32_t i = 0; i < 40; i++) {
        struct fleet_event event = fleet_peek(&fleet);
        CHECK(event.kind == FLEET_EVENT_SHOCK || event.kind == FLEET_EVENT_REPAIRED);
        fleet_step(&fleet);
    }
}

TEST(fleet, shocks_that_come_once_in_centuries_come_as_seldom_as_that)
{
    struct spec_fleet spec = plain(2);
    spec.life = exponential(100 * HOUR);
    spec.shock_share = RNG_ALWAYS / 10000; /* once in a million hours: no law has such a mean */
    uint32_t first = 0;
    uint32_t second = 0;
    uint32_t beyond = 0;
    for (uint32_t seed = 0; seed < 4000; seed++) {
        struct fleet fleet;
        fleet_begin(&fleet, &spec, seed);
        first += fleet.shocks[0].fires_ns < 1000000 * HOUR ? 1 : 0;
        beyond += fleet.shocks[0].fires_ns == FLEET_NEVER ? 1 : 0;
        if (fleet.shocks[0].fires_ns >= 500000 * HOUR) {
            fleet.now_ns = 500000 * HOUR;
            fleet_rebase(&fleet);
            second += fleet.shocks[0].fires_ns < 1000000 * HOUR ? 1 : 0;
        }
    }
    CHECK(beyond > 0); /* and a new origin brings them back */
    CHECK(fabs(first / 4000.0 - (1 - exp(-1))) < .025);
    CHECK(fabs(second / 4000.0 - exp(-.5) * (1 - exp(-1))) < .025);
}

TEST(fleet, what_is_forced_happens_as_if_a_clock_had_told)
{
    struct spec_fleet spec = plain(4);
    struct fleet fleet;
    spec.groups[0].count = 2;
    spec.groups[0].life = constant(1000 * HOUR);
    spec.groups[0].repair = constant(2 * HOUR);
    spec.shock_share = RNG_ALWAYS / 1000;
    fleet_begin(&fleet, &spec, 1);
    fleet.shocks[0].fires_ns = FLEET_NEVER;
    const uint64_t before = fleet.digest;
    fleet_force(&fleet, &(struct fleet_event){FLEET_EVENT_FAILS, 3 * HOUR, 5});
    CHECK_EQUAL(fleet.now_ns, 3 * HOUR);
    CHECK_EQUAL(fleet.events, 1);
    CHECK(fleet.digest != before);
    CHECK_EQUAL(fleet_available(&fleet), 0x5);
    fleet_force(&fleet, &(struct fleet_event){FLEET_EVENT_SHOCK, 4 * HOUR, 0});
    CHECK_EQUAL(fleet_available_count(&fleet), 0);
    fleet.shocks[0].fires_ns = FLEET_NEVER;
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 0, 300)); /* all four, then the group */
    for (uint32_t i = 1; i < 4; i++) {
        CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, i, 300));
    }
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, 5, 300));
    CHECK(fleet_is_whole(&fleet));
}

TEST(fleet, shocks_leave_the_availability_of_a_machine_as_it_is_for_any_law)
{
    static struct dist_point points[DIST_GAMMA_POINTS];
    struct spec_fleet spec = plain(2);
    struct fleet fleet;
    struct err err = {0};
    spec.repair = exponential(HOUR);
    spec.shock_share = RNG_ALWAYS / 10;
    struct dist laws[2] = {exponential(9 * HOUR)};
    REQUIRE(dist_gamma_of_mean(&laws[1], 9 * HOUR, 2000, points, &err));
    for (uint32_t i = 0; i < 2; i++) {
        spec.life = laws[i];
        fleet_begin(&fleet, &spec, 3);
        double down = share_of_time(&fleet, 200000 * HOUR, is_first_broken);
        CHECK(fabs(down - .1) < .004);
    }
}

TEST(fleet, maintenance_takes_every_machine_once_in_a_period)
{
    struct spec_fleet spec = plain(2);
    spec.life = constant(NEVER);
    spec.maintenance_every_ns = 100 * HOUR;
    spec.maintenance_ns = HOUR;
    service.needed = 2;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    CHECK(steps(&fleet, FLEET_EVENT_MAINTENANCE, 0, 50 * 60));
    CHECK_EQUAL(fleet.absent, 0);
    CHECK_EQUAL(fleet_available(&fleet), 2);
    CHECK(!fleet_is_up(&fleet, 0));
    CHECK(!fleet_is_whole(&fleet));
    CHECK(steps(&fleet, FLEET_EVENT_MAINTENANCE, 0, 51 * 60));
    CHECK(fleet_is_whole(&fleet));
    CHECK(steps(&fleet, FLEET_EVENT_MAINTENANCE, 0, 100 * 60));
    CHECK_EQUAL(fleet.absent, 1);
    fleet_begin(&fleet, &spec, 1);
    CHECK(fabs(share_of_time(&fleet, 100000 * HOUR, is_down) - .02) < 1.1e-5);
}

TEST(fleet, maintenance_is_skipped_when_not_all_is_whole)
{
    struct spec_fleet spec = plain(2);
    spec.life = constant(49 * HOUR + HOUR / 2);
    spec.maintenance_every_ns = 100 * HOUR;
    spec.maintenance_ns = HOUR;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    fleet_step(&fleet);
    fleet_step(&fleet);
    CHECK(steps(&fleet, FLEET_EVENT_MAINTENANCE, 0, 50 * 60));
    CHECK_EQUAL(fleet.absent, UINT32_MAX);
    fleet_step(&fleet);
    fleet_step(&fleet); /* repaired at 50.5 h, and broken again at 100 h */
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 0, 100 * 60));
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, 1, 100 * 60));
    CHECK(steps(&fleet, FLEET_EVENT_MAINTENANCE, 0, 100 * 60));
    CHECK_EQUAL(fleet.absent, UINT32_MAX);
}

TEST(fleet, a_leader_is_sought_when_its_machine_goes_or_the_quorum_is_back)
{
    struct spec_fleet spec = plain(3);
    spec.life = constant(NEVER);
    service = (struct spec_service){.name = "s", .needed = 2, .failover_ns = 10 * NS_PER_S};
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 5);
    const uint32_t leader = fleet.services[0].machine;
    const uint32_t other = (leader + 1) % 3;
    REQUIRE(leader < 3);
    CHECK(fleet_is_up(&fleet, 0));
    fleet.parts[other].fires_ns = HOUR;
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, other, 60));
    CHECK(fleet_is_up(&fleet, 0)); /* a follower is not missed */
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, other, 120));
    fleet.parts[leader].fires_ns = 3 * HOUR;
    CHECK(steps(&fleet, FLEET_EVENT_FAILS, leader, 180));
    CHECK_EQUAL(fleet.services[0].leader, FLEET_LEADER_SOUGHT);
    CHECK(!fleet_is_up(&fleet, 0));
    struct fleet_event event = fleet_peek(&fleet);
    CHECK_EQUAL(event.kind, FLEET_EVENT_LEADER);
    fleet_step(&fleet);
    CHECK(fleet_is_up(&fleet, 0));
    CHECK(fleet.services[0].machine != leader);
    fleet.parts[fleet.services[0].machine].fires_ns = 3 * HOUR + HOUR / 2;
    fleet_step(&fleet);
    CHECK_EQUAL(fleet.services[0].leader, FLEET_LEADER_NONE);
    CHECK_EQUAL(fleet.services[0].fires_ns, FLEET_NEVER);
    CHECK(steps(&fleet, FLEET_EVENT_REPAIRED, leader, 240)); /* quorum */
    CHECK_EQUAL(fleet.services[0].leader, FLEET_LEADER_SOUGHT);
    CHECK(!fleet_is_whole(&fleet));
}

TEST(fleet, fleets_share_the_chances_of_what_they_have_in_common)
{
    struct spec_fleet small = plain(3);
    small.life = exponential(99 * HOUR);
    small.repair = exponential(HOUR);
    struct spec_fleet large = small;
    large.machines = 5;
    struct fleet one;
    struct fleet two;
    fleet_begin(&one, &small, 7);
    fleet_begin(&two, &large, 7);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQUAL(one.parts[i].fires_ns, two.parts[i].fires_ns);
    }
    CHECK(two.parts[3].fires_ns != two.parts[4].fires_ns);
    fleet_begin(&two, &small, 8);
    CHECK(one.parts[0].fires_ns != two.parts[0].fires_ns);
    /* A failover time moves no life and no repair. */
    struct spec_service leading = {.name = "s", .needed = 2, .failover_ns = 10 * NS_PER_S};
    struct spec_fleet led = small;
    led.services = &leading;
    fleet_begin(&two, &led, 7);
    for (uint32_t i = 0; i < 2000; i++) {
        fleet_step(&one);
        while (fleet_peek(&two).kind == FLEET_EVENT_LEADER) {
            fleet_step(&two);
        }
        fleet_step(&two);
        REQUIRE(one.now_ns == two.now_ns && one.broken == two.broken);
    }
}

TEST(fleet, a_new_origin_of_time_changes_nothing_else)
{
    struct spec_fleet spec = plain(4);
    spec.life = exponential(9 * HOUR);
    spec.repair = (struct dist){.kind = DIST_LOGNORMAL, .a = HOUR, .b = 5 * HOUR};
    spec.crews = 1;
    spec.shock_share = RNG_ALWAYS / 10;
    spec.groups[0].count = 2;
    spec.groups[0].life = exponential(50 * HOUR);
    spec.groups[0].repair = exponential(HOUR);
    spec.maintenance_every_ns = 40 * HOUR;
    spec.maintenance_ns = HOUR;
    service.failover_ns = 600 * NS_PER_S;
    struct fleet one;
    struct fleet two;
    fleet_begin(&one, &spec, 9);
    fleet_begin(&two, &spec, 9);
    int64_t origin_ns = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        if (i % 7 == 3) {
            origin_ns += two.now_ns;
            fleet_rebase(&two);
            CHECK_EQUAL(two.now_ns, 0);
        }
        fleet_step(&one);
        fleet_step(&two);
        REQUIRE(one.now_ns == origin_ns + two.now_ns);
        REQUIRE(fleet_available(&one) == fleet_available(&two));
        REQUIRE(fleet_is_up(&one, 0) == fleet_is_up(&two, 0));
    }
}

TEST(fleet, a_branch_has_a_future_of_its_own_that_its_name_decides)
{
    struct spec_fleet spec = plain(3);
    spec.life = exponential(9 * HOUR);
    spec.crews = 1;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 2);
    while (fleet_available_count(&fleet) > 1) {
        fleet_step(&fleet);
    }
    struct fleet one;
    struct fleet two;
    struct fleet other;
    fleet_copy(&one, &fleet);
    fleet_copy(&two, &fleet);
    fleet_copy(&other, &fleet);
    fleet_branch(&one, 4);
    fleet_branch(&two, 4);
    fleet_branch(&other, 5);
    CHECK(other.digest == one.digest); /* of the past */
    uint32_t waiting = 0;
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQUAL(one.parts[i].state, fleet.parts[i].state);
        waiting += one.parts[i].state == FLEET_WAITS ? 1 : 0;
        CHECK(one.parts[i].fires_ns >= one.now_ns);
        CHECK((one.parts[i].fires_ns == FLEET_NEVER) == (one.parts[i].state == FLEET_WAITS));
        if (one.parts[i].state == FLEET_UP) {
            CHECK(one.parts[i].fires_ns != fleet.parts[i].fires_ns);
            CHECK(one.parts[i].fires_ns != other.parts[i].fires_ns);
        }
        if (one.parts[i].state == FLEET_REPAIRED) { /* what is left of a constant is known */
            CHECK_EQUAL(one.parts[i].fires_ns, fleet.parts[i].fires_ns);
        }
    }
    CHECK_EQUAL(waiting, 1);
    for (uint32_t i = 0; i < 100; i++) {
        fleet_step(&one);
        fleet_step(&two);
        fleet_step(&other);
    }
    CHECK(one.digest == two.digest);
    CHECK(one.digest != other.digest);
}

TEST(fleet, a_branch_redraws_by_age_so_that_the_law_stays)
{
    /* All branches at the age of 5 h of lives that are uniform on [0, 20 h]: uniform on [5, 20]. */
    struct spec_fleet spec = plain(1);
    spec.life = (struct dist){.kind = DIST_UNIFORM, .a = 0, .b = 20 * HOUR};
    struct fleet fleet;
    uint64_t seed = 1;
    do {
        fleet_begin(&fleet, &spec, seed++);
    } while (fleet.parts[0].fires_ns < 5 * HOUR);
    fleet.now_ns = 5 * HOUR;
    double sum = 0;
    for (uint32_t i = 0; i < 4000; i++) {
        struct fleet copy;
        fleet_copy(&copy, &fleet);
        fleet_branch(&copy, i);
        CHECK(copy.parts[0].fires_ns >= 5 * HOUR && copy.parts[0].fires_ns <= 20 * HOUR);
        sum += (double)copy.parts[0].fires_ns / HOUR;
    }
    CHECK(fabs(sum / 4000 - 12.5) < .3);
}

TEST(fleet, only_exponential_laws_without_a_plan_are_a_chain)
{
    struct spec_fleet spec = plain(3);
    CHECK(!fleet_is_markov(&spec));
    spec.life = exponential(HOUR);
    spec.repair = exponential(HOUR);
    CHECK(fleet_is_markov(&spec));
    spec.maintenance_every_ns = HOUR;
    CHECK(!fleet_is_markov(&spec));
    spec.maintenance_every_ns = 0;
    spec.groups[0].count = 1;
    spec.groups[0].life = constant(HOUR);
    spec.groups[0].repair = exponential(HOUR);
    CHECK(!fleet_is_markov(&spec));
}

TEST(fleet, what_never_happens_is_said)
{
    struct spec_fleet spec = plain(1);
    spec.life = exponential(HOUR);
    spec.shock_share = RNG_ALWAYS;
    struct fleet fleet;
    fleet_begin(&fleet, &spec, 1);
    fleet.shocks[0].fires_ns = FLEET_NEVER;
    CHECK_EQUAL(fleet_peek(&fleet).kind, FLEET_EVENT_NONE);
    CHECK_EQUAL(fleet_next(&fleet), FLEET_NEVER);
}
