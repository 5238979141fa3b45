/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Faults: whom they strike, that overlapping ones compose and each undoes only what it did, and
 * that none says it happened when it did nothing. */
#include "tests/unit/scripted_model.h"

#include "sim/fault.h"
#include "sim/net.h"

#define MS NS_PER_MS

static void timer_ticks(struct sq_env *env, uint64_t tag)
{
    note(env, tag);
    env->clock->start(env, 10 * MS, tag + 1);
}

static enum sq_status boot_ticks(struct sq_env *env)
{
    env->clock->start(env, 10 * MS, 1);
    return SQ_OK;
}

static const struct script ticker = {.boot = boot_ticks, .timer = timer_ticks};

static struct world *strike(struct world_fixture *fixture, uint32_t nodes, struct script what,
                            struct spec_fault *list, uint32_t count)
{
    struct world *world = begin(fixture, nodes, what);
    fixture->spec.faults = list;
    fixture->spec.fault_count = count;
    return world;
}

/* --------------------------------------------------------------------------------- overlapping */

TEST(fault, of_two_pauses_the_last_to_end_lets_the_node_go)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 100, 200),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 200, 400)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, ticker, list, 2);
    run(world, &fixture, 1, 599 * MS);
    CHECK(world->nodes[0].is_paused);
    CHECK_EQUAL(note_count, 9);
    world_run(world, 601 * MS, UINT64_MAX);
    CHECK(!world->nodes[0].is_paused);
    CHECK_EQUAL(lives_of(0, SQ_LIFE_PAUSE), 1);
    CHECK_EQUAL(lives_of(0, SQ_LIFE_RESUME), 1);
    world_free(world);
}

TEST(fault, a_pause_holds_one_incarnation_only)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 100, 500),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 200, 100),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 400, 500)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, ticker, list, 3);
    run(world, &fixture, 1, 350 * MS);
    CHECK(!world->nodes[0].is_paused); /* a new process, not the stopped one */
    world_run(world, 700 * MS, UINT64_MAX);
    CHECK(world->nodes[0].is_paused); /* the end of the first pause is none of its business */
    world_run(world, 901 * MS, UINT64_MAX);
    CHECK(!world->nodes[0].is_paused);
    world_free(world);
}

TEST(fault, slowdowns_multiply_and_each_ends_alone)
{
    struct spec_fault list[] = {fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, 1, 100, 400),
                                fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, 3, 200, 100),
                                fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, 1, 600, 100)};
    list[0].slowdown_milli = 2000;
    list[1].slowdown_milli = 3000;
    list[2].slowdown_milli = 1500;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, ticker, list, 3);
    fixture.group.nodes_per_host = 2; /* both nodes of the second fault are on one host */
    static const struct {
        int64_t ms;
        uint32_t milli;
    } expected[] = {{150, 2000}, {250, 6000}, {350, 2000}, {550, 1000}, {650, 1500}, {750, 1000}};
    reset(world, &fixture, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(expected); i++) {
        world_run(world, expected[i].ms * MS, UINT64_MAX);
        CHECK_EQUAL(world->nodes[0].host->cpu.slowdown_milli, expected[i].milli);
    }
    world_free(world);
}

TEST(fault, any_number_of_drifts_may_add_up)
{
    struct spec_fault list[12];
    for (uint32_t i = 0; i < 12; i++) {
        list[i] = fault_of(SPEC_TIME_CHAOS, SPEC_ACTION_CLOCK, 1, 100, 200 + i);
        list[i].clock_drift_ppm = -100000;
    }
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, ticker, list, 12);
    run(world, &fixture, 1, 150 * MS);
    int64_t before = clock_monotonic(&world->nodes[0].clock, 120 * MS);
    CHECK(clock_monotonic(&world->nodes[0].clock, 130 * MS) > before); /* slow, but it goes on */
    world_run(world, NS_PER_S, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].clock.drift_ppm, 0);
    world_free(world);
}

