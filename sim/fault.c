/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A fault process strikes at one instant (at), or again and again (every): it picks nodes among
 * those selected that are up, applies, holds for its duration, and reverts exactly what it did.
 * Two faults may overlap: filters stack, a node that is already down is not struck again, and only
 * the instance that took a node down brings it back.
 *
 * Streams: "fault <name>" and, with mode each, one a node; so removing one fault does not move
 * another. */
#include "sim/fault.h"

#include "sim/base/base.h"
#include "sim/base/text.h"
#include "sim/base/units.h"
#include "sim/net.h"
#include "sim/node.h"

#include <string.h>

#define LEADER_RETRY_NS (100 * NS_PER_MS)
#define LEADER_TRIES    100

struct fault_process;

struct fault_link {
    struct net_filter filter; /* first */
    struct fault_process *process;
    endpoint from;
    endpoint to;
    struct fault_link *next;
};

struct fault_disk {
    struct disk_filter filter; /* first */
    struct fault_process *process;
    sq_node node;
    struct fault_disk *next;
};

struct fault_process {
    struct fault_set *set;
    const struct spec_fault *fault;
    uint32_t index;
    uint64_t only; /* mode each: its node; else all candidates */
    struct rng when;
    struct rng who;
    struct rng what;
    sched_handle event;
    uint32_t tries; /* waiting for a leader */
    bool is_active;
    uint64_t struck; /* nodes of the instance */
    uint64_t other;  /* other side of a network fault */
    struct fault_link *links;
    struct fault_disk *disks;
    struct sq_fault_event told;
};

struct fault_set {
    struct world *world;
    struct fault_process *processes;
    uint32_t count;
    uint32_t next_id;
    bool is_healed;
};

static uint64_t bit(sq_node node)
{
    return UINT64_C(1) << node;
}

static uint64_t all_nodes(const struct world *world)
{
    return world->node_count == 64 ? UINT64_MAX : bit(world->node_count) - 1;
}

/* ----------------------------------------------------------------------------------------- whom */

static uint64_t candidates(const struct world *world, const struct spec_selector *selector,
                           bool must_be_up)
{
    uint64_t mask = 0;
    for (sq_node i = 0; i < world->node_count; i++) {
        const struct node *node = &world->nodes[i];
        bool fits = (selector->nodes & bit(i)) != 0;
        fits = fits && (selector->role == SQ_ROLE_NONE || node->role == selector->role);
        fits = fits && (!must_be_up || node->state != NODE_DOWN);
        if (fits) {
            mask |= bit(i);
        }
    }
    return mask;
}

/* `count` random members of `mask`. */
static uint64_t choose(struct rng *rng, uint64_t mask, uint32_t count)
{
    uint64_t chosen = 0;
    while (count > 0 && mask != 0) {
        uint32_t skip = (uint32_t)rng_below(rng, (uint64_t)__builtin_popcountll(mask));
        uint64_t rest = mask;
        while (skip > 0) {
            rest &= rest - 1;
            skip--;
        }
        uint64_t one = rest & (~rest + 1);
        chosen |= one;
        mask &= ~one;
        count--;
    }
    return chosen;
}

/* How many of `total` the mode strikes. */
static uint32_t strength(const struct spec_fault *fault, struct rng *rng, uint32_t total)
{
    uint32_t most;
    switch (fault->mode) {
    case SPEC_MODE_ONE:
        return 1;
    case SPEC_MODE_ALL:
    case SPEC_MODE_EACH:
        return total;
    case SPEC_MODE_FIXED:
        return fault->mode_value;
    case SPEC_MODE_FIXED_PERCENT:
        return (total * fault->mode_value + 99) / 100;
    case SPEC_MODE_RANDOM_MAX_PERCENT:
        most = (total * fault->mode_value + 99) / 100;
        return (uint32_t)rng_below(rng, (uint64_t)most + 1);
    case SPEC_MODE_MINORITY:
        most = total > 2 ? (total - 1) / 2 : 1;
        return 1 + (uint32_t)rng_below(rng, most);
    case SPEC_MODE_MAJORITY:
        return total / 2 + 1;
    }
    UNREACHABLE();
}

/* -------------------------------------------------------------------------------------- network */

static void link_apply(struct net_filter *filter, struct net_verdict *verdict, uint32_t size)
{
    (void)size;
    struct fault_process *process = ((struct fault_link *)filter)->process;
    const struct spec_fault *fault = process->fault;
    if (fault->action == SPEC_ACTION_PARTITION) {
        verdict->is_dropped = true;
    } else if (fault->action == SPEC_ACTION_DELAY) {
        verdict->extra_ns += dist_sample(&fault->delay, &process->what);
    } else if (fault->action == SPEC_ACTION_LOSS) {
        verdict->is_dropped |= rng_chance(&process->what, fault->probability);
    } else if (fault->action == SPEC_ACTION_DUPLICATE) {
        verdict->copies += rng_chance(&process->what, fault->probability) ? 1 : 0;
    } else if (verdict->bandwidth == 0 || fault->bandwidth < verdict->bandwidth) {
        verdict->bandwidth = fault->bandwidth;
    }
}

