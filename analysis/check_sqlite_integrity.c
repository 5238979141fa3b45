/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The database is sound: every report that a node makes after running the engine's own integrity
 * check (for SQLite PRAGMA integrity_check, after recovery at boot and at the end) must say so. It
 * is the engine that examines its pages here; what clients can and cannot read back is for the
 * other checkers. */
#include "analysis/check.h"

#include "sim/base/base.h"

static void on_seen(struct check *check, const struct sq_seen *seen)
{
    ASSERT(seen->what == SQ_SEE_INTEGRITY);
    check->comparisons++;
    if (seen->a == 0) {
        struct check_place place = check_place_of(seen);
        check_violate(check, &place, "%s holds a corrupt database: %s",
                      check_node_name(check, seen->node),
                      seen->text != NULL ? seen->text : "no details");
    }
}

const struct check_ops check_sqlite_integrity = {
    .name = "sqlite.integrity",
    .description = "every integrity check that a node makes finds its database sound",
    .sees = 1u << SQ_SEE_INTEGRITY,
    .on_seen = on_seen,
};
