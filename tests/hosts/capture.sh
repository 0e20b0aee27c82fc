#!/bin/sh
# Copies what the probes look at from this host into a tree that `--root` can inspect:
#   capture.sh [--keep-serials] DIR [DATA_PATH...]        (as root)
# Never in it: contents of files beyond the settings that probes read, names below data paths, keys,
# salts, digests. Of the kernel's command line only the words that say where memory images go.
# Serial numbers are left out unless asked for. Needs sh and the standard tools; dmsetup where the
# host has mappings.
set -eu
serials=no
[ "${1:-}" = --keep-serials ] && { serials=yes; shift; }
out=${1:?usage: capture.sh [--keep-serials] DIR [DATA_PATH...]}
shift
[ "$(id -u)" = 0 ] || { echo "capture.sh: run me as root" >&2; exit 1; }
[ ! -e "$out/root" ] || { echo "capture.sh: $out/root exists" >&2; exit 1; }
root=$out/root
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$root"

file() { # /path: its text, if it is a regular file that can be read
    [ -f "$1" ] && [ -r "$1" ] || return 0
    mkdir -p "$root${1%/*}"
    cat "$1" >"$root$1" 2>/dev/null || rm -f "$root$1"
}
link() { # /path: the link as it stands
    [ -L "$1" ] || return 0
    mkdir -p "$root${1%/*}"
    ln -sfn "$(readlink "$1")" "$root$1"
}
json_text() { # a JSON string of $1
    printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g' | tr '\n\t' '  ')"
}

# --- /proc, settings ---
file /proc/1/mountinfo
file /proc/swaps
mkdir -p "$root/proc/sys/kernel"
tr ' ' '\n' </proc/cmdline | grep -E '^(root|resume|resume_offset|noresume|nohibernate|crashkernel|module_blacklist|modprobe\.blacklist)(=|$)' |
    tr '\n' ' ' >"$root/proc/cmdline" || :
for f in core_pattern core_uses_pid hostname osrelease; do file /proc/sys/kernel/$f; done
for f in /sys/power/resume /sys/power/disk /sys/kernel/kexec_crash_loaded /etc/os-release /etc/default/kdump-tools \
    /etc/kdump.conf /etc/sysconfig/kdump; do file $f; done
[ -L /etc/os-release ] && link /etc/os-release && file "$(readlink -f /etc/os-release)"
for d in /etc/systemd /run/systemd /usr/local/lib/systemd /usr/lib/systemd; do
    file $d/coredump.conf
    for f in "$d"/coredump.conf.d/*.conf; do file "$f"; done
done
[ -d /var/log/journal ] && mkdir -p "$root/var/log/journal" && : >"$root/var/log/journal/.keep"

# --- block devices ---
block() { # NAME
    dir=/sys/class/block/$1
    link "$dir"
    real=$(readlink -f "$dir")
    for f in dev size dm/name dm/uuid dm/suspended md/level loop/backing_file backing_dev; do file "$real/$f"; done
    for s in "$real"/slaves/*; do link "$s"; done
    node=/dev/$(printf %s "$1" | tr '!' '/')
    case $1 in ram* | zram* | sr* | fd[0-9]*) return ;; esac
    [ "$(cat "$dir/size" 2>/dev/null || echo 0)" = 0 ] || header "$node"
}
zeros() { dd if=/dev/zero bs=1 count="$1" 2>/dev/null; }
span() { dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null; }
# The node becomes a file: empty, or the header without salts and digests.
header() {
    mkdir -p "$root${1%/*}"
    : >"$root$1"
    [ -b "$1" ] || return 0
    dd if="$1" of="$tmp/h" bs=4096 count=1 2>/dev/null || return 0
    magic=$(span "$tmp/h" 0 8 | od -An -tx1 | tr -d ' \n')
    case $magic in
    4c554b53babe0001) luks1 "$tmp/h" >"$root$1" ;;
    4c554b53babe0002) luks2 "$1" "$root$1" ;;
    esac
}
luks1() {
    span "$1" 0 112; zeros 52; span "$1" 164 44
    for s in 0 1 2 3 4 5 6 7; do
        span "$1" $((208 + s * 48)) 8; zeros 32; span "$1" $((208 + s * 48 + 40)) 8
    done
    zeros 432
}
luks2() { # salts and digests emptied, the checksum made anew
    size=$(span "$tmp/h" 8 8 | od -An -tx1 | tr -d ' \n')
    size=$((0x$size))
    [ "$size" -ge 16384 ] && [ "$size" -le 4194304 ] || return 0
    dd if="$1" of="$tmp/full" bs=4096 count=$((size / 4096)) 2>/dev/null
    dd if="$tmp/full" bs=4096 skip=1 2>/dev/null | tr -d '\000' |
        sed 's/"salt":"[^"]*"/"salt":""/g; s/"digest":"[^"]*"/"digest":""/g' >"$tmp/json"
    { span "$tmp/full" 0 104; zeros 64; span "$tmp/full" 168 280; zeros 64; span "$tmp/full" 512 3584
      cat "$tmp/json"; zeros $((size - 4096 - $(wc -c <"$tmp/json"))); } >"$tmp/clean"
    : >"$tmp/sum"
    for byte in $(sha256sum "$tmp/clean" | cut -c1-64 | sed 's/../& /g'); do
        printf "\\$(printf %03o "0x$byte")" >>"$tmp/sum"
    done
    dd if="$tmp/sum" of="$tmp/clean" bs=1 seek=448 conv=notrunc 2>/dev/null
    cat "$tmp/clean" >"$2"
}
for b in /sys/class/block/*; do [ -e "$b" ] && block "${b##*/}"; done
for n in /sys/class/nvme/*; do
    [ -e "$n" ] || continue
    mkdir -p "$root$n" && file "$n/transport"
    [ $serials = no ] || file "$n/serial"
done
for a in /sys/class/ata_device/*/id; do
    # IDENTIFY words 10-19 are the serial number
    [ -e "$a" ] || continue
    mkdir -p "$root${a%/*}"
    tr '\n' ' ' <"$a" | awk -v keep=$serials '{for (i = 1; i <= NF; i++) printf "%s ", (keep == "no" && i > 10 && i <= 20) ? "2020" : $i}' >"$root$a"
