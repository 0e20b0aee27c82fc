/* One kept connection to the collector. */
#define ZLIB_CONST 1 /* next_in takes const bytes (zlib.h) */
#include "agent/upload/net.h"

#include <curl/curl.h>
#include <string.h>
#include <zlib.h>

#define ANSWER_MAX ((size_t)4 << 20)

struct net {
    CURL *curl;
    char *base;                 /* URL without a final slash */
    struct curl_slist *resolve; /* pins the approved address */
};

int net_split_url(const char *url, struct str *ret_host, unsigned *ret_port, struct err *e)
{
    CURLU *u = curl_url();
    char *host = NULL;
    char *port = NULL;
    char *scheme = NULL;
    char *path = NULL;
    int r = 0;
    if (u == NULL) {
        return err_nomem(e);
    }
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_PATH, &path, 0) != CURLUE_OK || strcmp(scheme, "https") != 0 ||
        strcmp(path, "/") != 0) {
        r = err_set(e, ERR_INVALID, "collector URL %s: must be https://HOST[:PORT]", url);
    } else {
        /* An IPv6 address stands in brackets in a URL, without them elsewhere. */
        size_t n = strlen(host);
        bool bracketed = n > 2 && host[0] == '[' && host[n - 1] == ']';
        str_add_bytes(ret_host, host + (bracketed ? 1 : 0), bracketed ? n - 2 : n);
        *ret_port = (unsigned)strtoul(port, NULL, 10);
        r = str_error(ret_host, e);
    }
    curl_free(host);
    curl_free(port);
    curl_free(scheme);
    curl_free(path);
    curl_url_cleanup(u);
    return r;
}

static int pin_address(struct net *n, const struct net_config *c, struct err *e)
{
    CLEANUP(str) struct str host = STR_INIT(1024);
    CLEANUP(str) struct str line = STR_INIT(2048);
    unsigned port = 0;
    int r = net_split_url(c->url, &host, &port, e);
    if (r < 0 || c->address == NULL) {
        return r;
    }
    bool v6 = strchr(c->address, ':') != NULL;
    str_addf(&line, "%s:%u:%s%s%s", str_text(&host), port, v6 ? "[" : "", c->address,
             v6 ? "]" : "");
    n->resolve = curl_slist_append(NULL, str_text(&line));
    return n->resolve == NULL ? err_nomem(e) : 0;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
    struct str *body = arg;
    str_add_bytes(body, data, size * n);
    return body->error != ERR_NONE ? 0 : size * n; /* 0 ends the transfer: the answer is too long */
}