static void link_fault(struct fault_process *process, endpoint from, endpoint to)
{
    struct world *world = process->set->world;
    struct fault_link *link = arena_alloc(&world->arena, sizeof(*link));
    link->filter.apply = link_apply;
    link->process = process;
    link->from = from;
    link->to = to;
    link->next = process->links;
    process->links = link;
    net_filter_add(world->net, from, to, &link->filter);
}

static void network_pair(struct fault_process *process, endpoint struck, endpoint other)
{
    if (process->fault->direction != SPEC_DIRECTION_FROM) {
        link_fault(process, struck, other);
    }
    if (process->fault->direction != SPEC_DIRECTION_TO) {
        link_fault(process, other, struck);
    }
}

static void network_strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    for (sq_node node = 0; node < world->node_count; node++) {
        if (!(process->struck & bit(node))) {
            continue;
        }
        for (sq_node other = 0; other < world->node_count; other++) {
            bool is_pair = other != node && (process->other & bit(other)) != 0;
            /* Inside the struck set a pair is met from both ends: take it once, unless one
             * direction is meant. */
            bool is_twice =
                (process->struck & bit(other)) != 0 && (process->other & bit(node)) != 0;
            if (is_pair &&
                !(is_twice && other < node && process->fault->direction == SPEC_DIRECTION_BOTH)) {
                network_pair(process, node, other);
            }
        }
        for (uint32_t load = 0; process->fault->targets_clients && load < world->spec->load_count;
             load++) {
            network_pair(process, node, world->node_count + load);
        }
    }
}

/* ---------------------------------------------------------------------------------------- disks */

static void disk_apply(struct disk_filter *filter, struct disk_call *call, uint32_t method_bit)
{
    struct fault_process *process = ((struct fault_disk *)filter)->process;
    const struct spec_fault *fault = process->fault;
    if (!(fault->methods & method_bit) ||
        (fault->path != NULL && (call->path == NULL || !text_glob(fault->path, call->path)))) {
        return;
    }
    if (fault->probability < RNG_ALWAYS && !rng_chance(&process->what, fault->probability)) {
        return;
    }
    if (fault->action == SPEC_ACTION_IO_LATENCY) {
        call->extra_ns += dist_sample(&fault->delay, &process->what);
    } else if (fault->action == SPEC_ACTION_IO_FAULT) {
        call->status = fault->error;
    } else if (fault->action == SPEC_ACTION_LOST_FSYNC) {
        call->is_lost_sync = true;
    } else {
        call->is_rotten = true;
    }
}

static void disk_strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    for (sq_node node = 0; node < world->node_count; node++) {
        if (process->struck & bit(node)) {
            struct fault_disk *disk = arena_alloc(&world->arena, sizeof(*disk));
            disk->filter.apply = disk_apply;
            disk->process = process;
            disk->node = node;
            disk->next = process->disks;
            process->disks = disk;
            disk_filter_add(world->nodes[node].disk, &disk->filter);
        }
    }
}

/* -------------------------------------------------------------------------- nodes, clocks, cpus */

/* Power goes by hosts: all nodes of a struck node's host are struck. */
static uint64_t whole_hosts(const struct world *world, uint64_t struck)
{
    uint64_t mask = struck;
    for (sq_node i = 0; i < world->node_count; i++) {
        for (sq_node j = 0; j < world->node_count; j++) {
            if ((struck & bit(i)) && world->nodes[i].host == world->nodes[j].host) {
                mask |= bit(j);
            }
        }
    }
    return mask;
}

static void power_off(struct node *node, bool is_wiped)
{
    node_crash(node, SQ_LIFE_POWER);
    node->host->is_off = true;
    if (is_wiped) {
        disk_wipe(node->disk);
        world_life(node->world, node, SQ_LIFE_WIPE);
    } else {
        disk_power_loss(node->disk);
    }
    clock_init(&node->clock, world_now(node->world), node->clock.offset_ns, node->clock.drift_ppm);
}

static void node_strike(struct fault_process *process, struct node *node)
{
    const struct spec_fault *fault = process->fault;
    switch (fault->action) {
    case SPEC_ACTION_KILL:
        node_crash(node, SQ_LIFE_CRASH);
        break;
    case SPEC_ACTION_RESTART:
        node_crash(node, SQ_LIFE_CRASH);
        node_boot(node);
        break;
    case SPEC_ACTION_PAUSE:
        node_pause(node);
        break;
    case SPEC_ACTION_POWER_LOSS:
    case SPEC_ACTION_WIPE:
        power_off(node, fault->action == SPEC_ACTION_WIPE);
        break;
    case SPEC_ACTION_CLOCK:
        clock_shift(&node->clock, world_now(node->world), fault->clock_offset_ns,
                    fault->clock_drift_ppm);
        break;
    case SPEC_ACTION_CPU:
        node->host->cpu.slowdown_milli = fault->slowdown_milli;
        break;
    default:
        UNREACHABLE();
    }
}

