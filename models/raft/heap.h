/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * libraft's allocator: the memory of whichever node's code is running, so that a crash takes it
 * along. */
#ifndef SQUALL_MODELS_RAFT_HEAP_H
#define SQUALL_MODELS_RAFT_HEAP_H

/* Once a process (raft_heap_set). What is allocated while no node runs comes from malloc and must
 * be freed so. */
void raft_heap_install(void);

#endif
