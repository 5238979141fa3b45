/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * world_reset builds a run out of the spec and the seed; world_run is the loop: take the next
 * event, call it, until something ends the run. After the time limit comes the audit: loads fall
 * silent, faults heal, what was written is read back.
 *
 * What ends a run is looked at after each event and before anything that only interrupts it, so
 * that a run in pieces has the same end.
 *
 * Time may stand still: fibers that wake each other, a timer of zero, a loop that waits for a clock
 * which only moves when the loop lets go. Everything that can happen again and again at one instant
 * is a step, and steps at one instant are counted. */
#include "sim/world.h"

#include "sim/audit.h"
#include "sim/base/base.h"
#include "sim/base/units.h"
#include "sim/fault.h"
#include "sim/injector.h"
#include "sim/load.h"
#include "sim/net.h"
#include "sim/node.h"
#include "sim/surge.h"

#include <stdlib.h>
#include <string.h>

#define FIBER_STACK_BYTES ((size_t)256 << 10)
#define NODES_MAX         64
#define AUDIT_NS          (60 * NS_PER_S)
#define CPU_WATCH_MASK    0xfff
#define STEPS_MAX         10000000

struct world *world_new(void)
{
    struct world *world = calloc(1, sizeof(*world));
    ASSERT(world != NULL);
    sched_init(&world->sched, SCHED_QUEUE_AUTO);
    trace_init(&world->trace);
    arena_init(&world->arena);
    fiber_pool_init(&world->fibers, FIBER_STACK_BYTES);
    history_init(&world->history, world);
    zipf_cache_init(&world->zipf);
    world->net = net_new(world);
    world->nodes = calloc(NODES_MAX, sizeof(*world->nodes));
    ASSERT(world->nodes != NULL);
    world->heap_fill = -1;
    world->steps_max = STEPS_MAX;
    return world;
}

/* Gives up what a run holds outside the arena. */
static void end_run(struct world *world)
{
    if (world->spec == NULL) {
        return;
    }
    for (uint32_t i = 0; i < world->node_count; i++) {
        node_crash(&world->nodes[i], SQ_LIFE_EXIT);
    }
    audit_free(world->audit);
    world->audit = NULL;
    for (uint32_t i = 0; i < world->load_count; i++) {
        load_free(world->loads[i]);
    }
    world->loads = NULL;
    world->load_count = 0;
    world->spec = NULL;
}

void world_free(struct world *world)
{
    static const struct sq_observer nobody;
    world->observer = &nobody;
    end_run(world);
    for (uint32_t i = 0; i < world->node_capacity; i++) {
        node_release(&world->nodes[i]);
    }
    free(world->nodes);
    net_free(world->net);
    zipf_cache_release(&world->zipf);
    history_release(&world->history);
    fiber_pool_release(&world->fibers);
    arena_release(&world->arena);
    trace_release(&world->trace);
    sched_release(&world->sched);
    free(world);
}

static void build_hosts(struct world *world)
{
    const struct run_spec *spec = world->spec;
    world->hosts = arena_alloc_array(&world->arena, spec->node_count, sizeof(*world->hosts));
    world->host_count = 0;
    for (uint32_t g = 0; g < spec->group_count; g++) {
        const struct spec_group *group = &spec->groups[g];
        ASSERT(group->nodes_per_host >= 1);
        for (uint32_t i = 0; i < group->count; i++) {
            if (i % group->nodes_per_host == 0) {
                cpu_init(&world->hosts[world->host_count].cpu, world, group->host.cores);
                world->host_count++;
            }
            node_reset(&world->nodes[group->first + i], group, g,
                       &world->hosts[world->host_count - 1]);
        }
    }
}

