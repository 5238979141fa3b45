/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Assertions: they abort, say where, and let the context add what it knows. */
#include "sim/base/base.h"
#include "tests/unit/harness.h"

static void fail_an_assertion(void *user)
{
    const int *value = user;
    ASSERT(*value == 42);
}

static void reach_the_unreachable(void *user)
{
    (void)user;
    UNREACHABLE();
}

static void print_seed(void *user, FILE *out)
{
    fprintf(out, "seed %d\n", *(const int *)user);
}

static void print_and_fail(void *user, FILE *out)
{
    fprintf(out, "context ran\n");
    ASSERT(user == (void *)out);
}

static void fail_with_context(void *user)
{
    struct assert_context context = {print_seed, user};
    assert_context_set(&context);
    ASSERT(user == NULL);
}

static void fail_in_context(void *user)
{
    struct assert_context context = {print_and_fail, user};
    assert_context_set(&context);
    ASSERT(user != user);
}

TEST(base, a_false_assertion_aborts_with_expression_and_file)
{
    int value = 41;
    CHECK(unit_aborts(fail_an_assertion, &value, "assertion failed: *value == 42"));
    CHECK(unit_aborts(fail_an_assertion, &value, "test_base.c:"));
}

TEST(base, a_true_assertion_does_nothing)
{
    int value = 42;
    CHECK(!unit_aborts(fail_an_assertion, &value, ""));
}

TEST(base, unreachable_aborts)
{
    CHECK(unit_aborts(reach_the_unreachable, NULL, "unreachable"));
}

TEST(base, the_context_adds_its_text)
{
    int seed = 4711;
    CHECK(unit_aborts(fail_with_context, &seed, "seed 4711"));
}

TEST(base, a_context_that_fails_itself_does_not_go_in_circles)
{
    int unused = 0;
    CHECK(unit_aborts(fail_in_context, &unused, "context ran"));
}

TEST(base, setting_a_context_returns_the_one_before)
{
    struct assert_context mine = {print_seed, NULL};
    struct assert_context *before = assert_context_set(&mine);
    CHECK(assert_context_set(NULL) == &mine);
    CHECK(assert_context_set(before) == NULL);
}

TEST(base, container_of_finds_the_outer_struct)
{
    struct outer {
        int first;
        int inner;
    } outer = {1, 2};
    int *inner = &outer.inner;
    CHECK_EQUAL(CONTAINER_OF(inner, struct outer, inner)->first, 1);
    CHECK(CONTAINER_OF(inner, struct outer, inner) == &outer);
    int array[7];
    CHECK_EQUAL(ARRAY_COUNT(array), 7);
}
