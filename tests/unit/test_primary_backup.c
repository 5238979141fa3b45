/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Model primary-backup (and sqlite-single, which shares its lab): whole worlds with a load, in
 * which nodes die, links break and disks fail, and what clients and nodes tell about it. */
#include "models/models.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"
#include "tests/unit/harness.h"

#include <stdio.h>
#include <stdlib.h>

#define MS            NS_PER_MS
#define S             NS_PER_S
#define POSITIONS_MAX 8192
#define OPTIONS_MAX   24

struct field {
    struct run_spec spec;
    struct spec_group group;
    struct spec_load load;
    struct spec_fault faults[2];
    struct spec_check check;
    struct sq_value options[OPTIONS_MAX];
    struct sq_observer observer;
    struct world *world;
    /* what was seen */
    uint32_t leaders;
    uint64_t last_epoch;
    sq_node last_leader;
    uint32_t corrupt;
    uint32_t sound;
    uint32_t dumps;
    uint32_t fenced;
    uint32_t failed_transactions;
    uint32_t violations;             /* of the model's own invariants */
    uint64_t digests[POSITIONS_MAX]; /* by position: of the first node that told one; 0: none */
    uint32_t compared;
    uint32_t diverged;
    uint64_t position[8]; /* by node: newest */
};

static void on_seen(void *context, const struct sq_seen *seen)
{
    struct field *field = context;
    if (seen->what == SQ_SEE_LEADER) {
        CHECK_EQUAL(seen->a % field->spec.node_count, seen->node); /* epochs are never shared */
        field->leaders++;
        field->last_epoch = seen->a;
        field->last_leader = seen->node;
    } else if (seen->what == SQ_SEE_INTEGRITY) {
        field->corrupt += seen->a == 0;
        field->sound += seen->a == 1;
    } else if (seen->what == SQ_SEE_STATE && seen->a < POSITIONS_MAX) {
        uint64_t *digest = &field->digests[seen->a];
        if (*digest == 0) {
            *digest = seen->b;
        } else {
            field->compared++;
            field->diverged += *digest != seen->b;
        }
        field->position[seen->node] = seen->a;
    }
}

static void on_always(void *context, sq_node node, sq_time time, uint64_t event, const char *name,
                      const char *text)
{
    (void)node, (void)time, (void)event;
    fprintf(stderr, "%s: %s\n", name, text);
    ((struct field *)context)->violations++;
}

static void on_sometimes(void *context, sq_node node, sq_time time, const char *name)
{
    struct field *field = context;
    (void)node, (void)time;
    field->dumps += strcmp(name, "primary-backup.dump-loaded") == 0;
    field->fenced += strcmp(name, "primary-backup.fenced") == 0;
    field->failed_transactions += strcmp(name, "primary-backup.transaction-failed") == 0;
}

static int64_t choice_of(const char *choices, const char *wanted)
{
    int64_t index = 0;
    size_t length = strlen(wanted);
    for (const char *at = choices; at != NULL; index++) {
        if (strncmp(at, wanted, length) == 0 && (at[length] == '|' || at[length] == '\0')) {
            return index;
        }
        at = strchr(at, '|');
        at = at != NULL ? at + 1 : NULL;
    }
    ASSERT(!"no such choice");
    return 0;
}

/* Sets an option as a scenario would; understands what these models use. */
static void set_option(struct field *field, const char *name, const char *text)
{
    const struct sq_model *model = field->group.model;
    for (uint32_t i = 0; i < model->option_count; i++) {
        const struct sq_option *option = &model->options[i];
        if (strcmp(option->name, name) != 0) {
            continue;
        }
        char *end = NULL;
        int64_t number = strtoll(text, &end, 10);
        if (option->type == SQ_OPTION_CHOICE) {
            number = choice_of(option->choices, text);
        } else if (option->type == SQ_OPTION_BOOLEAN) {
            number = strcmp(text, "true") == 0;
        } else if (option->type == SQ_OPTION_DURATION) {
            ASSERT(strcmp(end, "ms") == 0);
            number *= MS;
        } else if (option->type == SQ_OPTION_SIZE) {
            ASSERT(strcmp(end, "KiB") == 0);
            number *= 1024;
        }
        field->options[i] = (struct sq_value){number, text};
        return;
    }
    ASSERT(!"no such option");
}