static void node_revert(struct fault_process *process, struct node *node)
{
    const struct spec_fault *fault = process->fault;
    switch (fault->action) {
    case SPEC_ACTION_POWER_LOSS:
    case SPEC_ACTION_WIPE:
        node->host->is_off = false;
        if (node->state == NODE_DOWN) {
            node_boot(node);
        }
        break;
    case SPEC_ACTION_KILL:
        if (node->state == NODE_DOWN && !node->host->is_off) {
            node_boot(node);
        }
        break;
    case SPEC_ACTION_RESTART:
        break;
    case SPEC_ACTION_PAUSE:
        node_resume(node);
        break;
    case SPEC_ACTION_CLOCK:
        clock_shift(&node->clock, world_now(node->world), -fault->clock_offset_ns,
                    -fault->clock_drift_ppm);
        break;
    case SPEC_ACTION_CPU:
        node->host->cpu.slowdown_milli = 1000;
        break;
    default:
        UNREACHABLE();
    }
}

/* ------------------------------------------------------------------------------------ instances */

static void add_names(const struct world *world, struct arena *arena, const char **text,
                      uint64_t mask)
{
    for (sq_node i = 0; i < world->node_count; i++) {
        if (mask & bit(i)) {
            const char *comma = **text == '\0' || (*text)[strlen(*text) - 1] == ' ' ? "" : ",";
            *text = arena_printf(arena, "%s%s%s", *text, comma, world->nodes[i].env.name);
        }
    }
}

static void tell(struct fault_process *process)
{
    struct world *world = process->set->world;
    world_trace(world, TRACE_FAULT, TRACE_NOBODY, process->told.id, process->struck);
    if (world->observer->on_fault != NULL) {
        world->observer->on_fault(world->observer->context, &process->told);
    }
}

static const char *const kind_names[] = {"NodeChaos", "NetworkChaos", "IOChaos", "TimeChaos",
                                         "StressChaos"};
static const char *const action_names[] = {
    "kill",      "pause",     "restart", "power-loss", "wipe",      "partition", "delay", "loss",
    "duplicate", "bandwidth", "latency", "fault",      "lostFsync", "bitRot",    "clock", "cpu",
};

uint32_t fault_next_id(struct fault_set *set)
{
    return set->next_id++;
}

static void announce(struct fault_process *process)
{
    struct world *world = process->set->world;
    const char *target = "";
    add_names(world, &world->arena, &target, process->struck);
    if (process->fault->kind == SPEC_NETWORK_CHAOS && process->fault->has_target) {
        target = arena_printf(&world->arena, "%s | ", target);
        add_names(world, &world->arena, &target, process->other);
    }
    process->told = (struct sq_fault_event){
        .id = fault_next_id(process->set),
        .fault = process->index,
        .name = process->fault->name,
        .kind = kind_names[process->fault->kind],
        .action = action_names[process->fault->action],
        .target = target,
        .start = world_now(world),
        .end = INT64_MAX,
    };
    tell(process);
}

static void schedule_next(struct fault_process *process);

static void end_instance(struct fault_process *process)
{
    struct world *world = process->set->world;
    ASSERT(process->is_active);
    process->is_active = false;
    for (; process->links != NULL; process->links = process->links->next) {
        net_filter_remove(world->net, process->links->from, process->links->to,
                          &process->links->filter);
    }
    for (; process->disks != NULL; process->disks = process->disks->next) {
        disk_filter_remove(world->nodes[process->disks->node].disk, &process->disks->filter);
    }
    process->told.end = world_now(world);
    tell(process);
    if (process->fault->kind != SPEC_NETWORK_CHAOS && process->fault->kind != SPEC_IO_CHAOS) {
        for (sq_node i = 0; i < world->node_count; i++) {
            if (process->struck & bit(i)) {
                node_revert(process, &world->nodes[i]);
            }
        }
    }
}

static void fire_end(void *context, struct sched_event *event)
{
    (void)event;
    struct fault_process *process = context;
    process->event = 0;
    end_instance(process);
    schedule_next(process);
}

static void push(struct fault_process *process, int64_t time_ns,
                 void (*fire)(void *, struct sched_event *))
{
    struct sched_event *event = sched_push(&process->set->world->sched, time_ns, &process->event);
    event->fire = fire;
    event->context = process;
    event->kind = TRACE_FAULT;
    event->words[0] = process->index;
}

