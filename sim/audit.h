/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Audit: when the load is over and the faults are healed, ordinary clients read back every key
 * that was written. The reads go into the history under load index + spec->load_count, so that
 * lost writes are seen by the checkers. */
#ifndef SQUALL_SIM_AUDIT_H
#define SQUALL_SIM_AUDIT_H

#include "sim/stub.h"

struct audit;

/* Begins; one audit a run. NULL when the spec asks for no check that needs it. */
struct audit *audit_start(struct world *world);
/* To be called after every event: starts to read once the loads are at rest. True when all has been
 * read. */
bool audit_advance(struct audit *audit);
/* NULL is fine. */
void audit_free(struct audit *audit);
struct stub *audit_stub(struct audit *audit, uint32_t load);

#endif
