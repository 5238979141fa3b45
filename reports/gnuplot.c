/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Scripts for gnuplot, and gnuplot as a child process.
 *
 * A title may hold anything that a user or an opponent wrote into a scenario. gnuplot runs shell
 * commands from backquotes in double-quoted strings and expands @name and \n there, so a script
 * holds single-quoted strings only, in which the sole special character is the quote, written
 * twice. What is markup in gnuplot's enhanced text (_ ^ { } @ &) is switched off where such a
 * string is shown (`noenhanced`), and there is no shell between us and gnuplot: the child is
 * started by execvp with a fixed argument list. `-d` keeps the user's ~/.gnuplot out, LC_ALL=C the
 * user's decimal comma. The script is a file and not a pipe, so that it can be run again by hand
 * and gives the same picture.
 *
 * This file does not decide what a picture shows: that is plot_*.c. */
#include "reports/gnuplot.h"

#include "sim/base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_SIZE 600 /* of gnuplot's complaint that go into an error text */

static const struct {
    const char *terminal;
    const char *ending;
} formats[] = {
    [REPORT_SVG] = {"svg", "svg"},
    [REPORT_PNG] = {"pngcairo", "png"},
    [REPORT_PDF] = {"pdfcairo", "pdf"},
};

bool gnuplot_format(const char *name, enum report_format *format)
{
    ASSERT(name != NULL);
    for (uint32_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (strcmp(name, formats[i].terminal) == 0) {
            *format = (enum report_format)i;
            return true;
        }
    }
    return false;
}

const char *gnuplot_ending(enum report_format format)
{
    ASSERT(format <= REPORT_PDF);
    return formats[format].ending;
}

/* ---------------------------------------------------------------------------------------- texts */

/* Bytes of the well-formed UTF-8 character at `at`; 0 when there is none (RFC 3629: no surrogates,
 * no overlong form). */
static size_t character_size(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return 1;
    }
    size_t size = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc2 || at[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    bool is_outside = (at[0] == 0xed && at[1] >= 0xa0) || (at[0] == 0xf4 && at[1] >= 0x90);
    return is_overlong || is_outside ? 0 : size;
}

/* Cleans `string` into `out`; `is_quoted` doubles single quotes. */
static void add_clean(struct text *out, const char *string, size_t bytes_max, bool is_quoted)
{
    ASSERT(string != NULL);
    ASSERT(bytes_max >= 4);
    const unsigned char *at = (const unsigned char *)string;
    size_t used = 0;
    while (*at != '\0') {
        size_t size = character_size(at);
        bool is_control = *at < 0x20 || *at == 0x7f || (size == 2 && at[0] == 0xc2 && at[1] < 0xa0);
        bool is_blank = *at == '\n' || *at == '\t';
        if (used + 4 > bytes_max && at[size == 0 ? 1 : size] != '\0') {
            text_add(out, "\xe2\x80\xa6");
            return;
        }
        if (is_blank) {
            text_add(out, " ");
        } else if (size == 0 || is_control) {
            text_add(out, "\xef\xbf\xbd");
        } else if (*at == '\'' && is_quoted) {
            text_add(out, "''");
        } else {
            text_add_bytes(out, at, size);
        }
        at += size == 0 ? 1 : size;
        used += size == 0 ? 3 : size;
    }
}

void gnuplot_quote(struct text *script, const char *string, size_t bytes_max)
{
    text_add(script, "'");
    add_clean(script, string, bytes_max, true);
    text_add(script, "'");
}

void gnuplot_clean(struct text *out, const char *string, size_t bytes_max)
{
    add_clean(out, string, bytes_max, false);
}

void csv_field(struct text *csv, const char *string)
{
    ASSERT(string != NULL);
    if (strpbrk(string, ",\"\r\n") == NULL) {
        text_add(csv, string);
        return;
    }
    text_add(csv, "\"");
    for (; *string != '\0'; string++) {
        text_add_bytes(csv, string, 1);
        if (*string == '"') {
            text_add(csv, "\"");
        }
    }
    text_add(csv, "\"");
}

void csv_number(struct text *csv, double value)
{
    if (isfinite(value)) {
        text_printf(csv, "%.9g", value);
    } else {
        text_add(csv, "NaN");
    }
}

void csv_scientific(struct text *csv, double value)
{
    if (isfinite(value)) {
        text_printf(csv, "%.9e", value);
    } else {
        text_add(csv, "NaN");
    }
}

/* -------------------------------------------------------------------------------------- figures */

