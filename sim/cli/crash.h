/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Crash: what `replay`, which runs the code under test in its own process, says when that code
 * ends the process: by a signal, by exit(), or by never coming back. */
#ifndef SQUALL_CLI_CRASH_H
#define SQUALL_CLI_CRASH_H

#include "sim/cli/runner.h"

/* From now on, whatever ends the process while `runner` has a run in progress is told on stdout as
 * the verdict of that run, with its place, and becomes EXIT_CHECK_FAILED (EXIT_INTERNAL when no
 * code of a node was running; EXIT_INTERRUPTED for Ctrl-C). A run that fires no event for
 * `cpu_limit_ns` of processor time hangs. One runner a process; it must outlive the process or
 * crash_unwatch. */
void crash_watch(const struct runner *runner, int64_t cpu_limit_ns);
void crash_unwatch(void);

#endif
