/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * First come, first served over all nodes of the host; no time slices. A job started before a
 * slowdown begins or ends keeps the speed that it started with. A job of a node that is paused
 * stops, and gives its core to others. */
#include "sim/cpu.h"

#include "sim/base/base.h"
#include "sim/world.h"

void cpu_init(struct cpu *cpu, struct world *world, uint32_t cores)
{
    ASSERT(cores >= 1);
    *cpu = (struct cpu){.world = world, .cores = cores, .slowdown_milli = 1000};
}

static void start(struct cpu *cpu, struct cpu_job *job);

/* Takes `job` out of the list, where it must be. */
static void list_remove(struct cpu_job **at, const struct cpu_job *job)
{
    while (*at != job) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = job->next;
}

static void list_append(struct cpu_job **at, struct cpu_job *job)
{
    while (*at != NULL) {
        at = &(*at)->next;
    }
    job->next = NULL;
    *at = job;
}

static void queue_put(struct cpu *cpu, struct cpu_job *job)
{
    job->is_queued = true;
    job->next = NULL;
    if (cpu->last != NULL) {
        cpu->last->next = job;
    } else {
        cpu->first = job;
    }
    cpu->last = job;
}

static void queue_remove(struct cpu *cpu, struct cpu_job *job)
{
    struct cpu_job *previous = NULL;
    for (struct cpu_job *at = cpu->first; at != job; at = at->next) {
        ASSERT(at != NULL);
        previous = at;
    }
    if (previous == NULL) {
        cpu->first = job->next;
    } else {
        previous->next = job->next;
    }
    if (cpu->last == job) {
        cpu->last = previous;
    }
    job->is_queued = false;
}

static void release_core(struct cpu *cpu)
{
    ASSERT(cpu->busy > 0);
    cpu->busy--;
    struct cpu_job *next = cpu->first;
    if (next != NULL) {
        queue_remove(cpu, next);
        start(cpu, next);
    }
}

static void fire(void *context, struct sched_event *event)
{
    struct cpu_job *job = context;
    ASSERT(job->is_running);
    world_trace(job->cpu->world, TRACE_CPU, job->node, event->words[0], 0);
    job->is_running = false;
    list_remove(&job->cpu->running, job);
    release_core(job->cpu);
    job->on_done(job);
}

static void start(struct cpu *cpu, struct cpu_job *job)
{
    int64_t ns = job->ns;
    if (cpu->slowdown_milli != 1000) {
        __int128 slow_ns = (__int128)ns * cpu->slowdown_milli / 1000;
        ns = slow_ns < INT64_MAX ? (int64_t)slow_ns : INT64_MAX;
    }
    cpu->busy++;
    cpu->busy_ns = time_add(cpu->busy_ns, ns);
    job->is_running = true;
    job->end_ns = time_add(world_now(cpu->world), ns);
    list_append(&cpu->running, job);
    struct sched_event *event = sched_push(&cpu->world->sched, job->end_ns, &job->event);
    event->fire = fire;
    event->context = job;
    event->kind = TRACE_CPU;
    event->words[0] = (uint64_t)ns;
}

void cpu_submit(struct cpu *cpu, struct cpu_job *job)
{
    ASSERT(job->ns >= 0);
    ASSERT(!job->is_queued);
    ASSERT(!job->is_running);
    ASSERT(!job->is_stopped);
    job->cpu = cpu;
    if (cpu->busy < cpu->cores) {
        start(cpu, job);
    } else {
        queue_put(cpu, job);
    }
}

/* Takes a running job off its core; the core is still counted as busy. */
static void take_off(struct cpu_job *job)
{
    bool was_pending = sched_cancel(&job->cpu->world->sched, job->event);
    ASSERT(was_pending);
    job->is_running = false;
    list_remove(&job->cpu->running, job);
}

void cpu_cancel(struct cpu_job *job)
{
    if (job->is_running) {
        take_off(job);
        release_core(job->cpu);
    } else if (job->is_queued) {
        queue_remove(job->cpu, job);
    } else if (job->is_stopped) {
        job->is_stopped = false;
        list_remove(&job->cpu->stopped, job);
    }
}

static void stop_running(struct cpu *cpu, struct cpu_job *job)
{
    const int64_t left_ns = job->end_ns - world_now(cpu->world);
    ASSERT(left_ns >= 0);
    take_off(job);
    cpu->busy_ns -= left_ns;
    job->ns = left_ns;
    if (cpu->slowdown_milli != 1000) {
        job->ns = (int64_t)((__int128)left_ns * 1000 / cpu->slowdown_milli);
    }
}

void cpu_stop(struct cpu *cpu, uint32_t node)
{
    uint32_t freed = 0;
    struct cpu_job *next;
    for (struct cpu_job *job = cpu->running; job != NULL; job = next) {
        next = job->next;
        if (job->node == node) {
            stop_running(cpu, job);
            job->is_stopped = true;
            list_append(&cpu->stopped, job);
            freed++;
        }
    }
    for (struct cpu_job *job = cpu->first; job != NULL; job = next) {
        next = job->next;
        if (job->node == node) {
            queue_remove(cpu, job);
            job->is_stopped = true;
            list_append(&cpu->stopped, job);
        }
    }
    while (freed > 0) {
        release_core(cpu);
        freed--;
    }
}

void cpu_continue(struct cpu *cpu, uint32_t node)
{
    struct cpu_job *next;
    for (struct cpu_job *job = cpu->stopped; job != NULL; job = next) {
        next = job->next;
        if (job->node == node) {
            list_remove(&cpu->stopped, job);
            job->is_stopped = false;
            cpu_submit(cpu, job);
        }
    }
}
