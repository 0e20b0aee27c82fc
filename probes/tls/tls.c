/* The tls probe: which versions, suites, groups and certificates each declared endpoint accepts, by
 * asking it. The only probe with the network; it contacts what the parent names and nothing else,
 * and nothing at all where nothing is declared. */
#include <stdlib.h>
#include <string.h>

#include "probes/tls/tables.h"

#define DIAL_LIMIT_MS 55000U
#define STATES "tls|not-tls|refused|timeout?|reset?|unreachable?"
#define VERSIONS "SSLv2|SSLv3|TLS1.0|TLS1.1|TLS1.2|TLS1.3"

const struct table table_tls_endpoints = {
    .name = "tls_endpoints",
    .doc = "Declared TLS services and how each answered from here.",
    .source = "RFC 8446; RFC 5246; the services themselves",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"endpoint", COL_TEXT, "", COL_KEY, NULL, "name in the site file"},
        {"host", COL_TEXT, "", 0, NULL, "as declared"}, {"port", COL_INT, "", 0, NULL, "TCP port"},
        {"sni", COL_TEXT, "", 0, NULL, "server name as declared; empty = host"},
        {"starttls", COL_TEXT, "", 0, "none|smtp|imap|pop3|ldap|ftp|postgresql|mysql|xmpp",
         "protocol that is upgraded to TLS, as declared"},
        {"state", COL_TEXT, "", COL_DECIDES | COL_NULLABLE, STATES,
         "not-tls: it speaks, but no TLS; refused: nothing listens; NULL: not contacted"},
        {"detail", COL_TEXT, "", 0, NULL, "address that was asked, or why it was not"}, )};

const struct table table_tls_versions = {
    .name = "tls_versions",
    .doc = "Six rows per declared endpoint: is that protocol version accepted?",
    .source = "RFC 8446; RFC 5246; RFC 4346; RFC 2246; RFC 6101; draft-hickman-netscape-ssl-00",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"endpoint", COL_TEXT, "", COL_KEY, NULL, "name in the site file"},
        {"version", COL_TEXT, "", COL_KEY, VERSIONS, "protocol version"},
        {"state", COL_TEXT, "", COL_DECIDES, "accepted|refused|untested?",
         "refused only in the server's own words (an alert, another version; for a hello that it "
         "ends without a word: twice, and another accepted after it); all else is untested"},
        {"reason", COL_TEXT, "", 0, NULL,
         "why untested: timeout, reset, closed, malformed, too-long, not-tls, starttls, "
         "connection-refused, unreachable, name-refused, nothing-accepted, deadline, or why the "
         "endpoint was not contacted"}, )};

const struct table table_tls_suites = {
    .name = "tls_suites",
    .doc = "Cipher suites that the endpoint accepts in each version.",
    .source = "IANA TLS Cipher Suites",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS({"endpoint", COL_TEXT, "", COL_KEY, NULL, "name in the site file"},
                  {"version", COL_TEXT, "", COL_KEY, VERSIONS, "protocol version"},
                  {"suite", COL_TEXT, "", COL_KEY, NULL, "IANA name"},
                  {"code", COL_INT, "", 0, NULL, "number; 24 bits in SSLv2"},
                  {"preference", COL_INT, "", COL_NULLABLE, NULL,
                   "1 what the server prefers; 0 it follows the client; NULL behind the preferred "
                   "one, or not known"}, )};

const struct table table_tls_groups = {
    .name = "tls_groups",
    .doc = "Groups for key agreement that the endpoint accepts in each version; up to TLS 1.2 the "
           "prime of classic DHE too.",
    .source = "IANA TLS Supported Groups; RFC 7919; RFC 8422",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"endpoint", COL_TEXT, "", COL_KEY, NULL, "name in the site file"},
        {"version", COL_TEXT, "", COL_KEY, VERSIONS, "protocol version"},
        {"grp", COL_TEXT, "", COL_KEY, NULL,
         "IANA name; classic DHE: ffdheN (RFC 7919), modpN (RFC 3526), dhN (other prime), "
         "N bits"},
        {"preference", COL_INT, "", COL_NULLABLE, NULL, "as in tls_suites"}, )};

