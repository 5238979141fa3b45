/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A fault process strikes at one instant (at), or again and again (every): it picks nodes among
 * those selected that it can strike, applies, holds for its duration, and reverts exactly what it
 * did. A kill, a pause or a restart can strike a process that is there; the power can fail on
 * every host that is on, whatever its processes do; links, disks, clocks and processors are always
 * there.
 *
 * Faults may overlap in any way, and none undoes another. Filters stack. A node starts again when
 * the last fault that holds it down has ended and its host is on; a stopped process goes on when
 * the last pause that stopped this very process has ended; slowdowns, capacities and scales
 * multiply; drifts add up; of several policies for one caller the latest to strike counts. None of
 * that is kept in counters: at the end of an instance the others that are active are looked at.
 *
 * A strike at one instant that finds nobody to strike (no leader, say) tries again for a while.
 * One that draws nobody (random-max-percent), or that would change nothing (a partition of
 * everybody from nobody), does not happen, and nobody is told of it.
 *
 * A rolling fault is one instance that strikes those it picked batch after batch: each batch holds
 * for the duration, ends, and after the interval comes the next; so it ends when the last is back.
 * Whoever cannot be struck when its turn comes (it is down already) is left out.
 *
 * A signal that is to be sent again at the end reaches who is up then, and nobody else.
 *
 * Without a target, a partition cuts the struck nodes off from all the others, and they keep
 * seeing each other; the other network faults are on every link of a struck node.
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

#define EARLY_RETRY_NS (100 * NS_PER_MS)
#define EARLY_TRIES    100

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
    uint32_t tries; /* in vain so far, of a strike at one instant */
    bool is_active;
    uint64_t struck;  /* nodes of the instance; rolling: of its batch */
    uint64_t waiting; /* rolling: those to come */
    uint32_t batch;   /* rolling: nodes at a time */
    uint64_t other;   /* other side of a network fault */
    struct fault_link *links;
    struct fault_disk *disks;
    uint32_t *lives; /* PAUSE: node->life of each node when it was stopped */
    char *target;    /* text of the instance, target_bytes of the set */
    struct sq_fault_event told;
};

