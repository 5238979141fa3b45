/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fibers by switching stacks. A switch pushes the callee-saved registers, exchanges the stack
 * pointer, pops the other side's registers and jumps to its return address. It ends in a jump and
 * not in `ret` because the return-stack predictor would guess the resumer's address at each switch,
 * and be wrong. For the same reason nothing follows the switch in fiber_resume and fiber_yield
 * (without AddressSanitizer): the compiler jumps to it, and it jumps to their callers. mxcsr, the
 * x87 control word and the signal mask belong to the process: nobody here changes them.
 *
 * One mapping a stack, from low to high addresses:
 *
 *     guard page | canary | stack, growing down ... | struct fiber | colour
 *
 * The colour, 0 to 60 cache lines, spreads the tops of the stacks over the sets of the cache;
 * without it all of them would compete for the same few. The struct lies above the top, in the page
 * that the first frames touch anyway: a parked fiber costs one page. The canary is the lowest line
 * of the stack, which is zero when mapped and must stay so: checking it touches no memory that is
 * not there yet. It catches a stack that was used to its end; running past the end faults in the
 * guard page.
 *
 * Abandoning is forgetting: the next fiber on that stack starts at the top again. AddressSanitizer
 * needs more: it is told of every switch, the marks that abandoned frames left on the stack are
 * wiped, the side stack it may keep for them is destroyed, and what is reachable only from a parked
 * fiber's stack is no leak.
 *
 * Deliberately absent: moving a fiber between threads, growing stacks, a scheduler. */
#define _GNU_SOURCE /* MAP_ANONYMOUS, MAP_STACK, madvise */
#include "sim/fiber.h"

#include "sim/base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(FIBER_UCONTEXT)
#define FIBER_UCONTEXT
#endif
#ifdef FIBER_UCONTEXT
#include <ucontext.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#endif

/* Of the largest pages that the architecture may have. */
#ifdef __aarch64__
#define PAGE_BYTES ((size_t)64 << 10)
#else
#define PAGE_BYTES ((size_t)4096)
#endif
#define LINE_BYTES      64
#define COLOURS         61
#define STACK_BYTES_MIN ((size_t)64 << 10)
#define STACK_BYTES_MAX ((size_t)8 << 20)

enum fiber_state {
    FIBER_SUSPENDED,
    FIBER_RUNNING, /* or has resumed another one */
    FIBER_FINISHED,
    FIBER_POOLED,
};

struct fiber {
    void *stack_pointer;   /* of the fiber while it is suspended */
    void *resumer_pointer; /* of who resumed it, while it runs */
    enum fiber_state state;
    const uint64_t *canary; /* one line at the low end of the stack */
    void (*entry)(void *argument);
    void *argument;
    char *mapping;
    size_t mapping_bytes;
    struct fiber *next_free;
    struct fiber *next_all;
    void *fake_stack;        /* AddressSanitizer's, while suspended */
    const void *resumer_low; /* AddressSanitizer's bounds of the stack of who resumed it */
    size_t resumer_bytes;
#ifdef FIBER_UCONTEXT
    ucontext_t context;
    ucontext_t resumer_context;
#endif
};
static_assert(sizeof(struct fiber) + COLOURS * LINE_BYTES < 2 * PAGE_BYTES, "fits above the stack");

static char *stack_low(const struct fiber *fiber)
{
    return fiber->mapping + PAGE_BYTES;
}

/* The struct itself is the top. */
static size_t stack_bytes(const struct fiber *fiber)
{
    return (size_t)((const char *)fiber - stack_low(fiber));
}

#ifdef FIBER_ASAN

/* Before the stack pointer changes; fake_stack NULL: the stack that is left will not be used again.
 * */
static void tell_start(void **fake_stack, const void *low, size_t bytes)
{
    __sanitizer_start_switch_fiber(fake_stack, low, bytes);
}

/* On the new stack; it is told once that its side stack is back. */
static void tell_finish(void **fake_stack, const void **low, size_t *bytes)
{
    void *back = *fake_stack;
    *fake_stack = NULL;
    __sanitizer_finish_switch_fiber(back, low, bytes);
}

/* Pretends to be on the abandoned stack, so that leaving it for good destroys its side stack. */
__attribute__((no_sanitize_address)) static void tell_abandoned(struct fiber *fiber)
{
    if (fiber->fake_stack != NULL) {
        void *own = NULL;
        const void *low = NULL;
        size_t bytes = 0;
        __sanitizer_start_switch_fiber(&own, stack_low(fiber), stack_bytes(fiber));
        __sanitizer_finish_switch_fiber(fiber->fake_stack, &low, &bytes);
        __sanitizer_start_switch_fiber(NULL, low, bytes);
        __sanitizer_finish_switch_fiber(own, NULL, NULL);
        fiber->fake_stack = NULL;
    }
    ASAN_UNPOISON_MEMORY_REGION(stack_low(fiber), stack_bytes(fiber));
}

