/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Machines of a world that fail and come back by the clocks of a fleet. */
#include "tests/unit/scripted_model.h"

#include "sim/fleet.h"
#include "sim/injector.h"

static struct spec_service service = {.name = "any", .needed = 1};

static struct spec_fleet fleet_of(uint32_t machines)
{
    return (struct spec_fleet){
        .is_asked = true,
        .machines = machines,
        .life = {.kind = DIST_EXPONENTIAL, .a = 2 * NS_PER_S},
        .repair = {.kind = DIST_EXPONENTIAL, .a = 500 * NS_PER_MS},
        .services = &service,
        .service_count = 1,
    };
}

TEST(injector, the_world_follows_the_fleet)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 4, (struct script){0});
    const struct spec_fleet spec = fleet_of(4);
    struct fleet fleet;
    uint32_t lost = 0;
    fixture.spec.injected = &spec;
    fixture.spec.warmup_ns = NS_PER_S;
    reset(world, &fixture, 7);
    fleet_begin(&fleet, &spec, 7);
    while (fleet_next(&fleet) < 8 * NS_PER_S) {
        const uint32_t before = fleet_available_count(&fleet);
        fleet_step(&fleet);
        lost += fleet_available_count(&fleet) < before ? 1 : 0;
        world_run(world, NS_PER_S + fleet.now_ns, UINT64_MAX);
        for (sq_node i = 0; i < 4; i++) {
            const bool is_there = (fleet_available(&fleet) >> i & 1) != 0;
            CHECK_EQUAL(world->nodes[i].state == NODE_DOWN, !is_there);
            CHECK_EQUAL(world->nodes[i].host->is_off, !is_there);
        }
    }
    uint32_t powered = 0;
    for (sq_node i = 0; i < 4; i++) {
        powered += lives_of(i, SQ_LIFE_POWER);
    }
    CHECK(lost > 3);
    CHECK_EQUAL(powered, lost);
    world_free(world);
}

TEST(injector, nothing_fails_in_the_warm_up)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 4, (struct script){0});
    const struct spec_fleet spec = fleet_of(4);
    fixture.spec.injected = &spec;
    fixture.spec.warmup_ns = 9 * NS_PER_S;
    run(world, &fixture, 7, 9 * NS_PER_S);
    for (sq_node i = 0; i < 4; i++) {
        CHECK_EQUAL(lives_of(i, SQ_LIFE_POWER), 0);
    }
    world_free(world);
}

TEST(injector, who_is_held_down_by_a_fault_waits_for_it)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){0});
    struct spec_fleet spec = fleet_of(1);
    spec.life = (struct dist){.kind = DIST_CONSTANT, .a = 2 * NS_PER_S};
    spec.repair = (struct dist){.kind = DIST_CONSTANT, .a = NS_PER_S};
    /* The fleet takes it in [2 s, 3 s), [5 s, 6 s), ...; the fault in [1 s, 4 s). */
    struct spec_fault kill = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 1, 1000, 3000);
    fixture.spec.injected = &spec;
    fixture.spec.faults = &kill;
    fixture.spec.fault_count = 1;
    reset(world, &fixture, 1);
    world_run(world, 3500 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
    world_run(world, 4500 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    world_run(world, 5500 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
    world_run(world, 6500 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    world_free(world);
}

TEST(injector, what_ends_while_a_machine_is_away_does_not_bring_it_back)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){0});
    struct spec_fleet spec = fleet_of(1);
    spec.life = (struct dist){.kind = DIST_CONSTANT, .a = 2 * NS_PER_S};
    spec.repair = (struct dist){.kind = DIST_CONSTANT, .a = 3 * NS_PER_S};
    struct spec_fault off = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 1, 1500, 1000);
    fixture.spec.injected = &spec;
    fixture.spec.faults = &off;
    fixture.spec.fault_count = 1;
    reset(world, &fixture, 1);
    world_run(world, 4 * NS_PER_S, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
    CHECK(world->nodes[0].host->is_off);
    world_run(world, 5500 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    world_free(world);
}

TEST(injector, the_same_seed_gives_the_same_run)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 3, (struct script){0});
    const struct spec_fleet spec = fleet_of(3);
    fixture.spec.injected = &spec;
    run(world, &fixture, 5, INT64_MAX);
    const uint64_t digest = world_digest(world);
    run(world, &fixture, 5, INT64_MAX);
    CHECK_EQUAL(world_digest(world), digest);
    run(world, &fixture, 6, INT64_MAX);
    CHECK(world_digest(world) != digest);
    world_free(world);
}