static struct spec_load load_of(uint32_t rate)
{
    return (struct spec_load){
        .name = "writes",
        .executor = SPEC_CONSTANT_ARRIVAL_RATE,
        .arrivals = SPEC_ARRIVALS_POISSON,
        .duration_ns = INT64_MAX,
        .rate_per_1000s = (int64_t)rate * 1000,
        .record_count = 50,
        .update_proportion = RNG_ALWAYS / 5 * 4,
        .value_bytes = 16,
        .client = {.target = "store",
                   .count = 10,
                   .deadline_ns = 4 * S,
                   .timeout_ns = 1 * S,
                   .route = SPEC_ROUTE_LEADER,
                   .attempts_max = 6,
                   .backoff = SPEC_BACKOFF_EXPONENTIAL,
                   .backoff_initial_ns = 20 * MS,
                   .backoff_max_ns = 500 * MS,
                   .backoff_multiplier_milli = 2000,
                   .jitter = SPEC_JITTER_FULL,
                   .redirects_max = 3,
                   .retry_on = ~UINT64_C(1)},
    };
}

static struct field *field_new(const struct sq_model *model, uint32_t nodes, uint32_t rate)
{
    struct field *field = calloc(1, sizeof(*field));
    ASSERT(field != NULL);
    ASSERT(model->option_count <= OPTIONS_MAX);
    model->prepare();
    field->group = (struct spec_group){
        .name = "store",
        .model = model,
        .model_name = model->name,
        .options = field->options,
        .count = nodes,
        .nodes_per_host = 1,
        .host = {.cores = 1,
                 .queue_limit = 1000,
                 .per_message_ns = 5000,
                 .per_operation_ns = 10000},
    };
    for (uint32_t i = 0; i < model->option_count; i++) {
        set_option(field, model->options[i].name, model->options[i].initial);
    }
    field->load = load_of(rate);
    field->check = (struct spec_check){.word = SPEC_ALWAYS, .name = "no-lost-acked-write"};
    field->spec = (struct run_spec){
        .name = "primary-backup",
        .limit_ns = 10 * S,
        .window_ns = 100 * MS,
        .event_limit = 5000000,
        .groups = &field->group,
        .group_count = 1,
        .node_count = nodes,
        .link_default = {.latency_ns = 5 * MS,
                         .jitter = {.kind = DIST_EXPONENTIAL, .a = 1 * MS},
                         .is_fifo = true},
        .link_clients = {.latency_ns = 1 * MS, .is_fifo = true},
        .disk = {.sync = {.a = 800 * NS_PER_US}, .capacity_bytes = INT64_MAX, .sector_bytes = 512},
        .loads = &field->load,
        .load_count = 1,
        .faults = field->faults,
        .checks = &field->check,
        .check_count = 1,
    };
    field->observer = (struct sq_observer){
        .context = field, .on_seen = on_seen, .on_always = on_always, .on_sometimes = on_sometimes};
    field->world = world_new();
    return field;
}

/* The run goes on for a second after the load, so that what is shipped late arrives. */
static void end_load_at(struct field *field, int64_t time_ns)
{
    field->load.duration_ns = time_ns;
    field->spec.limit_ns = time_ns + S;
}

/* Starts a run; what was seen in the last one is forgotten. */
static void field_start(struct field *field, uint64_t seed)
{
    size_t first = offsetof(struct field, leaders);
    memset((char *)field + first, 0, sizeof(*field) - first);
    world_reset(field->world, &field->spec, seed, &field->observer);
}

