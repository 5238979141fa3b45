/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/cli/progress.h"

#include "sim/cli/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 22
#define REDRAW_NS INT64_C(100000000)
#define PLAIN_NS  INT64_C(30000000000)

void progress_init(struct progress *progress, uint64_t total, bool is_quiet)
{
    const char *term = getenv("TERM");
    const char *ci = getenv("CI");
    *progress = (struct progress){
        .is_quiet = is_quiet, .unit = "seeds", .total = total, .deadline_ns = INT64_MAX};
    progress->is_terminal =
        isatty(STDERR_FILENO) && ci == NULL && (term == NULL || strcmp(term, "dumb") != 0);
    progress->started_ns = real_wall_ns();
    progress->shown_ns = progress->started_ns;
}

static void show_eta(double seconds)
{
    if (seconds < 100) {
        fprintf(stderr, "  eta %.0f s", seconds);
    } else if (seconds < 6000) {
        fprintf(stderr, "  eta %.0f min", seconds / 60);
    } else {
        fprintf(stderr, "  eta %.1f h", seconds / 3600);
    }
}

void progress_tick(struct progress *progress)
{
    int64_t now = real_wall_ns();
    if (progress->is_quiet ||
        now - progress->shown_ns < (progress->is_terminal ? REDRAW_NS : PLAIN_NS)) {
        return;
    }
    progress->shown_ns = now;
    double seconds = (double)(now - progress->started_ns) / 1e9;
    double rate = (double)progress->done / seconds;
    uint64_t finished = progress->skipped + progress->done;
    progress->total = finished > progress->total ? finished : progress->total;
    if (progress->is_terminal) {
        int filled = (int)(progress->total == 0 ? 0 : finished * BAR_WIDTH / progress->total);
        fprintf(stderr, "\r[%.*s%s%*s]", filled,
                "======================", filled < BAR_WIDTH ? ">" : "",
                filled < BAR_WIDTH ? BAR_WIDTH - filled - 1 : 0, "");
    }
    fprintf(stderr, "  %llu/%llu  %.0f %s/s", (unsigned long long)finished,
            (unsigned long long)progress->total, rate, progress->unit);
    if (progress->sim_ns > 0) {
        fprintf(stderr, "  %.0f sim-s/s", (double)progress->sim_ns / 1e9 / seconds);
    }
    fprintf(stderr, "  %llu failing", (unsigned long long)progress->failing);
    if (rate > 0) {
        double left = (double)(progress->total - finished) / rate;
        double budget = (double)(progress->deadline_ns - now) / 1e9;
        show_eta(left < budget ? left : budget);
    }
    fputs(progress->is_terminal ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->is_terminal && !progress->is_quiet) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
