/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * How a node runs. Everything that can make it runnable (a packet, a timer, an unpark, a finished
 * disk operation) puts a task on the ready list or an item into the inbox and calls node_run,
 * which loops: ready tasks first, in order, then the next item. The main fiber handles one item,
 * says that it is free, and suspends itself; an item that costs processor time waits for the
 * host's processor before the main fiber gets it.
 *
 * A crash never happens under the feet of a running fiber: faults strike from events of their own,
 * and a node that dooms itself (boot failed) is buried by node_run once the fiber has yielded. */
#include "sim/node.h"

#include "sim/base/base.h"
#include "sim/net.h"

#include <string.h>

#define TASKS_MAX 65536

static _Thread_local struct node *current_node;

struct node *node_current(void)
{
    return current_node;
}

struct sq_env *sq_env_current(void)
{
    return current_node == NULL ? NULL : &current_node->env;
}

/* ---------------------------------------------------------------------------------------- tasks */

sq_fiber task_id(const struct task *task)
{
    return ((uint64_t)task->generation << 32) | (task->slot + 1);
}

struct task *task_find(struct node *node, sq_fiber fiber)
{
    uint32_t slot = (uint32_t)fiber - 1;
    if (slot >= node->tasks.count) {
        return NULL;
    }
    struct task *task = *(struct task **)vec_at(&node->tasks, slot);
    return task->fiber != NULL && task->generation == fiber >> 32 ? task : NULL;
}

static void ready(struct task *task)
{
    struct node *node = task->node;
    ASSERT(!task->is_ready);
    task->is_ready = true;
    task->next_ready = NULL;
    if (node->ready_last != NULL) {
        node->ready_last->next_ready = task;
    } else {
        node->ready_first = task;
    }
    node->ready_last = task;
}

void task_wake(struct task *task)
{
    ready(task);
    node_run(task->node);
}

void task_block(struct task *task)
{
    ASSERT(task->node->running == task);
    fiber_yield(task->fiber);
}

static void wake_fire(void *context, struct sched_event *event)
{
    struct task *task = context;
    task->wait = 0;
    world_trace(task->node->world, (enum trace_kind)event->kind, task->node->index, task->slot,
                event->words[0]);
    task_wake(task);
}

void task_sleep(struct task *task, int64_t ns, enum trace_kind kind)
{
    if (ns <= 0) {
        return;
    }
    struct world *world = task->node->world;
    struct sched_event *event =
        sched_push(&world->sched, time_add(world_now(world), ns), &task->wait);
    event->fire = wake_fire;
    event->context = task;
    event->kind = kind;
    event->words[0] = (uint64_t)ns;
    task_block(task);
}

static void work_done(struct cpu_job *job)
{
    task_wake(CONTAINER_OF(job, struct task, job));
}

static void spend(struct task *task, int64_t ns, bool has_no_core)
{
    if (ns <= 0) {
        return;
    }
    task->job.ns = ns;
    task->job.has_no_core = has_no_core;
    task->job.node = task->node->index;
    task->job.on_done = work_done;
    cpu_submit(&task->node->host->cpu, &task->job);
    task_block(task);
}

void task_work(struct task *task, int64_t ns)
{
    spend(task, ns, false);
}

void task_pass(struct task *task, int64_t ns)
{
    spend(task, ns, true);
}

static void task_main(void *argument)
{
    struct task *task = argument;
    task->entry(&task->node->env, task->argument);
}

static struct task *task_slot(struct node *node)
{
    for (uint32_t i = 0; i < node->tasks.count; i++) {
        struct task *task = *(struct task **)vec_at(&node->tasks, i);
        if (task->fiber == NULL) {
            return task;
        }
    }
    struct task *task = arena_alloc(&node->world->arena, sizeof(*task));
    task->node = node;
    task->slot = node->tasks.count;
    vec_append(&node->tasks, &task);
    return task;
}

struct task *task_spawn(struct node *node, void (*entry)(struct sq_env *env, void *argument),
                        void *argument)
{
    struct task *task = task_slot(node);
    task->generation++;
    task->entry = entry;
    task->argument = argument;
    task->is_ready = false;
    task->is_parked = false;
    task->has_permit = false;
    task->wait = 0;
    task->fiber = fiber_new(&node->world->fibers, task_main, task);
    ready(task);
    return task;
}

static void task_abandon(struct task *task)
{
    if (task->fiber == NULL) {
        return;
    }
    if (task->wait != 0) {
        sched_cancel(&task->node->world->sched, task->wait);
        task->wait = 0;
    }
    cpu_cancel(&task->job);
    fiber_free(&task->node->world->fibers, task->fiber);
    task->fiber = NULL;
}

