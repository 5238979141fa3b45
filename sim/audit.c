/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * First the loads come to rest: what they had started may still be acknowledged, and whatever was
 * acknowledged is to be read back. A load that does not come to rest is waited for DRAIN_NS. Then
 * each load's keys are read in ascending order, a few at a time, through a stub of its own with the
 * load's routing, patient time-outs and no end to its retries; the world ends the audit after a
 * fixed virtual time. */
#include "sim/audit.h"

#include "sim/base/base.h"
#include "sim/base/map.h"
#include "sim/base/units.h"
#include "sim/world.h"

#include <stdlib.h>
#include <string.h>

#define AUDIT_WIDTH 32 /* reads at once, of each load */
#define DRAIN_NS    (10 * NS_PER_S)

struct audit_load {
    struct audit *audit;
    uint32_t index;
    struct spec_client policy;
    struct stub *stub;
    struct vec keys; /* uint64_t */
    uint32_t next;
    uint32_t running;
};

struct audit {
    struct world *world;
    struct audit_load *loads;
    uint32_t load_count;
    uint32_t process; /* next client identity */
    bool is_reading;  /* the loads are at rest, or were waited for long enough */
    sched_handle patience;
};

static bool is_wanted(const struct run_spec *spec)
{
    for (uint32_t i = 0; i < spec->check_count; i++) {
        const char *name = spec->checks[i].name;
        if (spec->checks[i].word == SPEC_ALWAYS &&
            (strcmp(name, "no-lost-acked-write") == 0 || strcmp(name, "linearizable") == 0)) {
            return true;
        }
    }
    return false;
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

static void collect_keys(struct audit *audit)
{
    const struct history *history = &audit->world->history;
    struct map seen;
    map_init(&seen);
    for (uint32_t i = 0; i < history->operations.count; i++) {
        const struct sq_operation *operation = vec_at(&history->operations, i);
        audit->process =
            operation->process >= audit->process ? operation->process + 1 : audit->process;
        ASSERT(operation->key <= UINT32_MAX); /* below record_count */
        uint64_t name = (uint64_t)operation->load << 32 | operation->key;
        if (operation->kind == SQ_KV_UPDATE && operation->outcome == SQ_OUTCOME_OK &&
            map_find(&seen, name) == NULL) {
            map_put(&seen, name, 1);
            vec_append(&audit->loads[operation->load].keys, &operation->key);
        }
    }
    map_release(&seen);
    for (uint32_t i = 0; i < audit->load_count; i++) {
        vec_sort(&audit->loads[i].keys, compare_keys);
    }
}

static void read_more(struct audit_load *load);

static void on_attempt(void *context, uint64_t word)
{
    struct audit_load *load = context;
    history_attempt(&load->audit->world->history, word);
}

static void on_done(void *context, uint64_t word, const struct stub_result *result)
{
    struct audit_load *load = context;
    enum sq_status status = result->status;
    struct sq_kv_reply reply = {0};
    if (status == SQ_OK && result->size >= sizeof(reply)) {
        memcpy(&reply, result->data, sizeof(reply));
    } else if (status == SQ_OK) {
        status = SQ_E_MALFORMED; /* a read without a value is no read */
    }
    enum sq_outcome outcome = result->is_definite ? SQ_OUTCOME_FAIL : SQ_OUTCOME_INFO;
    history_complete(&load->audit->world->history, word, status == SQ_OK ? SQ_OUTCOME_OK : outcome,
                     status, reply.value, result->replied_by);
    load->running--;
    read_more(load);
}

static void read_more(struct audit_load *load)
{
    struct world *world = load->audit->world;
    while (load->running < AUDIT_WIDTH && load->next < load->keys.count) {
        uint64_t key = *(uint64_t *)vec_at(&load->keys, load->next++);
        uint32_t process = load->audit->process++;
        struct sq_operation operation = {.load = load->index + world->spec->load_count,
                                         .process = process,
                                         .kind = SQ_KV_READ,
                                         .key = key};
        uint64_t id = history_invoke(&world->history, &operation, world_now(world));
        struct sq_kv_request request = {
            .kind = SQ_KV_READ,
            .key = key,
            .session = ((uint64_t)(load->index + 1) << 48) | process,
            .sequence = 1,
        };
        load->running++;
        stub_call(load->stub, &(struct stub_call_options){
                                  .data = &request,
                                  .size = sizeof(request),
                                  .intended_ns = world_now(world),
                                  .on_attempt = on_attempt,
                                  .on_done = on_done,
                                  .context = load,
                                  .word = id,
                              });
    }
}

static void start_reading(struct audit *audit)
{
    ASSERT(!audit->is_reading);
    audit->is_reading = true;
    if (audit->patience != 0) {
        sched_cancel(&audit->world->sched, audit->patience);
        audit->patience = 0;
    }
    collect_keys(audit);
    for (uint32_t i = 0; i < audit->load_count; i++) {
        read_more(&audit->loads[i]);
    }
}

static void lose_patience(void *context, struct sched_event *event)
{
    (void)event;
    struct audit *audit = context;
    audit->patience = 0;
    start_reading(audit);
}

static bool is_at_rest(const struct audit *audit)
{
    for (uint32_t i = 0; i < audit->load_count; i++) {
        if (stub_in_flight(load_stub(audit->world->loads[i])) > 0) {
            return false;
        }
    }
    return true;
}

static void init_load(struct audit *audit, uint32_t index)
{
    struct world *world = audit->world;
    struct audit_load *load = &audit->loads[index];
    load->audit = audit;
    load->index = index;
    vec_init(&load->keys, sizeof(uint64_t), UINT32_MAX);
    load->policy = world->spec->loads[index].client;
    load->policy.deadline_ns = INT64_MAX;
    load->policy.timeout_ns = NS_PER_S;
    load->policy.attempts_max = UINT32_MAX;
    load->policy.backoff = SPEC_BACKOFF_FIXED;
    load->policy.backoff_initial_ns = 50 * NS_PER_MS;
    load->policy.backoff_max_ns = 50 * NS_PER_MS;
    load->policy.jitter = SPEC_JITTER_NONE;
    load->policy.pushback = SPEC_PUSHBACK_IGNORE;
    load->policy.is_transparent = false;
    load->policy.retry_on = UINT64_MAX;
    load->policy.budget = SPEC_BUDGET_NONE;
    load->policy.concurrency_max = 0;
    load->policy.hedging = (struct spec_hedging){0};
    load->policy.breaker = (struct spec_breaker){0};
    load->policy.limits = (struct spec_limits){0};
    load->policy.pacing = (struct spec_pacing){0};
    load->stub = stub_new(world, world->node_count + index, 1, &load->policy, "audit", index);
}

struct audit *audit_start(struct world *world)
{
    const struct run_spec *spec = world->spec;
    if (!is_wanted(spec)) {
        return NULL;
    }
    struct audit *audit = calloc(1, sizeof(*audit));
    ASSERT(audit != NULL);
    audit->world = world;
    audit->load_count = world->load_count;
    audit->loads = calloc(audit->load_count, sizeof(*audit->loads));
    ASSERT(audit->loads != NULL || audit->load_count == 0);
    for (uint32_t i = 0; i < audit->load_count; i++) {
        init_load(audit, i);
    }
    struct sched_event *event =
        sched_push(&world->sched, world_now(world) + DRAIN_NS, &audit->patience);
    event->fire = lose_patience;
    event->context = audit;
    event->kind = TRACE_LOAD;
    return audit;
}

bool audit_advance(struct audit *audit)
{
    if (!audit->is_reading && is_at_rest(audit)) {
        start_reading(audit);
    }
    for (uint32_t i = 0; i < audit->load_count; i++) {
        if (audit->loads[i].running > 0) {
            return false;
        }
    }
    return audit->is_reading;
}

void audit_free(struct audit *audit)
{
    if (audit == NULL) {
        return;
    }
    for (uint32_t i = 0; i < audit->load_count; i++) {
        stub_free(audit->loads[i].stub);
        vec_release(&audit->loads[i].keys);
    }
    free(audit->loads);
    free(audit);
}

struct stub *audit_stub(struct audit *audit, uint32_t load)
{
    ASSERT(load < audit->load_count);
    return audit->loads[load].stub;
}