static void field_run(struct field *field, int64_t until_ns)
{
    world_run(field->world, until_ns, UINT64_MAX);
}

static void field_finish(struct field *field)
{
    field_run(field, INT64_MAX);
    CHECK_EQUAL(field->world->end, WORLD_TIME_LIMIT);
    world_finish(field->world);
    CHECK_EQUAL(field->violations, 0);
}

static void field_free(struct field *field)
{
    world_free(field->world);
    free(field);
}

static struct node *node_at(struct field *field, sq_node node)
{
    return &field->world->nodes[node];
}

static void power_loss(struct field *field, sq_node node)
{
    node_crash(node_at(field, node), SQ_LIFE_POWER);
    disk_power_loss(node_at(field, node)->disk);
}

static uint32_t operation_count(const struct field *field)
{
    return field->world->history.operations.count;
}

static const struct sq_operation *operation_at(const struct field *field, uint32_t index)
{
    return vec_at(&field->world->history.operations, index);
}

/* Operations that ended well in [from, until). */
static uint32_t good_between(const struct field *field, int64_t from, int64_t until)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *operation = operation_at(field, i);
        count += operation->outcome == SQ_OUTCOME_OK && operation->completed >= from &&
                 operation->completed < until;
    }
    return count;
}

static int64_t written_at(const struct field *field, uint64_t value)
{
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *operation = operation_at(field, i);
        if (operation->kind == SQ_KV_UPDATE && operation->argument == value) {
            return operation->outcome == SQ_OUTCOME_OK ? operation->completed : INT64_MAX;
        }
    }
    return INT64_MIN; /* nobody wrote that, or it is 0: nothing was ever written */
}

/* Reads that began after an acknowledged write and do not see it nor anything that may have come
 * later. */
static uint32_t stale_reads(const struct field *field, int64_t from)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *read = operation_at(field, i);
        if (read->kind != SQ_KV_READ || read->outcome != SQ_OUTCOME_OK || read->invoked < from) {
            continue;
        }
        int64_t seen = written_at(field, read->result);
        for (uint32_t j = 0; seen < INT64_MAX && j < operation_count(field); j++) {
            const struct sq_operation *write = operation_at(field, j);
            if (write->kind == SQ_KV_UPDATE && write->key == read->key &&
                write->outcome == SQ_OUTCOME_OK && write->invoked > seen &&
                write->completed < read->invoked) {
                count++;
                break;
            }
        }
    }
    return count;
}

/* ---------------------------------------------------------------------- healthy */

TEST(primary_backup, a_healthy_group_serves_and_its_nodes_agree)
{
    static const char *const acks[] = {"async", "one", "all"};
    for (uint32_t i = 0; i < 3; i++) {
        struct field *field = field_new(&model_primary_backup, 3, 200);
        set_option(field, "acks", acks[i]);
        end_load_at(field, 3 * S);
        field_start(field, 1);
        field_finish(field);
        uint32_t good = good_between(field, 0, INT64_MAX);
        CHECK(good > 500);
        CHECK(good >= operation_count(field) - 2);
        CHECK_EQUAL(stale_reads(field, 0), 0);
        CHECK_EQUAL(field->leaders, 1);
        CHECK_EQUAL(field->last_leader, 0);
        CHECK(field->compared > 100);
        CHECK_EQUAL(field->diverged, 0);
        CHECK(field->position[0] > 300);
        CHECK_EQUAL(field->position[1], field->position[0]);
        CHECK_EQUAL(field->position[2], field->position[0]);
        CHECK_EQUAL(field->dumps, 0);
        field_free(field);
    }
}