TEST(fault, a_node_stays_down_as_long_as_one_fault_holds_it)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 900),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 2, 200, 100)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, ticker, list, 2);
    fixture.group.nodes_per_host = 2;
    run(world, &fixture, 1, 500 * MS);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN); /* the power is back, the kill goes on */
    CHECK_EQUAL(world->nodes[1].state, NODE_UP);
    world_run(world, 1001 * MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    CHECK_EQUAL(world->nodes[0].env.incarnation, 2);
    world_free(world);
}

TEST(fault, a_kill_that_ends_while_the_power_is_off_starts_nothing)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 200),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 2, 200, 300)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, ticker, list, 2);
    fixture.group.nodes_per_host = 2;
    run(world, &fixture, 1, 400 * MS);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
    CHECK_EQUAL(world->nodes[1].state, NODE_DOWN);
    world_run(world, 501 * MS, UINT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    CHECK_EQUAL(world->nodes[1].state, NODE_UP);
    world_free(world);
}

static enum sq_status boot_writes(struct sq_env *env)
{
    sq_file file;
    if (env->incarnation == 1) {
        CHECK_EQUAL(env->disk->open(env, "file", SQ_OPEN_CREATE, &file), SQ_OK);
        CHECK_EQUAL(env->disk->write(env, file, "text", 4, 0), SQ_OK);
    }
    return SQ_OK;
}

/* A host whose process is dead still has a page cache to lose. */
TEST(fault, power_loss_strikes_a_host_whose_process_is_dead)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 500),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 1, 200, 100)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, (struct script){.boot = boot_writes}, list, 2);
    uint32_t lost = 0;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        run(world, &fixture, seed, 550 * MS);
        CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
        CHECK_EQUAL(lives_of(0, SQ_LIFE_CRASH), 1);
        CHECK_EQUAL(lives_of(0, SQ_LIFE_POWER), 1);
        lost += disk_exists(world->nodes[0].disk, "file") ? 0 : 1;
        world_run(world, 601 * MS, UINT64_MAX);
        CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    }
    CHECK(lost > 0); /* its name was never made durable */
    world_free(world);
}

/* ---------------------------------------------------------------------------------------- whom */

static void count_message(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)data;
    (void)size;
    note(env, from);
}

static void timer_talks(struct sq_env *env, uint64_t tag)
{
    for (sq_node to = 0; to < env->group_size; to++) {
        if (to != env->self) {
            send_text(env, to, "x");
        }
    }
    env->clock->start(env, 10 * MS, tag + 1);
}

static const struct script talker = {
    .boot = boot_ticks, .timer = timer_talks, .deliver = count_message};

TEST(fault, without_a_target_the_links_between_struck_nodes_suffer_too)
{
    static const enum spec_fault_action actions[] = {SPEC_ACTION_LOSS, SPEC_ACTION_DELAY};
    for (uint32_t i = 0; i < 2; i++) {
        struct spec_fault fault = fault_of(SPEC_NETWORK_CHAOS, actions[i], UINT64_MAX, 95, 100);
        fault.delay = (struct dist){.kind = DIST_CONSTANT, .a = NS_PER_S};
        struct world_fixture fixture;
        struct world *world = strike(&fixture, 3, talker, &fault, 1);
        run(world, &fixture, 1, 194 * MS);
        CHECK_EQUAL(note_count, 9 * 6); /* what was sent until 90 ms */
        REQUIRE(fault_count == 1);
        CHECK_TEXT(fault_targets[0], "n1,n2,n3");
        world_free(world);
    }
}

TEST(fault, a_partition_leaves_each_side_whole)
{
    struct spec_fault fault = fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 3, 95, 100);
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 4, talker, &fault, 1);
    run(world, &fixture, 1, 194 * MS);
    CHECK_EQUAL(note_count, 9 * 12 + 10 * 4); /* n1-n2 and n3-n4, both ways */
    world_free(world);
}

TEST(fault, a_partition_of_everybody_from_nobody_is_not_told)
{
    struct spec_fault list[] = {
        fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, UINT64_MAX, 100, 100),
        fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 1, 100, 100)};
    list[1].has_target = true;
    list[1].target = (struct spec_selector){1, SQ_ROLE_NONE}; /* n1 from n1 */
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, talker, list, 2);
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(fault_count, 0);
    world_free(world);
}

