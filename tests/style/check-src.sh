#!/bin/sh
# The house's rules that a script can see (each says below what it is for). Prints `path:line: check: what`, exit 1 if anything stands.
#   check-src.sh [--build DIR] [--allow FILE] [ROOT]
# --build: a finished build without sanitizers, whose objects are looked through for mutable state.
# --allow: exceptions, one per line: `check path[:name] reason...`; one without a reason or without
# effect is itself an error.
set -eu
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
build=
allow=$here/allowed.txt
root=
while [ $# -gt 0 ]; do
    case $1 in
    --build) build=$2 && shift ;;
    --allow) allow=$2 && shift ;;
    *) root=$1 ;;
    esac
    shift
done
root=$(cd "${root:-$here/../..}" && pwd)
cd "$root"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tab=$(printf '\t')
: >"$work/found" # check TAB path TAB line TAB name TAB text
: >"$work/ran"

# found CHECK PATH LINE NAME TEXT: name is what an exception may single out
found() {
    printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$work/found"
}

find agent probes server-stub tests -type f \( -name '*.c' -o -name '*.h' \) 2>/dev/null | sort >"$work/sources"
grep -v '^tests/' "$work/sources" >"$work/product" || true

# --- sources without comments and texts: path TAB line TAB code ---
: >"$work/code"
while read -r file; do
    awk -v file="$file" '
    {
        out = ""
        rest = $0
        while (rest != "") {
            if (comment) {
                at = index(rest, "*/")
                if (!at) break
                rest = substr(rest, at + 2)
                comment = 0
                continue
            }
            if (!match(rest, /["\047]|\/\*|\/\//)) { out = out rest; break }
            out = out substr(rest, 1, RSTART - 1)
            mark = substr(rest, RSTART, RLENGTH)
            rest = substr(rest, RSTART + RLENGTH)
            if (mark == "//") break
            if (mark == "/*") { comment = 1; out = out " "; continue }
            # a text or character: to its end, minding backslashes; #include lines keep theirs
            text = ""
            while (rest != "") {
                c = substr(rest, 1, 1)
                if (c == "\\") { text = text substr(rest, 1, 2); rest = substr(rest, 3); continue }
                rest = substr(rest, 2)
                if (c == mark) break
                text = text c
            }
            if ($0 ~ /^#include/) out = out mark text mark
            else out = out mark mark
        }
        print file "\t" NR "\t" out
    }' "$file" >>"$work/code"
done <"$work/sources"
grep -v '^tests/' "$work/code" >"$work/product-code" || true

# calls FILE-OF-CODE REGEX-OF-NAMES: path TAB line TAB name, for each call of such a function
calls() {
    awk -F '\t' -v names="^($2)$" '
    {
        rest = $3
        while (match(rest, /[A-Za-z_][A-Za-z0-9_]*[ ]*\(/)) {
            name = substr(rest, RSTART, RLENGTH)
            before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
            sub(/[ ]*\($/, "", name)
            if (name ~ names && before != "." && before != ">") print $1 "\t" $2 "\t" name
            rest = substr(rest, RSTART + RLENGTH)
        }
    }' "$1"
}

# 1. Functions that overflow, keep hidden state, start programs, or ask the locale.
check_banned() {
    never='strcpy|strcat|strncat|sprintf|vsprintf|gets|scanf|fscanf|strtok|atoi|atol|atoll|atof'
    never="$never|alloca|system|popen|tmpnam|tempnam|mktemp|setlocale|strerror|localtime|gmtime|asctime|ctime"
    never="$never|gethostbyname|gethostbyaddr|vfork|setjmp|longjmp|rand|srand|random|gettimeofday"
    calls "$work/product-code" "$never" | while IFS=$tab read -r path line name; do
        found banned "$path" "$line" "$name" "$name() is not used here"
    done
    # Names are resolved where a network is meant to be, never while inspecting.
    calls "$work/product-code" 'getaddrinfo' | while IFS=$tab read -r path line name; do
        case $path in
        agent/upload/* | server-stub/*) ;;
        *) found banned "$path" "$line" "$name" "$name() outside agent/upload and server-stub" ;;
        esac
    done
    # The inspected host's accounts are read from its files; no NSS module is loaded into a child.
    calls "$work/product-code" 'getpw(uid|nam|ent)(_r)?|getgr(gid|nam|ent)(_r)?|getgrouplist|initgroups|getspnam' | while IFS=$tab read -r path line name; do
        case $path in
        probes/* | agent/scan/* | agent/base/* | agent/policy/* | agent/evidence/*)
            found banned "$path" "$line" "$name" "$name() asks NSS" ;;
        esac
    done
    # Nothing on the scan path starts a program.
    calls "$work/product-code" 'exec[lv][pe]*|execvpe|fexecve|execveat|posix_spawnp?' |
        while IFS=$tab read -r path line name; do
            case $path in
            agent/commands/* | agent/upload/* | server-stub/* | agent/main.c) ;;
            *) found banned "$path" "$line" "$name" "$name(): the scan path starts no program" ;;
            esac
        done
}

# 2. Every look at the inspected host goes through agent/base/host.h.
check_direct_io() {
    names='open|openat|openat2|open64|creat|fopen|freopen|stat|lstat|fstatat|statx|readlink|readlinkat'
    names="$names|opendir|scandir|nftw|ftw|fts_open|glob|access|faccessat|realpath|statfs|statvfs|unlink|rename|mkdir"
    calls "$work/product-code" "$names" | while IFS=$tab read -r path line name; do
        case $path in
        probes/*) found direct-io "$path" "$line" "$name" "$name() on the host; use host_*()" ;;
        esac
    done
}

# 3. Who may know whom (the folders' order of dependency).
check_includes() {
    awk -F '\t' '
    function allowed(from, to) {
        if (from == to) return 1
        return index(" " knows[from] " ", " " to " ") > 0
    }
    function folder(path, parts, n) {
        n = split(path, parts, "/")
        if (parts[1] == "agent" && n == 2) return "agent"
        return parts[1] == "agent" ? parts[1] "/" parts[2] : parts[1]
    }
    BEGIN {
        knows["agent/base"] = ""
        knows["probes"] = "agent/base"
        knows["agent/scan"] = "probes agent/base"
        knows["agent/policy"] = "agent/base"
        knows["agent/evidence"] = "agent/policy agent/base"
        knows["agent/upload"] = "agent/evidence agent/policy agent/base"
        all = "probes agent/base agent/scan agent/policy agent/evidence agent/upload agent/commands"
        knows["agent/commands"] = all
        knows["agent"] = all
        knows["server-stub"] = "agent/base agent/policy agent/evidence"
    }
    $3 ~ /^#[ ]*include[ ]*"/ {
        split($3, quoted, "\"")
        from = folder($1)
        to = folder(quoted[2])
        if (quoted[2] !~ /\//) print $1 "\t" $2 "\t" quoted[2] "\twrite the path from the top: " quoted[2]
        else if (!allowed(from, to)) print $1 "\t" $2 "\t" quoted[2] "\t" from " may not know " to
    }' "$work/product-code" | while IFS=$tab read -r path line name text; do
        found include "$path" "$line" "$name" "$text"
    done
}

# 4. Functions in headers have a contract: a comment in their paragraph, before or beside them.
check_documented() {
    grep '\.h$' "$work/product" | while read -r file; do
        awk '
        # one entry per statement at file scope; depth counts braces
        /^[ \t]*$/ { if (!depth) { paragraph = 0 } next }
        {
            line = $0
            if (line ~ /\/\*/ ) { paragraph = 1 }
            if (in_comment) { if (line ~ /\*\//) in_comment = 0; next }
            if (line ~ /^[ ]*\/\*/) { if (line !~ /\*\//) in_comment = 1; next }
            if (line ~ /^#/) next
            code = line
            gsub(/\/\*.*\*\//, "", code)
            opens = gsub(/\{/, "{", code)
            closes = gsub(/\}/, "}", code)
            if (!depth && !opens && code ~ /^[a-z].*[a-z0-9_]\(/ && code !~ /^(typedef|static|return)/ && !paragraph) {
                name = code
                sub(/\(.*/, "", name)
                sub(/.*[ *]/, "", name)
                # foo_done() and foo_free() release a foo; NULL is fine: the same everywhere
                if (name != "" && name !~ /_(done|free)$/) print NR "\t" name
            }
            depth += opens - closes
        }' "$file" | while IFS=$tab read -r line name; do
            found undocumented "$file" "$line" "$name" "$name() has no contract comment"
        done
    done
}

# 5. Work left over belongs into the tracker.
check_leftovers() {
    find agent probes server-stub tests dist policies -type f 2>/dev/null |
        grep -v -e '^tests/style/' -e '/corpus/' -e '^tests/hosts/' |
        while read -r file; do
            grep -nIE '(^|[^A-Za-z_])(TODO|FIXME|XXX|HACK)([^A-Za-z_X]|$)' "$file" /dev/null |
                while IFS=: read -r path line _; do
                    found leftover "$path" "$line" - "unfinished work is noted in the tracker, not here"
                done
        done
}

# 6. Each source has its test: the mirrored one, or one whose first lines name it.
check_mirrored() {
    find tests -name 'test_*.c' -o -path 'tests/*' -name 'test_*.sh' -o -path 'tests/fuzz/*' -name 'fuzz_*.c' 2>/dev/null |
        while read -r file; do
            head -n 12 "$file"
        done >"$work/heads"
    grep '\.c$' "$work/product" | while read -r file; do
        name=$(basename "$file" .c)
        folder=$(dirname "$file")
        top=${folder%%/*}
        [ "$top" = probes ] && folder=probes
        if [ ! -e "tests/$folder/test_$name.c" ] && ! grep -qF "$file" "$work/heads"; then
            found unmirrored "$file" 1 - "no tests/$folder/test_$name.c, and no test's head names it"
        fi
    done
}

# 7. Files and functions stay small enough to be read.
check_sizes() {
    while read -r file; do
        lines=$(wc -l <"$file")
        if [ "$lines" -gt 900 ]; then
            found size "$file" 900 - "$lines lines, at most 900"
        fi
    done <"$work/sources"
    while read -r file; do
        awk '
        /^[a-z].*\(/ && !/;[ ]*$/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
        /^\{/ { start = NR }
        /^\}/ { if (start && NR - start - 1 > 80) print start "\t" name "\t" NR - start - 1; start = 0 }
        ' "$file" | while IFS=$tab read -r line name lines; do
            found size "$file" "$line" "$name" "$name() has $lines lines, at most 80"
        done
    done <"$work/product"
}

# 8. No mutable state at file scope (or static in a function): objects have nothing in .data, .bss.
check_state() {
    find "$build" -path '*/CMakeFiles/*' -name '*.c.o' |
        grep -e '/tenken' |
        while read -r object; do
            objdump -t "$object" 2>/dev/null | awk '
            $0 ~ / O [.](data|bss)/ || $0 ~ /\*COM\*/ {
                section = ""
                for (i = 1; i <= NF; i++) if ($i ~ /^([.](data|bss)|\*COM\*)/) section = $i
                if (section ~ /^[.]data[.]rel[.]ro/) next   # const, holds addresses
                name = $NF
                sub(/[.][0-9]+$/, "", name)
                if (name !~ /^(__gcov|__asan|__odr_asan|[.]L)/) print name
            }' | while read -r name; do
                source=${object#*.dir/}
                found state "$(basename "${source%.o}")" 1 "$name" "$name is mutable and outlives its function"
            done
        done
}

# 9. The licence is there and is the one we say.
check_licence() {
    if ! grep -q 'Apache License' LICENSE 2>/dev/null; then
        found licence LICENSE 1 - "the text of the Apache License 2.0 is missing"
    fi
}

# 10. Nothing of the machine it was written on.
check_foreign_paths() {
    find agent probes server-stub dist policies tests README.md CMakeLists.txt CMakePresets.json -type f 2>/dev/null |
        grep -v -e '^tests/style/' -e '/corpus/' |
        while read -r file; do
            grep -nIE '(^|[^A-Za-z0-9_.-])/tmp/build-' "$file" /dev/null | while IFS=: read -r path line _; do
                found foreign-path "$path" "$line" - "names a directory of one machine"
            done
        done
}

# 11. One layout of the code. Other versions of clang-format lay out differently.
check_format() {
    formatter=$(command -v clang-format-14 || command -v clang-format || true)
    if [ -z "$formatter" ] || ! "$formatter" --version | grep -q 'version 14'; then
        echo "check-src.sh: no clang-format 14 here, the layout is not checked" >&2
        return 0
    fi
    echo format >>"$work/ran"
    xargs -a "$work/sources" "$formatter" --dry-run 2>&1 |
        sed -n 's/^\([^:]*\):\([0-9]*\):.*clang-format-violations.*/\1\t\2/p' |
        awk -F '\t' '!seen[$1]++' | while IFS=$tab read -r path line; do
        found format "$path" "$line" - "run: clang-format -i $path"
    done
}

run() {
    echo "$1" >>"$work/ran"
    "$2"
}
run banned check_banned
run direct-io check_direct_io
run include check_includes
run undocumented check_documented
run leftover check_leftovers
run unmirrored check_mirrored
run size check_sizes
run licence check_licence
run foreign-path check_foreign_paths
check_format
if [ -n "$build" ]; then
    run state check_state
fi

# --- exceptions, then what is left ---
[ -e "$allow" ] || allow=/dev/null
awk -F '\t' -v allow_file="$allow" -v ran_file="$work/ran" '
BEGIN {
    while ((getline line < ran_file) > 0) ran[line] = 1
    while ((getline line < allow_file) > 0) {
        number++
        if (line ~ /^[ \t]*(#|$)/) continue
        n = split(line, part, " ")
        if (n < 3) { print allow_file ":" number ": allow: an exception needs a reason"; bad = 1; continue }
        key = part[1] " " part[2]
        known[key] = number
        check_of[key] = part[1]
    }
}
{
    plain = $1 " " $2
    named = plain ":" $4
    if (plain in known) used[plain] = 1
    else if (named in known) used[named] = 1
    else { print $2 ":" $3 ": " $1 ": " $5; bad = 1 }
}
END {
    for (key in known) if (!(key in used) && (check_of[key] in ran)) {
        print allow_file ":" known[key] ": allow: excuses nothing any more: " key
        bad = 1
    }
    exit bad
}' "$work/found"
