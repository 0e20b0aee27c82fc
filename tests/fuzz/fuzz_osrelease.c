/* os-release, release lines, zone files, processor list, boot arguments, sysctl.d. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/system/kernelfiles.h"
#include "probes/system/osrelease.h"
#include "probes/system/sysctlconf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void releases(const char *bytes, size_t size)
{
    struct os_release r;
    struct parse_report report;
    struct version_numbers v = {0};
    struct span name = {0};
    char zone[16];

    osrelease_parse(bytes, size, &r, &report);
    if (report.bad > report.lines || strnlen(r.name, sizeof(r.name)) == sizeof(r.name) ||
        strnlen(r.codename, sizeof(r.codename)) == sizeof(r.codename)) {
        abort();
    }
    if (release_line_parse(span_of(bytes, size), &name, &v) &&
        (name.n == 0 || v.major < 0 || v.minor < 0 || v.patch < 0)) {
        abort();
    }
    if (tzif_abbreviation(bytes, size, 1700000000, zone) &&
        strnlen(zone, sizeof(zone)) == sizeof(zone)) {
        abort();
    }
}

static void kernel(const char *bytes, size_t size)
{
    CLEANUP(str) struct str arguments = STR_INIT(size * 2 + 16);
    CLEANUP(str) struct str path = STR_INIT(size + 16);
    CLEANUP(str) struct str device = STR_INIT(size + 16);
    struct cpuinfo cpu;
    int64_t n = 0;

    if (cpuinfo_parse(bytes, size, &cpu, NULL) == 0 &&
        (cpu.sockets > cpu.physical || (cpu.hypervisor && !cpu.has_flags))) {
        abort();
    }
    if ((meminfo_total(bytes, size, &n) || uptime_seconds(bytes, size, &n)) && n < 0) {
        abort();
    }
    cmdline_parse(span_of(bytes, size), &arguments, &path, &device);
    if (arguments.error != 0 || path.error != 0 || device.error != 0) {
        abort(); /* never more than was there */
    }
}

static void sysctl_files(const char *bytes, size_t size)
{
    struct sysctl_conf c = {0};

    if (size <= 4096 && sysctl_conf_add(&c, bytes, size, NULL) == 0) {
        for (size_t i = 0; i < c.n; i++) {
            const char *value = sysctl_conf_find(&c, c.items[i].path);
            if (!c.items[i].glob && c.items[i].value != NULL && value == NULL && i + 1 == c.n) {
                abort(); /* the last exact assignment counts */
            }
        }
    }
    sysctl_conf_done(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;

    releases(bytes, size);
    kernel(bytes, size);
    sysctl_files(bytes, size);
    return 0;
}
