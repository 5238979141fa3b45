/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The engine seen through a scripted model: each test gives the node functions that it needs. */
#include "tests/unit/harness.h"
#include "tests/unit/world_fixture.h"

#include "sim/node.h"

#include <stdlib.h>
#include <time.h>

/* What the model of a test writes down: (time, number) pairs. */
static struct note {
    sq_time time;
    uint64_t what;
} notes[4096];
static uint32_t note_count;

static struct script {
    enum sq_status (*boot)(struct sq_env *env);
    void (*deliver)(struct sq_env *env, sq_node from, const void *data, size_t size);
    void (*request)(struct sq_env *env, const struct sq_request *request);
    void (*timer)(struct sq_env *env, uint64_t tag);
    void (*signal)(struct sq_env *env, const char *name, int64_t value);
} script;

static void note(struct sq_env *env, uint64_t what)
{
    if (note_count < 4096) {
        notes[note_count++] = (struct note){env->clock->monotonic(env), what};
    }
}

static enum sq_status boot(struct sq_env *env)
{
    return script.boot != NULL ? script.boot(env) : SQ_OK;
}

static void deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    script.deliver(env, from, data, size);
}

static void request(struct sq_env *env, const struct sq_request *what)
{
    script.request(env, what);
}

static void timer(struct sq_env *env, uint64_t tag)
{
    script.timer(env, tag);
}

static void on_signal(struct sq_env *env, const char *name, int64_t value)
{
    script.signal(env, name, value);
}

static const struct sq_model model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(model),
    .name = "scripted",
    .version = "test",
    .description = "what a test scripts",
    .boot = boot,
    .deliver = deliver,
    .request = request,
    .timer = timer,
    .signal = on_signal,
};

static struct world *begin(struct world_fixture *fixture, uint32_t nodes, struct script what)
{
    world_fixture_init(fixture, &model, nodes);
    script = what;
    note_count = 0;
    return world_new();
}

static void run(struct world *world, const struct world_fixture *fixture, uint64_t seed,
                int64_t until)
{
    world_reset(world, &fixture->spec, seed, NULL);
    world_run(world, until, UINT64_MAX);
}

static void send_text(struct sq_env *env, sq_node to, const char *text)
{
    struct sq_buffer buffer = {text, strlen(text)};
    env->net->send(env, to, &buffer, 1);
}

/* -------------------------------------------------------------------------------------- signals */

static void signal_notes(struct sq_env *env, const char *name, int64_t value)
{
    CHECK_TEXT(name, "flush");
    note(env, (uint64_t)value);
    env->clock->sleep(env, NS_PER_MS);
    note(env, (uint64_t)value + 1);
}

TEST(world, a_signal_waits_its_turn_and_reaches_only_a_node_that_is_up)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.signal = signal_notes});
    world_reset(world, &fixture.spec, 1, NULL);
    world_run(world, NS_PER_MS, UINT64_MAX);
    node_signal(&world->nodes[0], "flush", 10);
    node_signal(&world->nodes[0], "flush", 20);
    world_run(world, 10 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(note_count, 4);
    CHECK_EQUAL(notes[1].what, 11);
    CHECK_EQUAL(notes[2].what, 20);
    CHECK_EQUAL(notes[3].time - notes[0].time, 2 * NS_PER_MS);
    node_crash(&world->nodes[0], SQ_LIFE_CRASH);
    node_signal(&world->nodes[0], "flush", 30);
    world_run(world, 20 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(note_count, 4);
    world_free(world);
}

/* ------------------------------------------------------------------------------- timers, fibers */

static enum sq_status boot_timers(struct sq_env *env)
{
    env->clock->start(env, 3 * NS_PER_MS, 3);
    env->clock->start(env, NS_PER_MS, 1);
    sq_timer dead = env->clock->start(env, 2 * NS_PER_MS, 2);
    sq_timer late = env->clock->start(env, 2 * NS_PER_MS, 4);
    CHECK(env->clock->cancel(env, dead));
    CHECK(!env->clock->cancel(env, dead));
    CHECK(env->clock->rearm(env, late, 5 * NS_PER_MS));
    return SQ_OK;
}

TEST(world, timers_fire_in_order_and_obey_cancel_and_rearm)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_timers, .timer = note});
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 3);
    CHECK_EQUAL(notes[0].what, 1);
    CHECK_EQUAL(notes[1].what, 3);
    CHECK_EQUAL(notes[1].time, 3 * NS_PER_MS);
    CHECK_EQUAL(notes[2].what, 4);
    CHECK_EQUAL(notes[2].time, 5 * NS_PER_MS);
    world_free(world);
}

