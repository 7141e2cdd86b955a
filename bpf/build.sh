#!/bin/sh
# Compiles the data path. Needs clang and libbpf's headers (Debian: apt install clang libbpf-dev).
set -eu
cd "$(dirname "$0")"
mkdir -p dist
for source in *.bpf.c; do
  [ -e "$source" ] || continue
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "dist/${source%.bpf.c}.o"
done
