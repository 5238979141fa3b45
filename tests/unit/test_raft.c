/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The raft models in whole worlds: three nodes, a load, and what the nodes tell about themselves,
 * judged by the few rules that this file needs (the real checkers have tests of their own). */
#include <stdlib.h>
#include <string.h>

#include "models/models.h"
#include "tests/unit/harness.h"
#include "tests/unit/world_fixture.h"

#define NODES       3
#define POSITIONS   20000
#define OPTIONS_MAX 32

struct entry {
    uint64_t term;
    uint64_t hash;
};

struct lab {
    struct world_fixture fixture;
    struct sq_value values[OPTIONS_MAX];
    struct sq_observer observer;
    struct world *world;
    /* What was seen: */
    uint64_t applied[POSITIONS]; /* hash of the command */
    uint64_t state[POSITIONS];   /* digest */
    struct entry durable[NODES][POSITIONS];
    uint64_t durable_last[NODES];
    uint64_t snapshot[NODES];
    uint64_t leader_of_term[1000]; /* node + 1 */
    uint64_t seen[SQ_SEE_COUNT];
    uint64_t recovered_last; /* position of the last RECOVERED */
    uint64_t applied_max;
    uint64_t ok, ok_after; /* operations; those completed after `after_ns` */
    int64_t after_ns;
    uint64_t exits;
    uint64_t always;
    uint32_t sometimes_lease, sometimes_restored, sometimes_rebuilt;
    uint32_t wrong_apply, wrong_state, lost_durable, two_leaders, thin_commit, unsound, stray;
};

static bool holds_durably(const struct lab *lab, uint32_t node, uint64_t index,
                          const struct entry *entry)
{
    if (lab->snapshot[node] >= index) {
        return true;
    }
    const struct entry *own = &lab->durable[node][index];
    return lab->durable_last[node] >= index && own->term == entry->term && own->hash == entry->hash;
}

static void see_commit(struct lab *lab, const struct sq_seen *seen)
{
    if (seen->c == 0 || seen->a >= POSITIONS) {
        return;
    }
    uint32_t best = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t holders = 0;
        for (uint32_t j = 0; j < NODES; j++) {
            holders += holds_durably(lab, j, seen->a, &lab->durable[i][seen->a]);
        }
        best = holders > best ? holders : best;
    }
    lab->thin_commit += best <= NODES / 2;
}

static void see_log(struct lab *lab, const struct sq_seen *seen)
{
    uint32_t node = seen->node;
    switch (seen->what) {
    case SQ_SEE_DURABLE:
        if (seen->a < POSITIONS) {
            lab->durable[node][seen->a] = (struct entry){seen->b, seen->c};
            lab->durable_last[node] =
                seen->a > lab->durable_last[node] ? seen->a : lab->durable_last[node];
        }
        break;
    case SQ_SEE_CUT:
        lab->durable_last[node] =
            seen->a <= lab->durable_last[node] ? seen->a - 1 : lab->durable_last[node];
        break;
    case SQ_SEE_LOADED:
        lab->lost_durable += seen->b < lab->durable_last[node] && seen->c < lab->durable_last[node];
        lab->lost_durable += seen->c < lab->snapshot[node];
        break;
    case SQ_SEE_SNAPSHOT:
        lab->snapshot[node] = seen->a;
        break;
    default:
        break;
    }
}

static void on_seen(void *context, const struct sq_seen *seen)
{
    struct lab *lab = context;
    lab->seen[seen->what]++;
    see_log(lab, seen);
    uint64_t at = seen->a < POSITIONS ? seen->a : 0;
    switch (seen->what) {
    case SQ_SEE_APPLY:
        lab->wrong_apply += lab->applied[at] != 0 && lab->applied[at] != seen->b;
        lab->applied[at] = seen->b;
        lab->applied_max = at > lab->applied_max ? at : lab->applied_max;
        break;
    case SQ_SEE_STATE:
        lab->wrong_state += lab->state[at] != 0 && lab->state[at] != seen->b;
        lab->state[at] = seen->b;
        break;
    case SQ_SEE_LEADER:
        at = seen->a % 1000;
        lab->two_leaders +=
            lab->leader_of_term[at] != 0 && lab->leader_of_term[at] != seen->node + 1;
        lab->leader_of_term[at] = seen->node + 1;
        break;
    case SQ_SEE_COMMIT:
        see_commit(lab, seen);
        break;
    case SQ_SEE_RECOVERED:
        lab->recovered_last = seen->a;
        break;
    case SQ_SEE_INTEGRITY:
        lab->unsound += seen->a == 0;
        break;
    case SQ_SEE_STRAY:
        lab->stray++;
        break;
    default:
        break;
    }
}

