"""Layers, symbols and sizes, as a test. The tables below are the architecture; see ARCHITECTURE.md."""

import os
import re
import subprocess
import sys

LINE_LENGTH = 100
FUNCTION_LENGTH = 70

# Files (by prefix, the longest wins) and the prefixes of what they may include with quotes.
LAYERS = {
    'sim/include/': ['squall.h'],
    'sim/base/': ['sim/base/'],
    'sim/input/': ['sim/base/', 'sim/spec.h', 'sim/input/', 'squall.h'],
    'sim/cli/': ['sim/', 'analysis/', 'reports/', 'models/models.h', 'squall'],
    'sim/': ['sim/base/', 'sim/', 'squall'],
    'models/': ['squall.h', './'],
    'analysis/': ['sim/base/', 'sim/spec.h', 'sim/fleet.h', 'analysis/', 'squall'],
    'reports/': ['sim/base/', 'analysis/results.h', 'analysis/statistics.h', 'analysis/estimate.h',
                 'analysis/estimate_store.h', 'analysis/fleet_store.h', 'analysis/compare.h', 'reports/'],
}
# What nobody in a layer may include, even though a prefix above would allow it.
FORBIDDEN = {
    'sim/': ['sim/input/', 'sim/cli/'],
}
# Headers of libraries, and the only places that may include them.
LIBRARIES = {
    'yaml.h': ['sim/input/'],
    'sqlite3.h': ['analysis/', 'models/sqlite/', 'models/raft/', 'models/primary-backup/'],
    'gsl/': ['analysis/'],
    'raft.h': ['models/raft/'],
    'raft/': ['models/raft/'],
    'xxhash.h': ['sim/base/'],
    'jansson.h': ['analysis/', 'reports/'],
    'argp.h': ['sim/cli/'],
    'dlfcn.h': ['sim/plugin.c'],
    'math.h': ['analysis/', 'reports/'],
    'pthread.h': [],
    'threads.h': [],
}
# Symbols that engine and models must not ask the system for. interpose.c answers them, so it is left out.
BANNED = re.compile(
    r'^(clock_gettime|gettimeofday|time|getrandom|getentropy|random|rand|srand|drand48|lrand48|nanosleep|usleep|sleep|'
    r'getenv|secure_getenv|setlocale|pthread_create|localtime|localtime_r|gmtime|exp|log|log2|log10|pow|sin|cos|'
    r'log1p|expm1|exp2|gsl_ran_.*|qsort|system|popen|strtod|setenv|putenv)(@.*)?$')
SYMBOL_LAYERS = ['sim/', 'sim/base/', 'models/']
WORDS = re.compile(r'\b(TODO|FIXME|XXX)\b')


def files():
    out = subprocess.run(['git', 'ls-files', '-co', '--exclude-standard', '*.c', '*.h'], check=True,
                         capture_output=True, text=True).stdout
    return [name for name in out.split() if os.path.exists(name) and not name.startswith('tests/')]


def layer_of(name, table):
    best = ''
    for prefix in table:
        if name.startswith(prefix) and len(prefix) > len(best):
            best = prefix
    return best


def check_includes(name, text):
    layer = layer_of(name, LAYERS)
    for number, line in enumerate(text.split('\n'), 1):
        match = re.match(r'#include "([^"]+)"', line)
        if match:
            target = match.group(1)
            allowed = LAYERS[layer]
            local = './' in allowed and os.path.exists(os.path.join(os.path.dirname(name), target))
            fine = local or any(target.startswith(prefix) for prefix in allowed)
            fine = fine and not any(target.startswith(prefix) for prefix in FORBIDDEN.get(layer, []))
            if not fine:
                yield f'{name}:{number}: {layer} must not include "{target}"'
        match = re.match(r'#include <([^>]+)>', line)
        if match:
            for header, places in LIBRARIES.items():
                if match.group(1).startswith(header) and not any(name.startswith(place) for place in places):
                    yield f'{name}:{number}: <{match.group(1)}> may be included only in {places}'


def check_sizes(name, text):
    start = 0
    for number, line in enumerate(text.split('\n'), 1):
        if len(line) > LINE_LENGTH:
            yield f'{name}:{number}: {len(line)} columns'
        if WORDS.search(line):
            yield f'{name}:{number}: a note to ourselves'
        if line == '{':
            start = number
        elif line == '}' and start:
            if number - start - 1 > FUNCTION_LENGTH:
                yield f'{name}:{start}: a function of {number - start - 1} lines'
            start = 0


def check_symbols(build):
    for root, _, names in os.walk(build):
        for name in sorted(names):
            path = os.path.join(root, name)
            source = os.path.relpath(path, build)
            if not name.endswith('.o') or layer_of(source, LAYERS) not in SYMBOL_LAYERS or source == 'sim/interpose.o':
                continue
            out = subprocess.run(['nm', '-u', path], check=True, capture_output=True, text=True).stdout
            for line in out.split('\n'):
                symbol = line.strip()[2:] if line.strip().startswith('U ') else ''
                if symbol and BANNED.match(symbol):
                    yield f'{source}: asks for {symbol}'


def check_top():
    allowed = {'sim', 'models', 'scenarios', 'analysis', 'reports', 'tests', 'Makefile', 'README.md', 'LICENSE',
               'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'BENCHMARKS.md'}
    out = subprocess.run(['git', 'ls-files'], check=True, capture_output=True, text=True).stdout
    for top in sorted({name.split('/')[0] for name in out.split('\n') if name}):
        if top not in allowed and not top.startswith('.'):
            yield f'{top}: not one of the fixed top-level names'


def check_headers(names):
    for name in names:
        if name.endswith('.h'):
            command = ['cc', '-std=c17', '-D_GNU_SOURCE', '-fsyntax-only', '-iquote', '.', '-Isim/include', '-x', 'c', name]
            if subprocess.run(command, capture_output=True).returncode != 0:
                yield f'{name}: does not compile alone'


def main():
    build = sys.argv[1]
    names = files()
    texts = {name: open(name, encoding='utf-8').read() for name in names}
    checks = {
        'layers': [found for name in names for found in check_includes(name, texts[name])],
        'sizes': [found for name in names for found in check_sizes(name, texts[name])],
        'symbols': list(check_symbols(build)),
        'top level': list(check_top()),
        'headers': list(check_headers(names)),
    }
    failed = 0
    for what, found in checks.items():
        for text in found:
            print(f'{what}: {text}')
        failed += 1 if found else 0
    print(f'{len(checks) - failed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