/* ------------------------------------------------------------------------------------ the inbox */

static void item_free(struct node *node, struct item *item)
{
    if (item->packet != NULL) {
        packet_unref(node->world->net, item->packet);
    }
    item->next = node->world->free_items;
    node->world->free_items = item;
}

static bool is_counted(enum item_kind kind)
{
    return kind == ITEM_MESSAGE || kind == ITEM_REQUEST || kind == ITEM_REPLY;
}

static void inbox_push(struct node *node, struct item content)
{
    struct world *world = node->world;
    struct item *item = world->free_items;
    if (item != NULL) {
        world->free_items = item->next;
    } else {
        item = arena_alloc(&world->arena, sizeof(*item));
    }
    *item = content;
    item->next = NULL;
    if (node->inbox_last != NULL) {
        node->inbox_last->next = item;
    } else {
        node->inbox_first = item;
    }
    node->inbox_last = item;
    node->inbox_count += is_counted(item->kind) ? 1 : 0;
}

static struct item *inbox_take(struct node *node)
{
    struct item *item = node->inbox_first;
    node->inbox_first = item->next;
    if (node->inbox_first == NULL) {
        node->inbox_last = NULL;
    }
    node->inbox_count -= is_counted(item->kind) ? 1 : 0;
    return item;
}

void node_post(struct node *node, struct item item)
{
    inbox_push(node, item);
    node_run(node);
}

void node_signal(struct node *node, const char *name, int64_t value)
{
    if (node->state == NODE_UP) {
        node_post(node, (struct item){.kind = ITEM_SIGNAL, .name = name, .value = value});
    }
}

static int64_t item_cost(const struct node *node, const struct item *item)
{
    const struct spec_host *host = &node->group->host;
    if (is_counted(item->kind)) {
        return host->per_message_ns + time_scale(item->packet->size, host->per_byte_ps, 1000);
    }
    return item->kind == ITEM_TIMER ? host->per_timer_ns : 0;
}

static void handle(struct node *node, struct item *item)
{
    const struct sq_model *model = node->group->model;
    struct packet *packet = item->packet;
    switch (item->kind) {
    case ITEM_MESSAGE:
        if (model->deliver != NULL) {
            model->deliver(&node->env, packet->from, packet->data, packet->size);
        }
        break;
    case ITEM_REQUEST:
        if (model->request == NULL) {
            world_reply(
                node->world, node->index,
                &(struct sq_reply_options){.to = packet->reply_to, .status = SQ_E_NOT_SUPPORTED});
            break;
        }
        model->request(&node->env,
                       &(struct sq_request){packet->reply_to, packet->data, packet->size,
                                            clock_local_time(&node->clock, packet->deadline_ns),
                                            packet->previous_attempts});
        break;
    case ITEM_REPLY:
        if (packet->slot < node->stub_count && node->stubs[packet->slot] != NULL) {
            stub_on_reply(node->stubs[packet->slot], packet);
        }
        break;
    case ITEM_TIMER:
        if (model->timer != NULL) {
            model->timer(&node->env, item->tag);
        }
        break;
    case ITEM_POST:
        item->run(&node->env, item->argument);
        break;
    case ITEM_SIGNAL:
        if (model->signal != NULL) {
            model->signal(&node->env, item->name, item->value);
        }
        break;
    }
}

static struct task *main_task(struct node *node)
{
    return *(struct task **)vec_at(&node->tasks, 0);
}

/* The main fiber: boot, then one item after another. */
static void main_entry(struct sq_env *env, void *argument)
{
    (void)argument;
    struct node *node = node_of(env);
    enum sq_status status = node->group->model->boot(env);
    if (status != SQ_OK) {
        node->is_doomed = true;
        return;
    }
    node->state = NODE_UP;
    world_life(node->world, node, SQ_LIFE_READY);
    for (;;) {
        if (node->current != NULL) {
            handle(node, node->current);
            item_free(node, node->current);
            node->current = NULL;
        }
        node->main_busy = false;
        task_block(main_task(node));
    }
}

static void main_job_done(struct cpu_job *job)
{
    task_wake(main_task(CONTAINER_OF(job, struct node, main_job)));
}

static void start_item(struct node *node)
{
    ASSERT(node->current == NULL);
    node->current = inbox_take(node);
    node->main_busy = true;
    int64_t cost = item_cost(node, node->current);
    if (cost == 0) {
        ready(main_task(node));
        return;
    }
    node->main_job.ns = cost;
    node->main_job.node = node->index;
    node->main_job.on_done = main_job_done;
    cpu_submit(&node->host->cpu, &node->main_job);
}

