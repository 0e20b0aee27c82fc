/* One value of the site file: its kind decides what is accepted and how it is kept. A table of
 * functions, one per kind; each error says what to write instead. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "agent/base/json.h"
#include "agent/base/timefmt.h"
#include "agent/policy/site_internal.h"

#define TEXT_MAX 1024U

/* Everything a reader of one value needs. */
struct value_in {
    struct pool *pool;
    const struct yaml_doc *doc;
    const struct yaml_node *map, *node;
    const struct field *field;
};

typedef int value_fn(const struct value_in *in, struct site_value *ret, struct err *e);

static int keep_n(const struct value_in *in, const char *text, size_t n, struct site_value *ret,
                  struct err *e)
{
    ret->text = pool_text_n(in->pool, text, n, e);
    return ret->text == NULL ? ERR_NOMEM : 0;
}

/* A scalar with something in it. Plain null words are no values: who writes `document: ~` has
 * nothing to declare and shall leave the line out. */
static int scalar(const struct value_in *in, const char **ret, struct err *e)
{
    const struct yaml_node *n = in->node;
    const char *key = in->field->key;
    if (n->kind != YAML_SCALAR) {
        return yaml_fail(in->doc, n, e, "%s is a single value, not a %s", key,
                         n->kind == YAML_LIST ? "list" : "map");
    }
    bool is_null = n->text[0] == '\0' ||
                   (n->plain && (strcmp(n->text, "~") == 0 || strcasecmp(n->text, "null") == 0));
    const char *otherwise = in->field->otherwise;
    if (is_null && !n->plain && otherwise != NULL && otherwise[0] == '\0') {
        *ret = ""; /* says in quotes what leaving it out would say */
        return 0;
    }
    if (is_null) {
        return yaml_fail(in->doc, n, e, "%s has no value: write one, or leave the line out", key);
    }
    if (strlen(n->text) > TEXT_MAX) {
        return yaml_fail(in->doc, n, e, "%s is longer than %u bytes", key, TEXT_MAX);
    }
    *ret = n->text;
    return 0;
}

static int read_text(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    return rc != 0 ? rc : keep_n(in, text, strlen(text), ret, e);
}

/* Names that other places refer to: blanks at an end would make two that look alike. */
static int read_id(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    for (const char *p = text; *p != '\0'; p++) {
        if (isspace((unsigned char)*p) || iscntrl((unsigned char)*p)) {
            return yaml_fail(in->doc, in->node, e, "%s \"%s\": no blanks in a name", in->field->key,
                             text);
        }
    }
    if (strlen(text) > 63) {
        return yaml_fail(in->doc, in->node, e, "%s is longer than 63 bytes", in->field->key);
    }
    return keep_n(in, text, strlen(text), ret, e);
}

static int read_date(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc == 0) {
        rc = yaml_get_date(in->doc, in->map, in->field->key, true, &text, e);
    }
    return rc != 0 ? rc : keep_n(in, text, strlen(text), ret, e);
}

/* "No end" has to be said: a date that was forgotten must not turn into one. */
static int read_end(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc == 0 && strcmp(text, "none") == 0) {
        return keep_n(in, text, strlen(text), ret, e);
    }
    return rc != 0 ? rc : read_date(in, ret, e);
}

/* true and false alone; yes and on are texts in later YAML and would be read both ways. */
static int read_bool(const struct value_in *in, struct site_value *ret, struct err *e)
{
    bool value = false;
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc == 0) {
        rc = yaml_get_bool(in->doc, in->map, in->field->key, true, &value, e);
    }
    ret->i = value ? 1 : 0;
    return rc != 0 ? rc : keep_n(in, value ? "true" : "false", value ? 4 : 5, ret, e);
}

static int read_number(const struct value_in *in, int64_t max, struct site_value *ret,
                       struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc == 0) {
        rc = yaml_get_int(in->doc, in->map, in->field->key, true, 1, max, &ret->i, e);
    }
    return rc != 0 ? rc : keep_n(in, text, strlen(text), ret, e);
}

