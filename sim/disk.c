/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The simulated disk as the engine sees it: calls, open files, the device's queue, faults. The
 * parts are disk_inode (contents), disk_directory (names), disk_power (what a power loss leaves)
 * and disk_pool (memory).
 *
 * A call has two halves. disk_begin changes what the page cache shows, asks the faults and books
 * the device; disk_end delivers. Between them virtual time passes and other fibers of the node
 * may do anything, so a call keeps no pointer into the disk: a read looks its file up again, a
 * sync is a numbered entry in a table of flights that remembers how far the lists of operations
 * reached when it began. Operations that come later stay unsynced. When a process dies its
 * flights are forgotten, and their tickets name nothing any more.
 *
 * The device serves one request at a time, in the order of disk_begin: it starts when it is
 * free, and takes the latency drawn plus the transfer, but at least 1/iops. Reads that find all
 * their pages in the page cache, or only holes, do not reach it; a write goes to the page cache
 * and costs its own latency only. The page cache never forgets while the host has power. What is
 * written becomes dirty bytes and is transferred by the next sync of that file; a truncation
 * transfers nothing. Fractions of a nanosecond are rounded up.
 *
 * Faults. A call that a filter fails takes as long as if it had not failed and draws the same,
 * so a fault does not move the draws of later calls. A failed sync leaves everything dirty: the
 * next sync that succeeds covers it. (Linux marks pages clean after a failed fsync, on most file
 * systems, and a program that retries is told "ok" for data that are lost: Rebello et al., "Can
 * Applications Recover from fsync Failures?", ATC 2020. A failed sync followed by lost ones comes
 * close to that.) A lost sync takes its time and says "ok"; a later honest one makes up for it. A
 * rotten read flips a bit of the medium below, which stays flipped; only bytes that come from the
 * device can rot.
 *
 * Not modelled: write-back by time (only by amount, see disk_inode.h and disk_directory.h),
 * eviction from the page cache, hard links, directories, permissions, and a limit on dirty pages
 * that would throttle writers. */
#include "sim/disk.h"

#include "sim/base/base.h"
#include "sim/disk_power.h"

#include <string.h>

#define NS_PER_S INT64_C(1000000000)
/* No call is ever done later than this: sums of durations saturate here and still can be added. */
#define TIME_NS_MAX     (INT64_MAX / 4)
#define FILE_INDEX_BITS 12
#define FILES_MAX       ((1U << FILE_INDEX_BITS) - 1)
#define GENERATION_MASK ((1U << (32 - FILE_INDEX_BITS)) - 1)
#define FLIGHTS_MAX     (UINT32_C(1) << 20)
#define LIST_END        UINT32_MAX

/* An open file. A sq_file is the generation and the index + 1. */
struct handle {
    struct disk_inode *inode; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
};

/* A sync that has begun and not ended. */
struct flight {
    struct disk_inode *inode; /* referenced; NULL for the directory */
    uint64_t frontier;
    uint64_t directory_frontier;
    uint64_t dirty_bytes; /* that it took over */
    bool is_used;
    bool has_directory;
    uint32_t next_free;
};

struct disk {
    const struct spec_disk *spec;
    struct rng rng;
    struct disk_pool pool;
    struct disk_inode_table inodes;
    struct disk_directory directory;
    struct disk_power power;
    struct disk_filter *filters;
    struct vec handles; /* struct handle */
    struct vec flights; /* struct flight */
    uint32_t handle_free;
    uint32_t flight_free;
    uint32_t life;            /* of the process; part of every ticket */
    int64_t free_at_ns;       /* when the device has served all that it was asked so far */
    int64_t operation_ns_min; /* 1/iops */
    uint64_t syncs;
};

/* ------------------------------------------------------------------------------------------------
 * life */

/* The disk itself lives in an arena of one allocation, so that only the base layer asks the
 * system for memory. */
struct disk_home {
    struct arena arena;
    struct disk disk;
};

