/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A small reporter over CUnit. A module is a CUnit suite, a TEST is a CUnit test; suites run in the
 * order of their names, tests of one module in the order in which they were registered (that of the
 * file). CUnit's own reporters are not used: they print too much, and leave the exit status to
 * nobody. Here every failing assertion is one line that an editor can jump to, the last line counts
 * tests, and the status is 0 only when something ran and nothing failed.
 *
 * When an ASSERT of the code under test fails, the assertion context names the test before the
 * program aborts. */
#include "tests/unit/harness.h"

#include "sim/base/base.h"

#include <CUnit/TestRun.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct unit_test *first_test;
static struct unit_test *last_test;
static uint32_t passed_count;
static uint32_t failed_count;

void unit_register(struct unit_test *test)
{
    ASSERT(test->next == NULL);
    if (last_test == NULL) {
        first_test = test;
    } else {
        last_test->next = test;
    }
    last_test = test;
}

void unit_check_equal(int64_t left, int64_t right, const char *text, const char *file, int line)
{
    char message[512];
    snprintf(message, sizeof(message), "%s (%" PRId64 " and %" PRId64 ")", text, left, right);
    CU_assertImplementation(left == right ? CU_TRUE : CU_FALSE, (unsigned)line, message, file, "",
                            CU_FALSE);
}

void unit_check_text(const char *left, const char *right, const char *text, const char *file,
                     int line)
{
    bool is_equal = left == right || (left != NULL && right != NULL && strcmp(left, right) == 0);
    char message[1024];
    snprintf(message, sizeof(message), "%s (\"%s\" and \"%s\")", text,
             left != NULL ? left : "(null)", right != NULL ? right : "(null)");
    CU_assertImplementation(is_equal ? CU_TRUE : CU_FALSE, (unsigned)line, message, file, "",
                            CU_FALSE);
}

bool unit_aborts(void (*run)(void *user), void *user, const char *text)
{
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0) {
        return false;
    }
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return false;
    }
    if (child == 0) {
        const struct rlimit no_core = {0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        run(user);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    char printed[4096] = "";
    size_t length = 0;
    ssize_t added = 1;
    while (added > 0 && length < sizeof(printed) - 1) {
        added = read(ends[0], printed + length, sizeof(printed) - 1 - length);
        length += added > 0 ? (size_t)added : 0;
    }
    close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) != child) {
        return false;
    }
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(printed, text) != NULL;
}

static void print_running(void *user, FILE *out)
{
    (void)user;
    const CU_Test *test = CU_get_current_test();
    const CU_Suite *suite = CU_get_current_suite();
    if (test != NULL && suite != NULL) {
        fprintf(out, "in the test %s.%s\n", suite->pName, test->pName);
    }
}

static void on_test_complete(const CU_pTest test, const CU_pSuite suite,
                             const CU_pFailureRecord failures)
{
    for (const CU_FailureRecord *failure = failures; failure != NULL; failure = failure->pNext) {
        const char *text = failure->strCondition != NULL ? failure->strCondition : "";
        /* REQUIRE hands its condition over as !"condition". */
        size_t length = strlen(text);
        bool is_required =
            length > 3 && text[0] == '!' && text[1] == '"' && text[length - 1] == '"';
        printf("%s:%u: FAIL %s.%s: %.*s\n", failure->strFileName, failure->uiLineNumber,
               suite->pName, test->pName, (int)(is_required ? length - 3 : length),
               is_required ? text + 2 : text);
    }
    if (failures == NULL) {
        passed_count++;
    } else {
        failed_count++;
    }
    fflush(stdout);
}

/* Does one of the filters name the test? No filter names every test. */
static bool is_wanted(const struct unit_test *test, char *const *filters, int filter_count)
{
    for (int at = 0; at < filter_count; at++) {
        size_t length = strlen(test->module);
        bool is_module = strncmp(filters[at], test->module, length) == 0;
        if (is_module && filters[at][length] == '\0') {
            return true;
        }
        if (is_module && filters[at][length] == '.' &&
            strcmp(filters[at] + length + 1, test->name) == 0) {
            return true;
        }
    }
    return filter_count == 0;
}

/* The first module name behind `last` in the order of names; NULL at the end. */
static const char *next_module(const char *last)
{
    const char *found = NULL;
    for (const struct unit_test *test = first_test; test != NULL; test = test->next) {
        bool is_behind = last == NULL || strcmp(test->module, last) > 0;
        if (is_behind && (found == NULL || strcmp(test->module, found) < 0)) {
            found = test->module;
        }
    }
    return found;
}

/* Hands the wanted tests of a module to CUnit, or prints their names. */
static bool add_module(const char *module, char *const *filters, int filter_count, bool is_list)
{
    CU_pSuite suite = NULL;
    for (const struct unit_test *test = first_test; test != NULL; test = test->next) {
        if (strcmp(test->module, module) != 0 || !is_wanted(test, filters, filter_count)) {
            continue;
        }
        if (is_list) {
            printf("%s.%s\n", module, test->name);
            continue;
        }
        suite = suite != NULL ? suite : CU_add_suite(module, NULL, NULL);
        if (suite == NULL || CU_add_test(suite, test->name, test->run) == NULL) {
            return false;
        }
    }
    return true;
}

int unit_main(int argc, char **argv)
{
    bool is_list = argc > 1 && strcmp(argv[1], "--list") == 0;
    int skipped = is_list ? 2 : 1;
    if (CU_initialize_registry() != CUE_SUCCESS) {
        fprintf(stderr, "unit: %s\n", CU_get_error_msg());
        return EXIT_FAILURE;
    }
    for (const char *module = next_module(NULL); module != NULL; module = next_module(module)) {
        if (!add_module(module, argv + skipped, argc - skipped, is_list)) {
            fprintf(stderr, "unit: %s: %s\n", module, CU_get_error_msg());
            return EXIT_FAILURE;
        }
    }
    if (is_list) {
        CU_cleanup_registry();
        return EXIT_SUCCESS;
    }
    struct assert_context context = {.print = print_running};
    struct assert_context *before = assert_context_set(&context);
    CU_set_test_complete_handler(on_test_complete);
    CU_ErrorCode code = CU_run_all_tests();
    assert_context_set(before);
    CU_cleanup_registry();
    if (code != CUE_SUCCESS) {
        fprintf(stderr, "unit: CUnit stopped with error %d\n", (int)code);
    }
    printf("%" PRIu32 " passed, %" PRIu32 " failed\n", passed_count, failed_count);
    return code == CUE_SUCCESS && passed_count > 0 && failed_count == 0 ? EXIT_SUCCESS
                                                                        : EXIT_FAILURE;
}
