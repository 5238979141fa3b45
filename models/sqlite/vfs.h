/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SQLite inside a simulated node: a VFS ("squall") over env->disk, a heap over env->mem, chance
 * over env->rand and time over env->clock, always those of the node whose code is running
 * (sq_env_current).
 *
 * The process may use SQLite for itself as well, outside of any node: then memory is malloc's, and
 * files, time and entropy are those of the VFS that was the default before ("unix"). Whoever does
 * so must not be called from inside a node (an observer, for instance): its memory would belong to
 * that node and vanish with it.
 *
 * Limits: one connection at a time to one database within a node, because locks and the WAL index
 * live in the connection's own file object (there is nothing in a node that two connections could
 * share and a crash would drop). Names of files are flat; memory-mapped I/O is not offered. */
#ifndef SQUALL_MODELS_SQLITE_VFS_H
#define SQUALL_MODELS_SQLITE_VFS_H

#include "squall.h"

#define VFS_NAME "squall"

/* Configures SQLite for the process (single thread, no memory statistics, the heap above) and
 * registers the VFS as the default one, which it must be to be asked for entropy. Must come before
 * any other use of SQLite; may be called again, from every model's prepare. Failing ends the
 * program. */
void vfs_prepare(void);

/* To be called on every entry into SQLite from a node, before the first sqlite3_ function: forgets
 * the state of SQLite's own random generator, which is one for the whole process, so that the next
 * draw seeds it from the current node's stream. The VFS does the same after each call that may have
 * blocked. */
void vfs_enter(void);

#endif
