/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/fiber.h"
#include "tests/unit/harness.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STACK_BYTES ((size_t)64 << 10)
#ifdef __aarch64__ /* as in fiber.c */
#define PAGE_BYTES ((uintptr_t)64 << 10)
#else
#define PAGE_BYTES ((uintptr_t)4096)
#endif

struct script {
    struct fiber_pool *pool;
    struct fiber *self;
    struct script *inner;
    int steps;
    int total;
    size_t used_bytes;
    uintptr_t address;
};

static void count_steps(void *argument)
{
    struct script *script = argument;
    for (int i = 0; i < script->steps; i++) {
        script->total += i;
        fiber_yield(script->self);
    }
}

TEST(fiber, runs_between_yields_and_finishes)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {.steps = 3};
    script.self = fiber_new(&pool, count_steps, &script);
    CHECK_EQUAL(script.total, 0);
    CHECK(!fiber_is_finished(script.self));
    fiber_resume(script.self);
    CHECK_EQUAL(script.total, 0);
    fiber_resume(script.self);
    CHECK_EQUAL(script.total, 1);
    fiber_resume(script.self);
    CHECK_EQUAL(script.total, 3);
    CHECK(!fiber_is_finished(script.self));
    fiber_resume(script.self);
    CHECK(fiber_is_finished(script.self));
    CHECK_EQUAL(pool.live, 1);
    fiber_free(&pool, script.self);
    CHECK_EQUAL(pool.live, 0);
    fiber_pool_release(&pool);
}

TEST(fiber, many_fibers_keep_their_own_locals)
{
    enum { COUNT = 300, STEPS = 20 };
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    static struct script scripts[COUNT];
    for (int i = 0; i < COUNT; i++) {
        scripts[i] = (struct script){.steps = i % STEPS};
        scripts[i].self = fiber_new(&pool, count_steps, &scripts[i]);
    }
    CHECK_EQUAL(pool.total, COUNT);
    for (int round = 0; round < STEPS; round++) {
        for (int i = 0; i < COUNT; i++) {
            struct script *script = &scripts[(i * 7) % COUNT];
            if (!fiber_is_finished(script->self)) {
                fiber_resume(script->self);
            }
        }
    }
    for (int i = 0; i < COUNT; i++) {
        int steps = i % STEPS;
        CHECK(fiber_is_finished(scripts[i].self));
        CHECK_EQUAL(scripts[i].total, steps * (steps - 1) / 2);
        fiber_free(&pool, scripts[i].self);
    }
    fiber_pool_release(&pool);
}

static void resume_inner(void *argument)
{
    struct script *script = argument;
    script->inner->self = fiber_new(script->pool, count_steps, script->inner);
    while (!fiber_is_finished(script->inner->self)) {
        fiber_resume(script->inner->self);
        fiber_yield(script->self);
        script->total++;
    }
    fiber_free(script->pool, script->inner->self);
}

TEST(fiber, a_fiber_may_resume_another)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script inner = {.steps = 4};
    struct script outer = {.pool = &pool, .inner = &inner};
    outer.self = fiber_new(&pool, resume_inner, &outer);
    int resumes = 0;
    while (!fiber_is_finished(outer.self)) {
        fiber_resume(outer.self);
        resumes++;
    }
    CHECK_EQUAL(inner.total, 6);
    CHECK_EQUAL(outer.total, 5);
    CHECK_EQUAL(resumes, 6);
    CHECK_EQUAL(pool.live, 1);
    fiber_free(&pool, outer.self);
    fiber_pool_release(&pool);
}

TEST(fiber, one_resumer_after_another)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script inner = {.steps = 9};
    struct script first = {.pool = &pool, .inner = &inner};
    first.self = fiber_new(&pool, resume_inner, &first);
    fiber_resume(first.self); /* on a fiber's stack */
    fiber_resume(inner.self); /* then from this one */
    fiber_resume(first.self);
    CHECK_EQUAL(inner.total, 0 + 1 + 2);
    fiber_free(&pool, first.self);
    fiber_free(&pool, inner.self);
    CHECK_EQUAL(pool.live, 0);
    fiber_pool_release(&pool);
}

/* Leaves frames with arrays (and, under AddressSanitizer, their marks) all over the stack. */
static int dig(struct script *script, int depth)
{
    volatile char space[512];
    for (size_t i = 0; i < sizeof(space); i++) {
        space[i] = (char)depth;
    }
    if (depth == 0) {
        script->used_bytes = fiber_stack_used(script->self);
        fiber_yield(script->self);
        return space[0];
    }
    return dig(script, depth - 1) + space[1];
}

static void dig_main(void *argument)
{
    struct script *script = argument;
    script->address = (uintptr_t)&argument;
    script->total = dig(script, 40);
}

TEST(fiber, an_abandoned_stack_is_used_again)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    for (int i = 0; i < 200; i++) {
        struct script script = {.total = -1};
        script.self = fiber_new(&pool, dig_main, &script);
        fiber_resume(script.self);
        CHECK_EQUAL(script.total, -1);
        CHECK(script.used_bytes > 40 * 32);
        CHECK(script.used_bytes < STACK_BYTES);
        if (i % 3 == 0) {
            fiber_resume(script.self);
            CHECK(fiber_is_finished(script.self));
            CHECK_EQUAL(script.total, 40 * 41 / 2);
        }
        fiber_free(&pool, script.self);
    }
    CHECK_EQUAL(pool.total, 1);
    CHECK_EQUAL(pool.live, 0);
    fiber_pool_release(&pool);
}

