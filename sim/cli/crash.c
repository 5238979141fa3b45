/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Signal handlers on a stack of their own, because the stack of a fiber may be what overflowed.
 * They print with stdio, which is not safe in a handler in general; here the process is about to
 * end, and the worst case is a message that is cut. With a sanitizer its own report is better:
 * then only the hang and the interruption are watched.
 *
 * SIGPROF comes every `cpu_limit_ns` of processor time. If the run has fired an event since the
 * last one, all is well. */
#include "sim/cli/crash.h"

#include "sim/base/base.h"
#include "sim/base/units.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_OWN_REPORTS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_OWN_REPORTS 1
#endif
#endif
#ifndef HAS_OWN_REPORTS
#define HAS_OWN_REPORTS 0
#endif

#define STACK_BYTES 65536

static char handler_stack[STACK_BYTES];
static const struct runner *watched;
static uint64_t last_event;

static _Noreturn void tell(const char *what, int status)
{
    const struct runner *runner = watched;
    watched = NULL;
    char now[32];
    struct sq_env *env = sq_env_current();
    units_format_duration(world_now(runner->world), now, sizeof(now));
    fflush(stdout);
    printf("%s seed 0x%016llx: %s\n  at %s, event %llu, in the code of %s\n",
           runner->cell->spec.name, (unsigned long long)runner->seed, what, now,
           (unsigned long long)world_event(runner->world), env != NULL ? env->name : "squall");
    print_violations(judge_violations(runner->judge));
    fputs("  what came before: ", stdout);
    replay_line(stdout, runner->cell, runner->sets, runner->set_count, NULL, runner->seed);
    printf(" --trace text --until %llu\n", (unsigned long long)world_event(runner->world) - 1);
    fflush(stdout);
    _exit(status);
}

static void on_signal(int number)
{
    if (watched == NULL || watched->cell == NULL) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    if (number == SIGINT) {
        tell("interrupted", EXIT_INTERRUPTED);
    }
    int status = sq_env_current() != NULL ? EXIT_CHECK_FAILED : EXIT_INTERNAL;
    if (number != SIGPROF) {
        char what[32];
        snprintf(what, sizeof(what), "error, crash:SIG%s", sigabbrev_np(number));
        tell(what, status);
    }
    uint64_t event = world_event(watched->world);
    if (event == last_event) {
        tell("error, hang", status);
    }
    last_event = event;
}

static void on_exit_called(int number, void *user)
{
    (void)user;
    if (watched != NULL && watched->cell != NULL && sq_env_current() != NULL) {
        char what[32];
        snprintf(what, sizeof(what), "error, exit:%d", number);
        tell(what, EXIT_CHECK_FAILED);
    }
}

void crash_watch(const struct runner *runner, int64_t cpu_limit_ns)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE,  SIGILL,
                                  SIGABRT, SIGSYS, SIGPROF, SIGINT};
    static bool is_registered;
    ASSERT(watched == NULL);
    watched = runner;
    last_event = UINT64_MAX;
    sigaltstack(&(stack_t){.ss_sp = handler_stack, .ss_size = STACK_BYTES}, NULL);
    struct sigaction action = {.sa_handler = on_signal,
                               .sa_flags = SA_ONSTACK | SA_NODEFER | SA_RESTART};
    for (uint32_t i = HAS_OWN_REPORTS ? 6 : 0; i < ARRAY_COUNT(crashes); i++) {
        sigaction(crashes[i], &action, NULL);
    }
    int64_t limit_ns = cpu_limit_ns < NS_PER_S ? NS_PER_S : cpu_limit_ns;
    struct timeval interval = {limit_ns / NS_PER_S, limit_ns % NS_PER_S / 1000};
    setitimer(ITIMER_PROF, &(struct itimerval){interval, interval}, NULL);
    if (!is_registered) {
        is_registered = true;
        on_exit(on_exit_called, NULL);
    }
}

void crash_unwatch(void)
{
    setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
    signal(SIGINT, SIG_DFL);
    watched = NULL;
}