struct fault_set {
    struct world *world;
    struct fault_process *processes;
    uint32_t count;
    uint32_t next_id;
    bool is_healed;
    uint64_t away; /* nodes that the injector has taken */
    size_t target_bytes;
    bool *has_struck; /* by fault of the scenario */
    struct fault_link *free_links;
    struct fault_disk *free_disks;
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

static bool is_power(const struct spec_fault *fault)
{
    return fault->action == SPEC_ACTION_POWER_LOSS || fault->action == SPEC_ACTION_WIPE;
}

/* Of the selected nodes, those that have the role now. A role ends with the process. */
static uint64_t selected(const struct world *world, const struct spec_selector *selector)
{
    uint64_t mask = 0;
    for (sq_node i = 0; i < world->node_count; i++) {
        bool has_role = selector->role == SQ_ROLE_NONE || world->nodes[i].role == selector->role;
        if ((selector->nodes & bit(i)) != 0 && has_role) {
            mask |= bit(i);
        }
    }
    return mask;
}

/* Of the selected nodes, those that the fault can strike. */
static uint64_t strikeable(const struct world *world, const struct spec_fault *fault,
                           const struct spec_selector *selector)
{
    uint64_t mask = selected(world, selector);
    for (sq_node i = 0; i < world->node_count && fault->kind == SPEC_NODE_CHAOS; i++) {
        const struct node *node = &world->nodes[i];
        if (is_power(fault) ? node->host->is_off : node->state == NODE_DOWN) {
            mask &= ~bit(i);
        }
    }
    for (sq_node i = 0; i < world->node_count && fault->kind == SPEC_APP_CHAOS; i++) {
        mask &= world->nodes[i].state == NODE_UP ? ~UINT64_C(0) : ~bit(i);
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
    case SPEC_MODE_ROLLING:
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
        verdict->extra_ns = time_add(verdict->extra_ns, dist_sample(&fault->delay, &process->what));
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
    struct fault_link *link = process->set->free_links;
    if (link != NULL) {
        process->set->free_links = link->next;
    } else {
        link = arena_alloc(&world->arena, sizeof(*link));
    }
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

/* Is there a link between the two sides? */
static bool network_has_link(const struct fault_process *process)
{
    const struct world *world = process->set->world;
    bool is_pair = process->fault->targets_clients && world->spec->load_count > 0;
    for (sq_node node = 0; node < world->node_count && !is_pair; node++) {
        is_pair = (process->struck & bit(node)) != 0 && (process->other & ~bit(node)) != 0;
    }
    return process->struck != 0 && is_pair;
}

static void network_unlink(struct fault_process *process)
{
    struct fault_set *set = process->set;
    while (process->links != NULL) {
        struct fault_link *link = process->links;
        process->links = link->next;
        net_filter_remove(set->world->net, link->from, link->to, &link->filter);
        link->next = set->free_links;
        set->free_links = link;
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
    const char *path = call->path != NULL ? call->path : ""; /* of the directory itself */
    if (!(fault->methods & method_bit) || (fault->path != NULL && !text_glob(fault->path, path))) {
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

static void disk_unlink(struct fault_process *process)
{
    struct fault_set *set = process->set;
    while (process->disks != NULL) {
        struct fault_disk *disk = process->disks;
        process->disks = disk->next;
        disk_filter_remove(set->world->nodes[disk->node].disk, &disk->filter);
        disk->next = set->free_disks;
        set->free_disks = disk;
    }
}

static void disk_strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    for (sq_node node = 0; node < world->node_count; node++) {
        if (process->struck & bit(node)) {
            struct fault_disk *disk = process->set->free_disks;
            if (disk != NULL) {
                process->set->free_disks = disk->next;
            } else {
                disk = arena_alloc(&world->arena, sizeof(*disk));
            }
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
    bool was_down = node->state == NODE_DOWN;
    node_crash(node, SQ_LIFE_POWER);
    if (was_down) {
        world_life(node->world, node, SQ_LIFE_POWER); /* the page cache goes even so */
    }
    node->host->is_off = true;
    if (is_wiped) {
        disk_wipe(node->disk);
        world_life(node->world, node, SQ_LIFE_WIPE);
    } else {
        disk_power_loss(node->disk);
    }
}

/* Does an active fault hold the node down? */
static bool is_held(const struct fault_set *set, sq_node node)
{
    bool is_held = (set->away & bit(node)) != 0;
    for (uint32_t i = 0; i < set->count && !is_held; i++) {
        const struct fault_process *process = &set->processes[i];
        bool holds = process->fault->action == SPEC_ACTION_KILL || is_power(process->fault);
        is_held = process->is_active && holds && (process->struck & bit(node)) != 0;
    }
    return is_held;
}

static void start_again(const struct fault_set *set, struct node *node)
{
    if (node->state == NODE_DOWN && !node->host->is_off && !is_held(set, node->index)) {
        node_boot(node);
    }
}

void fault_take_away(struct fault_set *set, uint64_t nodes)
{
    if (nodes == 0) {
        return;
    }
    nodes = whole_hosts(set->world, nodes);
    set->away |= nodes;
    uint64_t lit = 0; /* those that had power */
    for (sq_node i = 0; i < set->world->node_count; i++) {
        lit |= set->world->nodes[i].host->is_off ? 0 : bit(i);
    }
    for (sq_node i = 0; i < set->world->node_count; i++) {
        if ((nodes & lit & bit(i)) != 0) {
            power_off(&set->world->nodes[i], false);
        }
    }
    world_trace(set->world, TRACE_FAULT, TRACE_NOBODY, nodes, 0);
}

/* Does an active fault keep the node's host without power? */
static bool is_dark(const struct fault_set *set, sq_node node)
{
    bool is_dark = (set->away & bit(node)) != 0;
    for (uint32_t i = 0; i < set->count && !is_dark; i++) {
        const struct fault_process *process = &set->processes[i];
        is_dark =
            process->is_active && is_power(process->fault) && (process->struck & bit(node)) != 0;
    }
    return is_dark;
}

void fault_give_back(struct fault_set *set, uint64_t nodes)
{
    if (nodes == 0) {
        return;
    }
    nodes = whole_hosts(set->world, nodes);
    set->away &= ~nodes;
    for (sq_node i = 0; i < set->world->node_count; i++) {
        struct node *node = &set->world->nodes[i];
        if ((nodes & bit(i)) != 0 && node->host->is_off && !is_dark(set, i)) {
            node->host->is_off = false;
            clock_restart(&node->clock, world_now(set->world));
        }
        if ((nodes & bit(i)) != 0) {
            start_again(set, node);
        }
    }
    world_trace(set->world, TRACE_FAULT, TRACE_NOBODY, nodes, 1);
}

/* Does an active pause hold the process that runs on the node? */
static bool is_stopped(const struct fault_set *set, const struct node *node)
{
    bool is_stopped = false;
    for (uint32_t i = 0; i < set->count && !is_stopped; i++) {
        const struct fault_process *process = &set->processes[i];
        is_stopped = process->is_active && process->fault->action == SPEC_ACTION_PAUSE &&
                     (process->struck & bit(node->index)) != 0 &&
                     process->lives[node->index] == node->life;
    }
    return is_stopped;
}

/* The products of all slowdowns and of all capacities that are active on the host. */
static void set_speed(const struct fault_set *set, struct host *host)
{
    uint64_t milli = 1000;
    uint64_t capacity = CPU_CAPACITY_FULL;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct fault_process *process = &set->processes[i];
        bool is_here = false;
        for (sq_node node = 0; node < set->world->node_count; node++) {
            bool is_struck = (process->struck & bit(node)) != 0;
            is_here = is_here || (is_struck && set->world->nodes[node].host == host);
        }
        if (process->is_active && process->fault->action == SPEC_ACTION_CPU && is_here) {
            milli = milli * process->fault->slowdown_milli / 1000;
            milli = milli < UINT32_MAX ? milli : UINT32_MAX;
        }
        if (process->is_active && process->fault->action == SPEC_ACTION_CAPACITY && is_here) {
            capacity = capacity * process->fault->factor / CPU_CAPACITY_FULL;
        }
    }
    host->cpu.slowdown_milli = (uint32_t)milli;
    cpu_set_capacity(&host->cpu, (uint32_t)capacity);
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
        process->lives[node->index] = node->life;
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
    case SPEC_ACTION_CAPACITY:
        set_speed(process->set, node->host);
        break;
    case SPEC_ACTION_SIGNAL:
        node_signal(node, fault->signal, fault->signal_value);
        break;
    default:
        UNREACHABLE();
    }
}

/* The node is not struck any more. */
static void node_revert(struct fault_process *process, struct node *node)
{
    const struct spec_fault *fault = process->fault;
    ASSERT(!process->is_active || (process->struck & bit(node->index)) == 0);
    switch (fault->action) {
    case SPEC_ACTION_POWER_LOSS:
    case SPEC_ACTION_WIPE:
        if ((process->set->away & bit(node->index)) != 0) {
            break;
        }
        node->host->is_off = false;
        clock_restart(&node->clock, world_now(node->world));
        start_again(process->set, node);
        break;
    case SPEC_ACTION_KILL:
        start_again(process->set, node);
        break;
    case SPEC_ACTION_RESTART:
        break;
    case SPEC_ACTION_PAUSE:
        if (process->lives[node->index] == node->life && !is_stopped(process->set, node)) {
            node_resume(node);
        }
        break;
    case SPEC_ACTION_CLOCK:
        clock_shift(&node->clock, world_now(node->world), -fault->clock_offset_ns,
                    -fault->clock_drift_ppm);
        break;
    case SPEC_ACTION_CPU:
    case SPEC_ACTION_CAPACITY:
        set_speed(process->set, node->host);
        break;
    case SPEC_ACTION_SIGNAL:
        if (fault->has_end_value) {
            node_signal(node, fault->signal, fault->signal_end_value);
        }
        break;
    default:
        UNREACHABLE();
    }
}

static void nodes_strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    for (sq_node i = 0; i < world->node_count; i++) {
        if (process->struck & bit(i)) {
            node_strike(process, &world->nodes[i]);
        }
    }
}

static void nodes_revert(struct fault_process *process, uint64_t nodes)
{
    struct world *world = process->set->world;
    for (sq_node i = 0; i < world->node_count; i++) {
        if (nodes & bit(i)) {
            node_revert(process, &world->nodes[i]);
        }
    }
}

/* -------------------------------------------------------------------------------------- callers */

static bool is_about_callers(const struct spec_fault *fault)
{
    return fault->kind == SPEC_LOAD_CHAOS || fault->kind == SPEC_CLIENT_CHAOS;
}

/* The product of all scales that are active on the load. */
static void set_scale(const struct fault_set *set, uint32_t load)
{
    uint64_t factor = LOAD_SCALE_ONE;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct fault_process *process = &set->processes[i];
        const struct spec_fault *fault = process->fault;
        if (process->is_active && fault->action == SPEC_ACTION_SCALE && fault->loads[load]) {
            factor = factor * fault->factor / LOAD_SCALE_ONE;
            factor = factor < LOAD_SCALE_MAX ? factor : LOAD_SCALE_MAX;
        }
    }
    load_set_scale(set->world->loads[load], (uint32_t)factor);
}

/* The active policy fault that struck the caller last; NULL: none. */
static const struct spec_fault *latest_policy(const struct fault_set *set, bool is_load,
                                              uint32_t index)
{
    const struct fault_process *latest = NULL;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct fault_process *process = &set->processes[i];
        const struct spec_fault *fault = process->fault;
        if (!process->is_active || fault->action != SPEC_ACTION_POLICY) {
            continue;
        }
        bool is_here = is_load ? fault->loads[index] : fault->groups[index];
        if (is_here && (latest == NULL || process->told.id > latest->told.id)) {
            latest = process;
        }
    }
    return latest != NULL ? latest->fault : NULL;
}

static void set_load_policy(const struct fault_set *set, uint32_t index)
{
    const struct spec_load *load = &set->world->spec->loads[index];
    const struct spec_fault *fault = latest_policy(set, true, index);
    stub_set_policy(load_stub(set->world->loads[index]),
                    fault != NULL ? &fault->load_policies[index] : &load->client);
}

static void set_group_policy(const struct fault_set *set, uint32_t index)
{
    struct world *world = set->world;
    const struct spec_group *group = &world->spec->groups[index];
    const struct spec_fault *fault = latest_policy(set, false, index);
    for (uint32_t i = 0; i < group->count; i++) {
        node_set_policies(&world->nodes[group->first + i],
                          fault != NULL ? fault->group_policies[index] : group->clients);
    }
}

/* Sets what the fault is about anew, as those say that are active now. */
static void callers_update(const struct fault_process *process)
{
    const struct run_spec *spec = process->set->world->spec;
    const struct spec_fault *fault = process->fault;
    const bool is_scale = fault->action == SPEC_ACTION_SCALE;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        if (fault->loads[i] && is_scale) {
            set_scale(process->set, i);
        } else if (fault->loads[i]) {
            set_load_policy(process->set, i);
        }
    }
    for (uint32_t i = 0; i < spec->group_count && !is_scale; i++) {
        if (fault->groups[i]) {
            set_group_policy(process->set, i);
        }
    }
}

/* ------------------------------------------------------------------------------------ instances */

/* Adds `name` to `text`, after a comma unless it is the first; returns where it ends. */
static size_t add_name(const struct fault_set *set, char *text, size_t at, const char *name)
{
    int length = snprintf(text + at, set->target_bytes - at, "%s%s", at > 0 ? "," : "", name);
    ASSERT(length > 0);
    at += (size_t)length;
    ASSERT(at < set->target_bytes);
    return at;
}

static void name_callers(const struct fault_process *process)
{
    const struct run_spec *spec = process->set->world->spec;
    const struct spec_fault *fault = process->fault;
    char *text = process->target;
    size_t at = 0;
    for (uint32_t i = 0; i < spec->load_count; i++) {
        at = fault->loads[i] ? add_name(process->set, text, at, spec->loads[i].name) : at;
    }
    for (uint32_t i = 0; i < spec->group_count && fault->groups != NULL; i++) {
        at = fault->groups[i] ? add_name(process->set, text, at, spec->groups[i].name) : at;
    }
}

/* Writes names into `text` of target_bytes, from `at` on; returns where they end. */
static size_t add_names(const struct fault_set *set, char *text, size_t at, uint64_t mask)
{
    const char *comma = "";
    for (sq_node i = 0; i < set->world->node_count; i++) {
        if (mask & bit(i)) {
            int length = snprintf(text + at, set->target_bytes - at, "%s%s", comma,
                                  set->world->nodes[i].env.name);
            ASSERT(length > 0);
            at += (size_t)length;
            ASSERT(at < set->target_bytes);
            comma = ",";
        }
    }
    return at;
}

static void tell(struct fault_process *process)
{
    struct world *world = process->set->world;
    world_trace(world, TRACE_FAULT, TRACE_NOBODY, process->told.id, process->struck);
    if (world->observer->on_fault != NULL) {
        world->observer->on_fault(world->observer->context, &process->told);
    }
}

static const char *const kind_names[] = {"NodeChaos",   "NetworkChaos", "IOChaos",   "TimeChaos",
                                         "StressChaos", "AppChaos",     "LoadChaos", "ClientChaos"};
static const char *const action_names[] = {
    "kill",  "pause",     "restart",   "power-loss", "wipe",  "partition", "delay",
    "loss",  "duplicate", "bandwidth", "latency",    "fault", "lostFsync", "bitRot",
    "clock", "cpu",       "signal",    "capacity",   "scale", "policy",
};

uint32_t fault_next_id(struct fault_set *set)
{
    return set->next_id++;
}

static void announce(struct fault_process *process)
{
    struct world *world = process->set->world;
    size_t end = add_names(process->set, process->target, 0, process->struck);
    if (is_about_callers(process->fault)) {
        name_callers(process);
    }
    if (process->fault->kind == SPEC_NETWORK_CHAOS && process->fault->has_target) {
        memcpy(process->target + end, " | ", 4);
        add_names(process->set, process->target, end + 3, process->other);
    }
    process->told = (struct sq_fault_event){
        .id = fault_next_id(process->set),
        .fault = process->index,
        .name = process->fault->name,
        .kind = kind_names[process->fault->kind],
        .action = action_names[process->fault->action],
        .target = process->target,
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
    network_unlink(process);
    disk_unlink(process);
    process->told.end = world_now(world);
    tell(process);
    if (is_about_callers(process->fault)) {
        callers_update(process);
    } else if (process->fault->kind != SPEC_NETWORK_CHAOS &&
               process->fault->kind != SPEC_IO_CHAOS) {
        nodes_revert(process, process->struck);
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

static void strike_batch(struct fault_process *process);

static void fire_batch(void *context, struct sched_event *event)
{
    (void)event;
    struct fault_process *process = context;
    process->event = 0;
    strike_batch(process);
}

/* The batch is over; the instance ends with the last. */
static void fire_batch_end(void *context, struct sched_event *event)
{
    (void)event;
    struct fault_process *process = context;
    process->event = 0;
    if (process->waiting == 0) {
        end_instance(process);
        schedule_next(process);
        return;
    }
    const uint64_t batch = process->struck;
    process->struck = 0;
    nodes_revert(process, batch);
    push(process, time_add(world_now(process->set->world), process->fault->interval_ns),
         fire_batch);
}

/* Strikes the next of those that wait, in order of index. */
static void strike_batch(struct fault_process *process)
{
    struct world *world = process->set->world;
    const struct spec_fault *fault = process->fault;
    const struct spec_selector those = {.nodes = process->waiting, .role = SQ_ROLE_NONE};
    process->waiting = strikeable(world, fault, &those);
    process->struck = 0;
    for (uint32_t i = 0; i < process->batch && process->waiting != 0; i++) {
        const uint64_t lowest = process->waiting & (~process->waiting + 1);
        process->struck |= is_power(fault) ? whole_hosts(world, lowest) : lowest;
        process->waiting &= ~process->struck;
    }
    nodes_strike(process);
    const int64_t duration_ns = dist_sample(&fault->duration, &process->when);
    push(process, time_add(world_now(world), duration_ns), fire_batch_end);
}

/* Chooses whom to strike; false when there is nobody, and is_early when that may change soon. */
static bool pick(struct fault_process *process, bool *is_early)
{
    struct world *world = process->set->world;
    const struct spec_fault *fault = process->fault;
    uint64_t all = strikeable(world, fault, &fault->selector);
    uint64_t mask = all & process->only;
    uint32_t total = (uint32_t)__builtin_popcountll(
        fault->mode == SPEC_MODE_EACH ? mask : selected(world, &fault->selector));
    process->struck = choose(&process->who, mask, strength(fault, &process->who, total));
    *is_early = all == 0;
    if (is_power(fault)) {
        process->struck = whole_hosts(world, process->struck);
    }
    process->batch = fault->is_batch_percent ? (total * fault->batch + 99) / 100 : fault->batch;
    if (fault->kind != SPEC_NETWORK_CHAOS) {
        return process->struck != 0;
    }
    process->other = all_nodes(world);
    if (fault->has_target) {
        process->other = selected(world, &fault->target);
        *is_early = *is_early || process->other == 0;
        process->struck = process->other != 0 ? process->struck : 0;
    } else if (fault->action == SPEC_ACTION_PARTITION) {
        process->other &= ~process->struck;
    }
    return network_has_link(process);
}

/* A fault that is to last a whole span ends with it, however late it found whom to strike. */
static int64_t span_end(const struct spec_fault *fault)
{
    bool is_span = fault->has_at && fault->at_ns == fault->from_ns && fault->until_ns > 0;
    return is_span ? fault->until_ns : INT64_MAX;
}

static void strike(struct fault_process *process)
{
    struct world *world = process->set->world;
    const struct spec_fault *fault = process->fault;
    process->is_active = true;
    process->set->has_struck[process->index] = true;
    announce(process);
    if (fault->kind == SPEC_NETWORK_CHAOS) {
        network_strike(process);
    } else if (fault->kind == SPEC_IO_CHAOS) {
        disk_strike(process);
    } else if (is_about_callers(fault)) {
        callers_update(process);
    } else if (fault->mode == SPEC_MODE_ROLLING) {
        process->waiting = process->struck;
        strike_batch(process);
        return;
    } else {
        nodes_strike(process);
    }
    if (!fault->has_no_end) {
        int64_t end_ns = time_add(world_now(world), dist_sample(&fault->duration, &process->when));
        int64_t last_ns = span_end(fault);
        push(process, end_ns < last_ns ? end_ns : last_ns, fire_end);
    }
}

static void fire_start(void *context, struct sched_event *event)
{
    (void)event;
    struct fault_process *process = context;
    process->event = 0;
    bool is_early;
    if (world_now(process->set->world) >= span_end(process->fault)) {
        return;
    }
    if (is_about_callers(process->fault) || pick(process, &is_early)) {
        strike(process);
        return;
    }
    /* Of mode each, one strike is enough: those that come to lead later are not meant. */
    is_early = is_early && !process->set->has_struck[process->index];
    if (process->fault->has_at && is_early && process->tries < EARLY_TRIES) {
        process->tries++;
        push(process, world_now(process->set->world) + EARLY_RETRY_NS, fire_start);
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
    int64_t time_ns = time_add(start, wait > 0 ? wait : 1);
    if (time_ns < fault->until_ns) {
        push(process, time_ns, fire_start);
    }
}

/* -------------------------------------------------------------------------------------- the set */

static uint32_t process_count(const struct world *world, const struct spec_fault *fault)
{
    return fault->mode == SPEC_MODE_EACH ? world->node_count : 1;
}

/* A new process of the set, off so far. `node`: of mode each. */
static void add_process(struct fault_set *set, uint32_t index, sq_node node)
{
    struct world *world = set->world;
    const struct spec_fault *fault = &world->spec->faults[index];
    bool is_each = fault->mode == SPEC_MODE_EACH;
    uint64_t name = hash_mix(hash_text("fault"), hash_text(fault->name));
    uint32_t stream = is_each ? node + 1 : 0;
    struct fault_process *process = &set->processes[set->count++];
    *process = (struct fault_process){
        .set = set,
        .fault = fault,
        .index = index,
        .only = is_each ? bit(node) : UINT64_MAX,
        .when = rng_keyed(world->seed, name, stream, hash_text("when")),
        .who = rng_keyed(world->seed, name, stream, hash_text("who")),
        .what = rng_keyed(world->seed, name, stream, hash_text("what")),
        .target = arena_alloc(&world->arena, set->target_bytes),
    };
    if (fault->action == SPEC_ACTION_PAUSE) {
        process->lives =
            arena_alloc_array(&world->arena, world->node_count, sizeof(*process->lives));
    }
}

struct fault_set *fault_new(struct world *world)
{
    const struct run_spec *spec = world->spec;
    struct fault_set *set = arena_alloc(&world->arena, sizeof(*set));
    set->world = world;
    set->target_bytes = 4; /* " | " and the end */
    for (sq_node i = 0; i < world->node_count; i++) {
        set->target_bytes += 2 * (strlen(world->nodes[i].env.name) + 1); /* both sides, commas */
    }
    for (uint32_t i = 0; i < spec->load_count; i++) {
        set->target_bytes += strlen(spec->loads[i].name) + 1;
    }
    for (uint32_t i = 0; i < spec->group_count; i++) {
        set->target_bytes += strlen(spec->groups[i].name) + 1;
    }
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        capacity += process_count(world, &spec->faults[i]);
    }
    set->processes = arena_alloc_array(&world->arena, capacity, sizeof(*set->processes));
    set->has_struck = arena_alloc_array(&world->arena, spec->fault_count, sizeof(bool));
    for (uint32_t i = 0; i < spec->fault_count; i++) {
        const struct spec_fault *fault = &spec->faults[i];
        uint64_t name = hash_mix(hash_text("fault"), hash_text(fault->name));
        struct rng coin = rng_keyed(world->seed, name, 0, hash_text("swarm"));
        if (spec->is_swarm && fault->is_swarm && !rng_chance(&coin, RNG_ALWAYS / 2)) {
            continue;
        }
        for (sq_node j = 0; j < process_count(world, fault); j++) {
            if (fault->mode != SPEC_MODE_EACH || (fault->selector.nodes & bit(j)) != 0) {
                add_process(set, i, j);
            }
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

static void heal_kind(struct fault_set *set, bool is_node_chaos)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct fault_process *process = &set->processes[i];
        if (process->is_active && (process->fault->kind == SPEC_NODE_CHAOS) == is_node_chaos) {
            end_instance(process);
        }
    }
}

void fault_heal(struct fault_set *set)
{
    set->is_healed = true;
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->processes[i].event != 0) {
            sched_cancel(&set->world->sched, set->processes[i].event);
            set->processes[i].event = 0;
        }
    }
    heal_kind(set, false); /* first, for nodes that start need their disks and the network */
    fault_give_back(set, set->away);
    heal_kind(set, true);
    for (sq_node i = 0; i < set->world->node_count; i++) {
        start_again(set, &set->world->nodes[i]); /* such as gave up by themselves */
    }
}