static void tell_mapped(const struct fiber *fiber)
{
    __lsan_register_root_region(stack_low(fiber), fiber->mapping_bytes - PAGE_BYTES);
}

static void tell_unmapped(const struct fiber *fiber)
{
    __lsan_unregister_root_region(stack_low(fiber), fiber->mapping_bytes - PAGE_BYTES);
}

#else

static inline void tell_start(void **fake_stack, const void *low, size_t bytes)
{
    (void)fake_stack;
    (void)low;
    (void)bytes;
}

static inline void tell_finish(void **fake_stack, const void **low, size_t *bytes)
{
    (void)fake_stack;
    (void)low;
    (void)bytes;
}

static inline void tell_abandoned(struct fiber *fiber)
{
    (void)fiber;
}

static inline void tell_mapped(const struct fiber *fiber)
{
    (void)fiber;
}

static inline void tell_unmapped(const struct fiber *fiber)
{
    (void)fiber;
}

#endif

static inline void canary_check(const struct fiber *fiber)
{
    const uint64_t *line = fiber->canary;
    uint64_t sum = line[0] | line[1] | line[2] | line[3] | line[4] | line[5] | line[6] | line[7];
    ASSERT(sum == 0); /* the fiber used its stack to the end */
}

static inline void fiber_leave(struct fiber *self, enum fiber_state state);

/* First function on each stack. Its parameters are those of stack_switch, whose registers are still
 * set. */
static void fiber_main(void **from, void *to, struct fiber *fiber)
{
    (void)from;
    (void)to;
    tell_finish(&fiber->fake_stack, &fiber->resumer_low, &fiber->resumer_bytes);
    fiber->entry(fiber->argument);
    fiber_leave(fiber, FIBER_FINISHED);
    UNREACHABLE();
}

#ifdef FIBER_UCONTEXT

/* makecontext passes ints. */
static void context_main(unsigned high, unsigned low)
{
    uintptr_t address = (uintptr_t)(((uint64_t)high << 32) | low);
    fiber_main(NULL, NULL, (struct fiber *)address);
}

static void stack_prepare(struct fiber *fiber)
{
    uint64_t address = (uint64_t)(uintptr_t)fiber;
    int failed = getcontext(&fiber->context);
    ASSERT(failed == 0);
    fiber->context.uc_stack.ss_sp = stack_low(fiber);
    fiber->context.uc_stack.ss_size = stack_bytes(fiber);
    fiber->context.uc_link = NULL;
    /* The type that makecontext asks for. */
    void (*start)(void) = (void (*)(void))(uintptr_t)context_main;
    makecontext(&fiber->context, start, 2, (unsigned)(address >> 32), (unsigned)address);
}

static inline void switch_in(struct fiber *fiber)
{
    int failed = swapcontext(&fiber->resumer_context, &fiber->context);
    ASSERT(failed == 0);
}

static inline void switch_out(struct fiber *fiber)
{
    int failed = swapcontext(&fiber->context, &fiber->resumer_context);
    ASSERT(failed == 0);
}

#else

/* Saves the registers and the stack pointer at *from, goes on where `to` was saved. `fiber` is
 * passed on. */
void fiber_stack_switch(void **from, void *to, struct fiber *fiber)
    __attribute__((visibility("hidden")));

#ifdef __x86_64__
__asm__(".text\n"
        ".globl fiber_stack_switch\n"
        ".hidden fiber_stack_switch\n"
        ".type fiber_stack_switch,@function\n"
        ".p2align 4\n"
        "fiber_stack_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    popq %rcx\n"
        "    jmpq *%rcx\n"
        ".size fiber_stack_switch,.-fiber_stack_switch\n");

/* Six registers, the address to jump to, and a return address for fiber_main, which never returns.
 * */
#define FRAME_WORDS 8
#define FRAME_START 6
#else
__asm__(".text\n"
        ".globl fiber_stack_switch\n"
        ".hidden fiber_stack_switch\n"
        ".type fiber_stack_switch,%function\n"
        ".p2align 4\n"
        "fiber_stack_switch:\n"
        "    stp x19, x20, [sp, #-160]!\n"
        "    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n"
        "    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n"
        "    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    mov sp, x1\n"
        "    ldp x21, x22, [sp, #16]\n"
        "    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n"
        "    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x30, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    ldp x19, x20, [sp], #160\n"
        "    mov x9, x30\n"
        "    br x9\n"
        ".size fiber_stack_switch,.-fiber_stack_switch\n");

#define FRAME_WORDS 20
#define FRAME_START 11 /* x30 */
#endif

static void stack_prepare(struct fiber *fiber)
{
    void **frame = (void **)(void *)fiber - FRAME_WORDS;
    memset(frame, 0, FRAME_WORDS * sizeof(*frame));
    frame[FRAME_START] = (void *)(uintptr_t)fiber_main;
    fiber->stack_pointer = frame;
}