static enum sq_status boot_two_timers(struct sq_env *env)
{
    env->clock->start(env, NS_PER_MS, 1);
    env->clock->start(env, 2 * NS_PER_MS, 2);
    return SQ_OK;
}

static void timer_sleeps(struct sq_env *env, uint64_t tag)
{
    note(env, tag);
    env->clock->sleep(env, 5 * NS_PER_MS);
    note(env, tag + 10);
}

TEST(world, calls_wait_while_one_blocks)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 1, (struct script){.boot = boot_two_timers, .timer = timer_sleeps});
    run(world, &fixture, 1, NS_PER_S);
    static const struct note expected[] = {{1, 1}, {6, 11}, {6, 2}, {11, 12}};
    REQUIRE(note_count == 4);
    for (uint32_t i = 0; i < 4; i++) {
        CHECK_EQUAL(notes[i].time, expected[i].time * NS_PER_MS);
        CHECK_EQUAL(notes[i].what, expected[i].what);
    }
    world_free(world);
}

static sq_fiber parked;

static void background(struct sq_env *env, void *argument)
{
    (void)argument;
    note(env, 100);
    env->fiber->park(env);
    note(env, 101);
    env->fiber->park(env); /* the permit of an unpark that came early */
    note(env, 102);
}

static enum sq_status boot_fibers(struct sq_env *env)
{
    parked = env->fiber->spawn(env, background, NULL);
    note(env, 1);
    env->clock->start(env, NS_PER_MS, 7);
    return SQ_OK;
}

static void timer_unparks(struct sq_env *env, uint64_t tag)
{
    note(env, tag);
    env->fiber->unpark(env, parked);
    env->fiber->unpark(env, parked);
    note(env, tag + 1);
}

TEST(world, fibers_interleave_only_where_one_blocks)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 1, (struct script){.boot = boot_fibers, .timer = timer_unparks});
    run(world, &fixture, 1, NS_PER_S);
    static const uint64_t expected[] = {1, 100, 7, 8, 101, 102};
    REQUIRE(note_count == 6);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(notes[i].what, expected[i]);
    }
    world_free(world);
}

/* ---------------------------------------------------------------------------------- the network */

static enum sq_status boot_sends(struct sq_env *env)
{
    if (env->self == 0) {
        send_text(env, 1, "abc");
        send_text(env, 1, "defg");
        send_text(env, 0, "self");
    }
    return SQ_OK;
}

static void deliver_notes(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)data;
    note(env, (uint64_t)from * 100 + size);
}

static void timer_sends(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    if (env->self == 0) {
        send_text(env, 1, "abc");
        send_text(env, 1, "defg");
    }
}

static enum sq_status boot_sends_later(struct sq_env *env)
{
    env->clock->start(env, NS_PER_MS, 0);
    return SQ_OK;
}

static const struct script sender = {
    .boot = boot_sends_later, .timer = timer_sends, .deliver = deliver_notes};

TEST(world, a_message_takes_latency_and_bandwidth)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, sender);
    fixture.spec.link_default.bandwidth = 1000; /* 1 ms a byte */
    run(world, &fixture, 1, NS_PER_S);
    REQUIRE(note_count == 2);
    CHECK_EQUAL(notes[0].time, (1 + 3 + 1) * NS_PER_MS);
    CHECK_EQUAL(notes[1].time, (1 + 3 + 4 + 1) * NS_PER_MS);
    CHECK_EQUAL(notes[0].what, 3);
    CHECK_EQUAL(notes[1].what, 4);
    world_free(world);
}