/* 1: no round trip to a backup; 2: one. */
TEST(primary_backup, an_answer_waits_for_as_many_backups_as_asked)
{
    static const char *const acks[] = {"async", "one", "all"};
    int64_t mean[3];
    for (uint32_t i = 0; i < 3; i++) {
        struct field *field = field_new(&model_primary_backup, 3, 50);
        set_option(field, "acks", acks[i]);
        field->spec.limit_ns = 2 * S;
        field_start(field, 1);
        field_finish(field);
        mean[i] = 0;
        for (uint32_t j = 0; j < operation_count(field); j++) {
            mean[i] += operation_at(field, j)->completed - operation_at(field, j)->invoked;
        }
        mean[i] /= operation_count(field);
        field_free(field);
    }
    CHECK(mean[0] < 5 * MS);
    CHECK(mean[1] > 10 * MS);
    CHECK(mean[2] > mean[1]);
    CHECK(mean[2] < 40 * MS);
}

TEST(primary_backup, one_node_alone_serves)
{
    struct field *field = field_new(&model_primary_backup, 1, 100);
    field->spec.limit_ns = 2 * S;
    field_start(field, 1);
    field_run(field, 1 * S);
    power_loss(field, 0);
    node_boot(node_at(field, 0));
    field_finish(field);
    CHECK(good_between(field, 0, 1 * S) > 50);
    CHECK(good_between(field, 1 * S, 2 * S) > 50);
    CHECK_EQUAL(field->leaders, 2);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    field_free(field);
}

TEST(primary_backup, the_same_seed_gives_the_same_run)
{
    struct field *field = field_new(&model_primary_backup, 3, 200);
    uint64_t digests[3];
    for (uint32_t i = 0; i < 3; i++) {
        field->spec.limit_ns = 3 * S;
        field_start(field, i == 2 ? 8 : 7);
        field_run(field, 1 * S);
        power_loss(field, 0);
        field_run(field, 1500 * MS);
        node_boot(node_at(field, 0));
        field_finish(field);
        digests[i] = world_digest(field->world);
    }
    CHECK(digests[0] == digests[1]);
    CHECK(digests[0] != digests[2]);
    field_free(field);
}

/* ---------------------------------------------------------------------- fail-over */

/* The primary's host loses power at 3 s and is back at 6 s. Returns stale reads. */
static uint32_t fail_over(struct field *field, uint64_t seed)
{
    field_start(field, seed);
    field_run(field, 3 * S);
    power_loss(field, 0);
    field_run(field, 6 * S);
    CHECK_EQUAL(field->last_leader, 1);
    node_boot(node_at(field, 0));
    field_finish(field);
    return stale_reads(field, 0);
}

TEST(primary_backup, with_acks_all_a_fail_over_loses_nothing)
{
    struct field *field = field_new(&model_primary_backup, 3, 150);
    set_option(field, "acks", "all");
    for (uint64_t seed = 1; seed <= 3; seed++) {
        CHECK_EQUAL(fail_over(field, seed), 0);
        CHECK_EQUAL(field->leaders, 2);
        CHECK_EQUAL(good_between(field, 3100 * MS, 6 * S), 0); /* all means all: one is missing */
        CHECK(good_between(field, 7 * S, 10 * S) > 300);
        CHECK_EQUAL(field->position[0], field->position[1]);
        CHECK_EQUAL(field->corrupt, 0);
        CHECK(field->sound >= 1);
    }
    field_free(field);
}

TEST(primary_backup, with_acks_async_a_fail_over_loses_writes)
{
    struct field *field = field_new(&model_primary_backup, 3, 400);
    set_option(field, "acks", "async");
    uint32_t lost = 0;
    uint32_t dumps = 0;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        lost += fail_over(field, seed);
        CHECK(good_between(field, 4200 * MS, 6 * S) > 300); /* and goes on without the third */
        CHECK(field->position[0] + 50 > field->position[1]);
        CHECK(field->position[1] + 50 > field->position[0]);
        dumps += field->dumps; /* the old primary's end of the log was replaced */
    }
    CHECK(lost > 0);
    CHECK(dumps > 0);
    field_free(field);
}

