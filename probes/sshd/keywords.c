/* The keywords of sshd_config(5): what each takes, where it may stand, what holds without it.
 * Ref: OpenSSH 9.2 servconf.c; Debian's patches: gssapi.patch, debian-banner.patch. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probes/sshd/parts.h"

#define FORWARD "yes|all=yes|no|remote|local"
#define G false /* before any Match only */
#define M true  /* within Match too */

static const struct sshd_keyword keywords[] = {
    {"usepam", NULL, SSHDK_FLAG, G, "no", NULL},
    {"port", NULL, SSHDK_PORT, G, "22", NULL},
    {"logingracetime", NULL, SSHDK_TIME, G, "120", NULL},
    {"permitrootlogin", NULL, SSHDK_ENUM, M, "without-password",
     "without-password|prohibit-password=without-password|forced-commands-only|yes|no"},
    {"hostbasedauthentication", NULL, SSHDK_FLAG, M, "no", NULL},
    {"hostbasedusesnamefrompacketonly", NULL, SSHDK_FLAG, M, "no", NULL},
    {"ignorerhosts", NULL, SSHDK_ENUM, M, "yes", "yes|no|shosts-only"},
    {"ignoreuserknownhosts", NULL, SSHDK_FLAG, G, "no", NULL},
    {"pubkeyauthentication", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"dsaauthentication", "pubkeyauthentication", SSHDK_FLAG, G, NULL, NULL},
    {"pubkeyauthoptions", NULL, SSHDK_KEYOPTS, M, "none", NULL},
    {"pubkeyacceptedalgorithms", NULL, SSHDK_TEXT, M, NULL, NULL},
    {"pubkeyacceptedkeytypes", "pubkeyacceptedalgorithms", SSHDK_TEXT, M, NULL, NULL},
    {"kerberosauthentication", NULL, SSHDK_FLAG, M, "no", NULL},
    {"kerberosorlocalpasswd", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"gssapiauthentication", NULL, SSHDK_FLAG, M, "no", NULL},
    {"gssapistrictacceptorcheck", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"passwordauthentication", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"kbdinteractiveauthentication", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"challengeresponseauthentication", "kbdinteractiveauthentication", SSHDK_FLAG, M, NULL, NULL},
    {"skeyauthentication", "kbdinteractiveauthentication", SSHDK_FLAG, M, NULL, NULL},
    {"permitemptypasswords", NULL, SSHDK_FLAG, M, "no", NULL},
    {"authenticationmethods", NULL, SSHDK_WORDS, M, "any", NULL},
    {"authorizedkeysfile", NULL, SSHDK_WORDS, M, ".ssh/authorized_keys .ssh/authorized_keys2",
     NULL},
    {"authorizedkeyscommand", NULL, SSHDK_REST, M, "none", NULL},
    {"authorizedkeyscommanduser", NULL, SSHDK_TEXT, M, "none", NULL},
    {"authorizedprincipalsfile", NULL, SSHDK_TEXT, M, "none", NULL},
    {"authorizedprincipalscommand", NULL, SSHDK_REST, M, "none", NULL},
    {"authorizedprincipalscommanduser", NULL, SSHDK_TEXT, M, "none", NULL},
    {"trustedusercakeys", NULL, SSHDK_TEXT, M, "none", NULL},
    {"revokedkeys", NULL, SSHDK_TEXT, M, "none", NULL},
    {"forcecommand", NULL, SSHDK_REST, M, "none", NULL},
    {"chrootdirectory", NULL, SSHDK_TEXT, M, "none", NULL},
    {"banner", NULL, SSHDK_TEXT, M, "none", NULL},
    {"allowusers", NULL, SSHDK_APPEND, M, NULL, NULL},
    {"denyusers", NULL, SSHDK_APPEND, M, NULL, NULL},
    {"allowgroups", NULL, SSHDK_APPEND, M, NULL, NULL},
    {"denygroups", NULL, SSHDK_APPEND, M, NULL, NULL},
    {"acceptenv", NULL, SSHDK_APPEND, M, NULL, NULL},
    {"maxauthtries", NULL, SSHDK_INT, M, "6", NULL},
    {"maxsessions", NULL, SSHDK_INT, M, "10", NULL},
    {"clientaliveinterval", NULL, SSHDK_TIME, M, "0", NULL},
    {"clientalivecountmax", NULL, SSHDK_INT, M, "3", NULL},
    {"x11forwarding", NULL, SSHDK_FLAG, M, "no", NULL},
    {"x11displayoffset", NULL, SSHDK_INT, M, "10", NULL},
    {"x11uselocalhost", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"permittty", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"permituserrc", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"strictmodes", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"tcpkeepalive", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"keepalive", "tcpkeepalive", SSHDK_FLAG, G, NULL, NULL},
    {"allowtcpforwarding", NULL, SSHDK_ENUM, M, "yes", FORWARD},
    {"allowstreamlocalforwarding", NULL, SSHDK_ENUM, M, "yes", FORWARD},
    {"allowagentforwarding", NULL, SSHDK_FLAG, M, "yes", NULL},
    {"disableforwarding", NULL, SSHDK_FLAG, M, "no", NULL},
    {"gatewayports", NULL, SSHDK_ENUM, M, "no", "clientspecified|yes|no"},
    {"permittunnel", NULL, SSHDK_ENUM, M, "no", "no|point-to-point|ethernet|yes"},
    {"usedns", NULL, SSHDK_FLAG, G, "no", NULL},
    {"exposeauthinfo", NULL, SSHDK_FLAG, M, "no", NULL},
    {"printmotd", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"printlastlog", NULL, SSHDK_FLAG, G, "yes", NULL},
    {"include", NULL, SSHDK_INCLUDE, M, NULL, NULL},
    {"match", NULL, SSHDK_MATCH, M, NULL, NULL},
    /* Known, without bearing on who gets in. */
    {"hostkey", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"hostdsakey", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"hostkeyagent", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"hostcertificate", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"hostkeyalgorithms", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"hostbasedacceptedalgorithms", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"hostbasedacceptedkeytypes", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"casignaturealgorithms", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"pidfile", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"modulifile", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"syslogfacility", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"loglevel", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"logverbose", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"kerberosticketcleanup", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"kerberosgetafstoken", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"gssapicleanupcredentials", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"gssapikeyexchange", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"gssapistorecredentialsonrekey", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"gssapikexalgorithms", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"debianbanner", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"listenaddress", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"addressfamily", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"xauthlocation", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"permituserenvironment", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"compression", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"rekeylimit", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"ciphers", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"macs", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"kexalgorithms", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"subsystem", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"maxstartups", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"persourcemaxstartups", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"persourcenetblocksize", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"setenv", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"permitopen", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"permitlisten", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"ipqos", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"versionaddendum", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"streamlocalbindmask", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"streamlocalbindunlink", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"fingerprinthash", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"rdomain", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"requiredrsasize", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"securitykeyprovider", NULL, SSHDK_OTHER, G, NULL, NULL},
    {"channeltimeout", NULL, SSHDK_OTHER, M, NULL, NULL},
    {"unusedconnectiontimeout", NULL, SSHDK_OTHER, M, NULL, NULL},
    /* Without effect since long. */
    {"pamauthenticationviakbdint", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"serverkeybits", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"keyregenerationinterval", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"rhostsauthentication", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"rhostsrsaauthentication", NULL, SSHDK_IGNORED, M, NULL, NULL},
    {"rsaauthentication", NULL, SSHDK_IGNORED, M, NULL, NULL},
    {"kerberostgtpassing", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"afstokenpassing", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"checkmail", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"uselogin", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"protocol", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"verifyreversemapping", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"reversemappingcheck", NULL, SSHDK_IGNORED, G, NULL, NULL},
    {"authorizedkeysfile2", NULL, SSHDK_IGNORED, M, NULL, NULL},
    {"useprivilegeseparation", NULL, SSHDK_IGNORED, G, NULL, NULL},
};
_Static_assert(ARRAY_LEN(keywords) <= SSHD_KEYWORDS_MAX, "room for all keywords");

