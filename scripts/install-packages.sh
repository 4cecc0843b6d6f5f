#!/usr/bin/env bash
# Installs what packages.txt lists. Needs root or sudo only when something is missing.
#
#   scripts/install-packages.sh [--check] [SECTION…]     sections: build run test (default: all)
#
# --check prints what is missing and installs nothing; exit 1 when there is something.
# Services that packages bring (rpcbind, nginx, prometheus, …) are kept from starting while they are installed, and are
# not enabled by us: the tests start their own, on their own ports.
set -eu

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
list=$here/../packages.txt
check=no
sections=()
for word in "$@"; do
  case $word in
    --check) check=yes ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
    build | run | test) sections+=("$word") ;;
    *) echo "install-packages: '$word' is not known; see --help" >&2; exit 2 ;;
  esac
done
[ ${#sections[@]} -gt 0 ] || sections=(build run test)

wanted=$(awk -v want=" ${sections[*]} " '
  /^[[:space:]]*(#|$)/ { next }
  /^\[/ { gsub(/[][[:space:]]/, ""); section = $0; next }
  index(want, " " section " ") { print $1 }' "$list")

installed() { dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; }
missing=()
for package in $wanted; do
  installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -eq 0 ]; then
  [ "$check" = yes ] || echo "packages: all $(wc -w <<<"$wanted") are installed"
  exit 0
fi
if [ "$check" = yes ]; then
  printf '%s\n' "${missing[@]}"
  exit 1
fi

if ! command -v apt-get >/dev/null; then
  echo "install-packages: there is no apt-get here. Homeport is built and tested on Debian 12;" >&2
  echo "elsewhere install what corresponds to: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "install-packages: run this as root, or install sudo. Missing: ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# invoke-rc.d asks policy-rc.d before it starts anything: 101 means no. One that an admin has put there stays.
policy=/usr/sbin/policy-rc.d
made_policy=no
forget_policy() { [ "$made_policy" = no ] || "${as_root[@]}" rm -f "$policy"; }
trap forget_policy EXIT
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
  made_policy=yes
fi

echo "packages: installing ${#missing[@]}: ${missing[*]}"
install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends)
if ! "${install[@]}" "${missing[@]}" </dev/null; then
  echo "packages: refreshing the package lists, then once more"
  "${as_root[@]}" apt-get update -q </dev/null
  "${install[@]}" "${missing[@]}" </dev/null
fi