static void on_complete(void *context, const struct sq_operation *operation)
{
    struct lab *lab = context;
    if (operation->outcome == SQ_OUTCOME_OK) {
        lab->ok++;
        lab->ok_after += operation->completed > lab->after_ns;
    }
}

static void on_life(void *context, const struct sq_life_event *life)
{
    struct lab *lab = context;
    lab->exits += life->what == SQ_LIFE_EXIT;
}

static void on_always(void *context, sq_node node, sq_time time, uint64_t event, const char *name,
                      const char *text)
{
    struct lab *lab = context;
    (void)node;
    (void)time;
    (void)event;
    (void)name;
    (void)text;
    lab->always++;
}

static void on_sometimes(void *context, sq_node node, sq_time time, const char *name)
{
    struct lab *lab = context;
    (void)node;
    (void)time;
    lab->sometimes_lease += strcmp(name, "raft.lease-read") == 0;
    lab->sometimes_restored += strcmp(name, "raft.restored-snapshot") == 0;
    lab->sometimes_rebuilt += strcmp(name, "raft-sqlite.rebuilt") == 0;
}

/* ------------------------------------------------------------------------------------- the lab */

/* As the input layer would read it; enough for the options of these models. */
static int64_t number_of(const struct sq_option *option, const char *text)
{
    if (option->type == SQ_OPTION_BOOLEAN) {
        return strcmp(text, "true") == 0;
    }
    if (option->type == SQ_OPTION_CHOICE) {
        int64_t index = 0;
        const char *at = option->choices;
        while (strncmp(at, text, strlen(text)) != 0 ||
               (at[strlen(text)] != '|' && at[strlen(text)] != '\0')) {
            at = strchr(at, '|') + 1;
            index++;
        }
        return index;
    }
    char *unit;
    int64_t number = strtoll(text, &unit, 10);
    if (strcmp(unit, "ms") == 0) {
        return number * NS_PER_MS;
    }
    if (strcmp(unit, "s") == 0) {
        return number * NS_PER_S;
    }
    return strcmp(unit, "KiB") == 0   ? number << 10
           : strcmp(unit, "MiB") == 0 ? number << 20
                                      : number;
}

static void set_option(struct lab *lab, const char *name, const char *text)
{
    const struct sq_model *model = lab->fixture.group.model;
    for (uint32_t i = 0; i < model->option_count; i++) {
        if (strcmp(model->options[i].name, name) == 0) {
            lab->values[i] = (struct sq_value){number_of(&model->options[i], text), text};
            return;
        }
    }
    CU_FAIL("no such option");
}

static struct lab *lab_new(const struct sq_model *model)
{
    struct lab *lab = calloc(1, sizeof(*lab));
    model->prepare();
    world_fixture_init(&lab->fixture, model, NODES);
    lab->fixture.group.options = lab->values;
    lab->fixture.spec.load_count = 1;
    lab->fixture.load.duration_ns = 10 * NS_PER_S;
    for (uint32_t i = 0; i < model->option_count; i++) {
        set_option(lab, model->options[i].name, model->options[i].initial);
    }
    lab->observer = (struct sq_observer){
        lab, NULL, NULL, on_complete, on_seen, on_life, NULL, on_always, on_sometimes, NULL, NULL};
    lab->world = world_new();
    return lab;
}

static void run(struct lab *lab, uint64_t seed)
{
    world_reset(lab->world, &lab->fixture.spec, seed, &lab->observer);
    CHECK_EQUAL(world_run(lab->world, INT64_MAX, UINT64_MAX), WORLD_TIME_LIMIT);
    world_finish(lab->world);
}

