/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A world of one node whose whole life is a function of the test: `script` runs as the node's boot,
 * on its main fiber, on the real simulated disk. For the tests of what lives under
 * models/sqlite. */
#ifndef SQUALL_TESTS_UNIT_SQLITE_LAB_H
#define SQUALL_TESTS_UNIT_SQLITE_LAB_H

#include "models/sqlite/kv.h"
#include "models/sqlite/vfs.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/node.h"
#include "tests/unit/harness.h"

#include <stdlib.h>

struct lab {
    struct world *world;
    struct run_spec spec;
    struct spec_group group;
    struct sq_model model;
};

static void (*lab_script)(struct sq_env *env);
static uint32_t lab_finished; /* scripts that came to their end */

static inline enum sq_status lab_boot(struct sq_env *env)
{
    lab_script(env);
    lab_finished++;
    return SQ_OK;
}

/* Writes, syncs and reads take time, so each is an event of its own and the world can be stopped
 * between any two. */
static inline struct lab *lab_new(uint32_t nodes)
{
    vfs_prepare();
    struct lab *lab = calloc(1, sizeof(*lab));
    ASSERT(lab != NULL);
    lab->model = (struct sq_model){.abi_version = SQ_ABI_VERSION,
                                   .size = sizeof(struct sq_model),
                                   .name = "lab",
                                   .boot = lab_boot};
    lab->group = (struct spec_group){
        .name = "lab",
        .model = &lab->model,
        .model_name = "lab",
        .count = nodes,
        .nodes_per_host = 1,
        .host = {.cores = 1, .queue_limit = 1000},
    };
    lab->spec = (struct run_spec){
        .name = "lab",
        .limit_ns = 1000 * NS_PER_S,
        .event_limit = UINT64_MAX,
        .groups = &lab->group,
        .group_count = 1,
        .node_count = nodes,
        .disk = {.read = {.a = 10 * NS_PER_US},
                 .write = {.a = 1 * NS_PER_US},
                 .sync = {.a = 100 * NS_PER_US},
                 .capacity_bytes = INT64_MAX,
                 .sector_bytes = 512},
    };
    lab->world = world_new();
    return lab;
}

static inline void lab_free(struct lab *lab)
{
    world_free(lab->world);
    free(lab);
}

#define LAB_RUN_NS (10 * NS_PER_S) /* more than any script takes */

/* A new run on empty disks: every node does `script`, up to event `until_event`. */
static inline void lab_run(struct lab *lab, void (*script)(struct sq_env *env), uint64_t seed,
                           uint64_t until_event)
{
    lab_script = script;
    lab_finished = 0;
    world_reset(lab->world, &lab->spec, seed, NULL);
    world_run(lab->world, LAB_RUN_NS, until_event);
    CHECK(until_event != UINT64_MAX || lab_finished == lab->spec.node_count);
}

/* Node 0 dies as it stands and is born again, to do `script`. */
static inline void lab_again(struct lab *lab, void (*script)(struct sq_env *env),
                             bool is_power_loss)
{
    struct node *node = &lab->world->nodes[0];
    lab_script = script;
    lab_finished = 0;
    node_crash(node, is_power_loss ? SQ_LIFE_POWER : SQ_LIFE_CRASH);
    if (is_power_loss) {
        disk_power_loss(node->disk);
    }
    node_boot(node);
    world_run(lab->world, world_now(lab->world) + LAB_RUN_NS, UINT64_MAX);
    CHECK_EQUAL(lab_finished, 1);
}

/* The script on a world of its own. */
static inline void lab_do(void (*script)(struct sq_env *env))
{
    struct lab *lab = lab_new(1);
    lab_run(lab, script, 1, UINT64_MAX);
    lab_free(lab);
}

/* Opens the store of the test; never fails unless the test says so. */
static inline struct kv *lab_open(struct sq_env *env, const struct kv_options *options)
{
    char message[KV_MESSAGE_SIZE];
    struct kv *kv = NULL;
    CHECK_EQUAL(kv_open(env, "test.db", options, &kv, message), SQ_OK);
    CHECK_TEXT(message, "");
    ASSERT(kv != NULL);
    return kv;
}

static const struct kv_options lab_wal = {.journal = KV_JOURNAL_WAL,
                                          .synchronous = KV_SYNCHRONOUS_FULL};

/* An update with a padding of four bytes. */
static inline struct sq_kv_request lab_update(uint64_t key, uint64_t value, uint64_t session,
                                              uint64_t sequence)
{
    return (struct sq_kv_request){SQ_KV_UPDATE, 4, key, value, session, sequence};
}

/* Applies it in a transaction of its own. */
static inline enum sq_status lab_write(struct kv *kv, struct sq_kv_request request,
                                       uint64_t position, struct sq_kv_reply *reply)
{
    enum sq_status status = kv_begin(kv);
    enum sq_status outcome = SQ_OK;
    if (status == SQ_OK) {
        outcome = kv_apply(kv, &request, "pad!", position, reply);
        status = outcome == SQ_E_TIMEOUT ? SQ_OK : outcome;
    }
    if (status == SQ_OK) {
        status = kv_commit(kv);
    }
    return status != SQ_OK ? status : outcome;
}

#endif