struct disk *disk_new(void)
{
    struct arena arena;
    arena_init(&arena);
    struct disk_home *home = arena_alloc(&arena, sizeof(*home));
    home->arena = arena;
    struct disk *disk = &home->disk;
    disk_pool_init(&disk->pool);
    disk_inode_table_init(&disk->inodes, &disk->pool);
    disk_directory_init(&disk->directory, &disk->inodes, &disk->pool.arena);
    disk_power_init(&disk->power);
    vec_init(&disk->handles, sizeof(struct handle), FILES_MAX);
    vec_init(&disk->flights, sizeof(struct flight), FLIGHTS_MAX);
    disk->handle_free = LIST_END;
    disk->flight_free = LIST_END;
    return disk;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) {
        return;
    }
    vec_release(&disk->flights);
    vec_release(&disk->handles);
    disk_power_release(&disk->power);
    disk_directory_release(&disk->directory);
    disk_inode_table_release(&disk->inodes);
    disk_pool_release(&disk->pool);
    struct arena arena = CONTAINER_OF(disk, struct disk_home, disk)->arena;
    arena_release(&arena);
}

/* Everything on the disk and in memory goes; the numbers of files start again. */
static void make_empty(struct disk *disk)
{
    disk_directory_reset(&disk->directory);
    disk_inode_table_reset(&disk->inodes);
    vec_clear(&disk->flights);
    disk->flight_free = LIST_END;
    disk->free_at_ns = 0;
    disk->life++;
}

void disk_reset(struct disk *disk, const struct spec_disk *spec, struct rng rng)
{
    ASSERT(disk != NULL);
    ASSERT(spec != NULL);
    ASSERT(spec->sector_bytes == 512 || spec->sector_bytes == 4096);
    make_empty(disk);
    vec_clear(&disk->handles);
    disk->handle_free = LIST_END;
    disk->spec = spec;
    disk->rng = rng;
    disk->filters = NULL;
    disk->syncs = 0;
    disk->operation_ns_min = spec->iops == 0 ? 0 : (NS_PER_S + spec->iops - 1) / spec->iops;
}

/* ------------------------------------------------------------------------------------------------
 * time */

static int64_t add_ns(int64_t left, int64_t right)
{
    ASSERT(left >= 0);
    ASSERT(right >= 0);
    return left > TIME_NS_MAX - right ? TIME_NS_MAX : left + right;
}

static inline int64_t sample(struct disk *disk, const struct dist *dist)
{
    int64_t value = dist->kind == DIST_CONSTANT ? dist->a : dist_sample(dist, &disk->rng);
    return value < TIME_NS_MAX ? value : TIME_NS_MAX;
}

/* How long `bytes` take, rounded up. */
static int64_t transfer_ns(uint64_t bytes, int64_t bandwidth)
{
    if (bytes == 0 || bandwidth == 0) {
        return 0;
    }
    ASSERT(bandwidth > 0);
    uint64_t rate = (uint64_t)bandwidth;
    if (bytes < UINT64_C(1) << 33 && rate < UINT64_C(1) << 62) {
        return (int64_t)((bytes * (uint64_t)NS_PER_S + rate - 1) / rate);
    }
    unsigned __int128 ns = ((unsigned __int128)bytes * (uint64_t)NS_PER_S + rate - 1) / rate;
    return ns < (unsigned __int128)TIME_NS_MAX ? (int64_t)ns : TIME_NS_MAX;
}

/* Books the device for one operation; the time when it is done. */
static int64_t occupy(struct disk *disk, int64_t now_ns, const struct dist *latency,
                      int64_t transfer)
{
    int64_t cost = add_ns(sample(disk, latency), transfer);
    cost = cost < disk->operation_ns_min ? disk->operation_ns_min : cost;
    int64_t start = now_ns > disk->free_at_ns ? now_ns : disk->free_at_ns;
    disk->free_at_ns = add_ns(start, cost);
    return disk->free_at_ns;
}

/* ------------------------------------------------------------------------------------------------
 * files, flights */

