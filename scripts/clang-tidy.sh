#!/usr/bin/env bash
# clang-tidy over our own sources, with the compile commands of a build directory.
#
#   scripts/clang-tidy.sh [BUILD_DIR] [FILE_REGEX]      default: build/asan, every source of ours
set -eu

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=${1:-build/asan}
regex=${2:-.}
if [ ! -f "$build/compile_commands.json" ]; then
  echo "clang-tidy: $build/compile_commands.json is not there: configure first (cmake --preset asan)" >&2
  exit 2
fi
mapfile -t sources < <(jq -r '.[].file' "$build/compile_commands.json" | sort -u | grep -F "$PWD/" | sed "s|^$PWD/||" |
  grep -E '^(api|cli|drivers|policies|provisioner)/' | grep -E "$regex" || true)
if [ ${#sources[@]} -eq 0 ]; then
  echo "clang-tidy: nothing matches '$regex'" >&2
  exit 2
fi
jobs=$(nproc)
[ "$jobs" -le 2 ] || jobs=2
echo "clang-tidy: ${#sources[@]} files"
# clang does not know g++'s flags; a warning about them is not about the code.
printf '%s\0' "${sources[@]}" |
  xargs -0 -P "$jobs" -n 4 clang-tidy --quiet -p "$build" --extra-arg=-Wno-unknown-warning-option
