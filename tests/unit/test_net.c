/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The network beyond what test_world shows: copies that share their bytes, order on FIFO links
 * through delay faults, wires that a fault narrows, and times that are too long to add up. */
#include "tests/unit/scripted_model.h"

#include "sim/fault.h"
#include "sim/net.h"

#define MS NS_PER_MS

/* A message says its number in every byte; what arrives is noted, 999999 if it is not whole. */
static void send_number(struct sq_env *env, sq_node to, uint64_t number)
{
    uint64_t words[16];
    for (uint32_t i = 0; i < 16; i++) {
        words[i] = number;
    }
    struct sq_buffer buffer = {words, sizeof(words)};
    env->net->send(env, to, &buffer, 1);
}

static void note_number(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)from;
    uint64_t words[16] = {0};
    bool is_whole = size == sizeof(words);
    memcpy(words, data, is_whole ? sizeof(words) : 0);
    for (uint32_t i = 1; i < 16; i++) {
        is_whole = is_whole && words[i] == words[0];
    }
    note(env, is_whole ? words[0] : 999999);
}

static void timer_sends_numbers(struct sq_env *env, uint64_t tag)
{
    if (env->self == 0) {
        send_number(env, 1, tag);
        env->clock->start(env, MS, tag + 1);
    }
}

static enum sq_status boot_sends(struct sq_env *env)
{
    env->clock->start(env, MS, 1);
    return SQ_OK;
}

static const struct script sender = {
    .boot = boot_sends, .timer = timer_sends_numbers, .deliver = note_number};

static struct world *begin_with(struct world_fixture *fixture, struct spec_fault *list,
                                uint32_t count)
{
    struct world *world = begin(fixture, 2, sender);
    fixture->spec.faults = list;
    fixture->spec.fault_count = count;
    return world;
}

/* One copy comes after the bytes of the other were handled, and after the node that got the first
 * one has crashed. */
TEST(net, copies_of_a_message_stay_whole_whatever_happens_to_the_others)
{
    struct spec_fault list[] = {
        fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DUPLICATE, 1, 0, 2000),
        fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DUPLICATE, 1, 0, 2000),
        fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_RESTART, 2, 0, 0),
    };
    list[2].has_at = false;
    list[2].every = (struct dist){.kind = DIST_EXPONENTIAL, .a = 7 * MS};
    struct world_fixture fixture;
    struct world *world = begin_with(&fixture, list, 3);
    fixture.spec.link_default = (struct spec_link){
        .jitter = {.kind = DIST_UNIFORM, .a = 0, .b = 20 * MS}, .duplicate = RNG_ALWAYS};
    fixture.group.host.per_message_ns = 100000;
    run(world, &fixture, 1, 500 * MS);
    CHECK(note_count > 1500);
    uint32_t times[512] = {0};
    for (uint32_t i = 0; i < note_count; i++) {
        REQUIRE(notes[i].what < 512);
        times[notes[i].what]++;
        CHECK(times[notes[i].what] <= 4);
    }
    world_free(world);
}

TEST(net, a_fifo_link_keeps_its_order_through_a_delay_fault)
{
    struct spec_fault list[] = {fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, 1, 100, 100),
                                fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, 2, 150, 100)};
    list[0].delay = (struct dist){.kind = DIST_UNIFORM, .a = 0, .b = 300 * MS};
    list[1].delay = (struct dist){.kind = DIST_EXPONENTIAL, .a = 10 * MS};
    struct world_fixture fixture;
    struct world *world = begin_with(&fixture, list, 2);
    run(world, &fixture, 1, 900 * MS);
    REQUIRE(note_count > 800);
    for (uint32_t i = 1; i < note_count; i++) {
        CHECK_EQUAL(notes[i].what, notes[i - 1].what + 1);
    }
    world_free(world);
}

/* The wire's queue exists only while a bandwidth does; a fault may bring one to a link that has
 * none, with and without a limit. */
TEST(net, a_fault_narrows_a_wire_that_was_infinitely_wide)
{
    static const uint32_t limits[] = {0, 3};
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_fault fault = fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_BANDWIDTH, 1, 100, 100);
        fault.bandwidth = 12800; /* 10 ms a message */
        struct world_fixture fixture;
        struct world *world = begin_with(&fixture, &fault, 1);
        fixture.spec.link_default.queue_limit = limits[i];
        run(world, &fixture, 1, 200 * MS);
        uint32_t during = 0;
        for (uint32_t k = 0; k < note_count; k++) {
            during += notes[k].time > 105 * MS ? 1 : 0;
        }
        CHECK(during >= 8);
        CHECK(during <= 10);
        world_run(world, 5 * NS_PER_S, UINT64_MAX);
        /* Without a limit nothing is lost, it only comes late. */
        CHECK_EQUAL(note_count >= 4000, limits[i] == 0 ? 1 : note_count >= 4000);
        CHECK_EQUAL(notes[note_count - 1].what < 999999, 1);
        world_free(world);
    }
}

TEST(net, the_narrowest_of_two_bandwidth_faults_counts)
{
    struct spec_fault list[] = {fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_BANDWIDTH, 1, 0, 500),
                                fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_BANDWIDTH, 1, 0, 500)};
    list[0].bandwidth = 12800;
    list[1].bandwidth = 1280000;
    struct world_fixture fixture;
    struct world *world = begin_with(&fixture, list, 2);
    run(world, &fixture, 1, 100 * MS);
    CHECK(note_count >= 8);
    CHECK(note_count <= 10);
    world_free(world);
}

TEST(net, delays_beyond_the_end_of_time_do_not_come_round)
{
    struct spec_fault list[] = {fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, 1, 10, 100),
                                fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, 1, 10, 100)};
    list[0].delay = (struct dist){.kind = DIST_CONSTANT, .a = INT64_C(1) << 62};
    list[1].delay = list[0].delay;
    struct world_fixture fixture;
    struct world *world = begin_with(&fixture, list, 2);
    fixture.spec.link_default.is_fifo = false;
    fixture.spec.limit_ns = NS_PER_S;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK(notes[i].what < 10 || notes[i].what >= 110);
    }
    world_free(world);
}

TEST(net, what_a_partition_cuts_while_another_heals_stays_cut)
{
    struct spec_fault list[] = {fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 1, 100, 200),
                                fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 2, 200, 200),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 2, 150, 20)};
    struct world_fixture fixture;
    struct world *world = begin_with(&fixture, list, 3);
    run(world, &fixture, 1, 500 * MS);
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK(notes[i].what < 100 || notes[i].what >= 400);
    }
    CHECK(note_count > 180);
    world_free(world);
}
