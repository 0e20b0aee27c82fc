/* Runs two commands in turn, A B A B …, and prints the CPU time (user and system, children
 * included) and the wall time of each as minimum, median, maximum, and the ratio A/B of the
 * medians: figures of one machine mean little, ratios measured side by side do. With --pss COMMAND:
 * the peak of the proportional set size summed over the whole process tree, sampled from
 * smaps_rollup. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS_MAX 1000

struct figures {
    double cpu_ms[RUNS_MAX], wall_ms[RUNS_MAX];
    size_t n;
};

static double now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static pid_t start(char **argv)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null_fd >= 0) {
            (void)dup2(null_fd, 0);
            (void)dup2(null_fd, 1);
            (void)dup2(null_fd, 2);
        }
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static bool run(char **argv, struct figures *f)
{
    struct rusage usage;
    int status = 0;
    double started = now_ms();
    pid_t pid = start(argv);
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0 ||
        (WIFEXITED(status) && WEXITSTATUS(status) == 127)) {
        (void)fprintf(stderr, "measure: cannot run %s\n", argv[0]);
        return false;
    }
    f->wall_ms[f->n] = now_ms() - started;
    f->cpu_ms[f->n] = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
                      (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    f->n++;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double print_row(const char *name, double *values, size_t n)
{
    qsort(values, n, sizeof(*values), by_value);
    printf("%-10s min %9.2f  median %9.2f  max %9.2f ms\n", name, values[0], values[n / 2],
           values[n - 1]);
    return values[n / 2];
}

/* --- proportional set size of a process tree --- */

static long parent_of(long pid)
{
    char path[64];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return -1;
    }
    text[n] = '\0';
    const char *p =
        strrchr(text, ')'); /* the name in between may hold anything: proc_pid_stat(5) */
    return p != NULL && strlen(p) > 4 ? strtol(p + 4, NULL, 10) : -1;
}

static long pss_kib(long pid)
{
    char path[64];
    char text[2048];
    (void)snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n <= 0) {
        return 0;
    }
    text[n] = '\0';
    const char *p = strstr(text, "\nPss:");
    return p != NULL ? strtol(p + 5, NULL, 10) : 0;
}

static bool descends(long pid, long root)
{
    for (int depth = 0; depth < 8 && pid > 1; depth++) {
        if (pid == root) {
            return true;
        }
        pid = parent_of(pid);
    }
    return false;
}

static long tree_pss(long root)
{
    long sum = 0;
    DIR *d = opendir("/proc");
    if (d == NULL) {
        return 0;
    }
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        long pid = isdigit((unsigned char)e->d_name[0]) ? strtol(e->d_name, NULL, 10) : 0;
        if (pid >= root && descends(pid, root)) {
            sum += pss_kib(pid);
        }
    }
    (void)closedir(d);
    return sum;
}

static int measure_pss(char **argv)
{
    long peak = 0;
    size_t samples = 0;
    for (int round = 0; round < 20; round++) {
        pid_t pid = start(argv);
        int status = 0;
        if (pid < 0) {
            return 1;
        }
        while (waitpid(pid, &status, WNOHANG) == 0) {
            long now = tree_pss(pid);
            peak = now > peak ? now : peak;
            samples++;
        }
    }
    printf("peak PSS over all processes: %.1f MiB (%zu samples over 20 runs)\n",
           (double)peak / 1024.0, samples);
    return 0;
}

int main(int argc, char **argv)
{
    static struct figures a;
    static struct figures b;
    int runs = 15;
    int at = 1;
    if (argc > 2 && strcmp(argv[1], "--pss") == 0) {
        return measure_pss(argv + 2);
    }
    if (argc > 3 && strcmp(argv[1], "-n") == 0) {
        runs = (int)strtol(argv[2], NULL, 10);
        at = 3;
    }
    int split = at;
    while (split < argc && strcmp(argv[split], "--") != 0) {
        split++;
    }
    if (split == at || split + 1 >= argc || runs < 1 || runs > RUNS_MAX) {
        (void)fprintf(
            stderr,
            "usage: measure [-n RUNS] COMMAND_A… -- COMMAND_B…  |  measure --pss COMMAND…\n");
        return 64;
    }
    argv[split] = NULL;
    for (int i = -1; i < runs; i++) {
        if (!run(argv + at, &a) || !run(argv + split + 1, &b)) {
            return 1;
        }
        if (i < 0) { /* a warm-up, not counted */
            a.n = 0;
            b.n = 0;
        }
    }
    double a_cpu = print_row("A cpu", a.cpu_ms, a.n);
    double b_cpu = print_row("B cpu", b.cpu_ms, b.n);
    (void)print_row("A wall", a.wall_ms, a.n);
    (void)print_row("B wall", b.wall_ms, b.n);
    printf("ratio A/B of CPU medians: %.1f\n", a_cpu / b_cpu);
    return 0;
}
