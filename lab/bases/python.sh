#!/bin/sh
# The lab's Python base: Debian's own python3 at the path where the venvs of all images look for it.
# Usage: python.sh DIRECTORY (new); writes the root file system there. Needs root and debootstrap.
set -eu
root=$1
debootstrap --variant=minbase \
  --include=python3,python3-venv,ca-certificates,libnuma1,libgomp1 \
  bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"}
# debootstrap leaves this machine's resolver and names behind
: >"$root/etc/resolv.conf"
: >"$root/etc/hostname"
rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
  "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
