/* The floor that a scan is measured against: a program that only opens and reads what an inspection
 * of our areas must read, and throws it away. No parsing, no confinement, one process. `floor diag`
 * reads all areas. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char buffer[65536];

static void read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return;
    }
    while (read(fd, buffer, sizeof(buffer)) > 0) {
    }
    (void)close(fd);
}

static void each(const char *dir, void (*fn)(const char *dir, const char *name))
{
    DIR *d = opendir(dir);
    if (d == NULL) {
        return;
    }
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            fn(dir, e->d_name);
        }
    }
    (void)closedir(d);
}

static void read_entry(const char *dir, const char *name)
{
    char path[8192];
    (void)snprintf(path, sizeof(path), "%.4096s/%.255s", dir, name);
    read_file(path);
}

static void read_process(const char *dir, const char *name)
{
    static const char *const leaves[] = {"stat", "status", "cmdline"};
    char path[8192];
    if (name[0] < '0' || name[0] > '9') {
        return;
    }
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        (void)snprintf(path, sizeof(path), "%.4096s/%.255s/%s", dir, name, leaves[i]);
        read_file(path);
    }
    (void)snprintf(path, sizeof(path), "%.4096s/%.255s/exe", dir, name);
    (void)!readlink(path, buffer, sizeof(buffer));
}

static void read_block(const char *dir, const char *name)
{
    static const char *const leaves[] = {"dev", "size", "ro", "dm/uuid", "dm/name", "partition"};
    char path[8192];
    for (size_t i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
        (void)snprintf(path, sizeof(path), "%.4096s/%.255s/%s", dir, name, leaves[i]);
        read_file(path);
    }
    (void)snprintf(path, sizeof(path), "%.4096s/%.255s/slaves", dir, name);
    each(path, read_entry);
}

int main(int argc, char **argv)
{
    static const char *const files[] = {"/proc/1/mountinfo",
                                        "/proc/swaps",
                                        "/proc/cmdline",
                                        "/proc/modules",
                                        "/proc/uptime",
                                        "/proc/cpuinfo",
                                        "/proc/meminfo",
                                        "/proc/sys/kernel/core_pattern",
                                        "/proc/sys/kernel/hostname",
                                        "/proc/sys/kernel/random/boot_id",
                                        "/sys/power/resume",
                                        "/etc/passwd",
                                        "/etc/group",
                                        "/etc/shadow",
                                        "/etc/login.defs",
                                        "/etc/os-release",
                                        "/etc/machine-id",
                                        "/etc/fstab",
                                        "/etc/crypttab",
                                        "/etc/sudoers",
                                        "/etc/ssh/sshd_config",
                                        "/etc/nsswitch.conf",
                                        "/etc/resolv.conf",
                                        "/etc/hosts"};
    static const char *const dirs[] = {"/etc/pam.d",
                                       "/etc/modprobe.d",
                                       "/lib/modprobe.d",
                                       "/etc/sudoers.d",
                                       "/etc/ssh/sshd_config.d",
                                       "/etc/security",
                                       "/etc/apt/sources.list.d",
                                       "/etc/sysctl.d",
                                       "/etc/udev/rules.d",
                                       "/lib/udev/rules.d",
                                       "/etc/systemd/system",
                                       "/sys/class/dmi/id",
                                       "/proc/sys/kernel"};
    if (argc != 2 || strcmp(argv[1], "diag") != 0) {
        (void)fprintf(stderr, "usage: floor diag\n");
        return 64;
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        read_file(files[i]);
    }
    for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        each(dirs[i], read_entry);
    }
    each("/sys/class/block", read_block);
    each("/proc", read_process);
    return 0;
}