static struct handle *handle_of(const struct disk *disk, sq_file file)
{
    uint32_t index = (file & FILES_MAX) - 1;
    if (index >= disk->handles.count) {
        return NULL;
    }
    struct handle *handle = (struct handle *)disk->handles.items + index;
    bool is_current = handle->inode != NULL && handle->generation == file >> FILE_INDEX_BITS;
    return is_current ? handle : NULL;
}

/* The open file that the call means; without one the call fails. */
static struct disk_inode *inode_of(const struct disk *disk, struct disk_call *call)
{
    const struct handle *handle = handle_of(disk, call->file);
    if (handle == NULL) {
        call->status = SQ_E_INVALID;
        return NULL;
    }
    return handle->inode;
}

static bool has_free_handle(const struct disk *disk)
{
    return disk->handle_free != LIST_END || disk->handles.count < FILES_MAX;
}

static sq_file open_handle(struct disk *disk, struct disk_inode *inode)
{
    uint32_t index = disk->handle_free;
    if (index == LIST_END) {
        index = disk->handles.count;
        vec_push(&disk->handles);
    } else {
        disk->handle_free = ((struct handle *)vec_at(&disk->handles, index))->next_free;
    }
    struct handle *handle = vec_at(&disk->handles, index);
    ASSERT(handle->inode == NULL);
    handle->inode = inode;
    disk_inode_use(&disk->inodes, inode);
    return handle->generation << FILE_INDEX_BITS | (index + 1);
}

static void close_handle(struct disk *disk, struct handle *handle)
{
    struct disk_inode *inode = handle->inode;
    handle->inode = NULL;
    handle->generation = (handle->generation + 1) & GENERATION_MASK;
    handle->next_free = disk->handle_free;
    disk->handle_free = (uint32_t)(handle - (struct handle *)disk->handles.items);
    disk_inode_unuse(&disk->inodes, inode);
}

/* A new entry; the ticket names it. */
static struct flight *take_flight(struct disk *disk, uint64_t *ticket)
{
    uint32_t index = disk->flight_free;
    struct flight *flight = NULL;
    if (index == LIST_END) {
        index = disk->flights.count;
        flight = vec_push(&disk->flights);
    } else {
        flight = vec_at(&disk->flights, index);
        disk->flight_free = flight->next_free;
    }
    ASSERT(!flight->is_used);
    *flight = (struct flight){.is_used = true};
    *ticket = (uint64_t)disk->life << 32 | index;
    return flight;
}

/* The flight of a ticket; NULL when the process that took it has died. */
static struct flight *flight_of(const struct disk *disk, uint64_t ticket)
{
    if (ticket >> 32 != disk->life) {
        return NULL;
    }
    struct flight *flight = vec_at(&disk->flights, (uint32_t)ticket);
    ASSERT(flight->is_used);
    return flight;
}

static void free_flight(struct disk *disk, struct flight *flight)
{
    struct disk_inode *inode = flight->inode;
    flight->is_used = false;
    flight->inode = NULL;
    flight->next_free = disk->flight_free;
    disk->flight_free = (uint32_t)(flight - (struct flight *)disk->flights.items);
    if (inode != NULL) {
        disk_inode_unreference(&disk->inodes, inode);
    }
}

/* ------------------------------------------------------------------------------------------------
 * beginning */

static inline void ask_filters(struct disk *disk, struct disk_call *call, const char *path,
                               uint32_t method_bit)
{
    call->path = path;
    for (struct disk_filter *filter = disk->filters; filter != NULL; filter = filter->next) {
        filter->apply(filter, call, method_bit);
    }
    ASSERT(call->extra_ns >= 0);
}

static bool is_name(const char *name)
{
    return name != NULL && name[0] != '\0' &&
           strnlen(name, DISK_NAME_BYTES_MAX + 1) <= DISK_NAME_BYTES_MAX;
}