TEST(primary_backup, the_lowest_joined_backup_takes_over_with_its_own_epoch)
{
    struct field *field = field_new(&model_primary_backup, 3, 50);
    set_option(field, "acks", "one");
    field_start(field, 1);
    field_run(field, 1 * S);
    CHECK_EQUAL(field->last_epoch, 3);
    power_loss(field, 0);
    field_run(field, 1400 * MS);
    CHECK_EQUAL(field->leaders, 1);
    field_run(field, 2 * S);
    CHECK_EQUAL(field->last_leader, 1);
    CHECK_EQUAL(field->last_epoch, 7);
    power_loss(field, 1);
    field_run(field, 4 * S);
    CHECK_EQUAL(field->last_leader, 2);
    CHECK_EQUAL(field->last_epoch, 11);
    node_boot(node_at(field, 0));
    node_boot(node_at(field, 1));
    field_finish(field);
    CHECK_EQUAL(field->last_leader, 2);
    CHECK_EQUAL(field->leaders, 3);
    CHECK_EQUAL(field->position[0], field->position[2]);
    CHECK_EQUAL(field->position[1], field->position[2]);
    field_free(field);
}

TEST(primary_backup, a_dead_backup_blocks_acks_all_and_not_acks_one)
{
    static const char *const acks[] = {"all", "one"};
    for (uint32_t i = 0; i < 2; i++) {
        struct field *field = field_new(&model_primary_backup, 3, 100);
        set_option(field, "acks", acks[i]);
        field_start(field, 1);
        field_run(field, 3 * S);
        power_loss(field, 2);
        field_run(field, 5 * S);
        node_boot(node_at(field, 2));
        field_finish(field);
        uint32_t good = good_between(field, 3050 * MS, 5 * S);
        CHECK(i == 0 ? good == 0 : good > 150);
        CHECK(good_between(field, 6 * S, 10 * S) > 300);
        CHECK_EQUAL(field->leaders, 1);
        CHECK_EQUAL(stale_reads(field, 0), 0);
        CHECK_EQUAL(field->position[2], field->position[0]);
        field_free(field);
    }
}

TEST(primary_backup, a_backup_that_was_away_for_long_gets_a_dump)
{
    struct field *field = field_new(&model_primary_backup, 3, 200);
    set_option(field, "acks", "one");
    set_option(field, "tailEntries", "64");
    field_start(field, 1);
    field_run(field, 1 * S);
    node_crash(node_at(field, 2), SQ_LIFE_CRASH);
    field_run(field, 5 * S);
    node_boot(node_at(field, 2));
    field_finish(field);
    CHECK(field->dumps >= 1);
    CHECK_EQUAL(field->position[2], field->position[0]);
    CHECK_EQUAL(field->diverged, 0);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    field_free(field);
}

TEST(primary_backup, a_wiped_backup_is_filled_again)
{
    struct field *field = field_new(&model_primary_backup, 3, 100);
    field_start(field, 1);
    field_run(field, 3 * S);
    node_crash(node_at(field, 1), SQ_LIFE_POWER);
    disk_wipe(node_at(field, 1)->disk);
    node_boot(node_at(field, 1));
    field_finish(field);
    CHECK_EQUAL(field->leaders, 1);
    CHECK_EQUAL(field->position[1], field->position[0]);
    CHECK_EQUAL(field->diverged, 0);
    field_free(field);
}

TEST(primary_backup, all_nodes_may_lose_power_at_once)
{
    struct field *field = field_new(&model_primary_backup, 3, 100);
    field_start(field, 3);
    field_run(field, 3 * S);
    for (sq_node i = 0; i < 3; i++) {
        power_loss(field, i);
    }
    field_run(field, 4 * S);
    for (sq_node i = 0; i < 3; i++) {
        node_boot(node_at(field, i));
    }
    field_finish(field);
    CHECK_EQUAL(field->leaders, 2);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    CHECK(good_between(field, 7 * S, 10 * S) > 200);
    field_free(field);
}

