/* The device-mapper's own word on its devices, by ioctl on /dev/mapper/control.
 * The control node is opened only when sysfs shows device-mapper devices: opening it on a machine
 * without them would load the module. Kernel include/uapi/linux/dm-ioctl.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <linux/dm-ioctl.h>

#include "agent/base/json.h"
#include "probes/disk/blockname.h"
#include "probes/disk/dmtable.h"
#include "probes/disk/state.h"

#define DM_CONTROL "/dev/mapper/control"
#define DM_REPLY_FIRST ((size_t)16 << 10)
#define DM_REPLY_MAX ((size_t)4 << 20)
#define DM_TEXT_MAX ((size_t)8 << 20)

/* A reply buffer that is wiped before it is freed: tables carry keys. */
struct reply {
    char *bytes;
    size_t n;
};

static void cleanup_reply(struct reply *r)
{
    if (r->bytes != NULL) {
        explicit_bzero(r->bytes, r->n);
    }
    free(r->bytes);
}

static bool reply_alloc(struct reply *r, size_t n)
{
    cleanup_reply(r);
    r->bytes = calloc(1, n);
    r->n = r->bytes == NULL ? 0 : n;
    return r->bytes != NULL;
}

/* Asks for the table of one device; enlarges the buffer while the kernel says it was too small. */
static int ask_table(int control_fd, unsigned dev_major, unsigned dev_minor, struct reply *reply,
                     struct err *e)
{
    for (size_t n = DM_REPLY_FIRST; n <= DM_REPLY_MAX; n *= 4) {
        if (!reply_alloc(reply, n)) {
            return err_nomem(e);
        }
        struct dm_ioctl io = {.version = {DM_VERSION_MAJOR, 0, 0},
                              .data_size = (uint32_t)n,
                              .data_start = sizeof(struct dm_ioctl),
                              /* the table, not the status; the kernel wipes its copy, too */
                              .flags = DM_STATUS_TABLE_FLAG | DM_SECURE_DATA_FLAG,
                              .dev = makedev(dev_major, dev_minor)};
        memcpy(reply->bytes, &io, sizeof(io));
        if (ioctl(control_fd, DM_TABLE_STATUS, reply->bytes) < 0) {
            return err_errno(e, "device-mapper table of %u:%u", dev_major, dev_minor);
        }
        memcpy(&io, reply->bytes, sizeof(io));
        if ((io.flags & DM_BUFFER_FULL_FLAG) == 0) {
            return 0;
        }
    }
    return err_set(e, ERR_TRUNCATED, "device-mapper table longer than %zu bytes", DM_REPLY_MAX);
}

/* A name or uuid ends the line that it stands in. */
static void add_line(struct str *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n && text[i] != '\0'; i++) {
        char c = text[i];
        if (c == '\n') {
            c = '?';
        }
        str_add_char(out, c);
    }
    str_add_char(out, '\n');
}

static int read_table(int control_fd, unsigned dev_major, unsigned dev_minor, struct str *out,
                      struct err *e)
{
    CLEANUP(reply) struct reply reply = {0};
    int r = ask_table(control_fd, dev_major, dev_minor, &reply, e);
    if (r < 0) {
        return r;
    }
    struct dm_ioctl io;
    memcpy(&io, reply.bytes, sizeof(io));
    add_line(out, io.name, sizeof(io.name));
    add_line(out, io.uuid, sizeof(io.uuid));
    return dm_reply_lines(reply.bytes, reply.n, io.data_start, io.target_count, out, e);
}

/* A captured tree's "dm": {"253:0": {"name", "uuid", "targets": [{"type", "start", "length",
 * "params"}]}}, or {"error": "denied"} where the capturing user was refused. Keys were zeroed when
 * it was made; they are zeroed once more. */