static void begin_open(struct disk *disk, struct disk_call *call)
{
    if (!is_name(call->name)) {
        call->status = SQ_E_INVALID;
        return;
    }
    const struct disk_name *name = disk_directory_find(&disk->directory, call->name);
    bool is_created = name == NULL && (call->flags & SQ_OPEN_CREATE) != 0;
    ask_filters(disk, call, call->name,
                is_created ? SPEC_IO_OPEN | SPEC_IO_DIRECTORY : SPEC_IO_OPEN);
    if (call->status != SQ_OK) {
        return;
    }
    uint32_t exclusive = SQ_OPEN_CREATE | SQ_OPEN_EXCLUSIVE;
    if (name == NULL && !is_created) {
        call->status = SQ_E_NOENT;
    } else if (name != NULL && (call->flags & exclusive) == exclusive) {
        call->status = SQ_E_EXIST;
    } else if (!has_free_handle(disk)) {
        call->status = SQ_E_UNAVAILABLE;
    } else if (is_created) {
        struct disk_inode *inode = disk_inode_new(&disk->inodes, call->name);
        disk_directory_create(&disk->directory, call->name, inode);
        call->opened = open_handle(disk, inode);
    } else {
        call->opened = open_handle(disk, name->cached);
        if ((call->flags & SQ_OPEN_TRUNCATE) != 0) {
            disk_inode_truncate(&disk->inodes, name->cached, 0);
        }
    }
}

static void begin_close(struct disk *disk, struct disk_call *call)
{
    struct handle *handle = handle_of(disk, call->file);
    if (handle == NULL) {
        call->status = SQ_E_INVALID;
        return;
    }
    close_handle(disk, handle);
}

static void begin_read(struct disk *disk, struct disk_call *call)
{
    const struct disk_inode *inode = inode_of(disk, call);
    if (inode == NULL) {
        return;
    }
    ASSERT(call->data != NULL || call->size == 0);
    ask_filters(disk, call, inode->label, SPEC_IO_READ);
    uint64_t pages = disk_inode_uncached_pages(&disk->inodes, inode, call->offset, call->size);
    if (pages > 0) {
        int64_t transfer = transfer_ns(pages * DISK_PAGE_BYTES, disk->spec->read_bandwidth);
        call->done_ns = occupy(disk, call->done_ns, &disk->spec->read, transfer);
    }
}

/* Can the file grow to hold this range? */
static bool has_room(const struct disk *disk, const struct disk_inode *inode,
                     const struct disk_call *call)
{
    if (call->offset > DISK_FILE_BYTES_MAX || call->size > DISK_FILE_BYTES_MAX - call->offset) {
        return false;
    }
    if (disk->spec->capacity_bytes == INT64_MAX) {
        return true;
    }
    uint64_t pages = disk->inodes.used_pages;
    pages += disk_inode_missing_pages(inode, call->offset, call->size);
    return pages * DISK_PAGE_BYTES <= (uint64_t)disk->spec->capacity_bytes;
}

static void begin_write(struct disk *disk, struct disk_call *call)
{
    struct disk_inode *inode = inode_of(disk, call);
    if (inode == NULL) {
        return;
    }
    ASSERT(call->source != NULL || call->size == 0);
    ask_filters(disk, call, inode->label, SPEC_IO_WRITE);
    call->done_ns = add_ns(call->done_ns, sample(disk, &disk->spec->write));
    if (call->status != SQ_OK || call->size == 0) {
        return;
    }
    if (call->size > UINT32_MAX / 2 || !has_room(disk, inode, call)) {
        call->status = SQ_E_NOSPC;
        return;
    }
    disk_inode_write(&disk->inodes, inode, call->source, call->size, call->offset);
}

static void begin_truncate(struct disk *disk, struct disk_call *call)
{
    struct disk_inode *inode = inode_of(disk, call);
    if (inode == NULL) {
        return;
    }
    ask_filters(disk, call, inode->label, SPEC_IO_WRITE);
    if (call->status != SQ_OK) {
        return;
    }
    if (call->offset > DISK_FILE_BYTES_MAX) {
        call->status = SQ_E_NOSPC;
        return;
    }
    disk_inode_truncate(&disk->inodes, inode, call->offset);
}