/* ---------------------------------------------------------------------- networks and disks */

/* The primary is cut off from its backups, not from its clients, from 3 s to 6 s. */
static void add_partition(struct field *field)
{
    field->faults[0] = (struct spec_fault){
        .name = "cut",
        .kind = SPEC_NETWORK_CHAOS,
        .action = SPEC_ACTION_PARTITION,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = 1},
        .has_at = true,
        .at_ns = 3 * S,
        .until_ns = INT64_MAX,
        .duration = {.a = 3 * S},
    };
    field->spec.fault_count = 1;
}

/* Writes that node 0 answered well in [4 s, 6 s), when it had long been replaced. */
static uint32_t served_by_the_deposed(const struct field *field)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *operation = operation_at(field, i);
        count += operation->outcome == SQ_OUTCOME_OK && operation->replied_by == 0 &&
                 operation->completed >= 4 * S && operation->completed < 6 * S;
    }
    return count;
}

TEST(primary_backup, fencing_stops_a_primary_that_is_cut_off)
{
    struct field *field = field_new(&model_primary_backup, 3, 200);
    set_option(field, "acks", "async");
    add_partition(field);
    end_load_at(field, 10 * S);
    field_start(field, 1);
    field_finish(field);
    CHECK_EQUAL(field->last_leader, 1);
    CHECK(field->fenced > 0);
    CHECK_EQUAL(served_by_the_deposed(field), 0);
    CHECK_EQUAL(field->position[0], field->position[1]);
    field_free(field);
}

TEST(primary_backup, without_fencing_two_primaries_serve_at_once)
{
    struct field *field = field_new(&model_primary_backup, 3, 200);
    set_option(field, "acks", "async");
    set_option(field, "fencing", "false");
    add_partition(field);
    end_load_at(field, 10 * S);
    field_start(field, 1);
    field_finish(field);
    CHECK_EQUAL(field->last_leader, 1);
    CHECK_EQUAL(field->fenced, 0);
    CHECK(served_by_the_deposed(field) > 100);
    CHECK(stale_reads(field, 0) > 0);                    /* its writes are thrown away */
    CHECK_EQUAL(field->position[0], field->position[1]); /* healed all the same */
    field_free(field);
}

TEST(primary_backup, acks_all_stay_consistent_through_a_partition)
{
    struct field *field = field_new(&model_primary_backup, 3, 100);
    set_option(field, "acks", "all");
    set_option(field, "fencing", "false");
    add_partition(field);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        field_start(field, seed);
        field_finish(field);
        CHECK_EQUAL(stale_reads(field, 0), 0);
        CHECK(good_between(field, 7 * S, 10 * S) > 200);
    }
    field_free(field);
}

TEST(primary_backup, lost_duplicated_and_reordered_messages_are_repaired)
{
    struct field *field = field_new(&model_primary_backup, 3, 200);
    field->spec.link_default.is_fifo = false;
    field->spec.link_default.loss = RNG_ALWAYS / 20;
    field->spec.link_default.duplicate = RNG_ALWAYS / 20;
    field->spec.limit_ns = 6 * S;
    field_start(field, 1);
    field_finish(field);
    CHECK_EQUAL(field->leaders, 1);
    CHECK_EQUAL(field->diverged, 0);
    CHECK(field->compared > 50);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    CHECK(good_between(field, 0, 6 * S) > 900);
    CHECK(field->position[1] + 50 > field->position[0]);
    field_free(field);
}

