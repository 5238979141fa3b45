/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The unit tests: `unit [--list] [module | module.name ...]`. Tests register themselves when they
 * are linked in. */
#include "tests/unit/harness.h"

int main(int argc, char **argv)
{
    return unit_main(argc, argv);
}
