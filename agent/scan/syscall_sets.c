/* The rows of system calls. To give a probe something new, add a row with its reason here and name
 * it in the probe's .syscalls; never widen a row that other probes use. Order within a row is for
 * readers only: an allowed call beats a refused one wherever either stands. */
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "agent/base/compiler.h"
#include "agent/scan/child.h"
#include "agent/scan/syscall_sets.h"

#define ALLOW(call)                                                                                \
    {                                                                                              \
        .name = (call), .refuse = false, .when = WHEN_ALWAYS, .arg = 0, .value = 0                 \
    }
#define ALLOW_IF(call, n, v)                                                                       \
    {                                                                                              \
        .name = (call), .refuse = false, .when = WHEN_EQUAL, .arg = (n), .value = (uint64_t)(v)    \
    }
#define ALLOW_WITHOUT(call, n, bits)                                                               \
    {                                                                                              \
        .name = (call), .refuse = false, .when = WHEN_CLEAR, .arg = (n), .value = (uint64_t)(bits) \
    }
#define ALLOW_BITS(call, n, of, bits)                                                              \
    {                                                                                              \
        .name = (call), .refuse = false, .when = WHEN_BITS, .arg = (n), .value = (uint64_t)(bits), \
        .mask = (uint64_t)(of)                                                                     \
    }
#define REFUSE_BITS(call, n, of, bits)                                                             \
    {                                                                                              \
        .name = (call), .refuse = true, .when = WHEN_BITS, .arg = (n), .value = (uint64_t)(bits),  \
        .mask = (uint64_t)(of)                                                                     \
    }
#define REFUSE(call)                                                                               \
    {                                                                                              \
        .name = (call), .refuse = true, .when = WHEN_ALWAYS, .arg = 0, .value = 0                  \
    }
#define REFUSE_IF(call, n, v)                                                                      \
    {                                                                                              \
        .name = (call), .refuse = true, .when = WHEN_EQUAL, .arg = (n), .value = (uint64_t)(v)     \
    }

/* Request numbers that not every kernel header of a build machine has. */
#define FSCRYPT_GET_POLICY _IOW('f', 21, char[12])
#define FSCRYPT_GET_POLICY_EX _IOWR('f', 22, char[9])
#define OPAL_GET_STATUS _IOR('p', 236, char[8])

/* Memory, the end, the clock, and rows to the result pipe. No memory that can be executed. */
static const struct syscall_entry probe_parse[] = {
    ALLOW_IF("write", 0, CHILD_RESULT_FD),
    ALLOW("exit_group"),
    ALLOW("exit"),
    ALLOW("rt_sigreturn"),
    ALLOW("restart_syscall"),
    ALLOW("brk"),
    ALLOW_WITHOUT("mmap", 2, PROT_EXEC),
    ALLOW_WITHOUT("mmap2", 2, PROT_EXEC),
    ALLOW_WITHOUT("mprotect", 2, PROT_EXEC),
    ALLOW("munmap"),
    ALLOW("mremap"),
    ALLOW("madvise"),
    ALLOW("futex"), /* malloc's and stdio's locks when they contend */
    ALLOW("clock_gettime"),
    ALLOW("clock_gettime64"),
    ALLOW("gettimeofday"),
    ALLOW("time"),
    ALLOW("getrandom"), /* hash seeds */
    ALLOW("sysinfo"),   /* qsort asks for the size of memory */
    ALLOW("getpid"),
    ALLOW("close"),
    REFUSE("open"), /* fopen, opendir: probes read through struct host, which uses openat2 */
    REFUSE("openat"),
    REFUSE("access"),
    REFUSE("faccessat"),
    REFUSE("readlink"),
    REFUSE_IF("ioctl", 1, TCGETS), /* isatty before the first write to a stream */
    REFUSE_IF("write", 0, STDOUT_FILENO),
    REFUSE_IF("write", 0, STDERR_FILENO), /* messages of abort and of the C library */
    REFUSE("writev"),
    REFUSE("tgkill"), /* abort */
    REFUSE("rt_sigprocmask"),
    REFUSE("rt_sigaction"),
    REFUSE("gettid"),
    REFUSE("prlimit64"), /* sysconf */
    REFUSE("sched_getaffinity"),
};

