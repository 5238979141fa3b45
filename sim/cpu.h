/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Processor of a host: cores that serve jobs in order of arrival, each for its time without
 * interruption. */
#ifndef SQUALL_SIM_CPU_H
#define SQUALL_SIM_CPU_H

#include "sim/sched.h"

struct world;

/* A wish for processor time. Embedded in its owner; must stay put until done or cancelled. */
struct cpu_job {
    struct cpu_job *next;
    struct cpu *cpu;
    int64_t ns;
    uint32_t node; /* for the trace */
    bool is_queued;
    bool is_running;
    bool is_stopped; /* its node is paused; `ns` is what is left */
    int64_t end_ns;  /* running: when it will be done */
    sched_handle event;
    void (*on_done)(struct cpu_job *job);
};

struct cpu {
    struct world *world;
    uint32_t cores;
    uint32_t busy;
    uint32_t slowdown_milli; /* 1000 = full speed; a fault raises it */
    struct cpu_job *first;   /* waiting for a core */
    struct cpu_job *last;
    struct cpu_job *running; /* in order of their start */
    struct cpu_job *stopped; /* of paused nodes: those that ran, then those that waited */
    int64_t busy_ns;         /* core time used */
};

void cpu_init(struct cpu *cpu, struct world *world, uint32_t cores);
/* Calls job->on_done after job->ns of core time (at once only as an event of its own). */
void cpu_submit(struct cpu *cpu, struct cpu_job *job);
/* Takes the job back, waiting, running or stopped; nothing when it is none of these. */
void cpu_cancel(struct cpu_job *job);
/* A paused process gets no core: its jobs stop where they are, and go on from there, those that ran
 * first. */
void cpu_stop(struct cpu *cpu, uint32_t node);
void cpu_continue(struct cpu *cpu, uint32_t node);

#endif
