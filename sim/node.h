/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Node: a process on a host. Its work arrives in an inbox (messages, requests, timers, posted
 * calls) and is handled one item at a time on its main fiber, after the host's processor has spent
 * what the item costs; further fibers run where the model spawns them. What happens to a node's
 * life (crash, power loss, pause, restart, wipe) is decided elsewhere and done here. */
#ifndef SQUALL_SIM_NODE_H
#define SQUALL_SIM_NODE_H

#include "sim/clock.h"
#include "sim/cpu.h"
#include "sim/heap.h"
#include "sim/world.h"

struct node;
struct task;

enum node_state {
    NODE_DOWN,    /* crashed, or host off */
    NODE_BOOTING, /* boot has not returned */
    NODE_UP,
};

enum item_kind {
    ITEM_MESSAGE,
    ITEM_REQUEST,
    ITEM_REPLY,
    ITEM_TIMER,
    ITEM_POST,
    ITEM_SIGNAL,
};

/* One thing to handle. */
struct item {
    struct item *next;
    enum item_kind kind;
    struct packet *packet;                           /* MESSAGE, REQUEST, REPLY */
    uint64_t tag;                                    /* TIMER */
    void (*run)(struct sq_env *env, void *argument); /* POST */
    void *argument;
    const char *name; /* SIGNAL; lives as long as the spec */
    int64_t value;
};

/* A fiber of a node. Slot 0 of node->tasks is the main one. */
struct task {
    struct node *node;
    struct fiber *fiber; /* NULL: the slot is free */
    uint32_t slot;
    uint32_t generation;
    struct task *next_ready;
    bool is_ready;
    bool is_parked;
    bool has_permit;    /* an unpark came before the park */
    sched_handle wait;  /* event that will wake it, 0 = none */
    struct cpu_job job; /* processor time that it waits for */
    void (*entry)(struct sq_env *env, void *argument);
    void *argument;
};

struct host {
    struct cpu cpu;
    bool is_off;
};

struct node {
    struct sq_env env; /* first: an env is its node */
    struct world *world;
    const struct spec_group *group;
    uint32_t group_index;
    sq_node index;
    struct host *host;
    enum node_state state;
    bool is_paused;
    bool is_running; /* one of its fibers runs now, or node_run is looping */
    bool is_doomed;  /* crash as soon as the running fiber yields */
    uint32_t life;   /* changes at every crash and boot; events of another life are stale */
    enum sq_role role;
    struct heap heap;
    bool has_heap;
    struct disk *disk;
    struct rng rand;
    struct clock clock;
    struct item *inbox_first;
    struct item *inbox_last;
    uint32_t inbox_count;
    struct item *current; /* on the main fiber, or waiting for the processor */
    bool main_busy;
    struct cpu_job main_job; /* processor time of `current` before it runs */
    struct vec tasks;        /* struct task * */
    struct task *running;
    struct task *ready_first;
    struct task *ready_last;
    const struct spec_client *policies; /* of the calls that it makes, as group->clients */
    struct stub **stubs;                /* by group called; NULL until first used */
    uint32_t stub_count;
    uint64_t dropped; /* items that did not fit */
};

static inline struct node *node_of(struct sq_env *env)
{
    return (struct node *)env;
}

/* The node whose code runs now on this thread, or NULL. */
struct node *node_current(void);

void node_init(struct node *node, struct world *world, sq_node index);
void node_release(struct node *node);
/* For a new run: down, empty disk, no history. */
void node_reset(struct node *node, const struct spec_group *group, uint32_t group_index,
                struct host *host);
/* Starts the next incarnation. The node must be down and its host on. */
void node_boot(struct node *node);
/* Process gone: fibers abandoned, memory dropped, open files closed. `how` is CRASH, POWER or
 * EXIT. Power loss of the disk is the caller's affair. */
void node_crash(struct node *node, enum sq_life how);
void node_pause(struct node *node);
void node_resume(struct node *node);
/* Its calls are made by these policies from now on, one for each of group->clients
 * (stub_set_policy). */
void node_set_policies(struct node *node, const struct spec_client *policies);
/* A packet for this node's inbox; takes over the caller's reference. While the node boots only
 * answers to its own calls are taken; a node that is paused and full turns nobody away, it is as
 * if the packet had been lost. */
void node_receive(struct node *node, struct packet *packet);
/* A signal of the scenario, in turn with the rest of the inbox; nothing when the node is not up. */
void node_signal(struct node *node, const char *name, int64_t value);
/* Runs what can run: ready fibers first, then the inbox. Harmless at any time. */
void node_run(struct node *node);

/* ---- for env.c, on the running fiber */
/* Suspends the running fiber until task_wake. */
void task_block(struct task *task);
/* Blocks for `ns` of true time; at once back when ns == 0. */
void task_sleep(struct task *task, int64_t ns, enum trace_kind kind);
/* Blocks until the host's processor has done `ns` of work. */
void task_work(struct task *task, int64_t ns);
/* The same without a core. */
void task_pass(struct task *task, int64_t ns);
void task_wake(struct task *task);
struct task *task_spawn(struct node *node, void (*entry)(struct sq_env *env, void *argument),
                        void *argument);
struct task *task_find(struct node *node, sq_fiber fiber);
sq_fiber task_id(const struct task *task);
void node_post(struct node *node, struct item item);
struct stub *node_stub(struct node *node, uint32_t group);

/* env.c: fills node->env with the tables. */
void env_init(struct node *node);

#endif
