/* kill -9 at every system call of recording, of storing a receipt, of pruning: the work runs in a
 * child under ptrace(2), stopped at its Nth system call and killed there, for N = 1, 2, ... until
 * it comes through. After each death the next run must find everything that was said to be done, no
 * half-made file, and a chain without hole, fork or repetition. */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "tests/agent/evidence/sample.h"

#include "agent/evidence/state.h"
#include "agent/evidence/store.h"

#define STEPS_MAX 4000

/* What the child has said is done; outlives it. */
struct said {
    int64_t recorded; /* sequence that chain_append has returned 0 for */
    bool stored;      /* receipt_store has returned 0 */
    bool failed;      /* an error without a kill: a defect of the test's own path */
};

struct fixture {
    char dir[64];
    struct said *said;
};

typedef void (*work_fn)(struct fixture *f);

/* --- killing at a system call --- */

static void child_main(work_fn work, struct fixture *f)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0) {
        _exit(99);
    }
    (void)raise(SIGSTOP);
    work(f);
    _exit(0);
}

enum end { END_KILLED, END_FINISHED, END_REFUSED };

/* Runs work in a child and kills it at its Nth system call. */
static enum end run_and_kill(work_fn work, struct fixture *f, long nth)
{
    int status = 0;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child_main(work, f);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 99) {
        return END_REFUSED;
    }
    long stops = 2 * nth - 1; /* ptrace(2) stops at entries and exits by turns */
    for (long i = 0;; i++) {
        if (i == stops) {
            assert_int_equal(kill(pid, SIGKILL), 0);
            assert_int_equal(waitpid(pid, &status, 0), pid);
            return END_KILLED;
        }
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return END_FINISHED;
        }
        assert_true(WIFSTOPPED(status));
    }
}

/* --- what is done --- */

static void work_record(struct fixture *f)
{
    struct state *s = NULL;
    struct err err = {0};
    char digest[SHA256_HEX];
    CLEANUP(sign_key) struct sign_key *k = NULL;
    CLEANUP(chain_head) struct chain_head head = {0};
    CLEANUP(str) struct str payload = STR_INIT(ENVELOPE_MAX);
    CLEANUP(str) struct str envelope = STR_INIT(ENVELOPE_MAX);
    uint8_t pseudonym[32];
    size_t removed = 0;
    int rc = state_open(f->dir, true, &s, &err);
    if (rc == 0) {
        rc = state_key(s, true, &k, &err);
    }
    if (rc == 0) {
        rc = state_pseudonym_key(s, true, pseudonym, &err);
    }
    if (rc == 0) {
        rc = chain_find(s, "A", "sapporo-7-2", true, &head, &err);
    }
    if (rc == 0) {
        struct statement_meta meta = sample_meta(sign_key_id(k));
        meta.contract = "A";
        meta.chain = head.chain;
        meta.previous = head.digest;
        meta.sequence = head.sequence + 1;
        sample_statement(&meta, 0, head.payload, &payload);
        rc = sha256_hex(payload.data, payload.len, digest, &err);
    }
    if (rc == 0) {
        rc = dsse_sign(k, PAYLOAD_TYPE_EVIDENCE, payload.data, payload.len, &envelope, &err);
    }
    if (rc == 0) {
        rc = chain_append(s, &head, envelope.data, envelope.len, digest, &err);
    }
    if (rc == 0) {
        f->said->recorded = head.sequence + 1;
        rc = spool_prune(s, &removed, &err);
    }
    f->said->failed = rc != 0;
    state_close(s);
}

/* --- what must hold afterwards --- */

static void no_left_overs(const char *dir)
{
    CLEANUP(strv) struct strv names = {0};
    CLEANUP(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    OK(store_list(fd, dir, &names, e));
    for (size_t i = 0; i < names.n; i++) {
        char path[512];
        struct stat st;
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names.items[i]);
        if (strstr(names.items[i], ".tmp") != NULL) {
            fail_msg("%s was left behind", path);
        }
        if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            no_left_overs(path);
        }
    }
}