static int captured_table(const json_t *dm, const char *number, struct str *out, struct err *e)
{
    const json_t *device = json_object_get(dm, number);
    const json_t *targets = json_object_get(device, "targets");
    const char *error = json_string_value(json_object_get(device, "error"));
    if (error != NULL) {
        return err_set(e, ERR_DENIED, "%s: device-mapper table of %s", error, number);
    }
    if (!json_is_array(targets)) {
        return err_set(e, ERR_DENIED, "not_captured: device-mapper table of %s", number);
    }
    const char *name = json_string_value(json_object_get(device, "name"));
    const char *uuid = json_string_value(json_object_get(device, "uuid"));
    add_line(out, name == NULL ? "" : name, SIZE_MAX);
    add_line(out, uuid == NULL ? "" : uuid, SIZE_MAX);
    for (size_t i = 0; i < json_array_size(targets); i++) {
        const json_t *t = json_array_get(targets, i);
        const char *type = json_string_value(json_object_get(t, "type"));
        const char *params = json_string_value(json_object_get(t, "params"));
        CLEANUP(free) char *copy = strdup(params == NULL ? "" : params);
        if (copy == NULL) {
            return err_nomem(e);
        }
        dm_redact(type == NULL ? "" : type, copy);
        str_addf(out, "%" PRId64 " %" PRId64 " %s ",
                 (int64_t)json_integer_value(json_object_get(t, "start")),
                 (int64_t)json_integer_value(json_object_get(t, "length")),
                 type == NULL ? "?" : type);
        add_line(out, copy, SIZE_MAX);
    }
    return 0;
}

static int gather_table(const struct host *h, struct disk_state *s, int control_fd,
                        const struct err *no_control, const char *block, struct err *e)
{
    CLEANUP(str) struct str out = STR_INIT(DM_TEXT_MAX);
    struct err why = {0};
    unsigned numbers[2] = {0, 0};
    char number[32];
    char key[48];
    int code = no_control->code;
    const char *dev = bag_textf(&s->bag, "/sys/class/block/%s/dev", block);
    if (!block_numbers(dev, &numbers[0], &numbers[1])) {
        return 0; /* the missing number is reported with the graph */
    }
    (void)snprintf(number, sizeof(number), "%u:%u", numbers[0], numbers[1]);
    if (!s->is_live) {
        code = captured_table(host_capture(h, "dm"), number, &out, &why);
    } else if (code == ERR_NONE) {
        code = read_table(control_fd, numbers[0], numbers[1], &out, &why);
    }
    if (code == ERR_NOMEM) {
        return err_nomem(e);
    }
    if (code == ERR_NONE && out.error != 0) {
        code = out.error;
    }
    (void)snprintf(key, sizeof(key), "dm %s", number);
    int r = bag_put(&s->bag, key, code, str_text(&out), code == ERR_NONE ? out.len : 0, e);
    if (out.data != NULL) {
        explicit_bzero(out.data, out.len);
    }
    return r;
}

int gather_dm(const struct host *h, struct disk_state *s, struct err *e)
{
    CLEANUP(fd) int control_fd = -1;
    struct err no_control = {0};
    bool is_open = false;
    int r = 0;
    const char *n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), NULL);
    for (; n != NULL && r == 0; n = bag_next_name(bag_getf(&s->bag, "/sys/class/block/"), n)) {
        if (strncmp(n, "dm-", 3) != 0) {
            continue;
        }
        if (s->is_live && !is_open) {
            /* Read-only is enough for ioctl(2) and all that CAP_DAC_READ_SEARCH opens.
             * ERR_ABSENT here means that it cannot be asked, not that there is nothing to ask. */
            if (host_open_fd(h, DM_CONTROL, O_RDONLY, &control_fd, &no_control) < 0 &&
                no_control.code == ERR_ABSENT) {
                no_control.code = ERR_DENIED;
            }
            is_open = true;
        }
        r = gather_table(h, s, control_fd, &no_control, n, e);
    }
    return r;
}