TEST(primary_backup, failing_disks_delay_and_lose_nothing)
{
    struct field *field = field_new(&model_primary_backup, 3, 100);
    field->faults[0] = (struct spec_fault){
        .name = "eio",
        .kind = SPEC_IO_CHAOS,
        .action = SPEC_ACTION_IO_FAULT,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = UINT64_MAX},
        .has_at = true,
        .at_ns = 2 * S,
        .until_ns = INT64_MAX,
        .duration = {.a = 3 * S},
        .probability = RNG_ALWAYS / 50,
        .error = SQ_E_IO,
        .methods = SPEC_IO_WRITE | SPEC_IO_SYNC,
        .path = "*",
    };
    field->spec.fault_count = 1;
    field_start(field, 1);
    field_finish(field);
    CHECK(field->failed_transactions > 5);
    CHECK_EQUAL(field->corrupt, 0);
    CHECK_EQUAL(field->diverged, 0);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    CHECK(good_between(field, 6 * S, 10 * S) > 300);
    CHECK_EQUAL(field->position[1], field->position[0]);
    CHECK_EQUAL(field->position[2], field->position[0]);
    field_free(field);
}

TEST(primary_backup, more_requests_than_may_wait_are_refused)
{
    struct field *field = field_new(&model_primary_backup, 3, 2000);
    set_option(field, "queueLimit", "5");
    field->spec.limit_ns = 2 * S;
    field->load.client.attempts_max = 1;
    field_start(field, 1);
    field_finish(field);
    uint32_t refused = 0;
    for (uint32_t i = 0; i < operation_count(field); i++) {
        refused += operation_at(field, i)->status == SQ_E_OVERLOADED;
    }
    CHECK(refused > 1000);
    CHECK(good_between(field, 0, 2 * S) > 100);
    field_free(field);
}

/* ---------------------------------------------------------------------- sqlite-single */

TEST(sqlite_single, group_commit_keeps_up_with_load)
{
    struct field *field = field_new(&model_sqlite_single, 1, 4000);
    field->spec.limit_ns = 1 * S;
    field_start(field, 1);
    field_finish(field);
    CHECK(good_between(field, 0, INT64_MAX) >= operation_count(field) - 2);
    CHECK(operation_count(field) > 3500);
    CHECK(disk_syncs(node_at(field, 0)->disk) < 1500); /* 3200 writes; a sync takes 0.8 ms */
    CHECK_EQUAL(stale_reads(field, 0), 0);
    field_free(field);
}

static uint32_t single_power_loss(const char *journal, const char *synchronous, uint64_t seed,
                                  uint32_t *corrupt)
{
    struct field *field = field_new(&model_sqlite_single, 1, 200);
    set_option(field, "journal", journal);
    set_option(field, "synchronous", synchronous);
    field->spec.limit_ns = 3 * S;
    field_start(field, seed);
    field_run(field, 1 * S);
    power_loss(field, 0);
    field_run(field, 1500 * MS);
    node_boot(node_at(field, 0));
    field_finish(field);
    *corrupt += field->corrupt;
    uint32_t stale = stale_reads(field, 0);
    CHECK(field->corrupt + field->sound >= 1);
    field_free(field);
    return stale;
}

TEST(sqlite_single, a_power_loss_loses_nothing_that_was_synced)
{
    uint32_t corrupt = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        CHECK_EQUAL(single_power_loss("wal", "full", seed, &corrupt), 0);
        CHECK_EQUAL(single_power_loss("delete", "extra", seed, &corrupt), 0);
    }
    CHECK_EQUAL(corrupt, 0);
}

TEST(sqlite_single, a_power_loss_without_syncs_is_seen)
{
    uint32_t corrupt = 0;
    uint32_t stale = 0;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        stale += single_power_loss("delete", "off", seed, &corrupt);
    }
    CHECK(corrupt > 0);
    CHECK(corrupt + stale > 2);
}

