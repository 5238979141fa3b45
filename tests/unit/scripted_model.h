/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A model that does what a test tells it, a place to write down what happened, and an observer that
 * keeps the lives and the faults of a run. Each file that includes this has its own. */
#ifndef SQUALL_TESTS_UNIT_SCRIPTED_MODEL_H
#define SQUALL_TESTS_UNIT_SCRIPTED_MODEL_H

#include "tests/unit/harness.h"
#include "tests/unit/world_fixture.h"

#include "sim/base/base.h"
#include "sim/node.h"

#include <stdio.h>

#define NOTES_MAX    4096
#define TARGET_BYTES 128

struct note {
    sq_time time; /* true time */
    sq_node node;
    uint64_t what;
};

struct script {
    enum sq_status (*boot)(struct sq_env *env);
    void (*deliver)(struct sq_env *env, sq_node from, const void *data, size_t size);
    void (*request)(struct sq_env *env, const struct sq_request *request);
    void (*timer)(struct sq_env *env, uint64_t tag);
    void (*signal)(struct sq_env *env, const char *name, int64_t value);
};

static struct script script;
static struct note notes[NOTES_MAX];
static uint32_t note_count;

/* What the observer saw. */
static struct note lives[NOTES_MAX]; /* what: enum sq_life */
static uint32_t life_count;
static struct sq_fault_event faults[NOTES_MAX];
static char fault_targets[NOTES_MAX][TARGET_BYTES];
static uint32_t fault_count;
static char broken[64]; /* name of the last invariant that did not hold */

static inline void note(struct sq_env *env, uint64_t what)
{
    if (note_count < NOTES_MAX) {
        struct node *node = node_of(env);
        notes[note_count++] = (struct note){world_now(node->world), env->self, what};
    }
}

static inline enum sq_status scripted_boot(struct sq_env *env)
{
    return script.boot != NULL ? script.boot(env) : SQ_OK;
}

static inline void scripted_deliver(struct sq_env *env, sq_node from, const void *data, size_t size)
{
    if (script.deliver != NULL) {
        script.deliver(env, from, data, size);
    }
}

static inline void scripted_request(struct sq_env *env, const struct sq_request *request)
{
    if (script.request != NULL) {
        script.request(env, request);
    }
}

static inline void scripted_timer(struct sq_env *env, uint64_t tag)
{
    if (script.timer != NULL) {
        script.timer(env, tag);
    }
}

static inline void scripted_signal(struct sq_env *env, const char *name, int64_t value)
{
    if (script.signal != NULL) {
        script.signal(env, name, value);
    }
}

static const struct sq_model scripted_model = {
    .abi_version = SQ_ABI_VERSION,
    .size = sizeof(scripted_model),
    .name = "scripted",
    .version = "test",
    .description = "what a test scripts",
    .boot = scripted_boot,
    .deliver = scripted_deliver,
    .request = scripted_request,
    .timer = scripted_timer,
    .signal = scripted_signal,
};

static inline void keep_life(void *context, const struct sq_life_event *life)
{
    (void)context;
    if (life_count < NOTES_MAX) {
        lives[life_count++] = (struct note){life->time, life->node, life->what};
    }
}

/* Start and end are two entries, as they were told. */
static inline void keep_fault(void *context, const struct sq_fault_event *fault)
{
    (void)context;
    if (fault_count < NOTES_MAX) {
        faults[fault_count] = *fault;
        snprintf(fault_targets[fault_count], sizeof(fault_targets[0]), "%s", fault->target);
        fault_count++;
    }
}

static inline void keep_always(void *context, sq_node node, sq_time time, uint64_t event,
                               const char *name, const char *text)
{
    (void)context;
    (void)node;
    (void)time;
    (void)event;
    (void)text;
    snprintf(broken, sizeof(broken), "%s", name);
}

static const struct sq_observer keeper = {
    .on_life = keep_life,
    .on_fault = keep_fault,
    .on_always = keep_always,
};

/* A new world for the fixture, nothing noted. */
static inline struct world *begin(struct world_fixture *fixture, uint32_t nodes, struct script what)
{
    world_fixture_init(fixture, &scripted_model, nodes);
    script = what;
    return world_new();
}

static inline void reset(struct world *world, const struct world_fixture *fixture, uint64_t seed)
{
    note_count = 0;
    life_count = 0;
    fault_count = 0;
    broken[0] = '\0';
    world_reset(world, &fixture->spec, seed, &keeper);
}

static inline void run(struct world *world, const struct world_fixture *fixture, uint64_t seed,
                       int64_t until_ns)
{
    reset(world, fixture, seed);
    world_run(world, until_ns, UINT64_MAX);
}

/* At `at_ms` for `ms` milliseconds, to the nodes of the mask, all together. */
static inline struct spec_fault fault_of(enum spec_fault_kind kind, enum spec_fault_action action,
                                         uint64_t nodes, int64_t at_ms, int64_t ms)
{
    return (struct spec_fault){
        .name = "test",
        .kind = kind,
        .action = action,
        .mode = SPEC_MODE_ALL,
        .selector = {nodes, SQ_ROLE_NONE},
        .has_at = true,
        .at_ns = at_ms * NS_PER_MS,
        .until_ns = INT64_MAX,
        .duration = {.kind = DIST_CONSTANT, .a = ms * NS_PER_MS},
        .path = "*",
        .probability = RNG_ALWAYS,
        .methods = SPEC_IO_READ | SPEC_IO_WRITE | SPEC_IO_SYNC,
        .error = SQ_E_IO,
    };
}

static inline uint32_t lives_of(sq_node node, enum sq_life what)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < life_count; i++) {
        count += lives[i].node == node && lives[i].what == what ? 1 : 0;
    }
    return count;
}

static inline uint32_t notes_of(sq_node node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < note_count; i++) {
        count += notes[i].node == node ? 1 : 0;
    }
    return count;
}

static inline void send_text(struct sq_env *env, sq_node to, const char *text)
{
    struct sq_buffer buffer = {text, strlen(text)};
    env->net->send(env, to, &buffer, 1);
}

#endif