static void timer_leads(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    env->trace->role(env, SQ_ROLE_LEADER);
}

/* n1 leads from 300 ms on, n2 from 600 ms on. */
static enum sq_status boot_leads(struct sq_env *env)
{
    if (env->incarnation == 1) {
        env->clock->start(env, (env->self + 1) * 300 * MS, 0);
    }
    return SQ_OK;
}

static const struct script leaders = {.boot = boot_leads, .timer = timer_leads};

TEST(fault, a_strike_at_a_leader_waits_for_one)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, UINT64_MAX, 100, 100);
    fault.mode = SPEC_MODE_ONE;
    fault.selector.role = SQ_ROLE_LEADER;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, leaders, &fault, 1);
    run(world, &fixture, 1, 5 * NS_PER_S);
    REQUIRE(fault_count == 2);
    CHECK_TEXT(fault_targets[0], "n1");
    CHECK_EQUAL(faults[0].start, 300 * MS);
    CHECK_EQUAL(faults[1].end, 400 * MS);
    world_free(world);
}

TEST(fault, a_strike_at_each_leader_does_not_wait_for_the_next_ones)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, UINT64_MAX, 350, 1000);
    fault.mode = SPEC_MODE_EACH;
    fault.selector.role = SQ_ROLE_LEADER;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, leaders, &fault, 1);
    run(world, &fixture, 1, 5 * NS_PER_S);
    CHECK_EQUAL(lives_of(0, SQ_LIFE_CRASH), 1);
    CHECK_EQUAL(lives_of(1, SQ_LIFE_CRASH), 0); /* was no leader when the fault struck */
    world_free(world);
}

/* A network fault whose target is a leader that does not exist waits as well. */
TEST(fault, a_strike_waits_for_its_target)
{
    struct spec_fault fault = fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 2, 100, 100);
    fault.has_target = true;
    fault.target = (struct spec_selector){UINT64_MAX, SQ_ROLE_LEADER};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, leaders, &fault, 1);
    run(world, &fixture, 1, 5 * NS_PER_S);
    REQUIRE(fault_count == 2);
    CHECK_EQUAL(faults[0].start, 300 * MS);
    CHECK_TEXT(fault_targets[0], "n2 | n1");
    world_free(world);
}

TEST(fault, a_span_ends_when_it_says_however_late_it_began)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, UINT64_MAX, 100, 300);
    fault.selector.role = SQ_ROLE_LEADER;
    fault.from_ns = 100 * MS;
    fault.until_ns = 400 * MS;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, leaders, &fault, 1);
    run(world, &fixture, 1, 5 * NS_PER_S);
    REQUIRE(fault_count == 2);
    CHECK_EQUAL(faults[0].start, 300 * MS);
    CHECK_EQUAL(faults[1].end, 400 * MS);
    fault.until_ns = 250 * MS; /* before there is a leader */
    run(world, &fixture, 1, 5 * NS_PER_S);
    CHECK_EQUAL(fault_count, 0);
    world_free(world);
}

TEST(fault, a_draw_of_nobody_is_an_answer)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, UINT64_MAX, 100, 100);
    fault.mode = SPEC_MODE_RANDOM_MAX_PERCENT;
    fault.mode_value = 100;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, ticker, &fault, 1);
    uint32_t struck = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run(world, &fixture, seed, 5 * NS_PER_S);
        struck += lives_of(0, SQ_LIFE_CRASH);
    }
    CHECK(struck > 8); /* half of them; not all after a hundred tries */
    CHECK(struck < 32);
    world_free(world);
}

/* ---------------------------------------------------------------------------------------- disks */

static void timer_syncs_names(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    note(env, (uint64_t)env->disk->sync_dir(env));
    env->clock->start(env, 10 * MS, 0);
}

