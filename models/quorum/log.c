/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fixed-size records with a checksum each, appended; several share one sync. A record that was
 * written in part when the power went, and all behind it, does not count: nobody was told of it.
 *
 * Not here: compaction. The file grows with the number of writes, as a run is short. */
#include "log.h"

#define NAME "rows.log"

/* FNV-1a over the words before the checksum, with the position, so that a record of an older
 * incarnation at another place does not pass. */
static uint64_t checksum_of(const struct log_record *record, uint64_t position)
{
    uint64_t words[offsetof(struct log_record, checksum) / sizeof(uint64_t)];
    uint64_t sum = UINT64_C(0xcbf29ce484222325) ^ position;
    memcpy(words, record, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        sum = (sum ^ words[i]) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    return sum;
}

enum sq_status log_open(struct sq_env *env, struct log *log,
                        void (*take)(struct sq_env *env, const struct log_record *record))
{
    *log = (struct log){0};
    enum sq_status status = env->disk->open(env, NAME, SQ_OPEN_CREATE, &log->file);
    if (status == SQ_OK) {
        status = env->disk->sync_dir(env);
    }
    while (status == SQ_OK) {
        struct log_record record;
        size_t got = 0;
        status = env->disk->read(env, log->file, &record, sizeof(record), log->end, &got);
        if (status != SQ_OK || got < sizeof(record) ||
            record.checksum != checksum_of(&record, log->end)) {
            break;
        }
        take(env, &record);
        log->end += sizeof(record);
    }
    return status == SQ_OK ? env->disk->truncate(env, log->file, log->end) : status;
}

enum sq_status log_append(struct sq_env *env, struct log *log, struct log_record *records,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        records[i].checksum = checksum_of(&records[i], log->end + i * sizeof(records[0]));
    }
    size_t size = count * sizeof(records[0]);
    enum sq_status status = env->disk->write(env, log->file, records, size, log->end);
    if (status == SQ_OK) {
        status = env->disk->sync(env, log->file);
    }
    log->end += status == SQ_OK ? size : 0;
    return status;
}
