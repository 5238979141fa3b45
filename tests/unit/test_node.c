/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nodes at their edges: what a stopped process does not do, answers that come while it boots,
 * loops in which no time passes, times that never come, runs that are taken up and given up in any
 * state. */
#include "tests/unit/scripted_model.h"

#include "sim/net.h"

#include <stdlib.h>
#include <time.h>

#define MS NS_PER_MS

static struct spec_client caller = {
    .target = "store",
    .count = 1,
    .deadline_ns = INT64_MAX,
    .timeout_ns = 10 * MS,
    .route = SPEC_ROUTE_FIRST,
    .attempts_max = UINT32_MAX,
    .backoff_multiplier_milli = 1000,
    .retry_on = UINT64_MAX,
};

/* ------------------------------------------------------------------------------- pause and boot */

static void keep_silent(struct sq_env *env, const struct sq_request *request)
{
    (void)request;
    note(env, 1);
}

static void note_answer(struct sq_env *env, void *argument, enum sq_status status, const void *data,
                        size_t size)
{
    (void)argument;
    (void)data;
    (void)size;
    note(env, 100 + (uint64_t)status);
}

static enum sq_status boot_calls(struct sq_env *env)
{
    if (env->self == 1) {
        env->call->call(env, "store", "hello", 5, note_answer, NULL);
    }
    return SQ_OK;
}

TEST(node, a_stopped_process_repeats_no_call)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 2, 100, 500);
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 2, (struct script){.boot = boot_calls, .request = keep_silent});
    caller.route = SPEC_ROUTE_LEADER;
    fixture.group.clients = &caller;
    fixture.group.client_count = 1;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 99 * MS);
    uint32_t before = note_count;
    CHECK(before >= 4);
    world_run(world, 599 * MS, UINT64_MAX);
    CHECK(note_count <= before + 1); /* one may have been on its way */
    world_run(world, 700 * MS, UINT64_MAX);
    CHECK(note_count >= before + 4);
    world_free(world);
}

static void answer_ok(struct sq_env *env, const struct sq_request *request)
{
    note(env, 1);
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, "yes", 3);
}

static enum sq_status boot_calls_and_sleeps(struct sq_env *env)
{
    if (env->self == 1) {
        env->clock->sleep(env, MS);
        env->call->call(env, "store", "hello", 5, note_answer, NULL);
        env->clock->sleep(env, 5 * MS);
    }
    return SQ_OK;
}

TEST(node, an_answer_that_comes_while_a_node_boots_waits_for_it)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 2, (struct script){.boot = boot_calls_and_sleeps, .request = answer_ok});
    caller.route = SPEC_ROUTE_FIRST;
    fixture.group.clients = &caller;
    fixture.group.client_count = 1;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(notes_of(0), 1);
    REQUIRE(notes_of(1) == 1);
    CHECK_EQUAL(notes[1].what, 100 + SQ_OK);
    CHECK_EQUAL(notes[1].time, 6 * MS);
    world_free(world);
}

static void timer_calls(struct sq_env *env, uint64_t tag)
{
    env->call->call(env, "store", "hello", 5, note_answer, NULL);
    env->clock->start(env, MS, tag);
}

static enum sq_status boot_calls_often(struct sq_env *env)
{
    if (env->self == 1) {
        env->clock->start(env, MS, 0);
    }
    return SQ_OK;
}

TEST(node, a_stopped_process_turns_nobody_away)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 100, 500);
    struct world_fixture fixture;
    struct world *world = begin(
        &fixture, 2,
        (struct script){.boot = boot_calls_often, .request = answer_ok, .timer = timer_calls});
    struct spec_client patient = caller;
    patient.timeout_ns = NS_PER_S;
    patient.attempts_max = 1;
    fixture.group.clients = &patient;
    fixture.group.client_count = 1;
    fixture.group.host.queue_limit = 5;
    fixture.group.host.on_full = SPEC_FULL_REJECT;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 590 * MS);
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK(notes[i].what != 100 + SQ_E_OVERLOADED);
    }
    CHECK(world->nodes[0].dropped > 400);
    world_free(world);
}

/* ------------------------------------------------------------------------ loops without any time
 */

static sq_fiber players[2];

static void play(struct sq_env *env, void *argument)
{
    const sq_fiber *other = argument;
    for (;;) {
        env->fiber->park(env);
        env->fiber->unpark(env, *other);
    }
}

static void start_game(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    players[0] = env->fiber->spawn(env, play, &players[1]);
    players[1] = env->fiber->spawn(env, play, &players[0]);
    env->fiber->unpark(env, players[0]);
}