TEST(world, a_full_queue_of_a_link_drops)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, sender);
    fixture.spec.link_default.bandwidth = 1000;
    fixture.spec.link_default.queue_limit = 1;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 1);
    world_free(world);
}

TEST(world, loss_and_duplication_obey_their_probability)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, sender);
    fixture.spec.link_default.loss = RNG_ALWAYS;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 0);
    fixture.spec.link_default.loss = 0;
    fixture.spec.link_default.duplicate = RNG_ALWAYS;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 4);
    world_free(world);
}

TEST(world, a_message_to_a_node_that_boots_is_lost)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 2, (struct script){.boot = boot_sends, .deliver = deliver_notes});
    fixture.spec.link_default.latency_ns = NS_PER_MS;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 3); /* all three: both nodes are up before a millisecond has passed */
    world_free(world);
}

/* --------------------------------------------------------------------------------------- faults */

static enum sq_status boot_counts(struct sq_env *env)
{
    note(env, env->incarnation);
    sq_file file;
    if (env->incarnation == 1) {
        CHECK_EQUAL(env->disk->open(env, "synced", SQ_OPEN_CREATE, &file), SQ_OK);
        CHECK_EQUAL(env->disk->write(env, file, "kept", 4, 0), SQ_OK);
        CHECK_EQUAL(env->disk->sync(env, file), SQ_OK);
        CHECK_EQUAL(env->disk->sync_dir(env), SQ_OK);
    }
    env->state = env->mem->alloc(env, 100);
    env->clock->start(env, NS_PER_S, 1);
    return SQ_OK;
}

static struct spec_fault fault_of(enum spec_fault_action action)
{
    return (struct spec_fault){
        .name = "test",
        .kind = SPEC_NODE_CHAOS,
        .action = action,
        .mode = SPEC_MODE_ONE,
        .selector = {UINT64_MAX, SQ_ROLE_NONE},
        .has_at = true,
        .at_ns = 500 * NS_PER_MS,
        .duration = {.kind = DIST_CONSTANT, .a = 100 * NS_PER_MS},
    };
}

TEST(world, a_crash_forgets_timers_and_memory_and_keeps_what_was_synced)
{
    static const enum spec_fault_action actions[] = {SPEC_ACTION_KILL, SPEC_ACTION_POWER_LOSS,
                                                     SPEC_ACTION_RESTART};
    for (uint32_t i = 0; i < 3; i++) {
        struct world_fixture fixture;
        struct world *world =
            begin(&fixture, 1, (struct script){.boot = boot_counts, .timer = note});
        struct spec_fault fault = fault_of(actions[i]);
        fixture.spec.faults = &fault;
        fixture.spec.fault_count = 1;
        run(world, &fixture, 1, 1100 * NS_PER_MS);
        CHECK_EQUAL(note_count, 2); /* two boots; the first one's timer is dead */
        CHECK_EQUAL(notes[1].what, 2);
        CHECK(disk_exists(world->nodes[0].disk, "synced"));
        world_run(world, 2 * NS_PER_S, UINT64_MAX);
        CHECK_EQUAL(note_count, 3);
        world_free(world);
    }
}

TEST(world, a_wipe_empties_the_disk)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_counts, .timer = note});
    struct spec_fault fault = fault_of(SPEC_ACTION_WIPE);
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 550 * NS_PER_MS);
    CHECK(!disk_exists(world->nodes[0].disk, "synced"));
    world_free(world);
}

static void timer_ticks(struct sq_env *env, uint64_t tag)
{
    note(env, tag);
    env->clock->start(env, 10 * NS_PER_MS, tag + 1);
}