TEST(fault, a_fault_of_directory_calls_reaches_sync_dir)
{
    struct spec_fault fault = fault_of(SPEC_IO_CHAOS, SPEC_ACTION_IO_FAULT, 1, 0, 1000);
    fault.methods = SPEC_IO_DIRECTORY;
    struct world_fixture fixture;
    struct world *world = strike(
        &fixture, 1, (struct script){.boot = boot_ticks, .timer = timer_syncs_names}, &fault, 1);
    run(world, &fixture, 1, 100 * MS);
    REQUIRE(note_count > 0);
    CHECK_EQUAL(notes[0].what, SQ_E_IO);
    fault.path = "log*"; /* a sync of the directory has no name */
    run(world, &fixture, 1, 100 * MS);
    REQUIRE(note_count > 0);
    CHECK_EQUAL(notes[0].what, SQ_OK);
    world_free(world);
}

/* -------------------------------------------------------------------------------- life and time */

static enum sq_status boot_fails_at_first(struct sq_env *env)
{
    return env->incarnation == 1 ? SQ_E_IO : SQ_OK;
}

TEST(fault, healing_starts_what_is_down_for_whatever_reason)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 100);
    fault.has_no_end = true;
    struct world_fixture fixture;
    struct world *world =
        strike(&fixture, 2, (struct script){.boot = boot_fails_at_first}, &fault, 1);
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    CHECK_EQUAL(world->nodes[1].state, NODE_UP);
    world_free(world);
}

static enum sq_status boot_opens(struct sq_env *env)
{
    sq_file file;
    enum sq_status status = env->disk->open(env, "file", SQ_OPEN_CREATE, &file);
    return env->incarnation == 1 ? SQ_OK : status;
}

TEST(fault, healing_mends_disks_before_it_starts_nodes)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 0),
                                fault_of(SPEC_IO_CHAOS, SPEC_ACTION_IO_FAULT, 1, 200, 0)};
    list[0].has_no_end = true;
    list[1].has_no_end = true;
    list[1].methods = SPEC_IO_OPEN;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, (struct script){.boot = boot_opens}, list, 2);
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->nodes[0].state, NODE_UP);
    CHECK_EQUAL(world->nodes[0].env.incarnation, 2);
    world_free(world);
}

TEST(fault, the_monotonic_clock_starts_again_when_the_power_is_back)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_POWER_LOSS, 1, 1000, 2000);
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 1, ticker, &fault, 1);
    fixture.group.host.clock_drift_ppm = 100000;
    run(world, &fixture, 3, 999 * MS);
    struct clock *clock = &world->nodes[0].clock;
    CHECK(clock->drift_ppm != 0);
    int64_t before = clock_realtime(clock, 999 * MS);
    world_run(world, 3000 * MS, UINT64_MAX);
    CHECK_EQUAL(clock_monotonic(clock, 3000 * MS), 0);
    int64_t passed = clock_realtime(clock, 3000 * MS) - before;
    int64_t expected = 2001 * MS + 2001 * MS * clock->drift_ppm / 1000000;
    CHECK(passed > expected - 2);
    CHECK(passed < expected + 2);
    world_free(world);
}

TEST(fault, a_storm_of_short_faults_needs_no_more_memory_with_time)
{
    struct spec_fault list[] = {fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_DELAY, UINT64_MAX, 0, 1),
                                fault_of(SPEC_IO_CHAOS, SPEC_ACTION_IO_LATENCY, UINT64_MAX, 0, 1),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_RESTART, UINT64_MAX, 0, 1)};
    for (uint32_t i = 0; i < 3; i++) {
        list[i].has_at = false;
        list[i].mode = SPEC_MODE_EACH;
        list[i].every = (struct dist){.kind = DIST_CONSTANT, .a = MS};
    }
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 5, talker, list, 3);
    run(world, &fixture, 1, NS_PER_S);
    size_t used = world->arena.used_bytes;
    world_run(world, 4 * NS_PER_S, UINT64_MAX);
    CHECK(fault_count > 1000);
    CHECK(world->arena.used_bytes < used + 4096);
    world_free(world);
}

/* -------------------------------------------------------------------------------------- signals */

static char signal_names[16][16];

static void signal_notes(struct sq_env *env, const char *name, int64_t value)
{
    if (note_count < 16) {
        snprintf(signal_names[note_count], sizeof(signal_names[0]), "%s", name);
    }
    note(env, (uint64_t)value);
}