static const char style_text[] =
    "set encoding utf8\n"
    "set datafile separator comma\n"
    "set datafile columnheaders\n"
    "set border 3 linecolor rgb '#444444'\n"
    "set tics nomirror out scale 0.6\n"
    "set grid ytics linecolor rgb '#E2E2E2' linetype 1 linewidth 0.5\n"
    "set style line 1 linecolor rgb '#0072B2' dashtype 1 linewidth 2 pointtype 7 pointsize 0.6\n"
    "set style line 2 linecolor rgb '#D55E00' dashtype (12,4) linewidth 2 pointtype 5 pointsize "
    "0.6\n"
    "set style line 3 linecolor rgb '#009E73' dashtype (4,3) linewidth 2 pointtype 9 pointsize "
    "0.7\n"
    "set style line 4 linecolor rgb '#CC79A7' dashtype (12,4,3,4) linewidth 2 pointtype 13 "
    "pointsize 0.8\n"
    "set style line 5 linecolor rgb '#000000' dashtype (2,3) linewidth 2 pointtype 6 pointsize "
    "0.7\n"
    "set style line 6 linecolor rgb '#E69F00' dashtype 1 linewidth 2 pointtype 4 pointsize 0.7\n"
    "set style line 7 linecolor rgb '#56B4E9' dashtype (12,4) linewidth 2 pointtype 8 pointsize "
    "0.8\n"
    "set style line 8 linecolor rgb '#777777' dashtype (4,3) linewidth 2 pointtype 12 pointsize "
    "0.8\n"
    "set style line 11 linecolor rgb '#555555' dashtype (6,4) linewidth 1.2\n"
    "set style line 12 linecolor rgb '#0072B2' dashtype 1 linewidth 2\n"
    "set style line 13 linecolor rgb '#D55E00' dashtype (10,3,2,3) linewidth 1.6\n"
    "set style line 14 linecolor rgb '#0072B2' dashtype 1 linewidth 1.8 pointtype 7 pointsize 0.3\n"
    "set style line 15 linecolor rgb '#D55E00' dashtype (6,3) linewidth 1.5 pointtype 5 pointsize "
    "0.3\n"
    "set style line 16 linecolor rgb '#777777' dashtype (2,3) linewidth 1.5 pointtype 4 pointsize "
    "0.6\n"
    "set style line 17 linecolor rgb '#555555' dashtype (8,4) linewidth 1.5 pointtype 6 pointsize "
    "0.6\n";

void figure_init(struct figure *figure, const char *folder, const char *name,
                 enum report_format format, uint32_t width, uint32_t height)
{
    ASSERT(folder != NULL);
    ASSERT(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name));
    ASSERT(width > 0 && height > 0);
    *figure = (struct figure){
        .folder = folder, .name = name, .format = format, .width = width, .height = height};
    struct text *script = &figure->script;
    text_init(script);
    text_printf(script, "# gnuplot -d plot/%s.gp, in the folder of the report, makes img/%s.%s\n",
                name, name, gnuplot_ending(format));
    switch (format) {
    case REPORT_SVG:
        text_printf(script,
                    "set terminal svg dynamic enhanced background rgb 'white' size %u,%u "
                    "font 'Liberation Sans,13'\n",
                    width, height);
        break;
    case REPORT_PNG:
        text_printf(script,
                    "set terminal pngcairo enhanced background rgb 'white' size %u,%u "
                    "font 'Liberation Sans,13' fontscale 1.5 linewidth 2 pointscale 1.6\n",
                    2 * width, 2 * height);
        break;
    case REPORT_PDF:
        text_printf(script,
                    "set terminal pdfcairo enhanced background rgb 'white' size %.2fin,%.2fin "
                    "font 'Liberation Sans,10'\n",
                    width / 100.0, height / 100.0);
        break;
    }
    text_printf(script, "set output 'img/%s.%s'\n%s", name, gnuplot_ending(format), style_text);
}

void figure_release(struct figure *figure)
{
    text_release(&figure->script);
}

bool figure_write(const struct figure *figure, struct err *err)
{
    char name[256];
    snprintf(name, sizeof(name), "plot/%s.gp", figure->name);
    return report_file_write(figure->folder, name, figure->script.data, figure->script.length, err);
}

bool figure_write_csv(const struct figure *figure, const char *suffix, const struct text *csv,
                      struct err *err)
{
    char name[256];
    snprintf(name, sizeof(name), "data/%s%s.csv", figure->name, suffix);
    return report_file_write(figure->folder, name, text_of(csv), csv->length, err);
}

/* ---------------------------------------------------------------------------------------- files */

static bool write_all(int file, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, data, size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        data += written;
        size -= (size_t)written;
    }
    return true;
}