static enum sq_status boot_ticks(struct sq_env *env)
{
    env->clock->start(env, 10 * NS_PER_MS, 1);
    return SQ_OK;
}

TEST(world, a_paused_node_does_nothing_and_then_goes_on)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 1, (struct script){.boot = boot_ticks, .timer = timer_ticks});
    struct spec_fault fault = fault_of(SPEC_ACTION_PAUSE);
    fault.at_ns = 45 * NS_PER_MS;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 170 * NS_PER_MS);
    REQUIRE(note_count == 7);
    CHECK_EQUAL(notes[3].time, 40 * NS_PER_MS);
    CHECK_EQUAL(notes[4].time, 145 * NS_PER_MS); /* the tick of 50 ms, late */
    CHECK_EQUAL(notes[5].time, 155 * NS_PER_MS);
    world_free(world);
}

static enum sq_status boot_works(struct sq_env *env)
{
    for (uint64_t round = 1; round <= 3; round++) {
        env->cpu->work(env, 30 * NS_PER_MS);
        note(env, round);
    }
    return SQ_OK;
}

TEST(world, the_work_of_a_paused_node_stops_and_its_core_serves_others)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 2, (struct script){.boot = boot_works});
    struct spec_fault fault = fault_of(SPEC_ACTION_PAUSE);
    fault.selector.nodes = 1; /* n1 */
    fault.at_ns = 10 * NS_PER_MS;
    fixture.group.nodes_per_host = 2;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 400 * NS_PER_MS);
    REQUIRE(note_count == 6);
    /* n2 has the core from 10 to 100 ms; n1 goes on at 110 ms with the 20 ms that were left. */
    static const int64_t ends_ms[] = {40, 70, 100, 130, 160, 190};
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(notes[i].time, ends_ms[i] * NS_PER_MS);
    }
    world_free(world);
}

static void timer_chats(struct sq_env *env, uint64_t tag)
{
    send_text(env, 1 - env->self, env->self == 0 ? "a" : "bb");
    env->clock->start(env, 10 * NS_PER_MS, tag);
}

TEST(world, a_one_way_partition_cuts_one_direction)
{
    struct world_fixture fixture;
    struct world *world =
        begin(&fixture, 2,
              (struct script){.boot = boot_ticks, .timer = timer_chats, .deliver = deliver_notes});
    struct spec_fault fault = fault_of(SPEC_ACTION_PARTITION);
    fault.kind = SPEC_NETWORK_CHAOS;
    fault.selector.nodes = 1; /* n1 */
    fault.direction = SPEC_DIRECTION_TO;
    fault.at_ns = 5 * NS_PER_MS;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, 104 * NS_PER_MS);
    CHECK_EQUAL(note_count, 10);
    for (uint32_t i = 0; i < note_count; i++) {
        CHECK_EQUAL(notes[i].what, 102); /* only from n2 */
    }
    note_count = 0;
    world_run(world, 204 * NS_PER_MS, UINT64_MAX);
    CHECK_EQUAL(note_count, 20);
    world_free(world);
}

TEST(world, a_renewal_process_strikes_about_as_often_as_it_says)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_counts, .timer = note});
    struct spec_fault fault = fault_of(SPEC_ACTION_RESTART);
    fault.has_at = false;
    fault.every = (struct dist){.kind = DIST_EXPONENTIAL, .a = 100 * NS_PER_MS};
    fault.duration = (struct dist){.kind = DIST_CONSTANT};
    fault.until_ns = 40 * NS_PER_S;
    fixture.spec.limit_ns = 50 * NS_PER_S;
    fixture.spec.faults = &fault;
    fixture.spec.fault_count = 1;
    run(world, &fixture, 1, INT64_MAX);
    uint32_t incarnation = world->nodes[0].env.incarnation; /* Poisson with mean 400, sigma 20 */
    CHECK(incarnation > 320);
    CHECK(incarnation < 480);
    world_free(world);
}

/* ----------------------------------------------------------------------------- processor, inbox */

