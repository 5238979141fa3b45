/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * SQLite's view of a simulated node. SQLite itself is the unmodified library; everything here goes
 * through its public interface (sqlite3_config, sqlite3_vfs_register).
 *
 * The VFS behaves as SQLite's own unix VFS does where that matters for what survives a power loss:
 *   - xSync is fdatasync; the first sync of a journal or WAL that this open may have created is
 *     followed by a sync of the directory, for a journal whose name is lost protects nothing. The
 *     database file itself gets no such sync (unix does none either): its name is made durable by
 *     the journal's, so with no journal it may be lost.
 *   - xDelete syncs the directory only when asked (PRAGMA synchronous=EXTRA does). With FULL a
 *     committed transaction in journal mode DELETE can come back undone, because its journal does.
 *     That is SQLite's documented behaviour.
 *   - xAccess(EXISTS) does not see empty files.
 *   - Sector size 4096 and no device characteristics; POWERSAFE_OVERWRITE can be claimed by file
 *     control.
 *
 * It differs in that a failing directory sync fails the xSync (unix ignores it), and in having no
 * locks: one connection a database, see vfs.h. The shared memory of WAL mode is the connection's
 * own and lives on the node's heap, so it vanishes in a crash as a real one does when the last
 * process is gone, and recovery rebuilds it from the WAL.
 *
 * Memory: each block has a header that names the node it belongs to, or NULL for the process, so
 * that a block can be freed from anywhere. SQLite keeps nothing of a connection in its globals
 * (page caches are separate because no page memory is configured; look-aside is part of the
 * connection), so dropping a node's heap leaves no dangling pointer.
 *
 * SQLite's random generator is the one global that would leak between nodes: vfs_enter and
 * `seeded_afresh` below forget its state whenever another node may have used it. */
#include "vfs.h"
#include "../plant.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    NAME_BYTES_MAX = 255, /* of the simulated disk */
    SECTOR_BYTES = 4096,
    SHM_REGIONS_MAX = 64, /* 32 KiB each: some 260 000 frames of WAL */
};

struct vfs_file {
    sqlite3_file base; /* first: SQLite casts */
    struct sq_env *env;
    sq_file file;
    int lock;                 /* SQLITE_LOCK_* */
    bool is_name_unsynced;    /* the directory needs a sync after the next sync of this file */
    bool is_removed_at_close; /* a temporary file */
    bool powersafe_overwrite;
    bool persist_wal;
    enum sq_status last_failure;
    uint32_t region_count;
    void *regions[SHM_REGIONS_MAX];
    char name[NAME_BYTES_MAX + 1];
};

/* ---------------------------------------------------------------------- heap */

struct block {
    struct sq_env *owner; /* NULL: the process */
    size_t size;
};

static_assert(sizeof(struct block) == 16, "blocks stay aligned to 16");

static void *heap_alloc(int size)
{
    assert(size > 0);
    struct sq_env *owner = sq_env_current();
    size_t total = (size_t)size + sizeof(struct block);
    struct block *block = owner != NULL ? owner->mem->alloc(owner, total) : malloc(total);
    if (block == NULL) {
        return NULL;
    }
    block->owner = owner;
    block->size = (size_t)size;
    return block + 1;
}

static void heap_free(void *pointer)
{
    if (pointer == NULL) {
        return;
    }
    struct block *block = (struct block *)pointer - 1;
    if (block->owner != NULL) {
        block->owner->mem->free(block->owner, block);
    } else {
        free(block);
    }
}

static void *heap_realloc(void *pointer, int size)
{
    assert(pointer != NULL);
    assert(size > 0);
    struct block *block = (struct block *)pointer - 1;
    struct sq_env *owner = block->owner;
    size_t total = (size_t)size + sizeof(struct block);
    block = owner != NULL ? owner->mem->realloc(owner, block, total) : realloc(block, total);
    if (block == NULL) {
        return NULL;
    }
    assert(block->owner == owner);
    block->size = (size_t)size;
    return block + 1;
}