static void lab_free(struct lab *lab)
{
    world_free(lab->world);
    free(lab);
}

static void check_sound(const struct lab *lab)
{
    CHECK_EQUAL(lab->wrong_apply, 0);
    CHECK_EQUAL(lab->wrong_state, 0);
    CHECK_EQUAL(lab->lost_durable, 0);
    CHECK_EQUAL(lab->two_leaders, 0);
    CHECK_EQUAL(lab->unsound, 0);
    CHECK_EQUAL(lab->stray, 0);
    CHECK_EQUAL(lab->always, 0);
}

/* One fault at 4 s, for 1 s. */
static void one_fault(struct lab *lab, struct spec_fault *fault, enum spec_fault_action action,
                      enum spec_mode mode, enum sq_role role)
{
    *fault = (struct spec_fault){
        .name = "strike",
        .kind = SPEC_NODE_CHAOS,
        .action = action,
        .mode = mode,
        .selector = {.nodes = UINT64_MAX, .role = role},
        .has_at = true,
        .at_ns = 4 * NS_PER_S,
        .until_ns = INT64_MAX,
        .duration = {.kind = DIST_CONSTANT, .a = NS_PER_S},
    };
    lab->fixture.spec.faults = fault;
    lab->fixture.spec.fault_count = 1;
    lab->after_ns = 8 * NS_PER_S;
}

static const struct sq_model *const models[2] = {&model_raft, &model_raft_sqlite};

/* --------------------------------------------------------------------------------------- tests */

TEST(raft, three_nodes_elect_one_leader_and_serve)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        run(lab, 1);
        check_sound(lab);
        CHECK_EQUAL(lab->thin_commit, 0);
        CHECK_EQUAL(lab->seen[SQ_SEE_LEADER], 1);
        CHECK(lab->ok > 700);
        CHECK(lab->applied_max >= lab->ok);
        CHECK_EQUAL(lab->seen[SQ_SEE_CONFIG], NODES);
        CHECK_EQUAL(lab->exits, 0);
        for (uint32_t node = 0; node < NODES; node++) {
            CHECK(lab->durable_last[node] >= lab->ok);
        }
        lab_free(lab);
    }
}

TEST(raft, the_same_seed_gives_the_same_run)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        struct spec_fault fault;
        one_fault(lab, &fault, SPEC_ACTION_POWER_LOSS, SPEC_MODE_ONE, SQ_ROLE_NONE);
        uint64_t digest[3];
        uint64_t seeds[3] = {5, 5, 6};
        for (int j = 0; j < 3; j++) {
            run(lab, seeds[j]);
            digest[j] = world_digest(lab->world);
        }
        CHECK(digest[0] == digest[1]);
        CHECK(digest[0] != digest[2]);
        lab_free(lab);
    }
}

TEST(raft, a_killed_leader_is_replaced)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        struct spec_fault fault;
        one_fault(lab, &fault, SPEC_ACTION_KILL, SPEC_MODE_ALL, SQ_ROLE_LEADER);
        run(lab, 3);
        check_sound(lab);
        CHECK(lab->seen[SQ_SEE_LEADER] >= 2);
        CHECK_EQUAL(lab->seen[SQ_SEE_LOADED], NODES + 1);
        CHECK(lab->ok_after > 100);
        lab_free(lab);
    }
}

TEST(raft, a_power_loss_of_all_nodes_loses_nothing_durable)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        struct spec_fault fault;
        one_fault(lab, &fault, SPEC_ACTION_POWER_LOSS, SPEC_MODE_ALL, SQ_ROLE_NONE);
        set_option(lab, "snapshotThreshold", "60");
        set_option(lab, "snapshotTrailing", "20");
        set_option(lab, "segmentSize", "4KiB");
        run(lab, 4);
        check_sound(lab);
        CHECK_EQUAL(lab->seen[SQ_SEE_LOADED], 2 * NODES);
        CHECK(lab->seen[SQ_SEE_SNAPSHOT] > NODES);
        CHECK(lab->recovered_last > 50);
        CHECK(lab->ok_after > 100);
        lab_free(lab);
    }
}