static void timer_bursts(struct sq_env *env, uint64_t tag)
{
    (void)tag;
    for (uint32_t i = 0; env->self == 0 && i < 20; i++) {
        send_text(env, 1, "x");
    }
}

TEST(world, each_message_costs_processor_time_in_turn)
{
    struct world_fixture fixture;
    struct world *world = begin(
        &fixture, 2,
        (struct script){.boot = boot_sends_later, .timer = timer_bursts, .deliver = deliver_notes});
    fixture.group.host.per_message_ns = 100000;
    fixture.group.host.per_byte_ps = 5000000;
    run(world, &fixture, 1, NS_PER_S);
    REQUIRE(note_count == 20);
    for (uint32_t i = 0; i < 20; i++) {
        CHECK_EQUAL(notes[i].time, 2 * NS_PER_MS + (i + 1) * 105000);
    }
    world_free(world);
}

TEST(world, an_inbox_holds_so_much_and_no_more)
{
    struct world_fixture fixture;
    struct world *world = begin(
        &fixture, 2,
        (struct script){.boot = boot_sends_later, .timer = timer_bursts, .deliver = deliver_notes});
    fixture.group.host.per_message_ns = 100000;
    fixture.group.host.queue_limit = 5;
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 6); /* one in service, five waiting */
    CHECK_EQUAL(world->nodes[1].dropped, 14);
    world_free(world);
}

static void worker(struct sq_env *env, void *argument)
{
    (void)argument;
    env->cpu->work(env, NS_PER_MS);
    note(env, 1);
}

static enum sq_status boot_workers(struct sq_env *env)
{
    for (uint32_t i = 0; i < 6; i++) {
        env->fiber->spawn(env, worker, NULL);
    }
    return SQ_OK;
}

TEST(world, cores_share_the_work_first_come_first_served)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_workers});
    fixture.group.host.cores = 2;
    run(world, &fixture, 1, NS_PER_S);
    REQUIRE(note_count == 6);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_EQUAL(notes[i].time, (i / 2 + 1) * NS_PER_MS);
    }
    world_free(world);
}

/* ---------------------------------------------------------------------------------- determinism */

static enum sq_status boot_random(struct sq_env *env)
{
    env->state = env->mem->alloc(env, 800);
    memset(env->state, 0, 800);
    env->clock->start(env, (sq_time)env->rand->below(env, 10 * NS_PER_MS), 1);
    return SQ_OK;
}

static void timer_random(struct sq_env *env, uint64_t tag)
{
    char text[32];
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)env->rand->u64(env));
    send_text(env, (sq_node)env->rand->below(env, env->group_size), text);
    env->clock->start(env, (sq_time)env->rand->below(env, 10 * NS_PER_MS), tag);
}

static void request_answer(struct sq_env *env, const struct sq_request *what)
{
    struct sq_kv_request kv;
    uint64_t *table = env->state;
    if (!sq_kv_decode(what->data, what->size, &kv)) {
        return;
    }
    if (kv.kind == SQ_KV_UPDATE) {
        table[kv.key] = kv.value;
    }
    struct sq_kv_reply reply = {table[kv.key]};
    env->call->reply(env, what->reply_to, SQ_OK, SQ_NODE_NONE, &reply, sizeof(reply));
}

static void ignore_message(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    (void)env;
    (void)from;
    (void)data;
    (void)size;
}

static const struct script chatter = {.boot = boot_random,
                                      .deliver = ignore_message,
                                      .request = request_answer,
                                      .timer = timer_random};

static struct world *begin_chatter(struct world_fixture *fixture)
{
    struct world *world = begin(fixture, 3, chatter);
    fixture->spec.load_count = 1;
    fixture->spec.link_default.jitter = (struct dist){.kind = DIST_EXPONENTIAL, .a = NS_PER_MS};
    return world;
}

