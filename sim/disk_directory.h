/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The directory of a simulated disk: names that point to inodes, once as the page cache sees
 * them and once as they are on the medium, and the ordered list of changes that are not durable
 * yet. */
#ifndef SQUALL_SIM_DISK_DIRECTORY_H
#define SQUALL_SIM_DISK_DIRECTORY_H

#include "sim/base/map.h"
#include "sim/disk_inode.h"

/* More undurable changes than this and the oldest are committed, as a journal that is full does. */
#define DISK_DIRECTORY_CHANGES_MAX 1024

struct disk_name {
    struct disk_name *next; /* with the same hash; in the free list */
    uint64_t hash;
    struct disk_inode *cached; /* NULL: no such entry */
    struct disk_inode *durable;
    uint64_t cached_born; /* number of the change that created the entry */
    uint64_t durable_born;
    uint32_t changes; /* that mention it and are not durable */
    bool is_blocked;  /* an earlier change of it was lost; private to disk_power */
    char text[DISK_NAME_BYTES_MAX + 1];
};

enum disk_change_kind {
    DISK_CHANGE_CREATE, /* name -> inode */
    DISK_CHANGE_REMOVE, /* name -> nothing */
    DISK_CHANGE_RENAME, /* to -> inode, name -> nothing, both or neither */
};

struct disk_change {
    enum disk_change_kind kind;
    struct disk_name *name;
    struct disk_name *to;
    struct disk_inode *inode; /* referenced; NULL for REMOVE */
    uint64_t born;
};

struct disk_directory {
    struct disk_inode_table *inodes;
    struct arena *arena;
    struct map by_hash; /* hash of the text -> struct disk_name *, a chain */
    struct vec listing; /* struct disk_name *: cached entries in order of cached_born */
    struct vec changes; /* struct disk_change; those before change_head are durable */
    struct vec scratch; /* struct disk_name * */
    struct disk_name *free;
    uint32_t change_head;
    uint64_t sequence; /* changes so far; the last ones, not yet durable, are the list */
    uint64_t born;
};

void disk_directory_init(struct disk_directory *directory, struct disk_inode_table *inodes,
                         struct arena *arena);
void disk_directory_release(struct disk_directory *directory);
/* Forgets all names without touching the inodes: the table of inodes must have been or must be
 * reset as well. */
void disk_directory_reset(struct disk_directory *directory);

/* The cached entry, NULL if there is none. */
struct disk_name *disk_directory_find(const struct disk_directory *directory, const char *text);
/* The entry must not exist. `text` has 1 .. DISK_NAME_BYTES_MAX bytes. */
void disk_directory_create(struct disk_directory *directory, const char *text,
                           struct disk_inode *inode);
/* The entry must exist. */
void disk_directory_remove(struct disk_directory *directory, struct disk_name *name);
/* The entry must exist; what `to` named before loses that name. Nothing happens when both are
 * the same. */
void disk_directory_rename(struct disk_directory *directory, struct disk_name *name,
                           const char *to);
const char *disk_directory_list(const struct disk_directory *directory, uint32_t index);

/* Makes all changes with a number below `frontier` (a value that `sequence` had) durable. */
void disk_directory_settle(struct disk_directory *directory, uint64_t frontier);
/* Changes that are not durable, and the index-th of them. */
uint32_t disk_directory_pending(const struct disk_directory *directory);
struct disk_change *disk_directory_change(const struct disk_directory *directory, uint32_t index);
/* Applies a change to the durable entries; the list keeps it. For disk_power. */
void disk_directory_apply(struct disk_directory *directory, const struct disk_change *change);
/* Forgets all changes that are not durable and makes the cached entries equal to the durable
 * ones. */
void disk_directory_revert(struct disk_directory *directory);
/* Hash of the durable entries with the durable content of their inodes; the order of creation
 * does not matter. */
uint64_t disk_directory_digest(const struct disk_directory *directory);

#endif