/* -------------------------------------------------------------------------------------- running */

static void run_task(struct node *node, struct task *task)
{
    node->ready_first = task->next_ready;
    if (node->ready_first == NULL) {
        node->ready_last = NULL;
    }
    task->is_ready = false;
    struct node *before = current_node;
    current_node = node;
    node->running = task;
    fiber_resume(task->fiber);
    node->running = NULL;
    current_node = before;
    if (fiber_is_finished(task->fiber)) {
        fiber_free(&node->world->fibers, task->fiber);
        task->fiber = NULL;
    }
}

void node_run(struct node *node)
{
    if (node->is_running) {
        return;
    }
    node->is_running = true;
    while (node->state != NODE_DOWN && !node->is_paused && !node->is_doomed) {
        bool has_ready = node->ready_first != NULL;
        bool has_item = !node->main_busy && node->inbox_first != NULL;
        if ((!has_ready && !has_item) || !world_step(node->world, node)) {
            break;
        }
        if (has_ready) {
            run_task(node, node->ready_first);
        } else {
            start_item(node);
        }
    }
    node->is_running = false;
    if (node->is_doomed) {
        node->is_doomed = false;
        node_crash(node, SQ_LIFE_EXIT);
    }
}

/* Nobody listens (gRPC: no connection), or who listens is full (gRPC: REFUSED_STREAM). Only in the
 * latter case the answer is marked as one by a server that did not look at the request. */
static void refuse(struct node *node, struct packet *packet, enum sq_status status)
{
    if (packet->kind != PACKET_REQUEST) {
        world_trace(node->world, TRACE_DROP, node->index, packet->from, 3);
    } else if (status == SQ_E_OVERLOADED) {
        world_turn_away(node->world, node->index, packet->reply_to);
    } else {
        world_reply(node->world, node->index,
                    &(struct sq_reply_options){.to = packet->reply_to, .status = status});
    }
    packet_unref(node->world->net, packet);
}

void node_receive(struct node *node, struct packet *packet)
{
    if (node->host->is_off) {
        world_trace(node->world, TRACE_DROP, node->index, packet->from, 4);
        packet_unref(node->world->net, packet);
        return;
    }
    bool is_awaited = packet->kind == PACKET_REPLY && node->state == NODE_BOOTING;
    if (node->state != NODE_UP && !is_awaited) {
        refuse(node, packet, SQ_E_REFUSED);
        return;
    }
    if (packet->kind == PACKET_REPLY &&
        (packet->reply_to.caller >> 24) != (node->env.incarnation & 0xff)) {
        packet_unref(node->world->net, packet);
        return;
    }
    if (node->inbox_count >= node->group->host.queue_limit) {
        node->dropped++;
        if (node->group->host.on_full == SPEC_FULL_REJECT && !node->is_paused) {
            refuse(node, packet, SQ_E_OVERLOADED);
        } else {
            world_trace(node->world, TRACE_DROP, node->index, packet->from, 5);
            packet_unref(node->world->net, packet);
        }
        return;
    }
    static const enum item_kind kinds[] = {[PACKET_MESSAGE] = ITEM_MESSAGE,
                                           [PACKET_REQUEST] = ITEM_REQUEST,
                                           [PACKET_REPLY] = ITEM_REPLY};
    node_post(node, (struct item){.kind = kinds[packet->kind], .packet = packet});
}

/* ----------------------------------------------------------------------------------------- life */

void node_init(struct node *node, struct world *world, sq_node index)
{
    memset(node, 0, sizeof(*node));
    node->world = world;
    node->index = index;
    node->disk = disk_new();
    vec_init(&node->tasks, sizeof(struct task *), TASKS_MAX);
}

void node_release(struct node *node)
{
    if (node->has_heap) {
        heap_release(&node->heap);
    }
    disk_free(node->disk);
    vec_release(&node->tasks);
}