static int heap_size(void *pointer)
{
    return pointer == NULL ? 0 : (int)((struct block *)pointer - 1)->size;
}

static int heap_round_up(int size)
{
    return (size + 7) & ~7;
}

static int heap_init(void *unused)
{
    (void)unused;
    return SQLITE_OK;
}

static void heap_shutdown(void *unused)
{
    (void)unused;
}

/* ---------------------------------------------------------------------- files */

static inline void seeded_afresh(void)
{
    sqlite3_randomness(0, NULL);
}

static struct vfs_file *file_of(sqlite3_file *base)
{
    struct vfs_file *file = (struct vfs_file *)base;
    assert(file->env == sq_env_current());
    return file;
}

/* After every call to the disk. */
static int outcome(struct vfs_file *file, enum sq_status status, int otherwise)
{
    seeded_afresh();
    if (status == SQ_OK) {
        return SQLITE_OK;
    }
    file->last_failure = status;
    return status == SQ_E_NOSPC ? SQLITE_FULL : otherwise;
}

static int file_read(sqlite3_file *base, void *data, int size, sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    size_t got = 0;
    enum sq_status status =
        file->env->disk->read(file->env, file->file, data, (size_t)size, (uint64_t)offset, &got);
    int code = outcome(file, status, SQLITE_IOERR_READ);
    if (code != SQLITE_OK) {
        return code == SQLITE_FULL ? SQLITE_IOERR_READ : code;
    }
    if (got < (size_t)size) {
        memset((char *)data + got, 0, (size_t)size - got);
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    enum sq_status status =
        file->env->disk->write(file->env, file->file, data, (size_t)size, (uint64_t)offset);
    return outcome(file, status, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    struct vfs_file *file = file_of(base);
    enum sq_status status = file->env->disk->truncate(file->env, file->file, (uint64_t)size);
    return outcome(file, status, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    (void)flags;
    struct vfs_file *file = file_of(base);
    struct sq_env *env = file->env;
    bool is_skipped =
        (PLANTED(env, JOURNAL_NOT_SYNCED) && strstr(file->name, "-journal") != NULL) ||
        (PLANTED(env, WAL_NOT_SYNCED) && strstr(file->name, "-wal") != NULL);
    int code = is_skipped ? SQLITE_OK
                          : outcome(file, env->disk->sync(env, file->file), SQLITE_IOERR_FSYNC);
    if (code != SQLITE_OK || !file->is_name_unsynced) {
        return code;
    }
    code = outcome(file, env->disk->sync_dir(env), SQLITE_IOERR_DIR_FSYNC);
    if (code == SQLITE_OK) {
        file->is_name_unsynced = false;
    }
    return code;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    struct vfs_file *file = file_of(base);
    uint64_t bytes = 0;
    enum sq_status status = file->env->disk->size(file->env, file->file, &bytes);
    *size = (sqlite3_int64)bytes;
    return outcome(file, status, SQLITE_IOERR_FSTAT);
}

static int file_lock(sqlite3_file *base, int lock)
{
    struct vfs_file *file = file_of(base);
    file->lock = lock > file->lock ? lock : file->lock;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int lock)
{
    file_of(base)->lock = lock;
    return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *is_reserved)
{
    *is_reserved = file_of(base)->lock >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

/* Negative asks, 0 and 1 set. */
static void control_flag(bool *flag, int *argument)
{
    if (*argument < 0) {
        *argument = *flag;
    } else {
        *flag = *argument != 0;
    }
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    struct vfs_file *file = file_of(base);
    switch (operation) {
    case SQLITE_FCNTL_LOCKSTATE:
        *(int *)argument = file->lock;
        return SQLITE_OK;
    case SQLITE_FCNTL_LAST_ERRNO:
        *(int *)argument = (int)file->last_failure;
        return SQLITE_OK;
    case SQLITE_FCNTL_PERSIST_WAL:
        control_flag(&file->persist_wal, argument);
        return SQLITE_OK;
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
        control_flag(&file->powersafe_overwrite, argument);
        return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
        *(char **)argument = sqlite3_mprintf("%s", VFS_NAME);
        return SQLITE_OK;
    case SQLITE_FCNTL_HAS_MOVED:
        *(int *)argument = 0;
        return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT: /* allowed to do nothing */
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int file_sector_size(sqlite3_file *base)
{
    (void)base;
    return SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *base)
{
    return file_of(base)->powersafe_overwrite ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

/* ---------------------------------------------------------------------- WAL index */

static int file_shm_map(sqlite3_file *base, int region, int size, int extend,
                        void volatile **pointer)
{
    struct vfs_file *file = file_of(base);
    *pointer = NULL;
    if (region >= SHM_REGIONS_MAX) {
        return SQLITE_IOERR_SHMMAP;
    }
    while (extend && file->region_count <= (uint32_t)region) {
        void *memory = file->env->mem->alloc(file->env, (size_t)size);
        memset(memory, 0, (size_t)size);
        file->regions[file->region_count++] = memory;
    }
    if ((uint32_t)region < file->region_count) {
        *pointer = file->regions[region];
    }
    return SQLITE_OK;
}

static int file_shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
    (void)base, (void)offset, (void)count, (void)flags;
    return SQLITE_OK;
}

static void file_shm_barrier(sqlite3_file *base)
{
    (void)base;
}

static int file_shm_unmap(sqlite3_file *base, int is_deleted)
{
    (void)is_deleted;
    struct vfs_file *file = file_of(base);
    while (file->region_count > 0) {
        file->region_count--;
        file->env->mem->free(file->env, file->regions[file->region_count]);
    }
    return SQLITE_OK;
}

static int file_close(sqlite3_file *base)
{
    struct vfs_file *file = file_of(base);
    file_shm_unmap(base, 0);
    file->env->disk->close(file->env, file->file);
    if (file->is_removed_at_close) {
        (void)file->env->disk->remove(file->env, file->name);
    }
    seeded_afresh();
    base->pMethods = NULL;
    return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* ---------------------------------------------------------------------- file system */

/* The VFS that was the default before; serves the process outside of nodes. */
static sqlite3_vfs *outer_of(const sqlite3_vfs *vfs)
{
    return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                    int *flags_out)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xOpen(outer_of(vfs), name, base, flags, flags_out);
    }
    struct vfs_file *file = (struct vfs_file *)base;
    memset(file, 0, sizeof(*file));
    file->env = env;
    if (name == NULL) {
        snprintf(file->name, sizeof(file->name), "squall-temp-%016llx",
                 (unsigned long long)env->rand->u64(env));
    } else {
        int length = snprintf(file->name, sizeof(file->name), "%s", name);
        if (length <= 0 || length > NAME_BYTES_MAX) {
            return SQLITE_CANTOPEN;
        }
    }
    uint32_t how = ((flags & SQLITE_OPEN_CREATE) != 0 ? SQ_OPEN_CREATE : 0) |
                   ((flags & SQLITE_OPEN_EXCLUSIVE) != 0 ? SQ_OPEN_EXCLUSIVE : 0);
    enum sq_status status = env->disk->open(env, file->name, how, &file->file);
    int code = outcome(file, status, SQLITE_CANTOPEN);
    if (code != SQLITE_OK) {
        return code;
    }
    int journals = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
    file->is_name_unsynced = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & journals) != 0;
    file->is_removed_at_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    base->pMethods = &file_methods;
    if (flags_out != NULL) {
        *flags_out = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xDelete(outer_of(vfs), name, sync_directory);
    }
    enum sq_status status = env->disk->remove(env, name);
    seeded_afresh();
    if (status != SQ_OK) {
        return status == SQ_E_NOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
    }
    if (sync_directory != 0) {
        status = env->disk->sync_dir(env);
        seeded_afresh();
    }
    return status == SQ_OK ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xAccess(outer_of(vfs), name, flags, result);
    }
    *result = env->disk->exists(env, name);
    seeded_afresh();
    if (*result == 0 || flags != SQLITE_ACCESS_EXISTS) {
        return SQLITE_OK;
    }
    sq_file file = 0;
    uint64_t size = 0;
    enum sq_status status = env->disk->open(env, name, 0, &file);
    if (status == SQ_OK) {
        status = env->disk->size(env, file, &size);
        env->disk->close(env, file);
    }
    seeded_afresh();
    *result = size > 0;
    return status == SQ_OK || status == SQ_E_NOENT ? SQLITE_OK : SQLITE_IOERR_ACCESS;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *result)
{
    if (sq_env_current() == NULL) {
        return outer_of(vfs)->xFullPathname(outer_of(vfs), name, size, result);
    }
    int length = snprintf(result, (size_t)size, "%s", name);
    return length >= 0 && length < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *vfs, int size, char *data)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xRandomness(outer_of(vfs), size, data);
    }
    env->rand->fill(env, data, (size_t)size);
    return size;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xSleep(outer_of(vfs), microseconds);
    }
    env->clock->sleep(env, (sq_time)microseconds * 1000);
    seeded_afresh();
    return microseconds;
}