static struct spec_fault signal_of(uint64_t nodes, int64_t at_ms, int64_t ms)
{
    struct spec_fault fault = fault_of(SPEC_APP_CHAOS, SPEC_ACTION_SIGNAL, nodes, at_ms, ms);
    fault.signal = "flush";
    fault.signal_value = 1000;
    return fault;
}

TEST(fault, a_signal_is_told_once_unless_it_has_a_value_for_the_end)
{
    struct spec_fault list[] = {signal_of(3, 100, 0), signal_of(4, 200, 300),
                                signal_of(4, 700, 100)};
    list[1].has_end_value = true;
    list[1].signal_end_value = 7;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 3, (struct script){.signal = signal_notes}, list, 3);
    run(world, &fixture, 1, NS_PER_S);
    static const struct note expected[] = {{100 * MS, 0, 1000},
                                           {100 * MS, 1, 1000},
                                           {200 * MS, 2, 1000},
                                           {500 * MS, 2, 7},
                                           {700 * MS, 2, 1000}};
    REQUIRE(note_count == ARRAY_COUNT(expected));
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK_EQUAL(notes[i].time, expected[i].time);
        CHECK_EQUAL(notes[i].node, expected[i].node);
        CHECK_EQUAL(notes[i].what, expected[i].what);
        CHECK_TEXT(signal_names[i], "flush");
    }
    REQUIRE(fault_count == 6); /* three begin, three end */
    CHECK_TEXT(faults[0].kind, "AppChaos");
    CHECK_TEXT(faults[0].action, "signal");
    CHECK_TEXT(fault_targets[0], "n1,n2");
    world_free(world);
}

/* A process that is not there hears nothing, and what tells nobody did not happen. */
TEST(fault, a_signal_finds_only_nodes_that_are_up)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 100, 100),
                                signal_of(3, 150, 0), signal_of(1, 150, 0)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, (struct script){.signal = signal_notes}, list, 3);
    run(world, &fixture, 1, NS_PER_S);
    REQUIRE(note_count == 2);
    CHECK_EQUAL(notes[0].node, 1);
    CHECK_EQUAL(notes[0].time, 150 * MS);
    CHECK_EQUAL(notes[1].node, 0); /* tried again until there was one */
    CHECK_EQUAL(notes[1].time, 250 * MS);
    world_free(world);
}

/* ------------------------------------------------------------------------------------- capacity */

TEST(fault, capacities_multiply_and_each_ends_alone)
{
    struct spec_fault list[] = {fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CAPACITY, 1, 100, 400),
                                fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CAPACITY, 3, 200, 100),
                                fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, 1, 250, 100),
                                fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CAPACITY, 2, 600, 100)};
    list[0].factor = 200000;
    list[1].factor = 500000;
    list[2].slowdown_milli = 3000;
    list[3].factor = 0;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, ticker, list, 4);
    fixture.group.nodes_per_host = 2; /* both nodes of the second fault are on one host */
    static const struct {
        int64_t ms;
        uint32_t capacity;
        uint32_t milli;
    } expected[] = {{50, 1000000, 1000}, {150, 200000, 1000}, {275, 100000, 3000},
                    {325, 200000, 3000}, {450, 200000, 1000}, {550, 1000000, 1000},
                    {650, 0, 1000},      {750, 1000000, 1000}};
    reset(world, &fixture, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(expected); i++) {
        world_run(world, expected[i].ms * MS, UINT64_MAX);
        CHECK_EQUAL(world->nodes[0].host->cpu.capacity, expected[i].capacity);
        CHECK_EQUAL(world->nodes[0].host->cpu.slowdown_milli, expected[i].milli);
    }
    CHECK_TEXT(faults[0].kind, "StressChaos");
    CHECK_TEXT(faults[0].action, "capacity");
    world_free(world);
}

static void timer_works(struct sq_env *env, uint64_t tag)
{
    env->cpu->work(env, 10 * MS);
    note(env, tag);
    env->clock->start(env, 10 * MS, tag + 1);
}