void world_reset(struct world *world, const struct run_spec *spec, uint64_t seed,
                 const struct sq_observer *observer)
{
    static const struct sq_observer nobody;
    ASSERT(spec->node_count >= 1);
    ASSERT(spec->node_count <= NODES_MAX);
    world->observer = &nobody;
    end_run(world);
    sched_reset(&world->sched);
    trace_reset(&world->trace);
    history_reset(&world->history);
    arena_reset(&world->arena);
    world->spec = spec;
    world->seed = seed;
    world->observer = observer != NULL ? observer : &nobody;
    world->end = WORLD_RUNNING;
    world->stop_asked = false;
    world->is_auditing = false;
    world->steps = 0;
    world->is_spinning = false;
    world->free_items = NULL;
    world->node_count = spec->node_count;
    net_reset(world->net, spec);
    while (world->node_capacity < spec->node_count) {
        node_init(&world->nodes[world->node_capacity], world, world->node_capacity);
        world->node_capacity++;
    }
    build_hosts(world);
    world->loads = arena_alloc_array(&world->arena, spec->load_count, sizeof(*world->loads));
    for (uint32_t i = 0; i < spec->load_count; i++) {
        world->loads[i] = load_new(world, i);
        world->load_count++;
    }
    world->faults = fault_new(world);
    for (uint32_t i = 0; i < spec->node_count; i++) {
        node_boot(&world->nodes[i]);
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        load_start(world->loads[i]);
    }
    fault_start(world->faults);
    surge_start(world);
    injector_start(world);
}

static void begin_audit(struct world *world)
{
    world->is_auditing = true;
    fault_heal(world->faults);
    world->audit = audit_start(world);
}

static bool is_cpu_spent(const struct world *world, int64_t started_ns)
{
    return world->cpu_clock_ns != NULL && world->spec->cpu_limit_ns > 0 &&
           world->cpu_clock_ns() - started_ns > world->spec->cpu_limit_ns;
}

/* Has the present event, or the hour, ended the run? */
static enum world_end look_for_end(struct world *world, int64_t started_ns)
{
    uint64_t fired = world->sched.stats.fired;
    if (world->stop_asked) {
        return WORLD_STOPPED;
    }
    if (fired >= world->spec->event_limit) {
        return WORLD_EVENT_LIMIT;
    }
    if ((fired & CPU_WATCH_MASK) == 0 && is_cpu_spent(world, started_ns)) {
        return WORLD_CPU_LIMIT;
    }
    bool is_over = world->is_auditing && (world->audit == NULL || audit_advance(world->audit));
    return is_over ? WORLD_TIME_LIMIT : WORLD_RUNNING;
}

enum world_end world_run(struct world *world, int64_t until_ns, uint64_t until_event)
{
    struct sched *sched = &world->sched;
    int64_t started_ns = world->cpu_clock_ns != NULL ? world->cpu_clock_ns() : 0;
    struct sched_event event;
    if (world->end == WORLD_RUNNING && world->stop_asked) {
        world->end = WORLD_STOPPED; /* a boot did */
    }
    while (world->end == WORLD_RUNNING && sched->stats.fired < until_event && until_ns >= 0) {
        int64_t before_ns = world_now(world);
        int64_t limit_ns = world->spec->limit_ns + (world->is_auditing ? AUDIT_NS : 0);
        int64_t bound_ns = until_ns < limit_ns ? until_ns : limit_ns;
        if (sched_pop(sched, bound_ns, &event)) {
            world->steps = event.time_ns == before_ns ? world->steps : 0;
            if (world_step(world, NULL)) {
                event.fire(event.context, &event);
            }
        } else if (bound_ns < limit_ns) {
            return WORLD_RUNNING;
        } else if (world->is_auditing) {
            world->end = WORLD_TIME_LIMIT;
            return world->end;
        } else {
            begin_audit(world);
        }
        world->end = look_for_end(world, started_ns);
    }
    return world->end;
}

void world_finish(struct world *world)
{
    history_close(&world->history);
}

void world_stop(struct world *world)
{
    world->stop_asked = true;
}

uint64_t world_digest(const struct world *world)
{
    return world->trace.digest;
}

/* ---------------------------------------------------------------------------- inside the engine */

