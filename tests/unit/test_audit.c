/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The audit: every key that was written is read back, of every load and in every group, and it
 * ends whatever the store answers. */
#include "tests/unit/scripted_model.h"

#include "sim/fault.h"

#define MS   NS_PER_MS
#define KEYS 4096

static uint64_t store[2][KEYS]; /* by group */
static uint32_t answer_bytes;
static bool is_mute;
static bool is_unfriendly; /* first attempts of the audit are told never to come back */

static void answer_kv(struct sq_env *env, const struct sq_request *request)
{
    struct sq_kv_request kv;
    if (!sq_kv_decode(request->data, request->size, &kv)) {
        env->call->reply(env, request->reply_to, SQ_E_MALFORMED, SQ_NODE_NONE, NULL, 0);
        return;
    }
    struct node *node = node_of(env);
    uint64_t *value = &store[node->group_index][kv.key];
    if (kv.kind == SQ_KV_UPDATE) {
        *value = kv.value;
    }
    if (is_unfriendly && node->world->is_auditing && request->reply_to.attempt == 1) {
        env->call->reply_with(env, &(struct sq_reply_options){.to = request->reply_to,
                                                              .status = SQ_E_OVERLOADED,
                                                              .has_retry_after = true,
                                                              .retry_after = -1});
        return;
    }
    uint64_t words[4] = {*value, 0, 0, 0};
    if (!(is_mute && node->world->is_auditing)) {
        size_t size = node->world->is_auditing ? answer_bytes : sizeof(struct sq_kv_reply);
        env->call->reply(env, request->reply_to, SQ_OK, SQ_NODE_NONE, words, size);
    }
}

/* The tables belong to no node, so nothing but this empties them. */
static void start_empty(struct world *world, const struct world_fixture *fixture)
{
    memset(store, 0, sizeof(store));
    reset(world, fixture, 1);
}

static struct spec_check wanted = {.word = SPEC_ALWAYS, .name = "no-lost-acked-write"};

static struct world *begin_store(struct world_fixture *fixture, uint32_t nodes)
{
    struct world *world = begin(fixture, nodes, (struct script){.request = answer_kv});
    fixture->spec.limit_ns = 2 * NS_PER_S;
    fixture->spec.load_count = 1;
    fixture->spec.checks = &wanted;
    fixture->spec.check_count = 1;
    fixture->load.record_count = 100;
    memset(store, 0, sizeof(store));
    answer_bytes = sizeof(struct sq_kv_reply);
    is_mute = false;
    is_unfriendly = false;
    return world;
}

/* Every key that the load wrote was read back exactly once and showed the last value of the table;
 * how many there are. */
static uint32_t check_read_back(const struct world *world, uint32_t load, uint32_t group,
                                uint32_t loads)
{
    static uint32_t written[KEYS];
    static uint32_t audited[KEYS];
    memset(written, 0, sizeof(written));
    memset(audited, 0, sizeof(audited));
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->history.operations.count; i++) {
        const struct sq_operation *operation = vec_at(&world->history.operations, i);
        CHECK(operation->load < 2 * loads);
        if (operation->load == load && operation->kind == SQ_KV_UPDATE &&
            operation->outcome == SQ_OUTCOME_OK) {
            count += written[operation->key] == 0 ? 1 : 0;
            written[operation->key] = 1;
        }
        if (operation->load == loads + load) {
            CHECK_EQUAL(operation->kind, SQ_KV_READ);
            CHECK_EQUAL(operation->outcome, SQ_OUTCOME_OK);
            CHECK_EQUAL(operation->result, store[group][operation->key]);
            audited[operation->key]++;
        }
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        CHECK_EQUAL(audited[key], written[key]);
    }
    return count;
}

TEST(audit, every_written_key_is_read_back_once)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(world_now(world) < 3 * NS_PER_S);
    CHECK(check_read_back(world, 0, 0, 1) > 30);
    world_free(world);
}

TEST(audit, does_not_take_never_for_an_answer)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    fixture.load.client.pushback = SPEC_PUSHBACK_EXACT;
    is_unfriendly = true;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(check_read_back(world, 0, 0, 1) > 30);
    world_free(world);
}

