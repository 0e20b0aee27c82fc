/* Streaming decompression and line cutting with hard bounds. */
#include "server-stub/unpack.h"

#include <string.h>
#include <strings.h>

#include <zlib.h>
#include <zstd.h>

#include "agent/base/str.h"

#define CHUNK 16384
#define GZIP_WINDOW (16 + MAX_WBITS) /* gzip header and trailer wanted: zlib.h, inflateInit2 */
/* A frame may ask for a window of gigabytes before it gives a byte; 8 MiB is what `zstd -19` uses.
 */
#define ZSTD_WINDOW_LOG 23

struct unpack {
    enum unpack_encoding encoding;
    unpack_line_fn fn;
    void *arg;
    struct str line;
    size_t n_lines; /* given, or blank and held back */
    size_t n_blank; /* held back: they count only if something follows */
    bool whole;     /* one document over several lines */
    bool begun;     /* compressed input was seen */
    bool in_frame;  /* a compressed frame is open */
    z_stream z;
    bool z_open;
    ZSTD_DCtx *zstd;
};

int unpack_encoding_parse(const char *name, enum unpack_encoding *ret, struct err *e)
{
    static const struct {
        const char *name;
        enum unpack_encoding encoding;
    } known[] = {{"", UNPACK_IDENTITY},
                 {"identity", UNPACK_IDENTITY},
                 {"gzip", UNPACK_GZIP},
                 {"x-gzip", UNPACK_GZIP},
                 {"zstd", UNPACK_ZSTD}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (strcasecmp(name, known[i].name) == 0) {
            *ret = known[i].encoding;
            return 0;
        }
    }
    return err_set(e, ERR_UNSUPPORTED, "Content-Encoding must be gzip, zstd or identity");
}

static int open_decoder(struct unpack *u, struct err *e)
{
    if (u->encoding == UNPACK_GZIP) {
        if (inflateInit2(&u->z, GZIP_WINDOW) != Z_OK) {
            return err_nomem(e);
        }
        u->z_open = true;
    } else if (u->encoding == UNPACK_ZSTD) {
        u->zstd = ZSTD_createDCtx();
        if (u->zstd == NULL) {
            return err_nomem(e);
        }
        size_t rc = ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
        if (ZSTD_isError(rc)) {
            return err_set(e, ERR_INTERNAL, "zstd: %s", ZSTD_getErrorName(rc));
        }
    }
    return 0;
}

int unpack_new(enum unpack_encoding encoding, unpack_line_fn fn, void *arg, struct unpack **ret,
               struct err *e)
{
    CLEANUP(unpack) struct unpack *u = calloc(1, sizeof *u);
    if (u == NULL) {
        return err_nomem(e);
    }
    u->encoding = encoding;
    u->fn = fn;
    u->arg = arg;
    str_init(&u->line, UNPACK_LINE_MAX);
    int rc = open_decoder(u, e);
    if (rc == 0) {
        *ret = TAKE_PTR(u);
    }
    return rc;
}

void unpack_free(struct unpack *u)
{
    if (u == NULL) {
        return;
    }
    if (u->z_open) {
        (void)inflateEnd(&u->z);
    }
    (void)ZSTD_freeDCtx(u->zstd);
    str_done(&u->line);
    free(u);
}

size_t unpack_memory(const struct unpack *u)
{
    size_t n = u->line.cap + sizeof *u;
    if (u->z_open) {
        n += (size_t)1 << MAX_WBITS;
    }
    return u->zstd != NULL ? n + ZSTD_sizeof_DCtx(u->zstd) : n;
}

/* --- lines --- */

static bool is_blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r') {
            return false;
        }
    }
    return true;
}

static bool is_lone_brace(const char *p, size_t n)
{
    return n > 0 && p[0] == '{' && is_blank(p + 1, n - 1);
}

