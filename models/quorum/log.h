/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Log: the file in which a replica keeps its rows and hints. A record is durable once log_append
 * has returned SQ_OK. */
#ifndef SQUALL_MODELS_QUORUM_LOG_H
#define SQUALL_MODELS_QUORUM_LOG_H

#include "rows.h"

enum log_kind {
    LOG_ROW = 1,  /* of this node */
    LOG_HINT,     /* kept for node number `target` of the group */
    LOG_HINT_END, /* that node has it */
};

struct log_record {
    struct row row;
    uint32_t kind; /* enum log_kind */
    uint32_t target;
    uint64_t checksum; /* log_append fills it in */
};

struct log {
    sq_file file;
    uint64_t end;
};

/* Opens or creates the file, and gives every record to `take`, in order, up to the first that is
 * torn; what follows is cut off. Blocks. */
enum sq_status log_open(struct sq_env *env, struct log *log,
                        void (*take)(struct sq_env *env, const struct log_record *record));
/* Writes and syncs; blocks. After an error none of the records counts, and the next append takes
 * their place. */
enum sq_status log_append(struct sq_env *env, struct log *log, struct log_record *records,
                          uint32_t count);

#endif
