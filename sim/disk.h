/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A node's disk: inodes and names apart, a cached image and a durable image with the list of
 * unsynced operations between them, and a device with latency, IOPS and bandwidth that serves
 * one request after another.
 *
 * Every operation is a struct disk_call. disk_begin starts it (what is visible in the page
 * cache changes now) and says when it is done; the caller lets that much virtual time pass and
 * then calls disk_end, which delivers results and, for a sync, moves the durable frontier.
 * done_ns == now means that nothing needs to be waited for. A power loss between the two finds
 * the operation in flight: any of its sectors may have reached the medium. */
#ifndef SQUALL_SIM_DISK_H
#define SQUALL_SIM_DISK_H

#include "sim/base/rng.h"
#include "sim/spec.h"

struct disk;

enum disk_method {
    DISK_OPEN,
    DISK_CLOSE,
    DISK_READ,
    DISK_WRITE,
    DISK_SYNC,
    DISK_TRUNCATE,
    DISK_SIZE,
    DISK_REMOVE,
    DISK_RENAME,
    DISK_SYNC_DIR,
};

struct disk_call {
    enum disk_method method;
    /* in */
    const char *name;    /* OPEN, REMOVE, RENAME (from) */
    const char *name_to; /* RENAME */
    sq_file file;
    uint32_t flags;     /* enum sq_open_flags */
    void *data;         /* READ: filled by disk_end */
    const void *source; /* WRITE: taken by disk_begin */
    size_t size;
    uint64_t offset; /* READ, WRITE; TRUNCATE: new size */
    /* out, valid after disk_end */
    enum sq_status status;
    size_t got;         /* READ */
    uint64_t file_size; /* SIZE */
    sq_file opened;     /* OPEN */
    /* out, valid after disk_begin */
    int64_t done_ns;
    /* set by filters, private */
    int64_t extra_ns;
    bool is_lost_sync;
    bool is_rotten;
    uint64_t ticket;  /* of a SYNC in flight */
    const char *path; /* name of the file that is meant, for filters */
};

/* A fault in front of the disk. Filters are asked in order of insertion, when a call begins;
 * they may set extra_ns (added), status (the call fails with it: a failing write changes
 * nothing, a failing sync leaves the data dirty), is_lost_sync, is_rotten. */
struct disk_filter {
    void (*apply)(struct disk_filter *filter, struct disk_call *call,
                  uint32_t method_bit); /* enum spec_io_method bits */
    struct disk_filter *next;
};

/* `spec` must outlive the disk. All memory is the disk's own and reused after disk_reset. */
struct disk *disk_new(void);
void disk_free(struct disk *disk);
/* Empty disk for a new run. Keeps memory warm: cost is proportional to what the last run
 * touched. */
void disk_reset(struct disk *disk, const struct spec_disk *spec, struct rng rng);

void disk_begin(struct disk *disk, int64_t now_ns, struct disk_call *call);
/* After a crash or a power loss in between, a sync ends with SQ_E_CRASH, a read with
 * SQ_E_INVALID. */
void disk_end(struct disk *disk, struct disk_call *call);
bool disk_exists(const struct disk *disk, const char *name);
/* As struct sq_disk_ops.list. */
const char *disk_list(const struct disk *disk, uint32_t index);

/* The process died: its open files are closed, syncs in flight are forgotten (their data stay
 * dirty). */
void disk_crash(struct disk *disk);
/* The host lost power: what was not synced survives not at all, wholly, or as a random subset of
 * operations, in-flight and surviving writes torn by sectors (drawn from the disk's stream).
 * Afterwards cache == durable. */
void disk_power_loss(struct disk *disk);
void disk_wipe(struct disk *disk);

void disk_filter_add(struct disk *disk, struct disk_filter *filter);
void disk_filter_remove(struct disk *disk, struct disk_filter *filter);

/* For tests, digests and reports. */
uint64_t disk_used_bytes(const struct disk *disk);
uint64_t disk_syncs(const struct disk *disk);
/* Hash of all durable names and contents. */
uint64_t disk_durable_digest(const struct disk *disk);

#endif
