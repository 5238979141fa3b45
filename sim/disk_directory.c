/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Every name that somebody still means has one record with two pointers, to the inode it names
 * now and to the one it names on the medium. A change (creation, removal, rename) moves the
 * first pointer at once and joins the list; when it becomes durable it moves the second. A name
 * that neither pointer nor change needs is given back.
 *
 * Because the entries point to inodes, a file that is removed and created again is two inodes:
 * after a power loss the name leads to the old one or to the new one, never to a mixture. Both
 * stay alive as long as a durable entry or a change in the list could bring them back.
 *
 * The listing is in the order in which entries were created. A rename onto an existing name
 * takes over that entry; onto a new one it makes an entry at the end. The listing is sorted by
 * the numbers of the changes, so an entry is found in it by bisection. */
#include "sim/disk_directory.h"

#include "sim/base/base.h"
#include "sim/base/hash.h"

#include <string.h>

#define NAMES_MAX (UINT32_C(1) << 24)

void disk_directory_init(struct disk_directory *directory, struct disk_inode_table *inodes,
                         struct arena *arena)
{
    ASSERT(directory != NULL);
    *directory = (struct disk_directory){.inodes = inodes, .arena = arena};
    map_init(&directory->by_hash);
    vec_init(&directory->listing, sizeof(struct disk_name *), NAMES_MAX);
    vec_init(&directory->scratch, sizeof(struct disk_name *), NAMES_MAX);
    vec_init(&directory->changes, sizeof(struct disk_change), 4 * DISK_DIRECTORY_CHANGES_MAX);
}

void disk_directory_release(struct disk_directory *directory)
{
    ASSERT(directory != NULL);
    map_release(&directory->by_hash);
    vec_release(&directory->listing);
    vec_release(&directory->scratch);
    vec_release(&directory->changes);
    *directory = (struct disk_directory){0};
}

static struct disk_name *name_from(uint64_t word)
{
    return (struct disk_name *)(uintptr_t)word;
}

static struct disk_name *name_at(const struct vec *names, uint32_t index)
{
    return *(struct disk_name **)vec_at(names, index);
}

static void free_name(struct disk_directory *directory, struct disk_name *name)
{
    name->next = directory->free;
    directory->free = name;
}

/* All names in the order in which their hashes were first put, into `scratch`. */
static void collect_names(struct disk_directory *directory)
{
    vec_clear(&directory->scratch);
    const struct map_entry *entry;
    for (uint32_t at = 0; (entry = map_next(&directory->by_hash, &at));) {
        for (struct disk_name *name = name_from(entry->value); name != NULL; name = name->next) {
            vec_append(&directory->scratch, &name);
        }
    }
}

void disk_directory_reset(struct disk_directory *directory)
{
    ASSERT(directory != NULL);
    collect_names(directory);
    for (uint32_t i = 0; i < directory->scratch.count; i++) {
        free_name(directory, name_at(&directory->scratch, i));
    }
    map_clear(&directory->by_hash);
    vec_clear(&directory->listing);
    vec_clear(&directory->changes);
    vec_clear(&directory->scratch);
    directory->change_head = 0;
    directory->sequence = 0;
    directory->born = 0;
}

/* ------------------------------------------------------------------------------------------------
 * names */

static struct disk_name *lookup(const struct disk_directory *directory, uint64_t hash,
                                const char *text)
{
    const uint64_t *found = map_find(&directory->by_hash, hash);
    struct disk_name *name = found != NULL ? name_from(*found) : NULL;
    while (name != NULL && strcmp(name->text, text) != 0) {
        name = name->next;
    }
    return name;
}

/* The record of a name, made when there is none. */
static struct disk_name *intern(struct disk_directory *directory, const char *text)
{
    uint64_t hash = hash_text(text);
    struct disk_name *name = lookup(directory, hash, text);
    if (name != NULL) {
        return name;
    }
    name = directory->free;
    if (name != NULL) {
        directory->free = name->next;
    } else {
        name = arena_alloc(directory->arena, sizeof(*name));
    }
    size_t length = strlen(text);
    ASSERT(length > 0);
    ASSERT(length <= DISK_NAME_BYTES_MAX);
    memset(name, 0, offsetof(struct disk_name, text));
    memcpy(name->text, text, length + 1);
    name->hash = hash;
    const uint64_t *found = map_find(&directory->by_hash, hash);
    name->next = found != NULL ? name_from(*found) : NULL;
    map_put(&directory->by_hash, hash, (uint64_t)(uintptr_t)name);
    return name;
}