static const struct syscall_entry probe_base[] = {
    ALLOW("@probe-parse"),
    ALLOW("uname"),
};

/* The flags of openat2 stand behind a pointer that seccomp cannot follow. Reading beside .reads and
 * opening for writing are therefore Landlock's to refuse; on a kernel without it the child's user,
 * its capabilities (none that writes) and the refusal of every writing call but to the pipe remain:
 * a child that was taken over could still make or empty a file where any user can. */
static const struct syscall_entry file_read[] = {
    ALLOW("openat2"),
    ALLOW("read"),
    ALLOW("pread64"),
    ALLOW("lseek"),
    ALLOW("_llseek"),
    ALLOW("fstat"),
    ALLOW("fstat64"),
    ALLOW("newfstatat"),
    ALLOW("fstatat64"),
    ALLOW("statx"),
    ALLOW("readlinkat"),
    ALLOW_IF("fcntl", 1, F_GETFL),
    ALLOW_IF("fcntl", 1, F_GETFD),
    ALLOW_IF("fcntl", 1, F_SETFD),
    ALLOW_IF("fcntl", 1, F_DUPFD_CLOEXEC),
    ALLOW_IF("fcntl64", 1, F_GETFL),
    ALLOW_IF("fcntl64", 1, F_GETFD),
    ALLOW_IF("fcntl64", 1, F_SETFD),
    ALLOW_IF("fcntl64", 1, F_DUPFD_CLOEXEC),
};

/* A walk that could not read what it finds is no use to any probe so far. */
static const struct syscall_entry dir_walk[] = {
    ALLOW("@file-read"),
    ALLOW("getdents64"),
    ALLOW("getdents"),
};

/* Links below /proc without Landlock: openat(2) shows its flags to the filter, openat2(2) would
 * not. Directories only, for reading only; O_TMPFILE holds the bit of O_DIRECTORY, so it is
 * excluded by what else it holds. Without a call that reads, and with descriptors of directories
 * alone, no file's content can be had (mmap of a directory fails). */
#define DIR_FLAGS (O_ACCMODE | O_CREAT | O_TRUNC | O_DIRECTORY | O_TMPFILE)
static const struct syscall_entry proc_links[] = {
    ALLOW_BITS("openat", 2, DIR_FLAGS, O_DIRECTORY),
    REFUSE_BITS("openat", 2, O_DIRECTORY, 0), /* libraries that try files, as in @probe-parse */
    ALLOW("readlinkat"),
    ALLOW("getdents64"),
};

static const struct syscall_entry fs_info[] = {
    ALLOW("fstatfs"),
    ALLOW("fstatfs64"),
};

/* Only questions: no call of the device-mapper that makes, loads, suspends or removes. */
static const struct syscall_entry ioctl_dm[] = {
    ALLOW("@file-read"),
    ALLOW_IF("ioctl", 1, DM_VERSION),
    ALLOW_IF("ioctl", 1, DM_LIST_DEVICES),
    ALLOW_IF("ioctl", 1, DM_LIST_VERSIONS),
    ALLOW_IF("ioctl", 1, DM_DEV_STATUS),
    ALLOW_IF("ioctl", 1, DM_TABLE_STATUS),
    ALLOW_IF("ioctl", 1, DM_TABLE_DEPS),
};

static const struct syscall_entry ioctl_block[] = {
    ALLOW("@file-read"),
    ALLOW_IF("ioctl", 1, BLKGETSIZE64),
    ALLOW_IF("ioctl", 1, BLKSSZGET),
    ALLOW_IF("ioctl", 1, BLKPBSZGET),
    ALLOW_IF("ioctl", 1, BLKROGET),
};

static const struct syscall_entry ioctl_loop[] = {
    ALLOW("@file-read"),
    ALLOW_IF("ioctl", 1, LOOP_GET_STATUS64),
};

static const struct syscall_entry ioctl_opal[] = {
    ALLOW("@file-read"),
    ALLOW_IF("ioctl", 1, OPAL_GET_STATUS),
};

static const struct syscall_entry ioctl_fscrypt[] = {
    ALLOW("@file-read"),
    ALLOW_IF("ioctl", 1, FSCRYPT_GET_POLICY),
    ALLOW_IF("ioctl", 1, FSCRYPT_GET_POLICY_EX),
    ALLOW_IF("ioctl", 1, FS_IOC_GETFLAGS),
};