int sshd_keyword_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (strcasecmp(name, keywords[i].name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const struct sshd_keyword *sshd_keyword_at(size_t i, size_t *ret_n)
{
    if (ret_n != NULL) {
        *ret_n = ARRAY_LEN(keywords);
    }
    return &keywords[i];
}

size_t sshd_keyword_slot(size_t i)
{
    return keywords[i].canonical == NULL ? i : (size_t)sshd_keyword_find(keywords[i].canonical);
}

/* The word of the list as sshd -T shows it. */
static int take_word(const char *words, const char *text, struct strv *ret, struct err *e)
{
    size_t text_n = strlen(text);
    for (const char *at = words; *at != '\0';) {
        size_t n = strcspn(at, "|"), name = strcspn(at, "|=");
        if (name == text_n && strncasecmp(at, text, name) == 0) {
            const char *shown = name < n ? at + name + 1 : at;
            return strv_add_n(ret, shown, (size_t)(at + n - shown), e);
        }
        at += n + (at[n] == '|' ? 1U : 0U);
    }
    return err_set(e, ERR_MALFORMED, "unsupported option \"%.64s\"", text);
}

static int take_number(const char *text, bool is_time, struct strv *ret, struct err *e)
{
    static const struct {
        char unit;
        long seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    long total = 0;
    char shown[32];
    const char *at = text;
    do {
        char *end = NULL;
        long factor = 1, value = strtol(at, &end, 10);
        if (end == at || *at == '+' || *at == '-' || strspn(at, " \t\r\n\v\f") > 0 || value < 0 ||
            value > INT_MAX) {
            return err_set(e, ERR_MALFORMED, "bad number \"%.32s\"", text);
        }
        for (size_t i = 0; is_time && i < ARRAY_LEN(units); i++) {
            if (*end != '\0' && (*end | 0x20) == units[i].unit) {
                factor = units[i].seconds;
                end++;
                break;
            }
        }
        if (value > INT_MAX / factor || total > INT_MAX - value * factor ||
            (!is_time && *end != '\0')) {
            return err_set(e, ERR_MALFORMED, "bad number \"%.32s\"", text);
        }
        total += value * factor;
        at = end;
    } while (*at != '\0');
    (void)snprintf(shown, sizeof(shown), "%ld", total);
    return strv_add(ret, shown, e);
}

static int take_key_options(const struct strv *args, struct strv *ret, struct err *e)
{
    bool touch = false, verify = false;
    for (size_t i = 0; i < args->n; i++) {
        const char *word = args->items[i];
        bool is_touch = strcasecmp(word, "touch-required") == 0;
        bool is_verify = strcasecmp(word, "verify-required") == 0;
        if (!is_touch && !is_verify && strcasecmp(word, "none") != 0) {
            return err_set(e, ERR_MALFORMED, "unknown option \"%.64s\"", word);
        }
        touch = touch || is_touch;
        verify = verify || is_verify;
    }
    return strv_add(ret,
                    touch && verify ? "touch-required verify-required"
                    : touch         ? "touch-required"
                    : verify        ? "verify-required"
                                    : "none",
                    e);
}

/* One of sshd's methods: name or name:submethod, comma-joined. */
static bool is_method_list(const char *text)
{
    static const char *const names[] = {"publickey", "gssapi-keyex",         "gssapi-with-mic",
                                        "password",  "keyboard-interactive", "hostbased",
                                        "none"};
    while (*text != '\0') {
        size_t n = strcspn(text, ","), name = strcspn(text, ",:");
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
            known = known || (strlen(names[i]) == name && strncmp(names[i], text, name) == 0);
        }
        if (!known || (text[n] == ',' && text[n + 1] == '\0')) {
            return false;
        }
        text += n + (text[n] == ',' ? 1U : 0U);
    }
    return true;
}

static int check_words(const struct sshd_keyword *k, const struct strv *args, struct err *e)
{
    bool is_methods = strcmp(k->name, "authenticationmethods") == 0;
    bool is_users = strcmp(k->name, "allowusers") == 0 || strcmp(k->name, "denyusers") == 0;
    for (size_t i = 0; i < args->n; i++) {
        const char *word = args->items[i], *host = strchr(word, '@');
        bool is_any = strcmp(word, "any") == 0;
        if (*word == '\0' || (is_methods && is_any && args->n > 1) ||
            (is_methods && !is_any && !is_method_list(word)) ||
            (is_users && host != NULL && sshd_address_list(NULL, host + 1) == -2) ||
            (strcmp(k->name, "acceptenv") == 0 && strchr(word, '=') != NULL)) {
            return err_set(e, ERR_MALFORMED, "invalid argument \"%.64s\"", word);
        }
    }
    return 0;
}

static int take_words(const struct sshd_keyword *k, const struct strv *args, struct strv *ret,
                      struct err *e)
{
    CLEANUP(str) struct str joined = STR_INIT(SSHD_FILE_MAX);
    int r = check_words(k, args, e);
    for (size_t i = 0; i < args->n && r == 0; i++) {
        str_addf(&joined, "%s%s", i > 0 ? " " : "", args->items[i]);
        r = k->kind == SSHDK_APPEND ? strv_add(ret, args->items[i], e) : 0;
    }
    if (r == 0) {
        r = str_error(&joined, e);
    }
    return r == 0 && k->kind == SSHDK_WORDS ? strv_add(ret, str_text(&joined), e) : r;
}

static int take_text(const char *text, struct strv *ret, struct err *e)
{
    return strv_add(ret, strcasecmp(text, "none") == 0 ? "none" : text, e);
}

static int take_port(const char *text, struct strv *ret, struct err *e)
{
    int port = sshd_port(text);
    char shown[16];
    if (port < 0) {
        return err_set(e, ERR_UNSUPPORTED, "port \"%.32s\" is not a number", text);
    }
    if (port == 0) {
        return err_set(e, ERR_MALFORMED, "port 0");
    }
    (void)snprintf(shown, sizeof(shown), "%d", port);
    return strv_add(ret, shown, e);
}

int sshd_keyword_values(const struct sshd_keyword *k, const struct strv *args, const char *rest,
                        struct strv *ret, struct err *e)
{
    const char *first = args->n > 0 ? args->items[0] : "";
    bool takes_one = k->kind <= SSHDK_TEXT || k->kind == SSHDK_PORT;
    bool is_free = k->kind == SSHDK_IGNORED || k->kind == SSHDK_OTHER || k->kind == SSHDK_REST;
    if (!is_free && args->n == 0) {
        return err_set(e, ERR_MALFORMED, "%s: missing argument", k->name);
    }
    if (takes_one && (args->n > 1 || *first == '\0')) {
        return err_set(e, ERR_MALFORMED, "%s: one argument is expected", k->name);
    }
    switch (k->kind) {
    case SSHDK_FLAG:
        return take_word("yes|no", first, ret, e);
    case SSHDK_ENUM:
        return take_word(k->words, first, ret, e);
    case SSHDK_INT:
    case SSHDK_TIME:
        return take_number(first, k->kind == SSHDK_TIME, ret, e);
    case SSHDK_TEXT:
        return take_text(first, ret, e);
    case SSHDK_REST:
        return take_text(rest + strspn(rest, " \t\r\n"), ret, e);
    case SSHDK_WORDS:
    case SSHDK_APPEND:
        return take_words(k, args, ret, e);
    case SSHDK_KEYOPTS:
        return take_key_options(args, ret, e);
    case SSHDK_PORT:
        return take_port(first, ret, e);
    case SSHDK_IGNORED:
    case SSHDK_OTHER:
    case SSHDK_INCLUDE:
    case SSHDK_MATCH:
    default:
        return 0;
    }
}