const struct table table_tls_certificates = {
    .name = "tls_certificates",
    .doc = "Certificates that the endpoint shows, in the order in which it sends them; one chain "
           "per kind of key.",
    .source = "RFC 5280; RFC 9525; x509(1)",
    .kind = TABLE_FACTS,
    TABLE_COLUMNS(
        {"endpoint", COL_TEXT, "", COL_KEY, NULL, "name in the site file"},
        {"chain", COL_TEXT, "", COL_KEY, NULL, "kind of the first certificate's key"},
        {"depth", COL_INT, "", COL_KEY, NULL, "0 = the server's own"},
        {"subject", COL_TEXT, "", COL_NULLABLE, NULL, "RFC 2253"},
        {"issuer", COL_TEXT, "", COL_NULLABLE, NULL, "RFC 2253"},
        {"not_before", COL_TEXT, "utc", COL_DECIDES | COL_NULLABLE, NULL, "first moment"},
        {"not_after", COL_TEXT, "utc", COL_DECIDES | COL_NULLABLE, NULL, "last moment"},
        {"key_type", COL_TEXT, "", COL_DECIDES, "rsa|rsa-pss|ec|ed25519|ed448|dsa|other",
         "kind of key"},
        {"key_bits", COL_INT, "bits", COL_DECIDES, NULL, "size of the key"},
        {"signature", COL_TEXT, "", COL_DECIDES, NULL, "algorithm, as libcrypto names it"},
        {"sha256", COL_TEXT, "", 0, NULL, "of the certificate"},
        {"name_ok", COL_INT, "boolean", COL_DECIDES, NULL,
         "the first certificate bears the declared name; the same in all rows of the chain"},
        {"chain_ok", COL_INT, "boolean", COL_DECIDES | COL_NULLABLE, NULL,
         "the chain leads to a trusted anchor and is valid now, whatever the order it came in; the "
         "same in all rows"},
        {"chain_error", COL_TEXT, "", 0, NULL,
         "expired, not-yet-valid, self-signed, untrusted-root, unknown-issuer, bad-signature, "
         "not-for-this-use, invalid; NULL chain_ok: trust-store, ca-file"}, )};

static const struct table *const all_tables[] = {&table_tls_endpoints, &table_tls_versions,
                                                 &table_tls_suites, &table_tls_groups,
                                                 &table_tls_certificates};

static int load(struct probe_ctx *ctx, struct endpoint *list, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++) {
        int rc = target_parse(probe_input(ctx, "tls_endpoints", i), &list[i].target, e);
        if (rc != 0) {
            return rc;
        }
        survey_begin(&list[i]);
        if (list[i].target.blocked != NULL) {
            survey_cut(&list[i]);
        }
    }
    return 0;
}

static int look(struct probe_ctx *ctx, struct endpoint *list, size_t n, struct err *e)
{
    if (!host_is_live(probe_host(ctx))) {
        return rows_recorded(ctx, list, n, e);
    }
    int rc = n > 0 ? dial_all(list, n, DIAL_LIMIT_MS, e) : 0;
    return rc == 0 ? rows_all(ctx, list, n, e) : rc;
}

static int tls_run(struct probe_ctx *ctx, void **ret_state, struct err *e)
{
    *ret_state = NULL;
    if (probe_input(ctx, "tls_offline", 0) != NULL) {
        for (size_t i = 0; i < ARRAY_LEN(all_tables); i++) {
            probe_state(ctx, all_tables[i], STATE_DENIED, "offline");
        }
        return 0;
    }
    size_t n = 0;
    while (probe_input(ctx, "tls_endpoints", n) != NULL) {
        n++;
    }
    struct endpoint *list = calloc(n + 1, sizeof(*list));
    if (list == NULL) {
        return err_nomem(e);
    }
    int rc = load(ctx, list, n, e);
    if (rc == 0) {
        rc = look(ctx, list, n, e);
    }
    for (size_t i = 0; i < n; i++) {
        endpoint_done(&list[i]);
    }
    free(list);
    return rc;
}

const struct probe probe_tls = {
    .name = "tls",
    .doc = "What the declared TLS services accept, asked with our own ClientHello.",
    .source = "RFC 8446; RFC 5246; draft-hickman-netscape-ssl-00; RFC 5280",
    .tables = PROBE_TABLES(&table_tls_endpoints, &table_tls_versions, &table_tls_suites,
                           &table_tls_groups, &table_tls_certificates),
    .reads = PROBE_LIST("/etc/ssl", "/etc/pki", "/usr/share/ca-certificates",
                        "/usr/local/share/ca-certificates"),
    .syscalls = PROBE_LIST("@file-read", "@net-client"),
    .caps = 0,
    .network = NETWORK_CLIENT,
    .inputs = PROBE_LIST("tls_endpoints", "tls_offline"),
    .timeout_ms = 60000,
    .max_rows = 20000,
    .run = tls_run,
};