TEST(raft, a_wiped_node_is_filled_from_a_snapshot)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        struct spec_fault fault;
        one_fault(lab, &fault, SPEC_ACTION_WIPE, SPEC_MODE_ONE, SQ_ROLE_FOLLOWER);
        set_option(lab, "snapshotThreshold", "50");
        set_option(lab, "snapshotTrailing", "10");
        run(lab, 8);
        CHECK_EQUAL(lab->wrong_apply, 0);
        CHECK_EQUAL(lab->wrong_state, 0);
        CHECK(lab->sometimes_restored >= 1);
        CHECK(lab->ok_after > 100);
        for (uint32_t node = 0; node < NODES; node++) {
            CHECK(lab->durable_last[node] >= lab->ok);
        }
        lab_free(lab);
    }
}

TEST(raft, reads_under_a_lease_do_not_enter_the_log)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        lab->fixture.load.update_proportion = RNG_ALWAYS / 10;
        set_option(lab, "reads", "lease");
        run(lab, 2);
        check_sound(lab);
        CHECK(lab->ok > 700);
        CHECK(lab->sometimes_lease > lab->ok / 2);
        CHECK(lab->applied_max < lab->ok / 2);
        lab_free(lab);
    }
}

TEST(raft, frequent_faults_leave_replicas_equal)
{
    struct spec_fault faults[2] = {
        {.name = "power",
         .kind = SPEC_NODE_CHAOS,
         .action = SPEC_ACTION_POWER_LOSS,
         .mode = SPEC_MODE_ONE,
         .selector = {.nodes = UINT64_MAX},
         .every = {.kind = DIST_EXPONENTIAL, .a = NS_PER_S},
         .duration = {.kind = DIST_EXPONENTIAL, .a = NS_PER_S / 2},
         .from_ns = NS_PER_S,
         .until_ns = 9 * NS_PER_S},
        {.name = "kill",
         .kind = SPEC_NODE_CHAOS,
         .action = SPEC_ACTION_KILL,
         .mode = SPEC_MODE_ONE,
         .selector = {.nodes = UINT64_MAX},
         .every = {.kind = DIST_EXPONENTIAL, .a = 2 * NS_PER_S},
         .duration = {.kind = DIST_EXPONENTIAL, .a = NS_PER_S / 2},
         .from_ns = NS_PER_S,
         .until_ns = 9 * NS_PER_S},
    };
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        lab->fixture.spec.faults = faults;
        lab->fixture.spec.fault_count = 2;
        set_option(lab, "snapshotThreshold", "40");
        set_option(lab, "snapshotTrailing", "10");
        set_option(lab, "segmentSize", "4KiB");
        set_option(lab, "preVote", "true");
        uint64_t ok = 0;
        for (uint64_t seed = 1; seed <= 20; seed++) {
            memset(lab->applied, 0, sizeof(lab->applied));
            memset(lab->state, 0, sizeof(lab->state));
            memset(lab->durable_last, 0, sizeof(lab->durable_last));
            memset(lab->snapshot, 0, sizeof(lab->snapshot));
            memset(lab->leader_of_term, 0, sizeof(lab->leader_of_term));
            run(lab, seed);
            ok += lab->ok;
        }
        /* What is known to be wrong with libraft 0.15 is not this file's affair: our part is the
         * disk. */
        CHECK_EQUAL(lab->lost_durable, 0);
        CHECK_EQUAL(lab->unsound, 0);
        CHECK_EQUAL(lab->two_leaders, 0);
        CHECK_EQUAL(lab->exits, 0);
        CHECK(ok > 1000);
        lab_free(lab);
    }
}