TEST(world, one_seed_is_one_digest_in_a_fresh_world_and_in_a_used_one)
{
    struct world_fixture fixture;
    struct world *world = begin_chatter(&fixture);
    run(world, &fixture, 1, INT64_MAX);
    uint64_t first = world_digest(world);
    run(world, &fixture, 2, INT64_MAX);
    CHECK(world_digest(world) != first);
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world_digest(world), first);
    world_free(world);
    world = begin_chatter(&fixture);
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world_digest(world), first);
    world_free(world);
}

TEST(world, two_worlds_interleaved_have_the_digests_that_they_have_alone)
{
    struct world_fixture fixture;
    struct world *left = begin_chatter(&fixture);
    struct world *right = world_new();
    right->heap_slot = 1;
    run(left, &fixture, 5, INT64_MAX);
    uint64_t alone_left = world_digest(left);
    run(left, &fixture, 6, INT64_MAX);
    uint64_t alone_right = world_digest(left);
    world_reset(left, &fixture.spec, 5, NULL);
    world_reset(right, &fixture.spec, 6, NULL);
    for (uint64_t events = 0; events < 100000; events += 7) {
        world_run(left, INT64_MAX, events);
        world_run(right, INT64_MAX, events / 2);
    }
    world_run(left, INT64_MAX, UINT64_MAX);
    world_run(right, INT64_MAX, UINT64_MAX);
    CHECK_EQUAL(world_digest(left), alone_left);
    CHECK_EQUAL(world_digest(right), alone_right);
    world_free(left);
    world_free(right);
}

TEST(world, running_in_pieces_changes_nothing)
{
    struct world_fixture fixture;
    struct world *world = begin_chatter(&fixture);
    run(world, &fixture, 3, INT64_MAX);
    uint64_t whole = world_digest(world);
    world_reset(world, &fixture.spec, 3, NULL);
    for (int64_t until = 0; until < fixture.spec.limit_ns; until += 333 * NS_PER_MS) {
        CHECK_EQUAL(world_run(world, until, UINT64_MAX), WORLD_RUNNING);
    }
    CHECK_EQUAL(world_run(world, INT64_MAX, UINT64_MAX), WORLD_TIME_LIMIT);
    CHECK_EQUAL(world_digest(world), whole);
    world_free(world);
}

TEST(world, an_event_limit_ends_a_run)
{
    struct world_fixture fixture;
    struct world *world = begin_chatter(&fixture);
    fixture.spec.event_limit = 500;
    run(world, &fixture, 3, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_EVENT_LIMIT);
    CHECK_EQUAL(world_event(world), 500);
    world_free(world);
}

/* -------------------------------------------------------------------------------- hidden inputs */

static enum sq_status boot_looks_at_clock(struct sq_env *env)
{
    CHECK(sq_env_current() == env);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK_EQUAL(now.tv_sec, 0);
    struct timespec wanted = {2, 5};
    nanosleep(&wanted, NULL);
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK_EQUAL(now.tv_sec, 2);
    CHECK_EQUAL(now.tv_nsec, 5);
    CHECK_EQUAL(time(NULL), 1767225602);
    note(env, 1);
    return SQ_OK;
}

TEST(world, libc_clocks_and_sleeps_are_virtual_inside_a_node)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_looks_at_clock});
    CHECK(sq_env_current() == NULL);
    run(world, &fixture, 1, 3 * NS_PER_S);
    CHECK(sq_env_current() == NULL);
    CHECK(time(NULL) != 1767225602);
    CHECK_EQUAL(note_count, 1);
    world_free(world);
}

static enum sq_status boot_fails(struct sq_env *env)
{
    note(env, 1);
    return SQ_E_IO;
}

TEST(world, a_boot_that_fails_leaves_the_node_down)
{
    struct world_fixture fixture;
    struct world *world = begin(&fixture, 1, (struct script){.boot = boot_fails});
    run(world, &fixture, 1, NS_PER_S);
    CHECK_EQUAL(note_count, 1);
    CHECK_EQUAL(world->nodes[0].state, NODE_DOWN);
    world_free(world);
}