static void release_if_unused(struct disk_directory *directory, struct disk_name *name)
{
    if (name->cached != NULL || name->durable != NULL || name->changes > 0) {
        return;
    }
    uint64_t *found = map_find(&directory->by_hash, name->hash);
    ASSERT(found != NULL);
    struct disk_name *first = name_from(*found);
    if (first == name && name->next == NULL) {
        bool was_there = map_remove(&directory->by_hash, name->hash);
        ASSERT(was_there);
    } else if (first == name) {
        *found = (uint64_t)(uintptr_t)name->next;
    } else {
        struct disk_name *before = first;
        while (before->next != name) {
            before = before->next;
            ASSERT(before != NULL);
        }
        before->next = name->next;
    }
    free_name(directory, name);
}

/* Index in the listing of the first entry that is not older than `born`. */
static uint32_t listing_index(const struct disk_directory *directory, uint64_t born)
{
    uint32_t low = 0;
    uint32_t high = directory->listing.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (name_at(&directory->listing, middle)->cached_born < born) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void unlist(struct disk_directory *directory, const struct disk_name *name)
{
    struct vec *listing = &directory->listing;
    uint32_t index = listing_index(directory, name->cached_born);
    ASSERT(name_at(listing, index) == name);
    struct disk_name **names = listing->items;
    memmove(names + index, names + index + 1, (listing->count - index - 1) * sizeof(*names));
    listing->count--;
}

/* Points the cached entry to `inode` (NULL: removes it). */
static void set_cached(struct disk_directory *directory, struct disk_name *name,
                       struct disk_inode *inode, uint64_t born)
{
    struct disk_inode *before = name->cached;
    if (inode != NULL) {
        disk_inode_use(directory->inodes, inode);
    }
    if (before == NULL && inode != NULL) {
        name->cached_born = born;
        vec_append(&directory->listing, &name);
    } else if (before != NULL && inode == NULL) {
        unlist(directory, name);
    }
    name->cached = inode;
    if (before != NULL) {
        disk_inode_unuse(directory->inodes, before);
    }
}

static void set_durable(struct disk_directory *directory, struct disk_name *name,
                        struct disk_inode *inode, uint64_t born)
{
    struct disk_inode *before = name->durable;
    if (inode != NULL) {
        disk_inode_reference(inode);
        name->durable_born = before == NULL ? born : name->durable_born;
    }
    name->durable = inode;
    if (before != NULL) {
        disk_inode_unreference(directory->inodes, before);
    }
}

/* ------------------------------------------------------------------------------------------------
 * changes */

/* Forgets what a change holds on to. */
static void release_change(struct disk_directory *directory, const struct disk_change *change)
{
    if (change->inode != NULL) {
        disk_inode_unreference(directory->inodes, change->inode);
    }
    ASSERT(change->name->changes > 0);
    change->name->changes--;
    release_if_unused(directory, change->name);
    if (change->to != NULL) {
        ASSERT(change->to->changes > 0);
        change->to->changes--;
        release_if_unused(directory, change->to);
    }
}

/* Joins the list. The names must be in use already, and still: commits the oldest changes when
 * there are too many. */
static void push_change(struct disk_directory *directory, struct disk_change change)
{
    if (disk_directory_pending(directory) == DISK_DIRECTORY_CHANGES_MAX) {
        disk_directory_settle(directory, directory->sequence - DISK_DIRECTORY_CHANGES_MAX / 2);
    }
    if (directory->change_head >= DISK_DIRECTORY_CHANGES_MAX) {
        struct disk_change *changes = directory->changes.items;
        uint32_t pending = disk_directory_pending(directory);
        memmove(changes, changes + directory->change_head, pending * sizeof(*changes));
        directory->changes.count = pending;
        directory->change_head = 0;
    }
    change.name->changes++;
    if (change.to != NULL) {
        change.to->changes++;
    }
    if (change.inode != NULL) {
        disk_inode_reference(change.inode);
    }
    vec_append(&directory->changes, &change);
    directory->sequence++;
}

struct disk_name *disk_directory_find(const struct disk_directory *directory, const char *text)
{
    ASSERT(text != NULL);
    struct disk_name *name = lookup(directory, hash_text(text), text);
    return name != NULL && name->cached != NULL ? name : NULL;
}

void disk_directory_create(struct disk_directory *directory, const char *text,
                           struct disk_inode *inode)
{
    /* The entry comes before the change: making room for a change gives unused names back. */
    struct disk_name *name = intern(directory, text);
    ASSERT(name->cached == NULL);
    directory->born++;
    uint64_t born = directory->born;
    set_cached(directory, name, inode, born);
    push_change(directory, (struct disk_change){DISK_CHANGE_CREATE, name, NULL, inode, born});
}

void disk_directory_remove(struct disk_directory *directory, struct disk_name *name)
{
    ASSERT(name->cached != NULL);
    push_change(directory, (struct disk_change){DISK_CHANGE_REMOVE, name, NULL, NULL, 0});
    set_cached(directory, name, NULL, 0);
}

void disk_directory_rename(struct disk_directory *directory, struct disk_name *name,
                           const char *to_text)
{
    struct disk_inode *inode = name->cached;
    ASSERT(inode != NULL);
    struct disk_name *to = intern(directory, to_text);
    if (to == name) {
        return;
    }
    directory->born++;
    uint64_t born = directory->born;
    set_cached(directory, to, inode, born);
    push_change(directory, (struct disk_change){DISK_CHANGE_RENAME, name, to, inode, born});
    set_cached(directory, name, NULL, 0);
    disk_inode_relabel(inode, to->text);
}

const char *disk_directory_list(const struct disk_directory *directory, uint32_t index)
{
    return index < directory->listing.count ? name_at(&directory->listing, index)->text : NULL;
}

uint32_t disk_directory_pending(const struct disk_directory *directory)
{
    ASSERT(directory->changes.count >= directory->change_head);
    return directory->changes.count - directory->change_head;
}

struct disk_change *disk_directory_change(const struct disk_directory *directory, uint32_t index)
{
    return vec_at(&directory->changes, directory->change_head + index);
}

void disk_directory_apply(struct disk_directory *directory, const struct disk_change *change)
{
    switch (change->kind) {
    case DISK_CHANGE_CREATE:
        set_durable(directory, change->name, change->inode, change->born);
        break;
    case DISK_CHANGE_REMOVE:
        set_durable(directory, change->name, NULL, 0);
        break;
    case DISK_CHANGE_RENAME:
        set_durable(directory, change->to, change->inode, change->born);
        set_durable(directory, change->name, NULL, 0);
        break;
    }
}

static void clear_if_empty(struct disk_directory *directory)
{
    if (directory->change_head == directory->changes.count) {
        vec_clear(&directory->changes);
        directory->change_head = 0;
    }
}

void disk_directory_settle(struct disk_directory *directory, uint64_t frontier)
{
    ASSERT(frontier <= directory->sequence);
    while (disk_directory_pending(directory) > directory->sequence - frontier) {
        const struct disk_change *change = disk_directory_change(directory, 0);
        disk_directory_apply(directory, change);
        release_change(directory, change);
        directory->change_head++;
    }
    clear_if_empty(directory);
}

static int compare_born(const void *left, const void *right)
{
    const struct disk_name *a = *(struct disk_name *const *)left;
    const struct disk_name *b = *(struct disk_name *const *)right;
    return a->cached_born < b->cached_born ? -1 : a->cached_born > b->cached_born ? 1 : 0;
}

void disk_directory_revert(struct disk_directory *directory)
{
    /* First every name points to its durable inode again, then the changes let go of what nobody
     * names. */
    collect_names(directory);
    vec_clear(&directory->listing);
    for (uint32_t i = 0; i < directory->scratch.count; i++) {
        struct disk_name *name = name_at(&directory->scratch, i);
        struct disk_inode *before = name->cached;
        name->cached = name->durable;
        name->cached_born = name->durable_born;
        name->is_blocked = false;
        if (name->durable != NULL) {
            disk_inode_use(directory->inodes, name->durable);
            disk_inode_relabel(name->durable, name->text);
            vec_append(&directory->listing, &name);
        }
        if (before != NULL) {
            disk_inode_unuse(directory->inodes, before);
        }
    }
    vec_sort(&directory->listing, compare_born);
    while (disk_directory_pending(directory) > 0) {
        release_change(directory, disk_directory_change(directory, 0));
        directory->change_head++;
    }
    clear_if_empty(directory);
}

uint64_t disk_directory_digest(const struct disk_directory *directory)
{
    uint64_t sum = 0;
    const struct map_entry *entry;
    for (uint32_t at = 0; (entry = map_next(&directory->by_hash, &at));) {
        for (struct disk_name *name = name_from(entry->value); name != NULL; name = name->next) {
            if (name->durable != NULL) {
                sum += hash_mix(name->hash, disk_inode_durable_digest(name->durable));
            }
        }
    }
    return sum;
}
