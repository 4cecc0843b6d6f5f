#!/usr/bin/env bash
# Installs what is needed, builds once, runs every test; ends with ctest's own summary.
#
#   tests/run.sh [--no-install] [--full] [--filter REGEX]
#
#   --no-install     install nothing (and so need no root for it)
#   --filter REGEX   only tests whose name matches
#   --full           also: the unit and conformance tests under the thread sanitizer, clang-tidy, clang-format
#   --help           this text
#
# The build has the address sanitizer (preset asan) and stays in build/asan. Works from any
# directory, without a terminal, as root or as a user with sudo. Tests that need root (a real NFS server) skip without
# it and say so.
set -eu

cd "$(dirname "${BASH_SOURCE[0]}")/.."
install=yes
full=no
filter=
while [ $# -gt 0 ]; do
  case $1 in
    --no-install) install=no ;;
    --full) full=yes ;;
    --filter)
      [ $# -ge 2 ] || { echo "run.sh: --filter needs a regular expression" >&2; exit 2; }
      filter=$2
      shift
      ;;
    -h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "run.sh: '$1' is not known; see --help" >&2; exit 2 ;;
  esac
  shift
done

exec </dev/null
started=$SECONDS
stage() { printf '\n== %s  (%d s so far)\n' "$1" $((SECONDS - started)); }
# A build that dies for want of memory says nothing useful: two compilers at a time are enough.
jobs=$(nproc)
[ "$jobs" -le 2 ] || jobs=2
# One cache for every clone of this machine; in the clone where there is no home to put it.
[ -n "${CCACHE_DIR:-}" ] || [ -w "${HOME:-/nonexistent}" ] || export CCACHE_DIR=$PWD/.cache/ccache
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=true CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G}
# Tests wait for timers and servers a third of their time.
export CTEST_PARALLEL_LEVEL=$((jobs + 1))

if [ "$install" = yes ]; then
  stage "packages"
  scripts/install-packages.sh
fi

if [ "$full" = yes ]; then
  stage "format (clang-format)"
  git ls-files -z '*.h' '*.cpp' | xargs -0 clang-format --dry-run -Werror
  stage "thread sanitizer: build"
  cmake --preset tsan >/dev/null
  cmake --build --preset tsan -- -j"$jobs"
  stage "thread sanitizer: unit and conformance tests"
  ctest --preset tsan --label-regex '^(unit|conformance)$' ${filter:+--tests-regex "$filter"}
fi

stage "configure (preset asan)"
cmake --preset asan >/dev/null
stage "build"
cmake --build --preset asan -- -j"$jobs"

if [ "$full" = yes ]; then
  stage "clang-tidy"
  scripts/clang-tidy.py build/asan
fi

# Last, so that its summary is the last thing to read.
stage "tests"
status=0
ctest --preset asan --no-tests=error ${filter:+--tests-regex "$filter"} || status=$?
exit "$status"
