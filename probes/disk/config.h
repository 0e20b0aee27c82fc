/* Where the kernel and its helpers would put an image of memory: hibernation, core dumps, the crash
 * kernel's dump. Pure: texts of /proc and of configuration files in, targets out.
 * core(5), coredump.conf(5), kdump.conf(5), kdump-tools(5), kernel-parameters. */
#ifndef TENKEN_PROBES_DISK_CONFIG_H
#define TENKEN_PROBES_DISK_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/compiler.h"

#define CONFIG_TEXT_MAX 1024U

/* The last NAME=VALUE (or bare NAME: empty text) on the kernel's command line, double quotes
 * removed. False if absent or longer than out. */
bool cmdline_option(const char *cmdline, const char *name, char *out, size_t out_n);
/* The last KEY=VALUE of an ini or shell style text. section: name in brackets that must be in
 * force, NULL = any. Comments (#, ;) ignored, one pair of quotes removed. False if absent. */
bool conf_value(const char *text, const char *section, const char *key, char *out, size_t out_n);

enum core_kind {
    CORE_NONE,     /* nothing is stored */
    CORE_DIR,      /* into the directory `where` */
    CORE_RELATIVE, /* into the working directory of the process that died */
    CORE_SYSTEMD,  /* systemd-coredump decides by coredump.conf */
    CORE_HANDLER   /* another program decides: `where` is its path */
};
/* pattern, uses_pid: contents of /proc/sys/kernel/core_pattern and core_uses_pid. */
enum core_kind core_pattern_parse(const char *pattern, const char *uses_pid, char *where,
                                  size_t where_n);

enum kdump_kind {
    KDUMP_NONE,    /* this text configures none */
    KDUMP_DIR,     /* `where` is a directory of the running system */
    KDUMP_DEVICE,  /* `where` is a device: /dev/..., UUID=..., LABEL=... */
    KDUMP_NETWORK, /* another machine */
    KDUMP_OTHER    /* a form this program does not know */
};
/* Debian's /etc/default/kdump-tools. */
enum kdump_kind kdump_parse_debian(const char *text, char *where, size_t where_n);
/* Red Hat's /etc/kdump.conf. */
enum kdump_kind kdump_parse_redhat(const char *text, char *where, size_t where_n);
/* SUSE's /etc/sysconfig/kdump. */
enum kdump_kind kdump_parse_suse(const char *text, char *where, size_t where_n);

#endif