static bool pick(struct fault_process *process)
{
    struct world *world = process->set->world;
    const struct spec_fault *fault = process->fault;
    bool must_be_up = fault->kind == SPEC_NODE_CHAOS || fault->selector.role != SQ_ROLE_NONE;
    uint64_t mask = candidates(world, &fault->selector, must_be_up) & process->only;
    uint32_t total = (uint32_t)__builtin_popcountll(
        fault->mode == SPEC_MODE_EACH ? mask : candidates(world, &fault->selector, false));
    process->struck = choose(&process->who, mask, strength(fault, &process->who, total));
    if (fault->action == SPEC_ACTION_POWER_LOSS || fault->action == SPEC_ACTION_WIPE) {
        process->struck = whole_hosts(world, process->struck);
    }
    process->other = fault->has_target ? candidates(world, &fault->target, false)
                                       : all_nodes(world) & ~process->struck;
    return process->struck != 0;
}

static void strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    const struct spec_fault *fault = process->fault;
    process->is_active = true;
    announce(process);
    if (fault->kind == SPEC_NETWORK_CHAOS) {
        network_strike(process);
    } else if (fault->kind == SPEC_IO_CHAOS) {
        disk_strike(process);
    } else {
        for (sq_node i = 0; i < world->node_count; i++) {
            if (process->struck & bit(i)) {
                node_strike(process, &world->nodes[i]);
            }
        }
    }
    if (!fault->has_no_end) {
        push(process, world_now(world) + dist_sample(&fault->duration, &process->when), fire_end);
    }
}

static void fire_start(void *context, struct sched_event *event)
{
    (void)event;
    struct fault_process *process = context;
    process->event = 0;
    if (pick(process)) {
        process->tries = 0;
        strike(process);
        return;
    }
    if (process->fault->has_at && process->tries < LEADER_TRIES) {
        process->tries++;
        push(process, world_now(process->set->world) + LEADER_RETRY_NS, fire_start);
        return;
    }
    schedule_next(process);
}

static void schedule_next(struct fault_process *process)
{
    const struct spec_fault *fault = process->fault;
    if (process->set->is_healed || fault->has_at) {
        return;
    }
    int64_t now = world_now(process->set->world);
    int64_t start = now > fault->from_ns ? now : fault->from_ns;
    int64_t wait = dist_sample(&fault->every, &process->when);
    /* A renewal process must move on, or time would stand still. */
    int64_t time_ns = start + (wait > 0 ? wait : 1);
    if (time_ns < fault->until_ns) {
        push(process, time_ns, fire_start);
    }
}

/* -------------------------------------------------------------------------------------- the set */

static uint32_t process_count(const struct world *world, const struct spec_fault *fault)
{
    return fault->mode == SPEC_MODE_EACH ? world->node_count : 1;
}

struct fault_set *fault_new(struct world *world)
{
    const struct run_spec *spec = world->spec;
    struct fault_set *set = arena_alloc(&world->arena, sizeof(*set));
    set->world = world;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        capacity += process_count(world, &spec->faults[i]);
    }
    set->processes = arena_alloc_array(&world->arena, capacity, sizeof(*set->processes));
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        const struct spec_fault *fault = &spec->faults[i];
        uint64_t name = hash_mix(hash_text("fault"), hash_text(fault->name));
        struct rng coin = rng_keyed(world->seed, name, 0, hash_text("swarm"));
        if (spec->is_swarm && fault->is_swarm && !rng_chance(&coin, RNG_ALWAYS / 2)) {
            continue;
        }
        bool is_each = fault->mode == SPEC_MODE_EACH;
        for (uint32_t j = 0; j < process_count(world, fault); j++) {
            if (is_each && !(fault->selector.nodes & bit(j))) {
                continue;
            }
            uint32_t stream = is_each ? j + 1 : 0;
            set->processes[set->count++] = (struct fault_process){
                .set = set,
                .fault = fault,
                .index = i,
                .only = is_each ? bit(j) : UINT64_MAX,
                .when = rng_keyed(world->seed, name, stream, hash_text("when")),
                .who = rng_keyed(world->seed, name, stream, hash_text("who")),
                .what = rng_keyed(world->seed, name, stream, hash_text("what")),
            };
        }
    }
    return set;
}

void fault_start(struct fault_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct fault_process *process = &set->processes[i];
        if (process->fault->has_at) {
            push(process, process->fault->at_ns, fire_start);
        } else {
            schedule_next(process);
        }
    }
}

void fault_heal(struct fault_set *set)
{
    set->is_healed = true;
    for (uint32_t i = 0; i < set->count; i++) {
        struct fault_process *process = &set->processes[i];
        if (process->event != 0) {
            sched_cancel(&set->world->sched, process->event);
            process->event = 0;
        }
        if (process->is_active) {
            end_instance(process);
        }
    }
}