static inline void switch_in(struct fiber *fiber)
{
    fiber_stack_switch(&fiber->resumer_pointer, fiber->stack_pointer, fiber);
}

static inline void switch_out(struct fiber *fiber)
{
    fiber_stack_switch(&fiber->stack_pointer, fiber->resumer_pointer, fiber);
}

#endif

static inline void fiber_leave(struct fiber *self, enum fiber_state state)
{
    canary_check(self);
    self->state = state;
    tell_start(state == FIBER_FINISHED ? NULL : &self->fake_stack, self->resumer_low,
               self->resumer_bytes);
    switch_out(self);
    tell_finish(&self->fake_stack, &self->resumer_low, &self->resumer_bytes);
}

void fiber_pool_init(struct fiber_pool *pool, size_t stack_size)
{
    ASSERT(stack_size >= STACK_BYTES_MIN);
    ASSERT(stack_size <= STACK_BYTES_MAX);
    *pool = (struct fiber_pool){
        .stack_bytes = (stack_size + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES,
    };
}

void fiber_pool_release(struct fiber_pool *pool)
{
    struct fiber *fiber = pool->all;
    while (fiber != NULL) {
        struct fiber *next = fiber->next_all;
        ASSERT(fiber->state != FIBER_RUNNING);
        tell_abandoned(fiber);
        tell_unmapped(fiber);
        munmap(fiber->mapping, fiber->mapping_bytes);
        fiber = next;
    }
    *pool = (struct fiber_pool){.stack_bytes = pool->stack_bytes};
}

static _Noreturn void out_of_stacks(const struct fiber_pool *pool)
{
    fprintf(stderr,
            "squall: out of memory for fiber %u (stack of %zu bytes, two mappings each: see "
            "vm.max_map_count)\n",
            pool->total + 1, pool->stack_bytes);
    abort();
}

static struct fiber *fiber_map(struct fiber_pool *pool)
{
    size_t bytes = PAGE_BYTES + pool->stack_bytes + 2 * PAGE_BYTES;
    char *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (mapping == MAP_FAILED || mprotect(mapping, PAGE_BYTES, PROT_NONE) != 0) {
        out_of_stacks(pool);
    }
#ifdef MADV_NOHUGEPAGE
    (void)madvise(mapping, bytes, MADV_NOHUGEPAGE); /* one page a parked fiber, not 2 MiB */
#endif
    size_t colour = pool->total % COLOURS * LINE_BYTES;
    size_t struct_bytes = (sizeof(struct fiber) + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    struct fiber *fiber = (struct fiber *)(void *)(mapping + bytes - colour - struct_bytes);
    fiber->mapping = mapping;
    fiber->mapping_bytes = bytes;
    fiber->canary = (const uint64_t *)(const void *)stack_low(fiber);
    fiber->next_all = pool->all;
    pool->all = fiber;
    pool->total++;
    tell_mapped(fiber);
    return fiber;
}

struct fiber *fiber_new(struct fiber_pool *pool, void (*entry)(void *argument), void *argument)
{
    ASSERT(entry != NULL);
    struct fiber *fiber = pool->free;
    if (fiber != NULL) {
        ASSERT(fiber->state == FIBER_POOLED);
        pool->free = fiber->next_free;
    } else {
        fiber = fiber_map(pool);
    }
    fiber->state = FIBER_SUSPENDED;
    fiber->entry = entry;
    fiber->argument = argument;
    stack_prepare(fiber);
    pool->live++;
    return fiber;
}

void fiber_free(struct fiber_pool *pool, struct fiber *fiber)
{
    ASSERT(fiber->state == FIBER_SUSPENDED || fiber->state == FIBER_FINISHED);
    ASSERT(pool->live > 0);
    tell_abandoned(fiber);
    fiber->state = FIBER_POOLED;
    fiber->next_free = pool->free;
    pool->free = fiber;
    pool->live--;
}

void fiber_resume(struct fiber *fiber)
{
    ASSERT(fiber->state == FIBER_SUSPENDED);
    fiber->state = FIBER_RUNNING;
    void *fake_stack = NULL;
    tell_start(&fake_stack, stack_low(fiber), stack_bytes(fiber));
    switch_in(fiber);
    tell_finish(&fake_stack, NULL, NULL);
}

void fiber_yield(struct fiber *self)
{
    ASSERT(self->state == FIBER_RUNNING);
    /* A fiber that has resumed another one is RUNNING too, but the caller is not on its stack. */
    ASSERT(fiber_stack_used(self) < stack_bytes(self));
    fiber_leave(self, FIBER_SUSPENDED);
}

bool fiber_is_finished(const struct fiber *fiber)
{
    return fiber->state == FIBER_FINISHED;
}

size_t fiber_stack_used(const struct fiber *self)
{
    return (size_t)((uintptr_t)self - (uintptr_t)__builtin_frame_address(0));
}