static int give_blanks(struct unpack *u, struct err *e)
{
    for (; u->n_blank > 0; u->n_blank--) {
        int rc = u->fn(u->arg, "", 0, e);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

static int end_line(struct unpack *u, struct err *e)
{
    int rc = str_error(&u->line, e);
    if (rc != 0) {
        return rc;
    }
    if (++u->n_lines > UNPACK_LINES_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d lines", UNPACK_LINES_MAX);
    }
    if (is_blank(str_text(&u->line), u->line.len)) {
        u->n_blank++;
    } else {
        rc = give_blanks(u, e);
        if (rc == 0) {
            rc = u->fn(u->arg, str_text(&u->line), u->line.len, e);
        }
    }
    str_clear(&u->line);
    return rc;
}

static int take_plain(struct unpack *u, const char *p, size_t n, struct err *e)
{
    while (n > 0) {
        const char *end = u->whole ? NULL : memchr(p, '\n', n);
        size_t part = end != NULL ? (size_t)(end - p) : n;
        str_add_bytes(&u->line, p, part);
        if (u->line.error != 0) {
            return err_set(e, u->line.error, "a line is longer than %zu bytes unpacked",
                           UNPACK_LINE_MAX);
        }
        if (end != NULL) {
            if (u->n_lines == 0 && is_lone_brace(str_text(&u->line), u->line.len)) {
                u->whole = true;
                str_add_char(&u->line, '\n');
            } else {
                int rc = end_line(u, e);
                if (rc != 0) {
                    return rc;
                }
            }
            part++;
        }
        p += part;
        n -= part;
    }
    return 0;
}

/* --- decoders --- */

static int feed_gzip(struct unpack *u, const void *data, size_t n, struct err *e)
{
    unsigned char out[CHUNK];
    /* zlib's interface is older than const */
    u->z.next_in = (unsigned char *)(uintptr_t)data;
    u->z.avail_in = (uInt)n;
    do {
        if (!u->in_frame && u->z.avail_in == 0) {
            return 0;
        }
        u->in_frame = true;
        u->z.next_out = out;
        u->z.avail_out = sizeof out;
        int rc = inflate(&u->z, Z_NO_FLUSH);
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
            return err_set(e, rc == Z_MEM_ERROR ? ERR_NOMEM : ERR_MALFORMED, "body is not gzip: %s",
                           u->z.msg != NULL ? u->z.msg : "cut or altered");
        }
        int given = take_plain(u, (const char *)out, sizeof out - u->z.avail_out, e);
        if (given != 0) {
            return given;
        }
        if (rc == Z_STREAM_END) { /* RFC 1952: members may follow one another */
            u->in_frame = false;
            (void)inflateReset(&u->z);
        }
    } while (u->z.avail_in > 0 || u->z.avail_out == 0);
    return 0;
}

static int feed_zstd(struct unpack *u, const void *data, size_t n, struct err *e)
{
    char out[CHUNK];
    ZSTD_inBuffer in = {.src = data, .size = n, .pos = 0};
    bool more = true;
    while (in.pos < in.size || more) {
        ZSTD_outBuffer o = {.dst = out, .size = sizeof out, .pos = 0};
        size_t rc = ZSTD_decompressStream(u->zstd, &o, &in);
        if (ZSTD_isError(rc)) {
            return err_set(e, ERR_MALFORMED, "body is not zstd: %s", ZSTD_getErrorName(rc));
        }
        u->in_frame = rc != 0;
        /* a full buffer may hide more of the same input */
        more = o.pos == o.size && rc != 0;
        int given = take_plain(u, out, o.pos, e);
        if (given != 0) {
            return given;
        }
    }
    return 0;
}

int unpack_feed(struct unpack *u, const void *data, size_t n, struct err *e)
{
    if (n == 0) {
        return 0;
    }
    u->begun = true;
    switch (u->encoding) {
    case UNPACK_GZIP:
        return feed_gzip(u, data, n, e);
    case UNPACK_ZSTD:
        return feed_zstd(u, data, n, e);
    case UNPACK_IDENTITY:
        break;
    }
    return take_plain(u, data, n, e);
}

int unpack_end(struct unpack *u, struct err *e)
{
    if (u->in_frame || (u->encoding != UNPACK_IDENTITY && !u->begun)) {
        return err_set(e, ERR_MALFORMED, "body ends inside the compressed stream");
    }
    return u->line.len > 0 ? end_line(u, e) : 0;
}
