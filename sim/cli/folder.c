/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Nothing that is not ours is ever removed: a file that --restart would throw away must be a
 * results file, or the beginning of one. */
#include "sim/cli/folder.h"

#include "sim/base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool make_folders(const char *path, struct err *err)
{
    char folder[4096];
    snprintf(folder, sizeof(folder), "%s", path);
    for (char *at = folder + 1;; at++) {
        if (*at != '/' && *at != '\0') {
            continue;
        }
        char was = *at;
        *at = '\0';
        if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
            return err_set(err, ERR_SYSTEM, "cannot make folder '%s': %s", folder, strerror(errno));
        }
        *at = was;
        if (was == '\0') {
            return true;
        }
    }
}

/* Is this file, which is to be thrown away, one of ours? An empty one is, and one that is cut
 * short: the header of a SQLite file says whose it is (https://sqlite.org/fileformat.html, section
 * 1.3). */
static bool is_ours(const char *path)
{
    unsigned char header[100];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return errno == ENOENT;
    }
    size_t size = fread(header, 1, sizeof(header), file);
    fclose(file);
    uint32_t application = (uint32_t)header[68] << 24 | (uint32_t)header[69] << 16 |
                           (uint32_t)header[70] << 8 | header[71];
    bool is_database = size >= 16 && memcmp(header, "SQLite format 3", 16) == 0;
    return size == 0 ||
           (is_database && (size < sizeof(header) || application == RESULTS_APPLICATION_ID));
}

/* Removes an old results file, and the journal that a killed process may have left: it would be
 * rolled back into the new file. */
static bool throw_away(const char *path, struct err *err)
{
    char journal[4200];
    snprintf(journal, sizeof(journal), "%s-journal", path);
    if (!is_ours(path)) {
        return err_set(err, ERR_INPUT, "'%s' is no results file of squall: remove it yourself",
                       path);
    }
    if ((unlink(path) != 0 && errno != ENOENT) || (unlink(journal) != 0 && errno != ENOENT)) {
        return err_set(err, ERR_SYSTEM, "cannot remove '%s': %s", path, strerror(errno));
    }
    return true;
}

struct results *folder_open(const char *folder, bool is_restart, char *path, size_t size,
                            struct err *err)
{
    snprintf(path, size, "%s/results.sqlite", folder);
    if (!make_folders(folder, err) || (is_restart && !throw_away(path, err))) {
        return NULL;
    }
    return results_open(path, RESULTS_APPEND, err);
}

void folder_link_latest(const char *name)
{
    unlink("out/latest");
    if (symlink(name, "out/latest") != 0 && errno != EEXIST) {
        fprintf(stderr, "squall: cannot point out/latest at '%s': %s\n", name, strerror(errno));
    }
}