static bool set_options(struct net *n, const struct net_config *c)
{
    CURL *h = n->curl;
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 replaced the bit mask */
    bool ok = curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK;
#else
    bool ok = curl_easy_setopt(h, CURLOPT_PROTOCOLS, (long)CURLPROTO_HTTPS) == CURLE_OK;
#endif
    ok = ok && curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT, 10L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_TIMEOUT, 120L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(h, CURLOPT_USERAGENT, "tenken") == CURLE_OK;
    /* An empty text keeps the environment's proxies out (CURLOPT_PROXY(3)). */
    ok = ok && curl_easy_setopt(h, CURLOPT_PROXY, c->proxy != NULL ? c->proxy : "") == CURLE_OK;
    if (c->ca_file != NULL) {
        ok = ok && curl_easy_setopt(h, CURLOPT_CAINFO, c->ca_file) == CURLE_OK;
        ok = ok && curl_easy_setopt(h, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    if (n->resolve != NULL) {
        ok = ok && curl_easy_setopt(h, CURLOPT_RESOLVE, n->resolve) == CURLE_OK;
    }
    return ok && curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
}

int net_open(const struct net_config *c, struct net **ret, struct err *e)
{
    CLEANUP(net) struct net *n = calloc(1, sizeof(*n));
    if (n == NULL) {
        return err_nomem(e);
    }
    int r = pin_address(n, c, e);
    if (r < 0) {
        return r;
    }
    n->base = strdup(c->url);
    n->curl = curl_easy_init();
    if (n->base == NULL || n->curl == NULL) {
        return err_nomem(e);
    }
    size_t len = strlen(n->base);
    if (len > 0 && n->base[len - 1] == '/') {
        n->base[len - 1] = '\0';
    }
    if (!set_options(n, c)) {
        return err_set(e, ERR_NETWORK, "libcurl refuses the settings for %s (built without TLS?)",
                       c->url);
    }
    *ret = TAKE_PTR(n);
    return 0;
}

void net_free(struct net *n)
{
    if (n == NULL) {
        return;
    }
    curl_slist_free_all(n->resolve);
    if (n->curl != NULL) {
        curl_easy_cleanup(n->curl);
    }
    free(n->base);
    free(n);
}

/* gzip (RFC 1952) of data; false where it would not be shorter or memory lacks: then it is sent as
 * it is. */
static bool compress_body(const void *data, size_t n, struct str *out)
{
    z_stream z;
    memset(&z, 0, sizeof(z));
    if (n < 512 || n > UINT32_MAX / 2 ||
        deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return false;
    }
    CLEANUP(free) unsigned char *buffer = malloc(n);
    bool ok = false;
    if (buffer != NULL) {
        z.next_in = data;
        z.avail_in = (uInt)n;
        z.next_out = buffer;
        z.avail_out = (uInt)n;
        ok = deflate(&z, Z_FINISH) == Z_STREAM_END;
    }
    if (ok) {
        str_add_bytes(out, buffer, (size_t)z.total_out);
    }
    (void)deflateEnd(&z);
    return ok && out->error == ERR_NONE;
}

static int perform(struct net *n, struct net_answer *a, struct err *e)
{
    char reason[CURL_ERROR_SIZE] = "";
    curl_off_t wait = -1;
    (void)curl_easy_setopt(n->curl, CURLOPT_ERRORBUFFER, reason);
    (void)curl_easy_setopt(n->curl, CURLOPT_WRITEDATA, &a->body);
    CURLcode code = curl_easy_perform(n->curl);
    (void)curl_easy_setopt(n->curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK) {
        return err_set(e, ERR_NETWORK, "%s: %s", n->base,
                       reason[0] != '\0' ? reason : curl_easy_strerror(code));
    }
    (void)curl_easy_getinfo(n->curl, CURLINFO_RESPONSE_CODE, &a->status);
    (void)curl_easy_getinfo(n->curl, CURLINFO_RETRY_AFTER, &wait);
    a->retry_after_s = wait > 0 ? (int64_t)wait : -1;
    return 0;
}

int net_post(struct net *n, const char *path, const char *content_type, const void *data,
             size_t data_n, struct net_answer *a, struct err *e)
{
    CLEANUP(str) struct str url = STR_INIT(4096);
    CLEANUP(str) struct str type = STR_INIT(256);
    CLEANUP(str) struct str packed = STR_INIT((size_t)64 << 20);
    struct curl_slist *headers = NULL;

    *a = (struct net_answer){.status = 0, .retry_after_s = -1};
    str_init(&a->body, ANSWER_MAX);
    str_addf(&url, "%s%s", n->base, path);
    str_addf(&type, "Content-Type: %s", content_type);
    bool is_packed = compress_body(data, data_n, &packed);
    headers = curl_slist_append(headers, str_text(&type));
    /* No "Expect: 100-continue": it costs a round trip each. */
    struct curl_slist *more = headers != NULL ? curl_slist_append(headers, "Expect:") : NULL;
    if (more != NULL && is_packed) {
        more = curl_slist_append(headers, "Content-Encoding: gzip");
    }
    if (more == NULL) {
        curl_slist_free_all(headers);
        return err_nomem(e);
    }
    const void *body = is_packed ? packed.data : data;
    size_t body_n = is_packed ? packed.len : data_n;
    bool ok =
        curl_easy_setopt(n->curl, CURLOPT_URL, str_text(&url)) == CURLE_OK &&
        curl_easy_setopt(n->curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(n->curl, CURLOPT_POST, 1L) == CURLE_OK &&
        curl_easy_setopt(n->curl, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
        curl_easy_setopt(n->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_n) == CURLE_OK;
    int r = ok ? perform(n, a, e)
               : err_set(e, ERR_NETWORK, "libcurl refuses the request to %s", n->base);
    (void)curl_easy_setopt(n->curl, CURLOPT_HTTPHEADER, NULL);
    (void)curl_easy_setopt(n->curl, CURLOPT_POSTFIELDS, NULL);
    curl_slist_free_all(headers);
    return r;
}
