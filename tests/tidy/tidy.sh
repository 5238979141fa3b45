#!/bin/sh
# Checks what a machine can check of ARCHITECTURE.md and CONTRIBUTING.md: who includes whom, which symbols the object
# files may ask the system for, line and function length. Prints each offence; last line `N passed, N failed`.
#   tests/tidy/tidy.sh BUILD_FOLDER
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/tidy/tidy.py "$1"