TEST(fiber, a_fiber_that_never_ran_can_be_abandoned)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {.steps = 1};
    fiber_free(&pool, fiber_new(&pool, count_steps, &script));
    script.self = fiber_new(&pool, count_steps, &script);
    CHECK_EQUAL(pool.total, 1);
    fiber_resume(script.self);
    CHECK(!fiber_is_finished(script.self));
    fiber_free(&pool, script.self);
    fiber_pool_release(&pool);
}

TEST(fiber, pools_reuse_the_last_stack_first)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {0};
    struct fiber *first = fiber_new(&pool, count_steps, &script);
    struct fiber *second = fiber_new(&pool, count_steps, &script);
    fiber_free(&pool, first);
    fiber_free(&pool, second);
    CHECK(fiber_new(&pool, count_steps, &script) == second);
    CHECK(fiber_new(&pool, count_steps, &script) == first);
    CHECK_EQUAL(pool.live, 2);
    fiber_pool_release(&pool);
    CHECK_EQUAL(pool.total, 0);
}

static void with_floats(void *argument)
{
    struct script *script = argument;
    double sum = 0;
    for (int i = 1; i <= script->steps; i++) {
        sum += 1.0 / i;
        fiber_yield(script->self);
    }
    script->total = (int)(sum * 1000000);
}

TEST(fiber, doubles_survive_switches)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script one = {.steps = 10};
    struct script two = {.steps = 5};
    one.self = fiber_new(&pool, with_floats, &one);
    two.self = fiber_new(&pool, with_floats, &two);
    double sum = 0;
    for (int i = 0; i < 11; i++) {
        sum += i * 0.5;
        fiber_resume(one.self);
        if (i < 6) {
            fiber_resume(two.self);
        }
    }
    CHECK_EQUAL(one.total, 2928968);
    CHECK_EQUAL(two.total, 2283333);
    CHECK(sum == 27.5);
    fiber_pool_release(&pool);
}

/* Does `body` end the process by a signal or a sanitizer's report? */
static bool is_killed(void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(0);
        }
        body();
        _exit(0);
    }
    int status = 0;
    (void)waitpid(child, &status, 0);
    return WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
}

static void grow(struct fiber *self, size_t until_bytes)
{
    volatile char space[256];
    space[0] = 1;
    if (fiber_stack_used(self) < until_bytes) {
        grow(self, until_bytes);
    }
    space[1] = space[0];
}

static void overflow_main(void *argument)
{
    struct script *script = argument;
    grow(script->self, 10 * STACK_BYTES);
}

static void overflow(void)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {0};
    script.self = fiber_new(&pool, overflow_main, &script);
    fiber_resume(script.self);
}

TEST(fiber, running_past_the_end_of_the_stack_is_caught)
{
    CHECK(is_killed(overflow));
}

/* Writes to the lowest line of the stack. The struct of a pool's first fiber lies in the last page
 * of the mapping, the stack in the pages before and partly in the last two. */
static void scribble_main(void *argument)
{
    struct script *script = argument;
    uintptr_t end = ((uintptr_t)script->self + PAGE_BYTES) & ~(PAGE_BYTES - 1);
    volatile uint64_t *line = (volatile uint64_t *)(end - 2 * PAGE_BYTES - STACK_BYTES);
    line[3] = (uint64_t)script->steps;
    fiber_yield(script->self);
}

static void scribble_value(int value)
{
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {.steps = value};
    script.self = fiber_new(&pool, scribble_main, &script);
    fiber_resume(script.self);
}

static void scribble(void *unused)
{
    (void)unused;
    scribble_value(1);
}

static void scribble_nothing(void *unused)
{
    (void)unused;
    scribble_value(0);
}

TEST(fiber, a_stack_used_to_its_end_is_caught)
{
    CHECK(!unit_aborts(scribble_nothing, NULL, ""));
    CHECK(unit_aborts(scribble, NULL, "sum == 0"));
}

static void resume_self_main(void *argument)
{
    struct script *script = argument;
    fiber_resume(script->self);
}

static void resume_self(void *unused)
{
    (void)unused;
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {0};
    script.self = fiber_new(&pool, resume_self_main, &script);
    fiber_resume(script.self);
}

static void free_self_main(void *argument)
{
    struct script *script = argument;
    fiber_free(script->pool, script->self);
}

static void free_self(void *unused)
{
    (void)unused;
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {.pool = &pool};
    script.self = fiber_new(&pool, free_self_main, &script);
    fiber_resume(script.self);
}

static void resume_finished(void *unused)
{
    (void)unused;
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script script = {0};
    script.self = fiber_new(&pool, count_steps, &script);
    fiber_resume(script.self);
    fiber_resume(script.self);
}

static void yield_outer_main(void *argument)
{
    struct script *script = argument;
    fiber_yield(script->inner->self);
}

static void resume_given_main(void *argument)
{
    struct script *script = argument;
    fiber_resume(script->inner->self);
}

static void yield_other(void *unused)
{
    (void)unused;
    struct fiber_pool pool;
    fiber_pool_init(&pool, STACK_BYTES);
    struct script outer = {.pool = &pool};
    struct script inner = {.inner = &outer};
    outer.inner = &inner;
    inner.self = fiber_new(&pool, yield_outer_main, &inner);
    outer.self = fiber_new(&pool, resume_given_main, &outer);
    fiber_resume(outer.self);
}

TEST(fiber, misuse_is_caught)
{
    CHECK(unit_aborts(resume_self, NULL, "fiber->state == FIBER_SUSPENDED"));
    CHECK(unit_aborts(free_self, NULL, "fiber->state == FIBER_SUSPENDED"));
    CHECK(unit_aborts(resume_finished, NULL, "fiber->state == FIBER_SUSPENDED"));
    CHECK(unit_aborts(yield_other, NULL, "fiber_stack_used(self) < stack_bytes(self)"));
}
