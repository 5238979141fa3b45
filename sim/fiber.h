/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fibers: stacks that blocking code under test runs on. Switching is a dozen instructions of
 * assembly on x86-64 and aarch64 (jump, not ret; mxcsr and x87 control word are not saved and must
 * not be changed by the code), ucontext elsewhere (or with -DFIBER_UCONTEXT). AddressSanitizer is
 * told of each switch. Every stack has a guard page (two mappings a stack: Linux allows some 32,000
 * of them, see vm.max_map_count); stacks come from a pool and are reused.
 *
 * A fiber that is abandoned (its node crashed) is simply put back: no code of its runs again, no
 * unwinding happens. */
#ifndef SQUALL_SIM_FIBER_H
#define SQUALL_SIM_FIBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fiber;

struct fiber_pool {
    size_t stack_bytes; /* usable, without the guard page */
    struct fiber *free; /* LIFO */
    uint32_t live;      /* taken and not given back */
    uint32_t total;
    struct fiber *all;
};

/* stack_bytes is rounded up to pages; 64 KiB .. 8 MiB. */
void fiber_pool_init(struct fiber_pool *pool, size_t stack_bytes);
/* No fiber of the pool may be running. Unmaps all stacks. */
void fiber_pool_release(struct fiber_pool *pool);

/* A suspended fiber that will run entry(argument) at the first resume. When entry returns the fiber
 * is finished; its owner calls fiber_free. Out of memory or of mappings ends the program with a
 * message. */
struct fiber *fiber_new(struct fiber_pool *pool, void (*entry)(void *argument), void *argument);
/* Gives the stack back, finished or not (abandon). Must not be the running fiber. */
void fiber_free(struct fiber_pool *pool, struct fiber *fiber);
/* Runs `fiber`, which is suspended, until it yields or finishes. Nesting: the resumer may itself be
 * a fiber. Asserts that the canary at the end of its stack is intact. */
void fiber_resume(struct fiber *fiber);
/* Back to whoever resumed the running fiber `self`. */
void fiber_yield(struct fiber *self);
bool fiber_is_finished(const struct fiber *fiber);
/* Bytes between the top of the stack of the running fiber `self` and its frame at present. */
size_t fiber_stack_used(const struct fiber *self);

#endif
