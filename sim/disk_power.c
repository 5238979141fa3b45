/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * A third of all power losses keeps nothing that was not synced, a third keeps all of it, and a
 * third keeps a random subset. The extremes are what most defects need; the subset finds those
 * that depend on one write overtaking another (Pillai et al., "All File Systems Are Not Created
 * Equal", OSDI 2014; Zheng et al., "Torturing Databases for Fun and Profit", OSDI 2014).
 *
 * Contents, subset. Every operation is lost (one half), whole, or torn (one quarter each). A
 * torn write keeps each of its sectors by a coin of its own; whether the new size of the file
 * arrived with them is one more coin. A sector is the unit in which the medium changes, and what
 * reaches it is the page cache at that moment: a sector that one write put there holds all
 * earlier writes to the same sector too, also those that are otherwise lost. So a sector always
 * holds a state that the page cache had, never a mixture that no device could make. To know
 * those states the operations are undone one by one from the last: before one is undone, its
 * surviving sectors that no later operation has decided are copied aside. In the end the image
 * is the durable one and the copies are laid over it.
 *
 * A truncation that survives decides everything behind the new end: whatever older operations
 * put there is gone. That is one number, the lowest such end seen so far.
 *
 * The order of operations is otherwise not kept, not even between a truncation and a write:
 * POSIX promises none before a sync. Sizes are folded forward over the survivors. The part of a
 * file that lies behind its end is zero afterwards.
 *
 * Directory, subset. With an ordered journal a prefix of the changes survives. Without, any
 * subset in which a change is lost when an earlier one of the same name is; a rename has two
 * names and survives for both or for neither. Contents and names are independent of each other.
 *
 * Deliberately absent: sectors of another file overwritten, sectors torn inside, and the
 * firmware's own metadata lost; see Zheng et al., "Understanding the Robustness of SSDs under
 * Power Fault", FAST 2013. */
#include "sim/disk_power.h"

#include "sim/base/base.h"

#include <string.h>

#define PATCHES_MAX (UINT32_C(1) << 24)

/* Sectors of a page that are decided, bit by bit, and their content. */
struct disk_patch {
    uint64_t index; /* of the page */
    struct disk_page *page;
    uint32_t decided;
    uint32_t reserved;
};

/* The power loss of one inode. */
struct loss {
    struct disk_power *power;
    struct disk_inode_table *inodes;
    struct disk_inode *inode;
    uint32_t sector_bytes;
    uint64_t cut; /* from here on everything is decided */
};

static_assert(DISK_PAGE_BYTES / 512 <= 32, "one bit for every sector of a page");

void disk_power_init(struct disk_power *power)
{
    ASSERT(power != NULL);
    map_init(&power->by_page);
    vec_init(&power->patches, sizeof(struct disk_patch), PATCHES_MAX);
}

void disk_power_release(struct disk_power *power)
{
    ASSERT(power != NULL);
    map_release(&power->by_page);
    vec_release(&power->patches);
}

/* ------------------------------------------------------------------------------------------------
 * fates */

/* Did the sector number `ordinal` of the operation reach the medium? */
static bool is_kept(const struct disk_undo *undo, uint64_t ordinal)
{
    switch ((enum disk_fate)undo->fate) {
    case DISK_FATE_LOST:
        return false;
    case DISK_FATE_WHOLE:
        return true;
    case DISK_FATE_TORN:
        return ((rng_at(undo->draw, ordinal / 64) >> (ordinal % 64)) & 1) != 0;
    }
    UNREACHABLE();
}

/* How far the file reaches after the write, if it reached less before; 0 for nothing. */
static uint64_t reach_of(const struct disk_undo *undo, uint32_t sector_bytes)
{
    uint64_t end = undo->offset + undo->length;
    bool is_size_kept = ((undo->draw >> 2) & 1) != 0;
    if (undo->fate == DISK_FATE_LOST) {
        return 0;
    }
    if (undo->fate == DISK_FATE_WHOLE || is_size_kept) {
        return end;
    }
    uint64_t first = undo->offset / sector_bytes;
    for (uint64_t sector = (end - 1) / sector_bytes + 1; sector > first; sector--) {
        if (is_kept(undo, sector - 1 - first)) {
            return sector * sector_bytes < end ? sector * sector_bytes : end;
        }
    }
    return 0;
}

/* Draws the fates, one draw an operation, oldest first; the result is the size of the file
 * afterwards. */
static uint64_t draw_fates(const struct loss *loss, struct rng *rng)
{
    static const enum disk_fate fates[4] = {DISK_FATE_LOST, DISK_FATE_LOST, DISK_FATE_WHOLE,
                                            DISK_FATE_TORN};
    struct disk_undo *undo = disk_inode_first(loss->inode);
    uint64_t size = undo->old_size;
    for (uint32_t left = loss->inode->undo_count; left > 0; left--) {
        undo->draw = rng_u64(rng);
        undo->fate = (uint16_t)fates[undo->draw & 3];
        if (undo->kind == DISK_UNDO_TRUNCATE) {
            size = undo->fate == DISK_FATE_LOST ? size : undo->offset;
        } else {
            uint64_t reach = reach_of(undo, loss->sector_bytes);
            size = reach > size ? reach : size;
        }
        undo = disk_undo_next(undo);
    }
    return size;
}

/* ------------------------------------------------------------------------------------------------
 * contents */

static struct disk_patch *patch_of(const struct loss *loss, uint64_t index)
{
    struct disk_power *power = loss->power;
    const uint64_t *found = map_find(&power->by_page, index);
    if (found != NULL) {
        return vec_at(&power->patches, (uint32_t)*found);
    }
    map_put(&power->by_page, index, power->patches.count);
    struct disk_patch *patch = vec_push(&power->patches);
    patch->index = index;
    patch->page = disk_pool_page(loss->inodes->pool);
    return patch;
}

/* Copies a sector of the image aside unless a later operation, or a truncation, has decided it. */
static void decide_sector(const struct loss *loss, uint64_t sector)
{
    uint64_t offset = sector * loss->sector_bytes;
    if (offset >= loss->cut) {
        return;
    }
    struct disk_patch *patch = patch_of(loss, offset / DISK_PAGE_BYTES);
    size_t at = (size_t)(offset % DISK_PAGE_BYTES);
    uint32_t bit = UINT32_C(1) << (at / loss->sector_bytes);
    if ((patch->decided & bit) != 0) {
        return;
    }
    patch->decided |= bit;
    const struct disk_page *page = disk_inode_page(loss->inode, patch->index);
    disk_inode_page_bytes(page, patch->page->data + at, at, loss->sector_bytes);
}

/* Copies aside what the last operation, which is about to be undone, put on the medium. */
static void decide(struct loss *loss, const struct disk_undo *undo)
{
    if (undo->fate == DISK_FATE_LOST) {
        return;
    }
    uint64_t first = undo->offset / loss->sector_bytes;
    if (undo->kind == DISK_UNDO_TRUNCATE) {
        if (undo->offset < loss->cut) {
            bool is_inside = undo->offset % loss->sector_bytes != 0;
            if (is_inside) {
                decide_sector(loss, first);
            }
            loss->cut = (first + (is_inside ? 1 : 0)) * loss->sector_bytes;
        }
        return;
    }
    uint64_t last = (undo->offset + undo->length - 1) / loss->sector_bytes;
    for (uint64_t sector = first; sector <= last; sector++) {
        if (is_kept(undo, sector - first)) {
            decide_sector(loss, sector);
        }
    }
}

static void lay_patches(const struct loss *loss)
{
    struct disk_power *power = loss->power;
    for (uint32_t i = 0; i < power->patches.count; i++) {
        struct disk_patch *patch = vec_at(&power->patches, i);
        for (size_t at = 0; at < DISK_PAGE_BYTES; at += loss->sector_bytes) {
            if ((patch->decided >> (at / loss->sector_bytes) & 1) != 0) {
                disk_inode_patch(loss->inodes, loss->inode, patch->page->data + at,
                                 loss->sector_bytes, patch->index * DISK_PAGE_BYTES + at);
            }
        }
        disk_pool_page_free(loss->inodes->pool, patch->page);
    }
    vec_clear(&power->patches);
    map_clear(&power->by_page);
}

static void lose_some(struct loss *loss, struct rng *rng)
{
    struct disk_inode *inode = loss->inode;
    uint64_t size = draw_fates(loss, rng);
    ASSERT(size <= DISK_FILE_BYTES_MAX);
    for (struct disk_undo *undo; (undo = disk_inode_last(inode)) != NULL;) {
        decide(loss, undo);
        disk_inode_undo_last(loss->inodes, inode);
    }
    if (loss->cut != UINT64_MAX) {
        disk_inode_cut(loss->inodes, inode, loss->cut);
    }
    lay_patches(loss);
    inode->size = size;
}

static void lose_contents(struct disk_power *power, struct disk_inode_table *inodes,
                          const struct spec_disk *spec, enum disk_survival survival,
                          struct rng *rng)
{
    for (uint32_t i = 0; i < inodes->slot_count; i++) {
        struct disk_inode *inode = *(struct disk_inode **)vec_at(&inodes->slots, i);
        if (!inode->is_live) {
            continue;
        }
        inode->dirty_bytes = 0;
        struct loss loss = {power, inodes, inode, spec->sector_bytes, UINT64_MAX};
        if (survival == DISK_SURVIVAL_EVERYTHING) {
            disk_inode_settle(inodes, inode, inode->sequence);
        } else if (survival == DISK_SURVIVAL_SUBSET && inode->undo_count > 0) {
            lose_some(&loss, rng);
        }
        while (inode->undo_count > 0) {
            disk_inode_undo_last(inodes, inode);
        }
        disk_inode_cut(inodes, inode, inode->size);
    }
    inodes->epoch++;
}

/* ------------------------------------------------------------------------------------------------
 * names */

/* A subset in which every name has seen a prefix of its changes. */
static void lose_some_changes(struct disk_directory *directory, struct rng *rng)
{
    uint32_t pending = disk_directory_pending(directory);
    for (uint32_t i = 0; i < pending; i++) {
        const struct disk_change *change = disk_directory_change(directory, i);
        bool is_lost = (rng_u64(rng) >> 63) != 0;
        is_lost = is_lost || change->name->is_blocked;
        is_lost = is_lost || (change->to != NULL && change->to->is_blocked);
        if (!is_lost) {
            disk_directory_apply(directory, change);
            continue;
        }
        change->name->is_blocked = true;
        if (change->to != NULL) {
            change->to->is_blocked = true;
        }
    }
}

static void lose_names(struct disk_directory *directory, const struct spec_disk *spec,
                       enum disk_survival survival, struct rng *rng)
{
    uint64_t frontier = directory->sequence - disk_directory_pending(directory);
    switch (survival) {
    case DISK_SURVIVAL_EVERYTHING:
        disk_directory_settle(directory, directory->sequence);
        break;
    case DISK_SURVIVAL_SUBSET:
        if (spec->directory == SPEC_DIRECTORY_ORDERED) {
            frontier += rng_below(rng, (uint64_t)disk_directory_pending(directory) + 1);
            disk_directory_settle(directory, frontier);
        } else {
            lose_some_changes(directory, rng);
        }
        break;
    case DISK_SURVIVAL_NOTHING:
        break;
    case DISK_SURVIVAL_COUNT:
        UNREACHABLE();
    }
    disk_directory_revert(directory);
}

void disk_power_lose(struct disk_power *power, struct disk_inode_table *inodes,
                     struct disk_directory *directory, const struct spec_disk *spec,
                     struct rng *rng)
{
    ASSERT(spec->sector_bytes >= 512);
    ASSERT(DISK_PAGE_BYTES % spec->sector_bytes == 0);
    enum disk_survival survival = (enum disk_survival)rng_below(rng, DISK_SURVIVAL_COUNT);
    lose_contents(power, inodes, spec, survival, rng);
    lose_names(directory, spec, survival, rng);
    ASSERT(disk_directory_pending(directory) == 0);
}
