/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Plant: where a bug can be planted. PLANTED(env, BUG) is true when the node of `env` is to have
 * the bug named BUG. It is constant false, and leaves nothing in the object code, unless the file
 * is compiled with `-include tests/bugs/plants.h`, which has the list of bugs and makes plug-ins
 * that know the option `plant`. Each bug must be found by the check that is there for it
 * (tests/bugs/bugs.sh): a checker that has never found anything proves nothing. */
#ifndef SQUALL_MODELS_PLANT_H
#define SQUALL_MODELS_PLANT_H

#include <stdbool.h>

#ifndef PLANTED
#define PLANTED(env, bug) false
#endif

#endif
