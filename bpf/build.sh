#!/bin/sh
# Compiles the data path into bpf/dist, or into the folder that is named. Needs clang and libbpf's headers (Debian: apt install clang
# libbpf-dev).
set -eu
folder=$(realpath -m "${1:-$(dirname "$0")/dist}")
cd "$(dirname "$0")"
mkdir -p "$folder"
for source in *.bpf.c; do
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -I"/usr/include/$(uname -m)-linux-gnu" -c "$source" \
    -o "$folder/${source%.bpf.c}.o"
done