static int read_days(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_number(in, 3650, ret, e);
}

static int read_port(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_number(in, 65535, ret, e);
}

/* Every port is a large permission and is written out, never the result of leaving one out. */
static int read_any_port(const struct value_in *in, struct site_value *ret, struct err *e)
{
    if (in->node->kind == YAML_SCALAR && strcmp(in->node->text, "any") == 0) {
        ret->i = 0;
        return keep_n(in, "any", 3, ret, e);
    }
    return read_port(in, ret, e);
}

static int read_word(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = yaml_get_word(in->doc, in->map, in->field->key, true, in->field->words, &text, e);
    return rc != 0 ? rc : keep_n(in, text, strlen(text), ret, e);
}

/* Appends the path with empty and "." parts left out and ".." applied. */
static void normalise(const char *path, struct str *out)
{
    while (*path != '\0') {
        path += strspn(path, "/");
        size_t n = strcspn(path, "/");
        if (n == 2 && strncmp(path, "..", 2) == 0) {
            char *last = out->len == 0 ? NULL : strrchr(out->data, '/');
            if (last != NULL) {
                *last = '\0';
                out->len = (size_t)(last - out->data);
            }
        } else if (n > 0 && !(n == 1 && *path == '.')) {
            str_add_char(out, '/');
            str_add_bytes(out, path, n);
        }
        path += n;
    }
    if (out->len == 0) {
        str_add_char(out, '/');
    }
}

/* Normalised, so that the same directory cannot be declared twice under two names, and so that the
 * probe's row can be joined on equality. */
static int read_path(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    if (text[0] != '/') {
        return yaml_fail(in->doc, in->node, e, "%s \"%s\" must be absolute: start it with /",
                         in->field->key, text);
    }
    CLEANUP(str) struct str normal = STR_INIT(TEXT_MAX + 1);
    normalise(text, &normal);
    rc = str_error(&normal, e);
    if (rc != 0) {
        return rc;
    }
    if (strcmp(str_text(&normal), text) != 0) {
        return yaml_fail(in->doc, in->node, e, "%s \"%s\" is not normalised, did you mean \"%s\"?",
                         in->field->key, text, str_text(&normal));
    }
    return keep_n(in, text, strlen(text), ret, e);
}

/* Clears the bits behind the prefix; true if any was set. */
static bool clear_host_bits(unsigned char *address, unsigned bits, unsigned n_bytes)
{
    bool had_any = false;
    for (unsigned i = 0; i < n_bytes; i++) {
        unsigned kept = bits >= (i + 1) * 8 ? 8 : bits <= i * 8 ? 0 : bits - i * 8;
        unsigned char mask = (unsigned char)(0xff00U >> kept);
        had_any = had_any || (address[i] & (unsigned char)~mask) != 0;
        address[i] &= mask;
    }
    return had_any;
}

/* One text for all the ways of not being a network. */
static int prefix_fail(const struct value_in *in, const char *text, struct err *e)
{
    return yaml_fail(in->doc, in->node, e,
                     "%s \"%s\" is no network: write ADDRESS/BITS, as 10.20.0.0/24 or "
                     "10.20.0.5/32",
                     in->field->key, text);
}