/* What is in service when it begins is late by what was lost, and nobody knows of it afterwards. */
TEST(fault, a_freeze_holds_what_a_node_does_and_the_undoing_is_exact)
{
    struct spec_fault fault = fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CAPACITY, 1, 115, 333);
    fault.factor = 0;
    struct world_fixture fixture;
    struct world *world =
        strike(&fixture, 1, (struct script){.boot = boot_ticks, .timer = timer_works}, &fault, 1);
    run(world, &fixture, 1, NS_PER_S);
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK_EQUAL(notes[i].time, (i + 1) * 20 * MS + (i < 5 ? 0 : 333 * MS));
    }
    CHECK_EQUAL(note_count, 33);
    world_free(world);
}

/* -------------------------------------------------------------------------------------- rolling */

/* Nodes as they went down (or stopped), in order. */
static void check_order(enum sq_life what, const struct note *expected, uint32_t count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < life_count; i++) {
        if (lives[i].what != what) {
            continue;
        }
        REQUIRE(at < count);
        CHECK_EQUAL(lives[i].time, expected[at].time);
        CHECK_EQUAL(lives[i].node, expected[at].node);
        at++;
    }
    CHECK_EQUAL(at, count);
}

#define CHECK_ORDER(what, ...)                                                                     \
    check_order((what), (struct note[]){__VA_ARGS__},                                              \
                sizeof((struct note[]){__VA_ARGS__}) / sizeof(struct note))

static struct spec_fault rolling_of(enum spec_fault_action action, uint64_t nodes, int64_t ms)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, action, nodes, 100, ms);
    fault.mode = SPEC_MODE_ROLLING;
    fault.batch = 1;
    fault.interval_ns = 50 * MS;
    return fault;
}

TEST(fault, a_rolling_restart_takes_one_node_after_the_other_and_is_one_fault)
{
    struct spec_fault fault = rolling_of(SPEC_ACTION_RESTART, 0xd, 0);
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 4, ticker, &fault, 1);
    run(world, &fixture, 1, NS_PER_S);
    CHECK_ORDER(SQ_LIFE_CRASH, {100 * MS, 0, 0}, {150 * MS, 2, 0}, {200 * MS, 3, 0});
    CHECK_EQUAL(lives_of(2, SQ_LIFE_READY), 2);
    REQUIRE(fault_count == 2);
    CHECK_EQUAL(faults[1].start, 100 * MS);
    CHECK_EQUAL(faults[1].end, 200 * MS);
    CHECK_TEXT(fault_targets[1], "n1,n3,n4");
    world_free(world);
}

TEST(fault, a_rolling_kill_waits_until_a_batch_is_back)
{
    struct spec_fault fault = rolling_of(SPEC_ACTION_KILL, UINT64_MAX, 30);
    fault.batch = 40; /* of 5: 2 */
    fault.is_batch_percent = true;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 5, ticker, &fault, 1);
    run(world, &fixture, 1, NS_PER_S);
    CHECK_ORDER(SQ_LIFE_CRASH, {100 * MS, 0, 0}, {100 * MS, 1, 0}, {180 * MS, 2, 0},
                {180 * MS, 3, 0}, {260 * MS, 4, 0});
    CHECK_ORDER(SQ_LIFE_BOOT, {0, 0, 0}, {0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 4, 0},
                {130 * MS, 0, 0}, {130 * MS, 1, 0}, {210 * MS, 2, 0}, {210 * MS, 3, 0},
                {290 * MS, 4, 0});
    REQUIRE(fault_count == 2);
    CHECK_EQUAL(faults[1].end, 290 * MS);
    world_free(world);
}

TEST(fault, rolling_pauses_and_wipes_undo_themselves)
{
    struct spec_fault list[] = {rolling_of(SPEC_ACTION_PAUSE, 3, 40),
                                rolling_of(SPEC_ACTION_WIPE, 0xc, 10)};
    list[1].at_ns = 400 * MS;
    list[1].batch = 64;
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 4, ticker, list, 2);
    run(world, &fixture, 1, NS_PER_S);
    CHECK_ORDER(SQ_LIFE_PAUSE, {100 * MS, 0, 0}, {190 * MS, 1, 0});
    CHECK_ORDER(SQ_LIFE_RESUME, {140 * MS, 0, 0}, {230 * MS, 1, 0});
    CHECK_ORDER(SQ_LIFE_WIPE, {400 * MS, 2, 0}, {400 * MS, 3, 0});
    CHECK_EQUAL(world->nodes[3].state, NODE_UP);
    CHECK(!world->nodes[3].host->is_off);
    REQUIRE(fault_count == 4);
    CHECK_EQUAL(faults[3].end, 410 * MS);
    world_free(world);
}

