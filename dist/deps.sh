#!/bin/sh
# Installs the packages that tenken needs: the only place in the repository that installs anything.
#   dist/deps.sh [--check] [build] [run] [test] [lint] [package]      (default: build)
# --check only tells what is missing (exit 1). With everything there it needs neither root nor a
# network. Debian and Ubuntu by apt. RHEL and its kin by dnf (written from the package names of
# RHEL 9 with EPEL and CRB; not tried).
set -eu

# "a|b": the first of them that is installed, or else can be installed (Debian's 64-bit time names).
debian_packages() {
    case $1 in
    build) echo "cmake ninja-build gcc libc6-dev linux-libc-dev pkg-config|pkgconf libyaml-dev
        libjansson-dev libsqlite3-dev libssl-dev libseccomp-dev libcap-dev
        libcurl4-openssl-dev|libcurl4-gnutls-dev libmicrohttpd-dev zlib1g-dev libzstd-dev" ;;
    run) echo "libyaml-0-2 libjansson4 libsqlite3-0 libssl3|libssl3t64 libseccomp2 libcap2
        libcurl4|libcurl4t64 libmicrohttpd12|libmicrohttpd12t64 zlib1g libzstd1 ca-certificates
        tzdata openssl curl" ;;
    test) echo "libcmocka-dev libpam0g-dev binutils openssl curl jq strace util-linux iproute2 python3 tzdata
        nginx apache2-bin gnutls-bin stunnel4 haproxy openssh-server" ;;
    lint) echo "clang-format-14|clang-format clang-tidy-14|clang-tidy cppcheck" ;;
    package) echo "dpkg-dev file gzip lintian debootstrap man-db groff-base" ;;
    *) return 1 ;;
    esac
}

rhel_packages() {
    case $1 in
    build) echo "cmake ninja-build gcc kernel-headers pkgconf-pkg-config libyaml-devel jansson-devel
        sqlite-devel openssl-devel libseccomp-devel libcap-devel libcurl-devel libmicrohttpd-devel
        zlib-devel libzstd-devel" ;;
    run) echo "libyaml jansson sqlite-libs openssl-libs libseccomp libcap libcurl libmicrohttpd zlib
        libzstd ca-certificates tzdata openssl curl" ;;
    test) echo "libcmocka-devel pam-devel libasan libubsan binutils openssl curl jq strace util-linux iproute
        python3 tzdata" ;;
    lint) echo "clang-tools-extra cppcheck" ;;
    package) echo "rpm-build systemd-rpm-macros gzip" ;;
    *) return 1 ;;
    esac
}

die() {
    echo "deps.sh: $*" >&2
    exit 1
}

debian_has() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

rhel_has() {
    rpm -q --quiet "$1" 2>/dev/null
}

# Installs quietly; what was said is shown only when it failed.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    rm -f "$log"
    return 1
}

debian_install() {
    export DEBIAN_FRONTEND=noninteractive
    # A machine with packages in its cache can do without the lists being fresh.
    quietly apt-get -qq -o DPkg::Lock::Timeout=120 update ||
        echo "deps.sh: apt-get update failed, going on with the lists there are" >&2
    chosen=
    for names in "$@"; do
        pick=
        for name in $(echo "$names" | tr '|' ' '); do
            # not by exit status: it is 0 for a purely virtual package
            if apt-cache show "$name" 2>/dev/null | grep -q '^Package:'; then
                pick=$name
                break
            fi
        done
        [ -n "$pick" ] || die "no package $names in the package lists (see /etc/apt/sources.list)"
        chosen="$chosen $pick"
    done
    # shellcheck disable=SC2086 # a list of words
    quietly apt-get -qq -y -o DPkg::Lock::Timeout=120 --no-install-recommends install $chosen ||
        die "could not install:$chosen"
}

rhel_install() {
    quietly dnf -y -q --setopt=install_weak_deps=False install "$@" ||
        die "could not install: $* (EPEL and CRB enabled?)"
}

if command -v apt-get >/dev/null 2>&1; then
    family=debian
elif command -v dnf >/dev/null 2>&1; then
    family=rhel
else
    die "neither apt-get nor dnf here; install by hand: $(debian_packages build | tr -s ' \n' ' ')"
fi

check_only=no
groups=
for argument in "$@"; do
    case $argument in
    --check) check_only=yes ;;
    build | run | test | lint | package) groups="$groups $argument" ;;
    *) die "unknown: $argument (usage: dist/deps.sh [--check] [build] [run] [test] [lint] [package])" ;;
    esac
done

missing=
for group in ${groups:-build}; do
    for names in $(${family}_packages "$group"); do
        there=no
        for name in $(echo "$names" | tr '|' ' '); do
            if ${family}_has "$name"; then
                there=yes
            fi
        done
        [ $there = yes ] || missing="$missing $names"
    done
done

[ -n "$missing" ] || exit 0
plainly=$(echo "$missing" | sed 's/|[^ ]*//g')
if [ $check_only = yes ]; then
    echo "missing:$plainly"
    exit 1
fi
[ "$(id -u)" = 0 ] || die "must be root to install:$plainly (try: sudo $0 $*)"
echo "installing:$plainly"
# shellcheck disable=SC2086 # a list of words
${family}_install $missing