/* Host bits are refused, not cleared: 10.20.0.5/24 may mean the host or the network. */
static int read_prefix(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    char address[INET6_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t digits = slash == NULL ? 0 : strspn(slash + 1, "0123456789");
    if (slash == NULL || (size_t)(slash - text) >= sizeof address || digits == 0 || digits > 3 ||
        slash[1 + digits] != '\0' || (slash[1] == '0' && digits > 1)) {
        return prefix_fail(in, text, e);
    }
    memcpy(address, text, (size_t)(slash - text));
    address[slash - text] = '\0';
    unsigned char bytes[16];
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    unsigned n_bytes = family == AF_INET6 ? 16 : 4;
    unsigned long bits = strtoul(slash + 1, NULL, 10);
    if (inet_pton(family, address, bytes) != 1 || bits > n_bytes * 8UL) {
        return prefix_fail(in, text, e);
    }
    bool had_host_bits = clear_host_bits(bytes, (unsigned)bits, n_bytes);
    if (inet_ntop(family, bytes, address, sizeof address) == NULL) {
        return prefix_fail(in, text, e);
    }
    if (had_host_bits) {
        return yaml_fail(in->doc, in->node, e,
                         "%s \"%s\" has bits behind the prefix, did you mean \"%s/%lu\"?",
                         in->field->key, text, address, bits);
    }
    /* Kept in the one way of writing it, so that the same network twice is seen as such. */
    char canonical[INET6_ADDRSTRLEN + 8];
    int n = snprintf(canonical, sizeof canonical, "%s/%lu", address, bits);
    return keep_n(in, canonical, (size_t)n, ret, e);
}

/* Kept in small letters, as the kernel prints them. */
static int read_hex(const struct value_in *in, size_t digits, const char *example,
                    struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    if (strlen(text) != digits || strspn(text, "0123456789abcdefABCDEF") != digits) {
        return yaml_fail(in->doc, in->node, e, "%s \"%s\": %zu hexadecimal digits%s",
                         in->field->key, text, digits, example);
    }
    char *lower = pool_alloc(in->pool, digits + 1, e);
    for (size_t i = 0; lower != NULL && i < digits; i++) {
        lower[i] = (char)tolower((unsigned char)text[i]);
    }
    ret->text = lower;
    return lower == NULL ? ERR_NOMEM : 0;
}

static int read_usb_id(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_hex(in, 4, ", in quotes, as \"0951\"", ret, e);
}

static int read_machine_id(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_hex(in, 32, ", as in /etc/machine-id", ret, e);
}

static int read_sha256(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_hex(in, 64, ", as sha256sum prints them", ret, e);
}

/* Scheme, host, no user information: the site is recorded in evidence, a password would be too. */
static int read_any_url(const struct value_in *in, bool http_too, struct site_value *ret,
                        struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    const char *rest = strncmp(text, "https://", 8) == 0              ? text + 8
                       : http_too && strncmp(text, "http://", 7) == 0 ? text + 7
                                                                      : NULL;
    if (rest == NULL || rest[0] == '/' || rest[0] == '\0' || rest[0] == ':') {
        return yaml_fail(in->doc, in->node, e, "%s \"%s\": write https://HOST%s", in->field->key,
                         text, http_too ? " or http://HOST" : "; evidence goes over TLS only");
    }
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f || strchr("\"<>\\^`{|}", *p)) {
            return yaml_fail(in->doc, in->node, e, "%s: a character that no URL may hold",
                             in->field->key);
        }
    }
    size_t authority = strcspn(rest, "/?#");
    if (memchr(rest, '@', authority) != NULL) {
        return yaml_fail(in->doc, in->node, e,
                         "%s: no user name or password here, this file is recorded in evidence",
                         in->field->key);
    }
    return keep_n(in, text, strlen(text), ret, e);
}

static int read_url(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_any_url(in, false, ret, e);
}

static int read_proxy(const struct value_in *in, struct site_value *ret, struct err *e)
{
    return read_any_url(in, true, ret, e);
}

/* Days are counted in this zone; one that is unknown here would end in a failure at the scan. */
static int read_zone(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const char *text = NULL;
    int rc = scalar(in, &text, e);
    if (rc != 0) {
        return rc;
    }
    int32_t offset = 0;
    struct err why = {0};
    if (zone_offset(text, 0, &offset, &why) != 0) {
        return yaml_fail(in->doc, in->node, e,
                         "%s \"%s\" is unknown here: write Asia/Tokyo, UTC or another name of the "
                         "time zone database",
                         in->field->key, text);
    }
    return keep_n(in, text, strlen(text), ret, e);
}

