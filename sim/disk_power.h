/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What a power loss leaves of what was not synced. */
#ifndef SQUALL_SIM_DISK_POWER_H
#define SQUALL_SIM_DISK_POWER_H

#include "sim/disk_directory.h"
#include "sim/spec.h"

/* How much of the unsynced operations of a whole disk survives. */
enum disk_survival {
    DISK_SURVIVAL_NOTHING,
    DISK_SURVIVAL_EVERYTHING,
    DISK_SURVIVAL_SUBSET,
    DISK_SURVIVAL_COUNT,
};

/* Scratch memory of disk_power_lose. */
struct disk_power {
    struct map by_page; /* index of a page -> index in patches */
    struct vec patches; /* struct disk_patch */
};

void disk_power_init(struct disk_power *power);
void disk_power_release(struct disk_power *power);
/* Decides the fate of every unsynced operation of the table and the directory, with draws from
 * `rng`; afterwards nothing is unsynced, cached and durable state are equal and the page cache
 * is empty. No file may be open, no sync in flight. */
void disk_power_lose(struct disk_power *power, struct disk_inode_table *inodes,
                     struct disk_directory *directory, const struct spec_disk *spec,
                     struct rng *rng);

#endif
