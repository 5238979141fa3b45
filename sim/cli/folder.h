/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The folder of a campaign, and the results file in it. */
#ifndef SQUALL_CLI_FOLDER_H
#define SQUALL_CLI_FOLDER_H

#include "analysis/results.h"

/* Makes the folder and those above it, throws old results away when `is_restart`, and opens
 * FOLDER/results.sqlite to append; its path is put into `path`. NULL: `err` says why. */
struct results *folder_open(const char *folder, bool is_restart, char *path, size_t size,
                            struct err *err);
/* Points out/latest at the folder out/NAME. */
void folder_link_latest(const char *name);

#endif