static int vfs_time_milliseconds(sqlite3_vfs *vfs, sqlite3_int64 *now)
{
    struct sq_env *env = sq_env_current();
    if (env == NULL) {
        return outer_of(vfs)->xCurrentTimeInt64(outer_of(vfs), now);
    }
    /* Julian day 2440587.5 is 1970-01-01. */
    *now = INT64_C(210866760000000) + env->clock->realtime(env) / 1000000;
    return SQLITE_OK;
}

static int vfs_time_days(sqlite3_vfs *vfs, double *now)
{
    sqlite3_int64 milliseconds = 0;
    int code = vfs_time_milliseconds(vfs, &milliseconds);
    *now = (double)milliseconds / 86400000.0;
    return code;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *text)
{
    if (sq_env_current() == NULL) {
        return outer_of(vfs)->xGetLastError(outer_of(vfs), size, text);
    }
    if (size > 0) {
        text[0] = '\0';
    }
    return 0;
}

/* ---------------------------------------------------------------------- public */

/* Ends the program unless a step of the configuration succeeded. */
static void require(int code, const char *step)
{
    if (code != SQLITE_OK) {
        fprintf(stderr, "SQLite refused '%s' (code %d): was it used before vfs_prepare?\n", step,
                code);
        abort();
    }
}