bool report_file_write(const char *folder, const char *name, const void *data, size_t size,
                       struct err *err)
{
    ASSERT(data != NULL || size == 0);
    struct text path;
    struct text temporary;
    text_init(&path);
    text_init(&temporary);
    text_printf(&path, "%s/%s", folder, name);
    text_printf(&temporary, "%s/%s.new", folder, name);
    int file = open(text_of(&temporary), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool is_fine = file >= 0 && write_all(file, data, size);
    int error = errno;
    if (file >= 0 && close(file) != 0 && is_fine) {
        error = errno;
        is_fine = false;
    }
    if (is_fine && rename(text_of(&temporary), text_of(&path)) != 0) {
        error = errno;
        is_fine = false;
    }
    if (!is_fine) {
        err_set(err, ERR_SYSTEM, "writing '%.700s': %s", text_of(&path), strerror(error));
        if (file >= 0) {
            unlink(text_of(&temporary));
        }
    }
    text_release(&temporary);
    text_release(&path);
    return is_fine;
}

/* ---------------------------------------------------------------------------------- the program */

/* What to execute; a relative path is made absolute, since the child changes its folder. */
static void find_program(char path[PATH_MAX])
{
    const char *named = getenv("GNUPLOT");
    char folder[PATH_MAX / 2];
    named = named != NULL && *named != '\0' ? named : "gnuplot";
    bool is_relative = named[0] != '/' && strchr(named, '/') != NULL;
    if (is_relative && getcwd(folder, sizeof(folder)) != NULL) {
        snprintf(path, PATH_MAX, "%s/%.2000s", folder, named);
    } else {
        snprintf(path, PATH_MAX, "%.4000s", named);
    }
}

/* In the child: never returns. `exec_pipe` tells the parent why exec failed; it closes by itself
 * when it did not. */
static _Noreturn void become_gnuplot(const char *folder, char *const *arguments, int output,
                                     int exec_pipe)
{
    int null = open("/dev/null", O_RDONLY);
    bool is_ready = null >= 0 && dup2(null, STDIN_FILENO) >= 0 &&
                    dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0 &&
                    setenv("LC_ALL", "C", 1) == 0 && unsetenv("GNUTERM") == 0 &&
                    (folder == NULL || chdir(folder) == 0);
    if (is_ready) {
        execvp(arguments[0], arguments);
    }
    int error = errno;
    ssize_t ignored = write(exec_pipe, &error, sizeof(error));
    (void)ignored;
    _exit(127);
}

/* Reads until the other end is closed; keeps the first `size` - 1 bytes. */
static void read_words(int from, char *words, size_t size)
{
    size_t used = 0;
    for (;;) {
        char buffer[512];
        ssize_t got = read(from, buffer, sizeof(buffer));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        size_t kept = (size_t)got < size - 1 - used ? (size_t)got : size - 1 - used;
        memcpy(words + used, buffer, kept);
        used += kept;
    }
    words[used] = '\0';
}

static int wait_for(pid_t child)
{
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

/* Starts the program with `arguments` in `folder`, waits, and keeps what it said. False: it could
 * not be started. */
static bool run(const char *folder, char *const *arguments, char words[WORDS_SIZE], int *status,
                struct err *err)
{
    int output[2];
    int exec_pipe[2];
    if (pipe(output) != 0) {
        return err_set(err, ERR_SYSTEM, "starting '%.200s': %s", arguments[0], strerror(errno));
    }
    if (pipe(exec_pipe) != 0) {
        close(output[0]);
        close(output[1]);
        return err_set(err, ERR_SYSTEM, "starting '%.200s': %s", arguments[0], strerror(errno));
    }
    fcntl(exec_pipe[1], F_SETFD, FD_CLOEXEC);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(output[0]);
        close(exec_pipe[0]);
        become_gnuplot(folder, arguments, output[1], exec_pipe[1]);
    }
    int error = child < 0 ? errno : 0;
    close(output[1]);
    close(exec_pipe[1]);
    if (child > 0) {
        read_words(output[0], words, WORDS_SIZE);
        int reason = 0;
        if (read(exec_pipe[0], &reason, sizeof(reason)) == (ssize_t)sizeof(reason)) {
            error = reason;
        }
        *status = wait_for(child);
    }
    close(output[0]);
    close(exec_pipe[0]);
    if (error == 0) {
        return true;
    }
    return err_set(err, ERR_SYSTEM,
                   "starting '%.200s': %s; install gnuplot (Debian: gnuplot-nox), or name the "
                   "program in GNUPLOT",
                   arguments[0], strerror(error));
}

bool gnuplot_version(char *version, size_t size, struct err *err)
{
    ASSERT(size > 0);
    char words[WORDS_SIZE];
    char name[PATH_MAX];
    char option[] = "--version";
    find_program(name);
    char *arguments[] = {name, option, NULL};
    int status = 0;
    version[0] = '\0';
    if (!run(NULL, arguments, words, &status, err)) {
        return false;
    }
    words[strcspn(words, "\r\n")] = '\0';
    if (status != 0 || strncmp(words, "gnuplot ", 8) != 0) {
        return err_set(err, ERR_SYSTEM, "'%.200s --version' does not answer like gnuplot: '%.200s'",
                       name, words);
    }
    snprintf(version, size, "%.60s", words);
    return true;
}

bool gnuplot_run(const char *folder, const char *name, struct err *err)
{
    ASSERT(folder != NULL);
    char words[WORDS_SIZE];
    char script[256];
    char option[] = "-d";
    char path[PATH_MAX];
    find_program(path);
    snprintf(script, sizeof(script), "plot/%s.gp", name);
    char *arguments[] = {path, option, script, NULL};
    int status = 0;
    if (!run(folder, arguments, words, &status, err)) {
        return false;
    }
    if (status == 0) {
        return true;
    }
    for (char *at = words; *at != '\0'; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
    return err_set(err, ERR_SYSTEM, "gnuplot -d %s failed in '%.300s': %s", script, folder, words);
}
