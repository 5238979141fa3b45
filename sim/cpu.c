/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * First come, first served over all nodes of the host; no time slices. A job of a node that is
 * paused stops, and gives its core to others.
 *
 * Two things make a host slow. Under a slowdown a job takes a multiple of its time, fixed when it
 * starts: it keeps the speed that it started with. Capacity is a rate at which all that runs gets
 * on, and a change of it reaches what is in service: of a job of 10 ms that has run for 4 ms when
 * the capacity falls to a fifth, 30 ms are left, and at no capacity it stands still, on its core.
 *
 * Work is counted in millionths of a nanosecond, as the capacity is in millionths, so what a job
 * has left is exact through any number of changes. It ends at the first whole nanosecond at which
 * nothing is left. What the core has done by then beyond that is carried over to the job that
 * starts at this instant: a busy core does as much as its capacity says, to the millionth, and
 * rounding does not add up. At full capacity all of these fractions are zero.
 *
 * Not here: time slices, priorities, cores of different speed; work that costs no processor time
 * goes on at no capacity. */
#include "sim/cpu.h"

#include "sim/base/base.h"
#include "sim/world.h"

void cpu_init(struct cpu *cpu, struct world *world, uint32_t cores)
{
    ASSERT(cores >= 1);
    *cpu = (struct cpu){
        .world = world,
        .cores = cores,
        .slowdown_milli = 1000,
        .capacity = CPU_CAPACITY_FULL,
    };
}

static void fire(void *context, struct sched_event *event);

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

/* Whole nanoseconds in which so much is done, rounded up. Nearly always the amount is short and the
 * capacity full, and then there is no division in it. */
static cpu_amount time_for(cpu_amount left, uint32_t capacity)
{
    const cpu_amount up = left + (capacity - 1);
    if (up > UINT64_MAX) {
        return up / capacity;
    }
    return capacity == CPU_CAPACITY_FULL ? (uint64_t)up / CPU_CAPACITY_FULL
                                         : (uint64_t)up / capacity;
}

/* Sets when the job will be done, if ever, at the present capacity. */
static void schedule_end(struct cpu *cpu, struct cpu_job *job)
{
    ASSERT(job->event == 0);
    if (cpu->capacity == 0 && job->left > 0) {
        return;
    }
    const cpu_amount wait =
        time_for(job->left, cpu->capacity > 0 ? cpu->capacity : CPU_CAPACITY_FULL);
    const int64_t ns = wait < INT64_MAX ? (int64_t)wait : INT64_MAX;
    struct sched_event *event =
        sched_push(&cpu->world->sched, time_add(world_now(cpu->world), ns), &job->event);
    event->fire = fire;
    event->context = job;
    event->kind = TRACE_CPU;
    event->words[0] = (uint64_t)ns;
}

/* Brings a running job's account up to now; what was done beyond it is carried over. */
static void settle(struct cpu_job *job)
{
    struct cpu *cpu = job->cpu;
    ASSERT(job->is_running);
    const int64_t now = world_now(cpu->world);
    const int64_t ns = now - job->since_ns;
    const cpu_amount done = (cpu_amount)(uint64_t)ns * cpu->capacity;
    const cpu_amount beyond = done > job->left ? done - job->left : 0;
    job->left -= done - beyond;
    job->since_ns = now;
    cpu->carried = (cpu->carried_ns == now ? cpu->carried : 0) + beyond;
    cpu->carried_ns = now;
    cpu->busy_ns += job->has_no_core ? 0 : ns;
}

static void start(struct cpu *cpu, struct cpu_job *job)
{
    const int64_t now = world_now(cpu->world);
    if (cpu->slowdown_milli != 1000 && !job->has_no_core) {
        job->left = job->left * cpu->slowdown_milli / 1000;
        job->left -= job->left % CPU_CAPACITY_FULL;
    }
    if (cpu->carried > 0) {
        const bool is_now = cpu->carried_ns == now;
        const cpu_amount taken = job->left < cpu->carried ? job->left : cpu->carried;
        job->left -= is_now ? taken : 0;
        cpu->carried = is_now ? cpu->carried - taken : 0;
    }
    cpu->busy += job->has_no_core ? 0 : 1;
    job->is_running = true;
    job->since_ns = now;
    list_append(&cpu->running, job);
    schedule_end(cpu, job);
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
    struct cpu *cpu = job->cpu;
    world_trace(cpu->world, TRACE_CPU, job->node, event->words[0], 0);
    job->event = 0;
    settle(job);
    ASSERT(job->left == 0);
    job->is_running = false;
    list_remove(&cpu->running, job);
    if (!job->has_no_core) {
        release_core(cpu);
    }
    job->on_done(job);
}

/* What is left of the job waits for a core, or goes on. */
static void enqueue(struct cpu *cpu, struct cpu_job *job)
{
    if (job->has_no_core || cpu->busy < cpu->cores) {
        start(cpu, job);
    } else {
        queue_put(cpu, job);
    }
}

void cpu_submit(struct cpu *cpu, struct cpu_job *job)
{
    ASSERT(job->ns >= 0);
    ASSERT(!job->is_queued);
    ASSERT(!job->is_running);
    ASSERT(!job->is_stopped);
    job->cpu = cpu;
    job->event = 0;
    job->left = (cpu_amount)(uint64_t)job->ns * CPU_CAPACITY_FULL;
    enqueue(cpu, job);
}

/* Takes a running job off its core; the core is still counted as busy. */
static void take_off(struct cpu_job *job)
{
    if (job->event != 0) {
        bool was_pending = sched_cancel(&job->cpu->world->sched, job->event);
        ASSERT(was_pending);
        job->event = 0;
    }
    settle(job);
    job->is_running = false;
    list_remove(&job->cpu->running, job);
}

void cpu_cancel(struct cpu_job *job)
{
    if (job->is_running) {
        take_off(job);
        if (!job->has_no_core) {
            release_core(job->cpu);
        }
    } else if (job->is_queued) {
        queue_remove(job->cpu, job);
    } else if (job->is_stopped) {
        job->is_stopped = false;
        list_remove(&job->cpu->stopped, job);
    }
}

/* What is left is counted without the slowdown, for it may have changed when the job goes on. */
static void stop_running(struct cpu *cpu, struct cpu_job *job)
{
    take_off(job);
    if (cpu->slowdown_milli != 1000 && !job->has_no_core) {
        job->left = job->left * 1000 / cpu->slowdown_milli;
        job->left -= job->left % CPU_CAPACITY_FULL;
    }
    job->is_stopped = true;
    list_append(&cpu->stopped, job);
}

void cpu_stop(struct cpu *cpu, uint32_t node)
{
    uint32_t freed = 0;
    struct cpu_job *next;
    for (struct cpu_job *job = cpu->running; job != NULL; job = next) {
        next = job->next;
        if (job->node == node) {
            freed += job->has_no_core ? 0 : 1;
            stop_running(cpu, job);
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
            enqueue(cpu, job);
        }
    }
}

void cpu_set_capacity(struct cpu *cpu, uint32_t capacity)
{
    ASSERT(capacity <= CPU_CAPACITY_FULL);
    if (capacity == cpu->capacity) {
        return;
    }
    for (struct cpu_job *job = cpu->running; job != NULL; job = job->next) {
        settle(job);
        if (job->event != 0) {
            bool was_pending = sched_cancel(&cpu->world->sched, job->event);
            ASSERT(was_pending);
            job->event = 0;
        }
    }
    cpu->capacity = capacity;
    for (struct cpu_job *job = cpu->running; job != NULL; job = job->next) {
        schedule_end(cpu, job);
    }
}
