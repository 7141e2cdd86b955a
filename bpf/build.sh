#!/bin/sh
# Compiles the data path into bpf/dist, or into the folder that is named. Needs clang and libbpf's headers (Debian: apt install clang
# libbpf-dev). No path of this machine goes into it: the same sources give the same octets wherever they lie.
set -eu
folder=$(realpath -m "${1:-$(dirname "$0")/dist}")
cd "$(dirname "$0")"
mkdir -p "$folder"
for source in *.bpf.c; do
  clang -O2 -g -Wall -Wextra -Werror -target bpf -mcpu=v3 -ffile-prefix-map="$PWD=bpf" -I"/usr/include/$(uname -m)-linux-gnu" \
    -c "$source" -o "$folder/${source%.bpf.c}.o"
done