/* Every envelope of the spool is whole, signed by our key, and follows the one before. */
static int64_t check_spool(struct state *s, int64_t first)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    CLEANUP(verify_key) struct verify_key *own = NULL;
    char before[SHA256_HEX] = "";
    OK(spool_list(s, &l, e));
    if (l.n > 0) {
        OK(state_public_key(s, &own, e));
    }
    for (size_t i = 0; i < l.n; i++) {
        CLEANUP(str) struct str text = STR_INIT(ENVELOPE_MAX);
        CLEANUP(envelope) struct envelope env = {0};
        CLEANUP(statement_head) struct statement_head h = {0};
        OK(spool_read(s, &l.entries[i], &text, e));
        OK(envelope_parse(text.data, text.len, &env, e));
        OK(envelope_verify(&env, own, e));
        OK(statement_head_parse(env.payload, env.payload_n, &h, e));
        assert_string_equal(l.entries[i].chain, l.entries[0].chain); /* never a second chain */
        assert_true(l.entries[i].sequence == first + (int64_t)i);
        if (i > 0) {
            assert_string_equal(h.previous, before);
        }
        memcpy(before, env.digest, sizeof(before));
    }
    return first + (int64_t)l.n - 1;
}

static void set_up(struct fixture *f)
{
    scratch_make(f->dir);
    f->said =
        mmap(NULL, sizeof(*f->said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(f->said != MAP_FAILED);
    *f->said = (struct said){0};
}

static void tear_down(struct fixture *f)
{
    assert_int_equal(munmap(f->said, sizeof(*f->said)), 0);
    scratch_remove(f->dir);
}

static bool refused(enum end end)
{
    if (end == END_REFUSED) {
        print_message("skipped: this place does not allow ptrace(2)\n");
    }
    return end == END_REFUSED;
}

/* The first recording of a machine (keys, chain and all) and a later one. */
static void kill_recording(bool first)
{
    long nth = 1;
    enum end end = END_KILLED;
    for (; end == END_KILLED; nth++) {
        struct fixture f;
        struct state *s = NULL;
        set_up(&f);
        if (!first) {
            work_record(&f);
            assert_false(f.said->failed);
            assert_int_equal(f.said->recorded, 1);
        }
        end = run_and_kill(work_record, &f, nth);
        if (refused(end)) {
            tear_down(&f);
            return;
        }
        assert_true(nth < STEPS_MAX);
        assert_false(f.said->failed);
        int64_t promised = f.said->recorded;

        OK(state_open(f.dir, true, &s, e));
        no_left_overs(f.dir);
        int64_t last = check_spool(s, 1);
        assert_true(last >= promised); /* nothing is lost that was said to be recorded */
        assert_true(last <= (first ? 1 : 2));
        state_close(s);
        work_record(&f); /* the next run goes on */
        assert_false(f.said->failed);
        assert_true(f.said->recorded == last + 1);
        OK(state_open(f.dir, true, &s, e));
        assert_true(check_spool(s, 1) == last + 1);
        no_left_overs(f.dir);
        state_close(s);
        tear_down(&f);
    }
    print_message("killed at each of %ld system calls\n", nth - 2);
    assert_true(nth > 40); /* the path was really walked */
}

static void test_first_recording(void **state)
{
    (void)state;
    kill_recording(true);
}

static void test_later_recording(void **state)
{
    (void)state;
    kill_recording(false);
}

/* --- receipts and pruning --- */

/* Two envelopes recorded and a collector enrolled; the receipt of the first in *text. */
static void prepare_receipt(struct fixture *f, struct str *text)
{
    struct state *s = NULL;
    CLEANUP(sign_key) struct sign_key *collector = seed_key(SEED_TEST2);
    CLEANUP(verify_key) struct verify_key *own = NULL;
    CLEANUP(spool_list) struct spool_list l = {0};
    work_record(f);
    work_record(f);
    OK(state_open(f->dir, true, &s, e));
    const char *pem = sign_key_pem(collector);
    OK(state_set_collector_key(s, pem, strlen(pem), e));
    OK(state_public_key(s, &own, e));
    OK(spool_list(s, &l, e));
    struct receipt r = {.sequence = 1, .received_at = "t", .collector = "c"};
    memcpy(r.digest, l.entries[0].digest, sizeof(r.digest));
    memcpy(r.chain, l.entries[0].chain, sizeof(r.chain));
    (void)snprintf(r.keyid, sizeof(r.keyid), "%s", verify_key_id(own));
    OK(receipt_sign(collector, &r, text, e));
    state_close(s);
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/incoming", f->dir);
    OK(io_write_atomic(path, text->data, text->len, 0600, e));
}

static void work_store(struct fixture *f)
{
    struct state *s = NULL;
    struct err err = {0};
    CLEANUP(str) struct str text = STR_INIT(65536);
    char path[128], digest[SHA256_HEX];
    (void)snprintf(path, sizeof(path), "%s/incoming", f->dir);
    int rc = io_read_file(path, 65536, &text, &err);
    if (rc == 0) {
        rc = state_open(f->dir, false, &s, &err);
    }
    if (rc == 0) {
        rc = receipt_store(s, text.data, text.len, digest, &err);
    }
    f->said->stored = rc == 0;
    f->said->failed = rc != 0;
    state_close(s);
}

static void work_prune(struct fixture *f)
{
    struct state *s = NULL;
    struct err err = {0};
    size_t removed = 0;
    int rc = state_open(f->dir, true, &s, &err);
    if (rc == 0) {
        rc = spool_prune(s, &removed, &err);
    }
    f->said->failed = rc != 0;
    state_close(s);
}

static size_t unacknowledged(struct state *s)
{
    CLEANUP(spool_list) struct spool_list l = {0};
    OK(spool_list(s, &l, e));
    return l.n_unacknowledged;
}

static void test_receipt(void **state)
{
    (void)state;
    long nth = 1;
    enum end end = END_KILLED;
    for (; end == END_KILLED; nth++) {
        struct fixture f;
        struct state *s = NULL;
        CLEANUP(str) struct str text = STR_INIT(65536);
        set_up(&f);
        prepare_receipt(&f, &text);
        end = run_and_kill(work_store, &f, nth);
        if (refused(end)) {
            tear_down(&f);
            return;
        }
        assert_true(nth < STEPS_MAX);
        assert_false(f.said->failed);
        bool promised = f.said->stored;
        OK(state_open(f.dir, true, &s, e));
        no_left_overs(f.dir);
        assert_true(check_spool(s, 1) == 2);
        size_t waiting = unacknowledged(s);
        assert_true(waiting == 1 || (waiting == 2 && !promised));
        state_close(s);
        work_store(&f); /* again: stored once */
        assert_false(f.said->failed);
        OK(state_open(f.dir, true, &s, e));
        assert_int_equal(unacknowledged(s), 1);
        state_close(s);
        tear_down(&f);
    }
    print_message("killed at each of %ld system calls\n", nth - 2);
    assert_true(nth > 10);
}

static void test_prune(void **state)
{
    (void)state;
    long nth = 1;
    enum end end = END_KILLED;
    for (; end == END_KILLED; nth++) {
        struct fixture f;
        struct state *s = NULL;
        CLEANUP(str) struct str text = STR_INIT(65536);
        set_up(&f);
        prepare_receipt(&f, &text);
        work_store(&f);
        end = run_and_kill(work_prune, &f, nth);
        if (refused(end)) {
            tear_down(&f);
            return;
        }
        assert_true(nth < STEPS_MAX);
        assert_false(f.said->failed);
        work_prune(&f);
        assert_false(f.said->failed);
        OK(state_open(f.dir, true, &s, e));
        assert_true(check_spool(s, 2) == 2); /* the acknowledged one is gone, the head is not */
        state_close(s);
        work_record(&f);
        assert_int_equal(f.said->recorded, 3);
        no_left_overs(f.dir);
        tear_down(&f);
    }
    print_message("killed at each of %ld system calls\n", nth - 2);
    assert_true(nth > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_recording),
        cmocka_unit_test(test_later_recording),
        cmocka_unit_test(test_receipt),
        cmocka_unit_test(test_prune),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