static void post_again(struct sq_env *env, void *argument)
{
    env->fiber->post(env, post_again, argument);
}

static void start_posts(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    env->fiber->post(env, post_again, NULL);
}

static void watch_clock(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    sq_time end = env->clock->monotonic(env) + NS_PER_S;
    while (env->clock->monotonic(env) < end) {
    }
}

static void watch_libc_clock(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    (void)env;
    time_t end = time(NULL) + 10;
    while (time(NULL) < end) {
    }
}

static void ask_disk(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    while (!env->disk->exists(env, "file")) {
        sq_file file;
        (void)env->disk->open(env, "file", 0, &file);
    }
}

static void timer_at_once(struct sq_env *env, uint64_t tag)
{
    env->clock->start(env, 0, tag);
}

static void talk_to_oneself(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    send_text(env, env->self, "again");
}

static void talk_again(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)data;
    (void)size;
    send_text(env, from, "again");
}

static enum sq_status boot_starts_timer(struct sq_env *env)
{
    env->clock->start(env, 5 * MS, 0);
    return SQ_OK;
}

TEST(node, a_loop_in_which_no_time_passes_ends_the_run_and_is_told)
{
    static void (*const loops[])(struct sq_env * env, uint64_t tag) = {
        start_game, start_posts,   watch_clock,     watch_libc_clock,
        ask_disk,   timer_at_once, talk_to_oneself,
    };
    for (uint32_t i = 0; i < ARRAY_COUNT(loops); i++) {
        struct world_fixture fixture;
        struct world *world = begin(
            &fixture, 1,
            (struct script){.boot = boot_starts_timer, .timer = loops[i], .deliver = talk_again});
        world->steps_max = 20000;
        uint64_t digests[2];
        for (uint32_t again = 0; again < 2; again++) {
            run(world, &fixture, 1, INT64_MAX);
            CHECK_EQUAL(world->end, WORLD_STOPPED);
            CHECK_TEXT(broken, "engine.time-advances");
            CHECK_EQUAL(world_now(world), 5 * MS);
            world_finish(world);
            digests[again] = world_digest(world);
        }
        CHECK_EQUAL(digests[0], digests[1]);
        world_free(world);
    }
}

static enum sq_status boot_spins(struct sq_env *env)
{
    watch_clock(env, 0);
    return SQ_OK;
}

TEST(node, a_boot_that_never_ends_ends_the_run)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, (struct script){.boot = boot_spins});
    world->steps_max = 20000;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_STOPPED);
    CHECK_TEXT(broken, "engine.time-advances");
    world_free(world);
}

/* ----------------------------------------------------------------------------- times that never
 * come */

static void sleep_for_ever(struct sq_env *env, void *argument)
{
    (void)argument;
    env->clock->sleep(env, INT64_MAX);
    note(env, 1);
}

static void work_for_ever(struct sq_env *env, void *argument)
{
    (void)argument;
    env->cpu->work(env, INT64_MAX);
    note(env, 2);
}

static void timer_never(struct sq_env *env, uint64_t tag)
{
    if (tag != 7) {
        note(env, 3 + tag);
        return;
    }
    sq_timer timer = env->clock->start(env, INT64_MAX, 1);
    CHECK(env->clock->rearm(env, timer, INT64_MAX - 1));
    CHECK(env->clock->rearm(env, timer, INT64_MAX));
    env->clock->start(env, INT64_MAX / 2, 2);
    env->fiber->spawn(env, sleep_for_ever, NULL);
    env->fiber->spawn(env, work_for_ever, NULL);
}

static enum sq_status boot_for_ever(struct sq_env *env)
{
    env->clock->start(env, MS, 7);
    return SQ_OK;
}

TEST(node, for_ever_is_a_time_like_any_other)
{
    struct spec_fault fault = fault_of(SPEC_STRESS_CHAOS, SPEC_ACTION_CPU, 1, 0, 1000);
    fault.slowdown_milli = 1000000;
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 1, (struct script){.boot = boot_for_ever, .timer = timer_never});
    fixture.group.host.clock_drift_ppm = 100000;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        run(world, &fixture, seed, INT64_MAX);
        CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
        CHECK_EQUAL(note_count, 0);
    }
    world_free(world);
}

/* ------------------------------------------------------------------------------ runs in any state
 */