static void begin_sync(struct disk *disk, struct disk_call *call)
{
    struct disk_inode *inode = inode_of(disk, call);
    if (inode == NULL) {
        return;
    }
    ask_filters(disk, call, inode->label, SPEC_IO_SYNC);
    int64_t transfer = transfer_ns(inode->dirty_bytes, disk->spec->write_bandwidth);
    call->done_ns = occupy(disk, call->done_ns, &disk->spec->sync, transfer);
    if (call->status != SQ_OK) {
        return;
    }
    struct flight *flight = take_flight(disk, &call->ticket);
    flight->inode = inode;
    disk_inode_reference(inode);
    flight->frontier = inode->sequence;
    flight->directory_frontier = disk->directory.sequence;
    flight->has_directory = disk->spec->directory == SPEC_DIRECTORY_ORDERED;
    flight->dirty_bytes = inode->dirty_bytes;
    inode->dirty_bytes = 0;
}

static void begin_sync_dir(struct disk *disk, struct disk_call *call)
{
    ask_filters(disk, call, NULL, SPEC_IO_DIRECTORY);
    call->done_ns = occupy(disk, call->done_ns, &disk->spec->sync, 0);
    if (call->status != SQ_OK) {
        return;
    }
    struct flight *flight = take_flight(disk, &call->ticket);
    flight->directory_frontier = disk->directory.sequence;
    flight->has_directory = true;
}

static void begin_size(const struct disk *disk, struct disk_call *call)
{
    const struct disk_inode *inode = inode_of(disk, call);
    if (inode != NULL) {
        call->path = inode->label;
        call->file_size = inode->size;
    }
}

/* REMOVE and RENAME. */
static void begin_change(struct disk *disk, struct disk_call *call)
{
    bool is_rename = call->method == DISK_RENAME;
    if (!is_name(call->name) || (is_rename && !is_name(call->name_to))) {
        call->status = SQ_E_INVALID;
        return;
    }
    ask_filters(disk, call, call->name, SPEC_IO_DIRECTORY);
    if (call->status != SQ_OK) {
        return;
    }
    struct disk_name *name = disk_directory_find(&disk->directory, call->name);
    if (name == NULL) {
        call->status = SQ_E_NOENT;
    } else if (is_rename) {
        disk_directory_rename(&disk->directory, name, call->name_to);
    } else {
        disk_directory_remove(&disk->directory, name);
    }
}

void disk_begin(struct disk *disk, int64_t now_ns, struct disk_call *call)
{
    ASSERT(disk->spec != NULL);
    ASSERT(now_ns >= 0);
    call->status = SQ_OK;
    call->got = 0;
    call->file_size = 0;
    call->opened = 0;
    call->done_ns = now_ns;
    call->extra_ns = 0;
    call->is_lost_sync = false;
    call->is_rotten = false;
    call->ticket = 0;
    call->path = NULL;
    switch (call->method) {
    case DISK_OPEN:
        begin_open(disk, call);
        break;
    case DISK_CLOSE:
        begin_close(disk, call);
        break;
    case DISK_READ:
        begin_read(disk, call);
        break;
    case DISK_WRITE:
        begin_write(disk, call);
        break;
    case DISK_SYNC:
        begin_sync(disk, call);
        break;
    case DISK_TRUNCATE:
        begin_truncate(disk, call);
        break;
    case DISK_SIZE:
        begin_size(disk, call);
        break;
    case DISK_REMOVE:
    case DISK_RENAME:
        begin_change(disk, call);
        break;
    case DISK_SYNC_DIR:
        begin_sync_dir(disk, call);
        break;
    }
    call->done_ns = add_ns(call->done_ns, call->extra_ns);
    ASSERT(call->done_ns >= now_ns);
}

/* ------------------------------------------------------------------------------------------------
 * ending */