void world_trace(struct world *world, enum trace_kind kind, uint32_t node, uint64_t word,
                 uint64_t extra)
{
    trace_record(&world->trace, world_now(world), kind, node, word, extra);
}

static void tell_spin(struct world *world, struct node *node)
{
    const struct sq_observer *observer = world->observer;
    const char *name = node != NULL ? node->env.name : "the world";
    const char *text = arena_printf(&world->arena, "%s went on for %llu steps at one instant", name,
                                    (unsigned long long)world->steps_max);
    world->is_spinning = true;
    world_stop(world);
    if (observer->on_always != NULL) {
        observer->on_always(observer->context, node != NULL ? node->index : SQ_NODE_NONE,
                            world_now(world), world_event(world), "engine.time-advances", text);
    }
}

bool world_step(struct world *world, struct node *node)
{
    world->steps++;
    if (__builtin_expect(world->steps > world->steps_max, 0) && !world->is_spinning) {
        tell_spin(world, node);
    }
    return !world->is_spinning;
}

/* A caller's address: endpoint, stub, and incarnation where it is a node (an answer to a dead
 * incarnation is dropped). */
static uint32_t caller_of(const struct world *world, endpoint from, uint32_t slot)
{
    uint32_t incarnation = from < world->node_count ? world->nodes[from].env.incarnation : 0;
    ASSERT(from < 0x10000);
    ASSERT(slot < 0x100);
    return ((incarnation & 0xff) << 24) | (slot << 16) | from;
}

static struct packet *packet_of(struct world *world, const void *data, size_t size)
{
    struct packet *packet = packet_new(world->net, size);
    if (size > 0) {
        memcpy(packet->data, data, size);
    }
    return packet;
}

void world_request(struct world *world, const struct request_options *options)
{
    struct packet *packet = packet_of(world, options->data, options->size);
    packet->from = options->from;
    packet->to = options->to;
    packet->kind = PACKET_REQUEST;
    packet->deadline_ns = options->deadline_ns;
    packet->previous_attempts = options->previous_attempts;
    packet->slot = options->slot;
    packet->reply_to = options->reply_to;
    packet->reply_to.caller = caller_of(world, options->from, options->slot);
    net_send(world->net, packet);
}

static struct packet *reply_of(struct world *world, sq_node from,
                               const struct sq_reply_options *options)
{
    const uint32_t caller = options->to.caller;
    struct packet *packet = packet_of(world, options->data, options->size);
    packet->from = from;
    packet->to = caller & 0xffff;
    packet->kind = PACKET_REPLY;
    packet->slot = (caller >> 16) & 0xff;
    packet->status = options->status;
    packet->leader = options->has_leader ? options->leader : SQ_NODE_NONE;
    packet->has_retry_after = options->has_retry_after;
    packet->retry_after_ns = options->retry_after;
    packet->reply_to = options->to;
    return packet;
}

void world_reply(struct world *world, sq_node from, const struct sq_reply_options *options)
{
    net_send(world->net, reply_of(world, from, options));
}

void world_turn_away(struct world *world, sq_node from, struct sq_reply_to to)
{
    struct packet *packet =
        reply_of(world, from, &(struct sq_reply_options){.to = to, .status = SQ_E_OVERLOADED});
    packet->is_turned_away = true;
    net_send(world->net, packet);
}

void world_load_reply(struct world *world, const struct packet *packet)
{
    uint32_t index = packet->to - world->node_count;
    ASSERT(index < world->spec->load_count);
    if (packet->slot == 0) {
        stub_on_reply(load_stub(world->loads[index]), packet);
    } else if (world->audit != NULL) {
        stub_on_reply(audit_stub(world->audit, index), packet);
    }
}

void world_life(struct world *world, struct node *node, enum sq_life what)
{
    world_trace(world, TRACE_LIFE, node->index, what, node->env.incarnation);
    if (world->observer->on_life != NULL) {
        struct sq_life_event life = {world_now(world), world_event(world), node->index,
                                     node->env.incarnation, what};
        world->observer->on_life(world->observer->context, &life);
    }
}