TEST(fault, a_node_that_is_down_when_its_turn_comes_is_left_out)
{
    struct spec_fault list[] = {rolling_of(SPEC_ACTION_RESTART, UINT64_MAX, 0),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 2, 120, 500)};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 3, ticker, list, 2);
    run(world, &fixture, 1, NS_PER_S);
    CHECK_ORDER(SQ_LIFE_CRASH, {100 * MS, 0, 0}, {120 * MS, 1, 0}, {150 * MS, 2, 0});
    CHECK_EQUAL(world->nodes[1].env.incarnation, 2);
    world_free(world);
}

/* Each round is an instance; what is healed in the middle of one is back at once. */
TEST(fault, a_rolling_fault_comes_again_and_heals)
{
    struct spec_fault fault = rolling_of(SPEC_ACTION_KILL, 3, 100);
    fault.has_at = false;
    fault.every = (struct dist){.kind = DIST_CONSTANT, .a = 100 * MS};
    struct world_fixture fixture;
    struct world *world = strike(&fixture, 2, ticker, &fault, 1);
    run(world, &fixture, 1, 1020 * MS);
    /* 100 .. 350 and 450 .. 700 and 800 .. */
    CHECK_ORDER(SQ_LIFE_CRASH, {100 * MS, 0, 0}, {250 * MS, 1, 0}, {450 * MS, 0, 0},
                {600 * MS, 1, 0}, {800 * MS, 0, 0}, {950 * MS, 1, 0});
    CHECK_EQUAL(world->nodes[1].state, NODE_DOWN);
    fault_heal(world->faults);
    CHECK_EQUAL(world->nodes[1].state, NODE_UP);
    CHECK_EQUAL(faults[fault_count - 1].end, world_now(world));
    world_run(world, 2 * NS_PER_S, UINT64_MAX);
    CHECK_EQUAL(lives_of(0, SQ_LIFE_CRASH), 3);
    world_free(world);
}

/* ------------------------------------------------------------------------------------- policies */

/* Two policies, from 1 s to 2 s and from 1.5 s to 2.5 s: one attempt more, and one more again, of
 * 10 ms each. */
struct policies {
    struct world_fixture fixture;
    struct spec_group groups[2];
    struct spec_client base;
    struct spec_client changed[2][2];
    const struct spec_client *of_groups[2][2]; /* the same, by group */
    struct spec_fault faults[2];
};

static const bool nobody[2];
static const bool first_of_two[2] = {true, false};

static void note_attempt(struct sq_env *env, const struct sq_request *request)
{
    note(env, request->reply_to.attempt);
}

static void policies_init(struct policies *policies)
{
    struct world_fixture *fixture = &policies->fixture;
    policies->base = fixture->load.client;
    policies->base.attempts_max = 1;
    policies->base.timeout_ns = 10 * MS;
    policies->base.backoff = SPEC_BACKOFF_NONE;
    fixture->load.client = policies->base;
    fixture->spec.limit_ns = 4 * NS_PER_S;
    for (uint32_t i = 0; i < 2; i++) {
        policies->changed[i][0] = policies->base;
        policies->changed[i][0].attempts_max = 2 + i;
        policies->faults[i] =
            fault_of(SPEC_CLIENT_CHAOS, SPEC_ACTION_POLICY, 0, 1000 + 500 * i, 1000);
        policies->faults[i].mode = SPEC_MODE_ONE;
        policies->faults[i].loads = nobody;
        policies->faults[i].groups = nobody;
        policies->faults[i].load_policies = policies->changed[i];
        policies->of_groups[i][0] = policies->changed[i];
        policies->faults[i].group_policies = policies->of_groups[i];
    }
    fixture->spec.faults = policies->faults;
    fixture->spec.fault_count = 2;
}