static void end_read(struct disk *disk, struct disk_call *call)
{
    struct disk_inode *inode = inode_of(disk, call);
    if (inode == NULL) {
        return;
    }
    if (call->is_rotten) {
        uint64_t bytes = disk_inode_uncached_bytes(&disk->inodes, inode, call->offset, call->size);
        if (bytes > 0) {
            uint64_t bit = rng_below(&disk->rng, 8 * bytes);
            disk_inode_flip(&disk->inodes, inode, call->offset, bit);
        }
    }
    call->got = disk_inode_read(inode, call->data, call->size, call->offset);
    disk_inode_mark_cached(&disk->inodes, inode, call->offset, call->size);
}

static void end_sync(struct disk *disk, struct disk_call *call)
{
    struct flight *flight = flight_of(disk, call->ticket);
    if (flight == NULL) {
        call->status = SQ_E_CRASH;
        return;
    }
    if (!call->is_lost_sync) {
        if (flight->inode != NULL) {
            disk_inode_settle(&disk->inodes, flight->inode, flight->frontier);
        }
        if (flight->has_directory) {
            disk_directory_settle(&disk->directory, flight->directory_frontier);
        }
    }
    free_flight(disk, flight);
    disk->syncs++;
}

void disk_end(struct disk *disk, struct disk_call *call)
{
    ASSERT(disk != NULL);
    if (call->status != SQ_OK) {
        return;
    }
    if (call->method == DISK_READ) {
        end_read(disk, call);
    } else if (call->method == DISK_SYNC || call->method == DISK_SYNC_DIR) {
        end_sync(disk, call);
    }
}

bool disk_exists(const struct disk *disk, const char *name)
{
    return is_name(name) && disk_directory_find(&disk->directory, name) != NULL;
}

const char *disk_list(const struct disk *disk, uint32_t index)
{
    return disk_directory_list(&disk->directory, index);
}

/* ------------------------------------------------------------------------------------------------
 * disasters */

static void close_all(struct disk *disk)
{
    /* From the last to the first, so that the next incarnation gets the first slot first. */
    for (uint32_t i = disk->handles.count; i > 0; i--) {
        struct handle *handle = vec_at(&disk->handles, i - 1);
        if (handle->inode != NULL) {
            close_handle(disk, handle);
        }
    }
}

void disk_crash(struct disk *disk)
{
    ASSERT(disk != NULL);
    close_all(disk);
    for (uint32_t i = disk->flights.count; i > 0; i--) {
        struct flight *flight = vec_at(&disk->flights, i - 1);
        if (flight->is_used) {
            if (flight->inode != NULL) {
                flight->inode->dirty_bytes += flight->dirty_bytes;
            }
            free_flight(disk, flight);
        }
    }
    disk->life++;
}

void disk_power_loss(struct disk *disk)
{
    ASSERT(disk->spec != NULL);
    disk_crash(disk);
    disk_power_lose(&disk->power, &disk->inodes, &disk->directory, disk->spec, &disk->rng);
    disk->free_at_ns = 0;
}

void disk_wipe(struct disk *disk)
{
    ASSERT(disk != NULL);
    disk_crash(disk);
    make_empty(disk);
}

/* ------------------------------------------------------------------------------------------------
 * faults, reports */

void disk_filter_add(struct disk *disk, struct disk_filter *filter)
{
    ASSERT(filter != NULL);
    ASSERT(filter->apply != NULL);
    struct disk_filter **end = &disk->filters;
    while (*end != NULL) {
        ASSERT(*end != filter);
        end = &(*end)->next;
    }
    filter->next = NULL;
    *end = filter;
}

void disk_filter_remove(struct disk *disk, struct disk_filter *filter)
{
    struct disk_filter **at = &disk->filters;
    while (*at != filter) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = filter->next;
    filter->next = NULL;
}

uint64_t disk_used_bytes(const struct disk *disk)
{
    return disk->inodes.used_pages * DISK_PAGE_BYTES;
}

uint64_t disk_syncs(const struct disk *disk)
{
    return disk->syncs;
}

uint64_t disk_durable_digest(const struct disk *disk)
{
    return disk_directory_digest(&disk->directory);
}