/* Insertion sort of a map's indices by key: a scope has a handful of columns. */
static void sort_keys(const struct yaml_node *map, size_t *order)
{
    for (size_t i = 0; i < map->n; i++) {
        size_t k = i;
        for (; k > 0 && strcmp(map->keys[order[k - 1]]->text, map->keys[i]->text) > 0; k--) {
            order[k] = order[k - 1];
        }
        order[k] = i;
    }
}

/* {"check":"...","name":"eth0"}: keys sorted, every value a text as it was written, since a cell of
 * any type is compared by its text. */
static int read_scope(const struct value_in *in, struct site_value *ret, struct err *e)
{
    const struct yaml_node *map = in->node;
    if (map->kind != YAML_MAP || map->n == 0) {
        return yaml_fail(in->doc, map, e,
                         "%s is a map of columns and values and never empty, as {check: "
                         "network-default-route, name: eth0}",
                         in->field->key);
    }
    size_t *order = pool_array(in->pool, map->n, sizeof *order, e);
    if (order == NULL) {
        return ERR_NOMEM;
    }
    sort_keys(map, order);
    CLEANUP(str) struct str text = STR_INIT(TEXT_MAX * 4);
    struct json_out j;
    jout_begin(&j, &text, false);
    jout_open(&j, '{');
    for (size_t i = 0; i < map->n; i++) {
        const struct yaml_node *value = map->items[order[i]];
        const struct field column = {.key = map->keys[order[i]]->text};
        const struct value_in item = {in->pool, in->doc, map, value, &column};
        const char *word = NULL;
        int rc = scalar(&item, &word, e);
        if (rc != 0) {
            return rc;
        }
        jout_kv_text(&j, column.key, word);
    }
    jout_close(&j, '}');
    int rc = str_error(&text, e);
    return rc != 0 ? rc : keep_n(in, str_text(&text), text.len, ret, e);
}

static value_fn *const readers[N_FIELD_KINDS] = {
    [FIELD_TEXT] = read_text,
    [FIELD_ID] = read_id,
    [FIELD_DATE] = read_date,
    [FIELD_END] = read_end,
    [FIELD_BOOL] = read_bool,
    [FIELD_DAYS] = read_days,
    [FIELD_PORT] = read_port,
    [FIELD_ANY_PORT] = read_any_port,
    [FIELD_WORD] = read_word,
    [FIELD_PATH] = read_path,
    [FIELD_PREFIX] = read_prefix,
    [FIELD_USB_ID] = read_usb_id,
    [FIELD_MACHINE_ID] = read_machine_id,
    [FIELD_SHA256] = read_sha256,
    [FIELD_URL] = read_url,
    [FIELD_PROXY] = read_proxy,
    [FIELD_ZONE] = read_zone,
    [FIELD_SCOPE] = read_scope,
};

bool field_is_int(enum field_kind kind)
{
    return kind == FIELD_BOOL || kind == FIELD_PORT || kind == FIELD_ANY_PORT;
}

/* Places are kept with the values: references are checked after the documents are gone. */
int fields_read(struct pool *pool, const struct yaml_doc *d, const char *file,
                const struct yaml_node *map, const struct field *fields, size_t n_fields,
                struct site_value *values, struct err *e)
{
    for (size_t i = 0; i < n_fields; i++) {
        const struct yaml_node *node = yaml_get(map, fields[i].key);
        struct site_value value = {.text = fields[i].otherwise,
                                   .file = file,
                                   .line = node == NULL ? map->line : node->line,
                                   .column = node == NULL ? map->column : node->column};
        if (node == NULL && fields[i].required) {
            return yaml_fail(d, map, e, "%s is missing", fields[i].key);
        }
        if (node != NULL) {
            const struct value_in in = {pool, d, map, node, &fields[i]};
            int rc = readers[fields[i].kind](&in, &value, e);
            if (rc != 0) {
                return rc;
            }
        }
        values[i] = value;
    }
    return 0;
}