TEST(raft, rotten_files_are_refused_at_boot)
{
    struct lab *lab = lab_new(&model_raft);
    struct spec_fault faults[2];
    one_fault(lab, &faults[0], SPEC_ACTION_POWER_LOSS, SPEC_MODE_ALL, SQ_ROLE_NONE);
    faults[1] = (struct spec_fault){.name = "rot",
                                    .kind = SPEC_IO_CHAOS,
                                    .action = SPEC_ACTION_BIT_ROT,
                                    .mode = SPEC_MODE_ALL,
                                    .selector = {.nodes = UINT64_MAX},
                                    .has_at = true,
                                    .at_ns = NS_PER_S,
                                    .until_ns = INT64_MAX,
                                    .duration = {.kind = DIST_CONSTANT, .a = 100 * NS_PER_S},
                                    .probability = RNG_ALWAYS,
                                    .methods = SPEC_IO_READ,
                                    .path = "raft.log.*"};
    lab->fixture.spec.faults = faults;
    lab->fixture.spec.fault_count = 2;
    run(lab, 1);
    CHECK(lab->unsound >= 1);
    CHECK(lab->exits >= lab->unsound);
    CHECK_EQUAL(lab->wrong_apply, 0);
    lab_free(lab);
}

/* Without syncs SQLite's file may come back as anything; raft's log is all there. */
TEST(raft, a_corrupt_database_is_rebuilt_when_asked)
{
    uint32_t corrupt[2];
    uint64_t exits[2];
    uint32_t rebuilt[2];
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(&model_raft_sqlite);
        struct spec_fault faults[2];
        one_fault(lab, &faults[0], SPEC_ACTION_POWER_LOSS, SPEC_MODE_ALL, SQ_ROLE_NONE);
        faults[1] = (struct spec_fault){.name = "rot",
                                        .kind = SPEC_IO_CHAOS,
                                        .action = SPEC_ACTION_BIT_ROT,
                                        .mode = SPEC_MODE_ALL,
                                        .selector = {.nodes = UINT64_MAX},
                                        .has_at = true,
                                        .at_ns = 3 * NS_PER_S,
                                        .until_ns = INT64_MAX,
                                        .duration = {.kind = DIST_CONSTANT, .a = 3 * NS_PER_S},
                                        .probability = RNG_ALWAYS,
                                        .methods = SPEC_IO_READ,
                                        .path = "kv.db"};
        lab->fixture.spec.faults = faults;
        lab->fixture.spec.fault_count = 2;
        lab->fixture.load.record_count = 1000;
        set_option(lab, "journal", "delete");
        set_option(lab, "rebuild", i == 0 ? "false" : "true");
        run(lab, 6);
        corrupt[i] = lab->unsound;
        exits[i] = lab->exits;
        rebuilt[i] = lab->sometimes_rebuilt;
        CHECK_EQUAL(lab->wrong_apply, 0);
        lab_free(lab);
    }
    CHECK(corrupt[0] >= 1);
    CHECK(exits[0] >= 1);
    CHECK_EQUAL(rebuilt[0], 0);
    CHECK(rebuilt[1] >= 1);
}

TEST(raft, impossible_timeouts_end_the_boot)
{
    struct lab *lab = lab_new(&model_raft);
    set_option(lab, "heartbeatTimeout", "2s");
    run(lab, 1);
    CHECK(lab->exits >= NODES);
    CHECK_EQUAL(lab->ok, 0);
    lab_free(lab);
}

TEST(raft, a_single_node_leads_itself)
{
    for (int i = 0; i < 2; i++) {
        struct lab *lab = lab_new(models[i]);
        lab->fixture.group.count = 1;
        lab->fixture.spec.node_count = 1;
        set_option(lab, "reads", "lease");
        run(lab, 1);
        CHECK_EQUAL(lab->seen[SQ_SEE_LEADER], 1);
        CHECK(lab->ok > 900);
        CHECK_EQUAL(lab->always, 0);
        lab_free(lab);
    }
}

TEST(raft, the_options_of_both_models_begin_alike)
{
    for (uint32_t i = 0; i < model_raft.option_count; i++) {
        CHECK_TEXT(model_raft.options[i].name, model_raft_sqlite.options[i].name);
    }
    CHECK(strstr(model_raft.version, "libraft ") != NULL);
    CHECK(strstr(model_raft_sqlite.version, "sqlite 3.") != NULL);
}