void vfs_prepare(void)
{
    static bool is_prepared = false; /* library configuration: the same for all worlds */
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .mxPathname = 512,
        .zName = VFS_NAME,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time_days,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_milliseconds,
    };
    static const sqlite3_mem_methods heap = {
        heap_alloc,    heap_free, heap_realloc,  heap_size,
        heap_round_up, heap_init, heap_shutdown, NULL,
    };
    if (is_prepared) {
        return;
    }
    assert(sq_env_current() == NULL);
    require(sqlite3_config(SQLITE_CONFIG_SINGLETHREAD), "single thread");
    require(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0), "no memory statistics");
    require(sqlite3_config(SQLITE_CONFIG_MALLOC, &heap), "heap");
    require(sqlite3_initialize(), "initialize");
    sqlite3_vfs *outer = sqlite3_vfs_find(NULL);
    assert(outer != NULL);
    vfs.pAppData = outer;
    vfs.szOsFile = (int)sizeof(struct vfs_file);
    if (vfs.szOsFile < outer->szOsFile) {
        vfs.szOsFile = outer->szOsFile;
    }
    if (vfs.mxPathname < outer->mxPathname) {
        vfs.mxPathname = outer->mxPathname;
    }
    require(sqlite3_vfs_register(&vfs, 1), "registration of the VFS");
    is_prepared = true;
}

void vfs_enter(void)
{
    assert(sq_env_current() != NULL);
    seeded_afresh();
}