static const struct syscall_entry time_read[] = {
    ALLOW("adjtimex"), /* without CAP_SYS_TIME it can only read */
};

/* Stream and datagram clients over IP. No netlink, no raw or packet sockets, no Unix sockets. */
static const struct syscall_entry net_client[] = {
    ALLOW_IF("socket", 0, AF_INET),
    ALLOW_IF("socket", 0, AF_INET6),
    ALLOW("connect"),
    ALLOW("getsockopt"),
    ALLOW("setsockopt"),
    ALLOW("getsockname"),
    ALLOW("getpeername"),
    ALLOW("sendto"),
    ALLOW("recvfrom"),
    ALLOW("shutdown"),
    ALLOW("poll"),
    ALLOW("ppoll"),
};

/* A client of daemons on this machine, which ask for no route and no address: no IP, no netlink. No
 * accept, bind or listen. SO_PASSCRED alone may be set: it makes the kernel name who answers. */
static const struct syscall_entry unix_client[] = {
    ALLOW_IF("socket", 0, AF_UNIX),
    ALLOW_IF("setsockopt", 2, SO_PASSCRED),
    ALLOW("connect"),
    ALLOW("sendto"),
    ALLOW("recvmsg"),
    ALLOW("poll"),
    ALLOW("ppoll"),
};

/* Taking one more filter and giving up capabilities can only take away. */
static const struct syscall_entry step_down[] = {
    ALLOW_IF("seccomp", 0, SECCOMP_SET_MODE_FILTER),
    ALLOW("capset"),
    ALLOW("capget"),
};

#ifdef TENKEN_SANITIZERS
static const struct syscall_entry sanitizer[] = {
    ALLOW("sigaltstack"),       ALLOW("sched_yield"),     ALLOW("rt_sigprocmask"),
    ALLOW("rt_sigaction"),      ALLOW("gettid"),          ALLOW("getppid"),
    ALLOW_IF("write", 0, 2),    ALLOW("clock_nanosleep"), ALLOW("tgkill"),
    ALLOW("rt_tgsigqueueinfo"),
};
#endif

#define ROW(set_name, set_why, entries)                                                            \
    {                                                                                              \
        .name = (set_name), .why = (set_why), .list = (entries), .n = ARRAY_LEN(entries)           \
    }

static const struct syscall_set sets[] = {
    ROW(SYSCALLS_BASE, "every probe: memory, the clock, its rows, its end", probe_base),
    ROW(SYSCALLS_PARSE, "parse() after the step down: nothing can be opened", probe_parse),
    ROW(SYSCALLS_STEP_DOWN, "a probe with parse(): give up capabilities, take a tighter filter",
        step_down),
    ROW("@file-read", "read files and links through the root descriptor", file_read),
    ROW("@dir-walk", "list directories, and read what is in them", dir_walk),
    ROW("@proc-links", "list directories and read links below /proc; no file can be opened",
        proc_links),
    ROW("@fs-info", "type and flags of the file system behind an open file", fs_info),
    ROW("@ioctl-dm", "ask the device-mapper for its devices and tables", ioctl_dm),
    ROW("@ioctl-block", "size and block size of a block device", ioctl_block),
    ROW("@ioctl-loop", "ask a loop device which file it was bound to", ioctl_loop),
    ROW("@ioctl-opal", "ask a drive whether its own locking is armed", ioctl_opal),
    ROW("@ioctl-fscrypt", "ask any directory for its encryption policy", ioctl_fscrypt),
    ROW("@time-read", "ask the kernel whether its clock is disciplined", time_read),
    ROW("@net-client", "connect to a declared endpoint (added by .network)", net_client),
    ROW("@unix-client", "ask a daemon of this machine over its UNIX socket", unix_client),
#ifdef TENKEN_SANITIZERS
    ROW("@sanitizer", "run-time of the sanitizers, only in builds with them", sanitizer),
#endif
};

const struct syscall_set *syscall_set_all(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(sets);
    return sets;
}

const struct syscall_set *syscall_set_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
        if (strcmp(sets[i].name, name) == 0) {
            return &sets[i];
        }
    }
    return NULL;
}