void node_reset(struct node *node, const struct spec_group *group, uint32_t group_index,
                struct host *host)
{
    struct world *world = node->world;
    if (!node->has_heap) {
        heap_init(&node->heap, (world->heap_slot * 64 + node->index) % 4096, world->heap_fill);
        node->has_heap = true;
    }
    heap_drop(&node->heap);
    vec_clear(&node->tasks);
    struct node fresh = {
        .world = world,
        .group = group,
        .group_index = group_index,
        .index = node->index,
        .host = host,
        .policies = group->clients,
        .heap = node->heap,
        .has_heap = true,
        .disk = node->disk,
        .tasks = node->tasks,
    };
    *node = fresh;
    const char *prefix =
        world->spec->group_count == 1 ? "n" : arena_printf(&world->arena, "%s-", group->name);
    node->env.name = arena_printf(&world->arena, "%s%u", prefix, node->index - group->first + 1);
    uint64_t entity = hash_text(node->env.name);
    struct rng chance = rng_keyed(world->seed, entity, 0, hash_text("clock"));
    int64_t offset = 0;
    int64_t drift = 0;
    if (group->host.clock_offset_ns > 0) {
        offset = (int64_t)rng_below(&chance, 2 * (uint64_t)group->host.clock_offset_ns + 1) -
                 group->host.clock_offset_ns;
    }
    if (group->host.clock_drift_ppm > 0) {
        drift = (int64_t)rng_below(&chance, 2 * (uint64_t)group->host.clock_drift_ppm + 1) -
                group->host.clock_drift_ppm;
    }
    clock_init(&node->clock, 0, offset, drift);
    disk_reset(node->disk, &world->spec->disk,
               rng_keyed(world->seed, entity, 0, hash_text("disk")));
    node->stub_count = world->spec->group_count;
    node->stubs = arena_alloc_array(&world->arena, node->stub_count, sizeof(*node->stubs));
    env_init(node);
}

void node_boot(struct node *node)
{
    ASSERT(node->state == NODE_DOWN);
    ASSERT(!node->host->is_off);
    node->life++;
    node->env.incarnation++;
    node->env.state = NULL;
    node->state = NODE_BOOTING;
    node->main_busy = true;
    node->is_paused = false;
    node->rand = rng_keyed(node->world->seed, hash_text(node->env.name), node->env.incarnation,
                           hash_text("rand"));
    world_life(node->world, node, SQ_LIFE_BOOT);
    struct task *task = task_spawn(node, main_entry, NULL);
    ASSERT(task->slot == 0);
    node_run(node);
}

void node_crash(struct node *node, enum sq_life how)
{
    ASSERT(!node->is_running);
    if (node->state == NODE_DOWN) {
        return;
    }
    node->state = NODE_DOWN;
    node->life++;
    node->is_paused = false;
    cpu_cancel(&node->main_job);
    for (uint32_t i = 0; i < node->tasks.count; i++) {
        task_abandon(*(struct task **)vec_at(&node->tasks, i));
    }
    node->ready_first = NULL;
    node->ready_last = NULL;
    if (node->current != NULL) {
        item_free(node, node->current);
        node->current = NULL;
    }
    while (node->inbox_first != NULL) {
        item_free(node, inbox_take(node));
    }
    for (uint32_t i = 0; i < node->stub_count; i++) {
        if (node->stubs[i] != NULL) {
            stub_free(node->stubs[i]);
            node->stubs[i] = NULL;
        }
    }
    node->role = SQ_ROLE_NONE;
    disk_crash(node->disk);
    heap_drop(&node->heap);
    world_life(node->world, node, how);
}

void node_pause(struct node *node)
{
    if (node->state != NODE_DOWN && !node->is_paused) {
        node->is_paused = true;
        cpu_stop(&node->host->cpu, node->index);
        world_life(node->world, node, SQ_LIFE_PAUSE);
    }
}

void node_resume(struct node *node)
{
    if (node->is_paused) {
        node->is_paused = false;
        cpu_continue(&node->host->cpu, node->index);
        world_life(node->world, node, SQ_LIFE_RESUME);
        node_run(node);
    }
}

/* Which of the group's policies is for calls to `group`. */
static uint32_t policy_index(const struct node *node, uint32_t group)
{
    const struct spec_group *own = node->group;
    uint32_t index = 0;
    while (index < own->client_count && own->clients[index].target_group != group) {
        index++;
    }
    ASSERT(index < own->client_count);
    return index;
}

void node_set_policies(struct node *node, const struct spec_client *policies)
{
    ASSERT(policies != NULL);
    node->policies = policies;
    for (uint32_t group = 0; group < node->stub_count; group++) {
        if (node->stubs[group] != NULL) {
            stub_set_policy(node->stubs[group], &policies[policy_index(node, group)]);
        }
    }
}

/* The first policy has the node's own name for its streams, each further one also its target's: a
 * policy that is added moves no draw of those before it. */
struct stub *node_stub(struct node *node, uint32_t group)
{
    if (node->stubs[group] == NULL) {
        const uint32_t index = policy_index(node, group);
        const char *name = node->env.name;
        if (index > 0) {
            name = arena_printf(&node->world->arena, "%s/%s", name,
                                node->world->spec->groups[group].name);
        }
        node->stubs[group] = stub_new(node->world, node->index, group, &node->policies[index], name,
                                      node->env.incarnation);
    }
    return node->stubs[group];
}