done
for d in /sys/fs/btrfs/*/devices/*; do link "$d"; done
for l in /dev/mapper/*; do link "$l"; done
for l in /dev/disk/by-uuid/* /dev/disk/by-label/*; do link "$l"; done

# --- where data paths lead: the directories and links on the way, nothing below ---
walk() {
    at=
    rest=$1
    for turn in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        rest=$(printf %s "$rest" | sed 's:^/*::')
        [ -n "$rest" ] || break
        part=${rest%%/*}
        rest=${rest#"$part"}
        if [ -L "$at/$part" ]; then
            link "$at/$part"
            target=$(readlink "$at/$part")
            case $target in /*) at= ;; esac
            rest=$target$rest
        elif [ "$part" = .. ]; then
            at=${at%/*}
        elif [ "$part" != . ]; then
            [ -d "$at/$part" ] || break
            at=$at/$part
            mkdir -p "$root$at"
        fi
    done
    [ -d "$root$at" ] && : >"$root$at/.keep"
}
for path in "$@"; do walk "$path"; done

# --- what no file holds ---
dm_json() {
    sep=
    dmsetup info -c --noheadings --separator '	' -o major,minor,name,uuid 2>/dev/null | while IFS='	' read -r maj min name uuid; do
        case $maj in [0-9]*) ;; *) continue ;; esac
        printf '%s\n    "%s:%s": {"name": %s, "uuid": %s, "targets": [' "$sep" "$maj" "$min" "$(json_text "$name")" "$(json_text "$uuid")"
        sep=,
        first=
        # without --showkeys the keys are zeros
        dmsetup table -j "$maj" -m "$min" | while read -r start length type params; do
            printf '%s\n      {"start": %s, "length": %s, "type": "%s", "params": %s}' "$first" "$start" "$length" "$type" "$(json_text "$params")"
            first=,
        done
        printf ']}'
    done
}
{
    echo '{"format": "tenken-capture/1",'
    echo '  "sights": ["proc", "root", "net", "sys", "dev"],'
    echo '  "whole": ["/sys/class/block", "/sys/power", "/sys/kernel", "/sys/fs/btrfs", "/proc/sys/kernel", "/etc/default",'
    echo '    "/etc/sysconfig", "/etc/systemd/coredump.conf.d", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd/coredump.conf.d"],'
    printf '  "dm": {'
    if command -v dmsetup >/dev/null 2>&1 && [ -n "$(ls -d /sys/class/block/dm-* 2>/dev/null)" ]; then dm_json; fi
    printf '},\n  "fscrypt": {'
    sep=
    for path in "$@"; do
        case $(lsattr -d "$path" 2>/dev/null | cut -d' ' -f1) in *E*)
            printf '%s\n    %s: {"contents_mode": 0}' "$sep" "$(json_text "$path")"
            sep=, ;;
        esac
    done
    printf '}}\n'
} >"$out/capture.json"
: >"$out/inputs.tsv"
for path in "$@"; do printf 'data_paths\t%s\n' "$path" >>"$out/inputs.tsv"; done
