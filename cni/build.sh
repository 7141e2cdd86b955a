#!/bin/sh
# Compiles the CNI plugin into dist/, or into the folder that is given. Needs a C compiler and a static C library (Debian: apt install gcc libc6-dev).
set -eu
cd "$(dirname "$0")"
out=${1:-dist}
mkdir -p "$out"
# shellcheck disable=SC2086
${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror ${CFLAGS:--Os -static -s} -o "$out/caravan-cni" caravan-cni.c