TEST(audit, each_load_is_read_back_from_the_group_that_it_called)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    struct spec_group groups[2] = {fixture.group, fixture.group};
    struct spec_load loads[3] = {fixture.load, fixture.load, fixture.load};
    groups[1].name = "other";
    groups[1].first = 1;
    loads[1].name = "second";
    loads[1].client.target = "other";
    loads[1].client.target_group = 1;
    loads[2].name = "third";
    loads[2].update_proportion = 0;
    fixture.spec.groups = groups;
    fixture.spec.group_count = 2;
    fixture.spec.node_count = 2;
    fixture.spec.loads = loads;
    fixture.spec.load_count = 3;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(check_read_back(world, 0, 0, 3) > 30);
    CHECK(check_read_back(world, 1, 1, 3) > 30);
    CHECK_EQUAL(check_read_back(world, 2, 0, 3), 0);
    world_free(world);
}

TEST(audit, many_keys_on_a_slow_link_are_all_read_back)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    fixture.spec.link_clients.latency_ns = 60 * MS;
    fixture.load.rate_per_1000s = 2000000;
    fixture.load.record_count = KEYS;
    fixture.load.update_proportion = RNG_ALWAYS;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(check_read_back(world, 0, 0, 1) > 2000);
    world_free(world);
}

TEST(audit, faults_that_were_to_last_for_ever_do_not_hinder_it)
{
    struct spec_fault list[] = {fault_of(SPEC_NODE_CHAOS, SPEC_ACTION_KILL, 1, 1000, 0),
                                fault_of(SPEC_NETWORK_CHAOS, SPEC_ACTION_PARTITION, 1, 1000, 0)};
    list[0].has_no_end = true;
    list[1].has_no_end = true;
    list[1].targets_clients = true;
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    fixture.spec.faults = list;
    fixture.spec.fault_count = 2;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(check_read_back(world, 0, 0, 1) > 10);
    world_free(world);
}

/* Answers of the wrong size are the store's mistake, not the end of the simulator. */
TEST(audit, an_answer_without_a_value_is_a_failed_read)
{
    static const uint32_t sizes[] = {0, 4};
    for (uint32_t i = 0; i < 2; i++) {
        struct world_fixture fixture;
        struct world *world = begin_store(&fixture, 1);
        answer_bytes = sizes[i];
        run(world, &fixture, 1, INT64_MAX);
        world_finish(world);
        CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
        uint32_t failed = 0;
        for (uint32_t k = 0; k < world->history.operations.count; k++) {
            const struct sq_operation *operation = vec_at(&world->history.operations, k);
            failed += operation->load == 1 && operation->status == SQ_E_MALFORMED ? 1 : 0;
            CHECK(operation->load == 0 || operation->outcome == SQ_OUTCOME_FAIL);
        }
        CHECK(failed > 30);
        world_free(world);
    }
}

/* The load takes a longer answer for its beginning, and so does the audit. */
TEST(audit, an_answer_may_be_longer_than_its_value)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    answer_bytes = 32;
    run(world, &fixture, 1, INT64_MAX);
    CHECK(check_read_back(world, 0, 0, 1) > 30);
    world_free(world);
}

TEST(audit, it_ends_a_minute_after_the_load_when_nobody_answers)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    is_mute = true;
    run(world, &fixture, 1, INT64_MAX);
    world_finish(world);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(world_now(world) <= 62 * NS_PER_S);
    CHECK(world_now(world) > 60 * NS_PER_S);
    world_free(world);
}

TEST(audit, nobody_asks_when_no_check_wants_to_know)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    struct spec_check other = {.word = SPEC_ALWAYS, .name = "raft.election-safety"};
    fixture.spec.checks = &other;
    run(world, &fixture, 1, INT64_MAX);
    CHECK_EQUAL(world->end, WORLD_TIME_LIMIT);
    CHECK(world_now(world) <= 2 * NS_PER_S);
    world_free(world);
}

TEST(audit, in_pieces_it_is_the_same)
{
    struct world_fixture fixture;
    struct world *world = begin_store(&fixture, 1);
    run(world, &fixture, 1, INT64_MAX);
    uint64_t digest = world_digest(world);
    uint64_t events = world_event(world);
    for (uint64_t step = 1; step < 40; step += 19) {
        start_empty(world, &fixture);
        for (uint64_t event = 0; world->end == WORLD_RUNNING; event += step) {
            world_run(world, INT64_MAX, event);
        }
        CHECK_EQUAL(world_event(world), events);
        CHECK_EQUAL(world_digest(world), digest);
        start_empty(world, &fixture);
        for (int64_t time = 0; world->end == WORLD_RUNNING; time += (int64_t)step * 7 * MS) {
            world_run(world, time, UINT64_MAX);
        }
        CHECK_EQUAL(world_digest(world), digest);
    }
    world_free(world);
}