TEST(sqlite_single, a_failing_commit_is_indefinite_and_the_node_goes_on)
{
    struct field *field = field_new(&model_sqlite_single, 1, 200);
    field->faults[0] = (struct spec_fault){
        .name = "eio",
        .kind = SPEC_IO_CHAOS,
        .action = SPEC_ACTION_IO_FAULT,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = UINT64_MAX},
        .has_at = true,
        .at_ns = 1 * S,
        .until_ns = INT64_MAX,
        .duration = {.a = 1 * S},
        .probability = RNG_ALWAYS / 20,
        .error = SQ_E_IO,
        .methods = SPEC_IO_WRITE | SPEC_IO_SYNC,
        .path = "*",
    };
    field->spec.fault_count = 1;
    field->spec.limit_ns = 4 * S;
    field->load.client.attempts_max = 1;
    field_start(field, 1);
    field_finish(field);
    uint32_t errors = 0;
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *operation = operation_at(field, i);
        if (operation->status == SQ_E_IO) {
            errors++;
            CHECK(operation->kind == SQ_KV_READ || operation->outcome == SQ_OUTCOME_INFO);
        }
    }
    CHECK(errors > 5);
    CHECK(good_between(field, 2500 * MS, 4 * S) > 200);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    CHECK_EQUAL(field->corrupt, 0);
    field_free(field);
}

TEST(sqlite_single, a_boot_waits_for_a_disk_that_fails)
{
    struct field *field = field_new(&model_sqlite_single, 1, 200);
    field->faults[0] = (struct spec_fault){
        .name = "dead-disk",
        .kind = SPEC_IO_CHAOS,
        .action = SPEC_ACTION_IO_FAULT,
        .mode = SPEC_MODE_ALL,
        .selector = {.nodes = UINT64_MAX},
        .has_at = true,
        .at_ns = 1 * S,
        .until_ns = INT64_MAX,
        .duration = {.a = 1 * S},
        .probability = RNG_ALWAYS,
        .error = SQ_E_IO,
        .methods = SPEC_IO_READ | SPEC_IO_WRITE | SPEC_IO_OPEN,
        .path = "*",
    };
    field->spec.fault_count = 1;
    field->spec.limit_ns = 4 * S;
    field_start(field, 1);
    field_run(field, 1200 * MS);
    node_crash(node_at(field, 0), SQ_LIFE_CRASH);
    node_boot(node_at(field, 0));
    field_finish(field);
    CHECK_EQUAL(node_at(field, 0)->env.incarnation, 2);
    CHECK_EQUAL(good_between(field, 1250 * MS, 2 * S), 0);
    CHECK(good_between(field, 2200 * MS, 4 * S) > 300);
    CHECK_EQUAL(field->corrupt, 0);
    CHECK_EQUAL(field->sound, 1);
    CHECK_EQUAL(stale_reads(field, 0), 0);
    field_free(field);
}

TEST(sqlite_single, only_the_first_node_of_a_group_serves)
{
    struct field *field = field_new(&model_sqlite_single, 2, 100);
    field->load.client.route = SPEC_ROUTE_RANDOM;
    field->spec.limit_ns = 1 * S;
    field_start(field, 1);
    field_finish(field);
    for (uint32_t i = 0; i < operation_count(field); i++) {
        const struct sq_operation *operation = operation_at(field, i);
        CHECK(operation->outcome != SQ_OUTCOME_OK || operation->replied_by == 0);
    }
    CHECK(good_between(field, 0, INT64_MAX) > 50);
    field_free(field);
}

TEST(sqlite_single, the_table_of_models_is_well_formed)
{
    for (uint32_t i = 0; models_builtin[i] != NULL; i++) {
        const struct sq_model *model = models_builtin[i];
        CHECK_EQUAL(model->abi_version, SQ_ABI_VERSION);
        CHECK_EQUAL(model->size, sizeof(struct sq_model));
        CHECK(model->boot != NULL);
        CHECK(model->version != NULL);
        for (uint32_t j = 0; j < model->option_count; j++) {
            CHECK(model->options[j].name != NULL);
            CHECK(model->options[j].initial != NULL);
            CHECK((model->options[j].type == SQ_OPTION_CHOICE) ==
                  (model->options[j].choices != NULL));
        }
        for (uint32_t j = 0; j < i; j++) {
            CHECK(strcmp(model->name, models_builtin[j]->name) != 0);
        }
    }
}
