/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Processor of a host: cores that serve jobs in order of arrival, each for its time without
 * interruption; and jobs that take their time without a core. Both follow its capacity. */
#ifndef SQUALL_SIM_CPU_H
#define SQUALL_SIM_CPU_H

#include "sim/sched.h"

#define CPU_CAPACITY_FULL 1000000

struct world;

/* Millionths of a nanosecond at full capacity. */
typedef unsigned __int128 cpu_amount;

/* A wish for processor time. Embedded in its owner; must stay put until done or cancelled. */
struct cpu_job {
    struct cpu_job *next;
    struct cpu *cpu;
    int64_t ns;       /* at full capacity */
    uint32_t node;    /* for the trace */
    bool has_no_core; /* takes time only: never waits for a core, never keeps one */
    bool is_queued;
    bool is_running;
    bool is_stopped; /* its node is paused */
    cpu_amount left; /* not running: to be done; running: that was so at since_ns */
    int64_t since_ns;
    sched_handle event; /* of its end; 0: none, or there is no capacity */
    void (*on_done)(struct cpu_job *job);
};

struct cpu {
    struct world *world;
    uint32_t cores;
    uint32_t busy;
    uint32_t slowdown_milli; /* 1000 = full speed; a fault raises it */
    uint32_t capacity;       /* millionths; 0: nothing gets on */
    struct cpu_job *first;   /* waiting for a core */
    struct cpu_job *last;
    struct cpu_job *running; /* in order of their start */
    struct cpu_job *stopped; /* of paused nodes: those that ran, then those that waited */
    cpu_amount carried;      /* done at carried_ns beyond what ended then; less than 1 ns a job */
    int64_t carried_ns;
    int64_t busy_ns; /* time for which cores were taken, up to the last change */
};

void cpu_init(struct cpu *cpu, struct world *world, uint32_t cores);
/* Calls job->on_done after job->ns of core time at full capacity (at once only as an event of its
 * own). */
void cpu_submit(struct cpu *cpu, struct cpu_job *job);
/* Takes the job back, waiting, running or stopped; nothing when it is none of these. */
void cpu_cancel(struct cpu_job *job);
/* A paused process gets no core: its jobs stop where they are, and go on from there, those that ran
 * first. */
void cpu_stop(struct cpu *cpu, uint32_t node);
void cpu_continue(struct cpu *cpu, uint32_t node);
/* In millionths, at most CPU_CAPACITY_FULL. What runs goes on at this speed, from now on. */
void cpu_set_capacity(struct cpu *cpu, uint32_t capacity);

#endif