/* Attempts that arrived in [from, until). */
static uint32_t attempts_in(int64_t from_ms, int64_t until_ms)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < note_count; i++) {
        count += notes[i].time >= from_ms * MS && notes[i].time < until_ms * MS ? 1 : 0;
    }
    return count;
}

/* 100 calls a second begin at n * 10 ms; a retry comes 10 and 20 ms later. */
static void check_phases(void)
{
    CHECK_EQUAL(attempts_in(500, 1000), 50);
    CHECK_EQUAL(attempts_in(1030, 1500), 2 * 47);
    CHECK_EQUAL(attempts_in(1530, 2000), 3 * 47); /* the latest counts */
    CHECK_EQUAL(attempts_in(2030, 2500), 3 * 47); /* the end of the other is none of its business */
    CHECK_EQUAL(attempts_in(2530, 3000), 47);
}

TEST(fault, of_the_policies_of_a_load_the_latest_counts_and_then_its_own)
{
    struct policies policies;
    struct world *world = begin(&policies.fixture, 1, (struct script){.request = note_attempt});
    policies_init(&policies);
    policies.fixture.spec.load_count = 1;
    policies.fixture.load.arrivals = SPEC_ARRIVALS_UNIFORM;
    policies.faults[0].loads = first_of_two;
    policies.faults[1].loads = first_of_two;
    run(world, &policies.fixture, 1, 4 * NS_PER_S);
    check_phases();
    REQUIRE(fault_count == 4);
    CHECK_TEXT(faults[0].kind, "ClientChaos");
    CHECK_TEXT(faults[0].action, "policy");
    CHECK_TEXT(fault_targets[0], "steady");
    world_free(world);
}

static void forget(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                   size_t size)
{
    (void)env;
    (void)argument;
    (void)status;
    (void)data;
    (void)size;
}

static void timer_calls_back(struct sq_env *env, uint64_t tag)
{
    env->call->call(env, "back", "x", 1, forget, NULL);
    env->clock->start(env, 10 * MS, tag + 1);
}

static enum sq_status boot_of_two(struct sq_env *env)
{
    if (env->group_first == 0) {
        env->clock->start(env, 10 * MS, 1);
    }
    return SQ_OK;
}

/* The same of a group; a node that starts again meanwhile knows the policy. */
TEST(fault, a_policy_of_a_group_is_that_of_its_nodes_also_after_a_crash)
{
    struct policies policies;
    struct world *world = begin(
        &policies.fixture, 2,
        (struct script){.boot = boot_of_two, .request = note_attempt, .timer = timer_calls_back});
    policies_init(&policies);
    policies.base.target = "back";
    policies.base.target_group = 1;
    policies.changed[0][0].target_group = 1;
    policies.changed[1][0].target_group = 1;
    for (uint32_t i = 0; i < 2; i++) {
        policies.groups[i] = policies.fixture.group;
        policies.groups[i].name = i == 0 ? "front" : "back";
        policies.groups[i].first = i;
        policies.groups[i].count = 1;
        policies.groups[i].clients = &policies.base;
        policies.groups[i].client_count = i == 0 ? 1 : 0;
        policies.faults[i].groups = first_of_two;
    }
    policies.fixture.spec.groups = policies.groups;
    policies.fixture.spec.group_count = 2;
    struct spec_fault list[] = {policies.faults[0], policies.faults[1],
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_RESTART, 1, 1200, 0),
                                fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_RESTART, 1, 2700, 0)};
    policies.fixture.spec.faults = list;
    run(world, &policies.fixture, 1, 4 * NS_PER_S);
    check_phases();
    CHECK_TEXT(fault_targets[0], "front");
    policies.fixture.spec.fault_count = 4;
    run(world, &policies.fixture, 1, 4 * NS_PER_S);
    CHECK_EQUAL(attempts_in(1250, 1500), 2 * 25);
    CHECK_EQUAL(attempts_in(2750, 3000), 25);
    world_free(world);
}