static void timer_busy(struct sq_env *env, uint64_t tag)
{
    sq_file file;
    env->clock->start(env, 3 * MS, tag + 1);
    if (env->disk->open(env, "file", SQ_OPEN_CREATE, &file) == SQ_OK) {
        (void)env->disk->write(env, file, &tag, sizeof(tag), 8 * tag);
        (void)env->disk->sync(env, file);
        env->disk->close(env, file);
    }
    env->cpu->work(env, MS);
    send_text(env, (sq_node)env->rand->below(env, env->group_size), "message");
}

static enum sq_status boot_busy(struct sq_env *env)
{
    env->clock->sleep(env, 2 * MS);
    env->clock->start(env, MS, 1);
    return SQ_OK;
}

static void answer_busy(struct sq_env *env, const struct sq_request *request)
{
    struct sq_kv_reply reply = {0};
    env->cpu->work(env, MS / 10);
    env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static const struct script busy = {.boot = boot_busy, .request = answer_busy, .timer = timer_busy};

TEST(node, a_run_may_be_given_up_at_any_event)
{
    struct spec_fault fault = fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_PAUSE, 1, 20, 40);
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 3, busy);
    fixture.group.nodes_per_host = 2;
    fixture.spec.load_count = 1;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 200 * MS);
    uint64_t whole = world_digest(world);
    for (uint64_t event = 0; event < 300; event += 3) {
        reset(world, &fixture, 2);
        world_run(world, INT64_MAX, event);
    }
    run(world, &fixture, 1, 200 * MS);
    CHECK_EQUAL(world_digest(world), whole);
    world_free(world);
}

/* The spec of the run before is not looked at any more, and may be gone. */
TEST(node, a_world_takes_another_spec_for_every_run)
{
    struct world *world = NULL;
    for (uint32_t i = 0; i < 4; i++) {
        struct world_fixture *fixture = malloc(sizeof(*fixture));
        REQUIRE(fixture != NULL);
        if (world == NULL) {
            world = begin(fixture, 1, busy);
        }
        world_fixture_init(fixture, &scripted_model, 1 + 3 * (i % 2));
        fixture->spec.load_count = i % 2;
        run(world, fixture, 1, 50 * MS);
        memset(fixture, 0x5a, sizeof(*fixture));
        free(fixture);
    }
    world_free(world);
}

TEST(node, a_run_stops_at_the_event_that_was_asked_for)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 3, busy);
    reset(world, &fixture, 1);
    CHECK_EQUAL(world_run(world, INT64_MAX, 0), WORLD_RUNNING);
    CHECK_EQUAL(world_event(world), 0);
    CHECK_EQUAL(world_run(world, -1, UINT64_MAX), WORLD_RUNNING);
    CHECK_EQUAL(world_event(world), 0);
    CHECK_EQUAL(world_run(world, INT64_MAX, 5), WORLD_RUNNING);
    CHECK_EQUAL(world_event(world), 5);
    CHECK_EQUAL(world_run(world, INT64_MAX, 5), WORLD_RUNNING);
    CHECK_EQUAL(world_event(world), 5);
    CHECK_EQUAL(world_run(world, INT64_MAX, 3), WORLD_RUNNING);
    CHECK_EQUAL(world_event(world), 5);
    world_free(world);
}

/* ---------------------------------------------------------------------------------- hidden inputs
 */

static enum sq_status boot_asks_libc(struct sq_env *env)
{
    struct timespec now;
    struct timespec until = {3, 0};
    note(env, (uint64_t)rand());
    note(env, (uint64_t)random());
    srand(1);
    note(env, (uint64_t)rand());
    CHECK_EQUAL(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK_EQUAL(timespec_get(&now, TIME_UTC), TIME_UTC);
    note(env, (uint64_t)now.tv_sec);
    return SQ_OK;
}

TEST(node, libc_chance_inside_a_node_is_of_its_stream)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, (struct script){.boot = boot_asks_libc});
    run(world, &fixture, 1, 5 * NS_PER_S);
    REQUIRE(note_count == 8);
    struct note first[8];
    memcpy(first, notes, sizeof(first));
    CHECK(first[0].what != first[3].what); /* two nodes */
    CHECK(first[0].what != first[2].what); /* and nobody sets it back */
    CHECK_EQUAL(first[6].what, 1767225603);
    (void)rand();
    run(world, &fixture, 1, 5 * NS_PER_S);
    REQUIRE(note_count == 8);
    for (uint32_t i = 0; i < 8; i++) {
        CHECK_EQUAL(notes[i].what, first[i].what);
    }
    srand(7);
    int once = rand();
    srand(7);
    CHECK_EQUAL(rand(), once); /* outside of nodes it is libc's as ever */
    world_free(world);
}
