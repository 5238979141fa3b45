/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * First come, first served over all nodes of the host; no time slices. A job started before a
 * slowdown begins or ends keeps the speed that it started with. */
#include "sim/cpu.h"

#include "sim/base/base.h"
#include "sim/world.h"

void cpu_init(struct cpu *cpu, struct world *world, uint32_t cores)
{
    ASSERT(cores >= 1);
    *cpu = (struct cpu){.world = world, .cores = cores, .slowdown_milli = 1000};
}

static void start(struct cpu *cpu, struct cpu_job *job);

static void release_core(struct cpu *cpu)
{
    ASSERT(cpu->busy > 0);
    cpu->busy--;
    struct cpu_job *next = cpu->first;
    if (next != NULL) {
        cpu->first = next->next;
        if (cpu->first == NULL) {
            cpu->last = NULL;
        }
        next->is_queued = false;
        start(cpu, next);
    }
}

static void fire(void *context, struct sched_event *event)
{
    struct cpu_job *job = context;
    ASSERT(job->is_running);
    world_trace(job->cpu->world, TRACE_CPU, job->node, event->words[0], 0);
    job->is_running = false;
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
    struct sched_event *event =
        sched_push(&cpu->world->sched, time_add(world_now(cpu->world), ns), &job->event);
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
    job->cpu = cpu;
    if (cpu->busy < cpu->cores) {
        start(cpu, job);
        return;
    }
    job->is_queued = true;
    job->next = NULL;
    if (cpu->last != NULL) {
        cpu->last->next = job;
    } else {
        cpu->first = job;
    }
    cpu->last = job;
}

void cpu_cancel(struct cpu_job *job)
{
    if (job->is_running) {
        bool was_pending = sched_cancel(&job->cpu->world->sched, job->event);
        ASSERT(was_pending);
        job->is_running = false;
        release_core(job->cpu);
        return;
    }
    if (!job->is_queued) {
        return;
    }
    struct cpu *cpu = job->cpu;
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
