/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Self-registering unit tests over CUnit. TEST(module, sentence) defines and registers a test;
 * CHECK records a failure with its place and goes on; REQUIRE leaves the test. The runner is
 * tests/unit/main.c: it prints one line per failing assertion, a summary, and `N passed, N failed`;
 * its exit status is 0 only when something ran and nothing failed. */
#ifndef SQUALL_TESTS_UNIT_HARNESS_H
#define SQUALL_TESTS_UNIT_HARNESS_H

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct unit_test {
    const char *module;
    const char *name;
    void (*run)(void);
    struct unit_test *next;
};

void unit_register(struct unit_test *test);
/* Runs the tests that one of the arguments names (`module` or `module.name`), or all; the result is
 * the exit status. The argument --list prints their names instead. */
int unit_main(int argc, char **argv);
/* Runs `run(user)` in a child process: does it abort, and print `text` to stderr? */
bool unit_aborts(void (*run)(void *user), void *user, const char *text);
/* Prints both values on failure. */
void unit_check_equal(int64_t left, int64_t right, const char *text, const char *file, int line);
void unit_check_text(const char *left, const char *right, const char *text, const char *file,
                     int line);

#define TEST(module_, name_)                                                                       \
    static void test_##module_##_##name_(void);                                                    \
    static struct unit_test unit_##module_##_##name_ = {#module_, #name_,                          \
                                                        test_##module_##_##name_, NULL};           \
    __attribute__((constructor)) static void register_##module_##_##name_(void)                    \
    {                                                                                              \
        unit_register(&unit_##module_##_##name_);                                                  \
    }                                                                                              \
    static void test_##module_##_##name_(void)

#define CHECK(condition)                                                                           \
    CU_assertImplementation((condition) ? CU_TRUE : CU_FALSE, __LINE__, #condition, __FILE__, "",  \
                            CU_FALSE)
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            CHECK(!#condition);                                                                    \
            return;                                                                                \
        }                                                                                          \
    } while (0)
#define CHECK_EQUAL(left, right)                                                                   \
    unit_check_equal((int64_t)(left), (int64_t)(right), #left " == " #right, __FILE__, __LINE__)
#define CHECK_TEXT(left, right)                                                                    \
    unit_check_text((left), (right), #left " == " #right, __FILE__, __LINE__)

#endif
