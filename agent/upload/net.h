/* HTTPS to the collector, over libcurl: TLS 1.2 or newer with the site's CA, no redirects, no proxy
 * unless the site names one, the connection kept between requests, bounded in bytes and time.
 * CURLOPT(3) manual pages. */
#ifndef TENKEN_UPLOAD_NET_H
#define TENKEN_UPLOAD_NET_H

#include <stdint.h>

#include "agent/base/err.h"
#include "agent/base/str.h"

struct net;

struct net_config {
    const char *url;     /* https://host[:port] without path */
    const char *ca_file; /* NULL = the system's store */
    const char *proxy;   /* NULL = none, whatever the environment says */
    const char
        *address; /* "ADDR" that host was resolved to and approved for; NULL = resolve freely */
};

/* ERR_INVALID a URL that is no https://host[:port][/]; ERR_NETWORK. Caller frees with net_free. */
int net_open(const struct net_config *c, struct net **ret, struct err *e) MUST_USE;
void net_free(struct net *n);
static inline void cleanup_net(struct net **n)
{
    net_free(*n);
}

struct net_answer {
    long status;           /* HTTP status */
    int64_t retry_after_s; /* -1 if the server named none */
    struct str body;       /* at most 4 MiB */
};
/* POSTs n bytes, gzip-compressed where that is shorter. ERR_NETWORK with the reason if no answer
 * came; a.body is initialised and freed by the caller with str_done. */
int net_post(struct net *n, const char *path, const char *content_type, const void *data,
             size_t data_n, struct net_answer *a, struct err *e) MUST_USE;

/* Host and port of the URL (443 if none). ERR_INVALID. */
int net_split_url(const char *url, struct str *ret_host, unsigned *ret_port,
                  struct err *e) MUST_USE;

#endif
