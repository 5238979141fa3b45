/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The part of a summary that is about what counts as up to those who use the system. */
#ifndef SQUALL_CLI_SUMMARY_CLIENTS_H
#define SQUALL_CLI_SUMMARY_CLIENTS_H

#include "analysis/results.h"
#include "sim/cli/cli.h"

/* Prints user-uptime, MCR, harvest and yield of all cells when a threshold asks for one of them or
 * a model showed a harvest, the table of a detector's view against the clients' when there is a
 * detector, and how soon reads see a write where nodes told; else nothing. */
bool summary_clients(struct results *results, const struct plan *plan, const int64_t *cell_ids,
                     FILE *out, struct err *err);

#endif
