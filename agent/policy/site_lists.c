/* What the site file may hold, list by list: the keys with their kinds, and the table that each
 * list is offered as (tables.md, "Site"). Keys and columns stand in the same order; a table's last
 * column is the contract that the row belongs to. */
#include "agent/policy/site_internal.h"

#include <string.h>

#define CONTRACT_COLUMN                                                                            \
    {                                                                                              \
        "contract", COL_TEXT, "", COL_KEY, NULL, "contract that the row belongs to"                \
    }
/* A date that was left out is not known: no rule may read it as "for ever". */
#define DATE_FLAGS (COL_DECIDES | COL_NULLABLE)
#define FORMAT_PAGE "the site file, see site.example.yaml"

static const struct field contract_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"authority", FIELD_TEXT, false, NULL, ""},
    {"work", FIELD_TEXT, false, NULL, ""},
    {"starts", FIELD_DATE, false, NULL, NULL},
    {"ends", FIELD_DATE, false, NULL, NULL},
    {"framework", FIELD_ID, true, NULL, NULL},
    {"time_zone", FIELD_ZONE, false, NULL, "Asia/Tokyo"},
};
static const struct table contract_table = {
    .name = "site_contracts",
    .doc = "The contracts under which this host works, one row per contract and framework.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"id", COL_TEXT, "", COL_KEY, NULL, "number of the contract"},
                  {"authority", COL_TEXT, "", 0, NULL, "who gave the work"},
                  {"work", COL_TEXT, "", 0, NULL, "name of the work"},
                  {"starts", COL_TEXT, "date", DATE_FLAGS, NULL, "first day"},
                  {"ends", COL_TEXT, "date", DATE_FLAGS, NULL, "last day"},
                  {"framework", COL_TEXT, "", COL_KEY, NULL, "standard that was promised"},
                  {"time_zone", COL_TEXT, "", 0, NULL, "zone in which its days are counted"}),
};

static const struct field data_path_fields[] = {
    {"path", FIELD_PATH, true, NULL, NULL},
    {"dataset", FIELD_TEXT, false, NULL, ""},
};
static const struct table data_path_table = {
    .name = "site_data_paths",
    .doc = "Directories that hold the authority's data, as declared.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"path", COL_TEXT, "", COL_KEY | COL_HAS_NAMES, NULL, "absolute path"},
                  {"dataset", COL_TEXT, "", COL_HAS_NAMES, NULL, "what lies there"},
                  CONTRACT_COLUMN),
};

static const struct field worker_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"username", FIELD_ID, false, NULL, ""},
    {"role", FIELD_TEXT, false, NULL, ""},
    {"starts", FIELD_DATE, false, NULL, NULL},
    {"ends", FIELD_END, false, NULL, NULL},
    {"trained_at", FIELD_DATE, false, NULL, NULL},
    {"server_access", FIELD_BOOL, false, NULL, NULL},
};
static const struct table worker_table = {
    .name = "site_workers",
    .doc = "Register of the people who work under the contract.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS(
        {"id", COL_TEXT, "", COL_KEY, NULL, "number in the register"},
        {"username", COL_TEXT, "", COL_PERSONAL, NULL, "account on this host; empty = has none"},
        {"role", COL_TEXT, "", 0, NULL, "handler, administrator, ..."},
        {"starts", COL_TEXT, "date", DATE_FLAGS, NULL, "first day of the designation"},
        {"ends", COL_TEXT, "date", DATE_FLAGS, NULL, "last day, or none"},
        {"trained_at", COL_TEXT, "date", DATE_FLAGS, NULL, "day of the last training"},
        {"server_access", COL_INT, "boolean", DATE_FLAGS, NULL,
         "may reach the server's administration"},
        CONTRACT_COLUMN),
};

static const char *const protocols[] = {"tcp", "udp", "sctp", "icmp", "any", NULL};
static const struct field peer_fields[] = {
    {"prefix", FIELD_PREFIX, true, NULL, NULL},        {"port", FIELD_ANY_PORT, true, NULL, NULL},
    {"protocol", FIELD_WORD, false, protocols, "tcp"}, {"purpose", FIELD_TEXT, false, NULL, ""},
    {"approval", FIELD_TEXT, false, NULL, ""},
};
static const struct table peer_table = {
    .name = "site_peers",
    .doc = "Networks and services that this host may talk to.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"prefix", COL_TEXT, "", COL_KEY, NULL, "network, ADDRESS/BITS"},
                  {"port", COL_INT, "", COL_KEY, NULL, "0 = any"},
                  {"protocol", COL_TEXT, "", COL_KEY, "tcp|udp|sctp|icmp|any", "protocol"},
                  {"purpose", COL_TEXT, "", COL_HAS_NAMES, NULL, "what for"},
                  {"approval", COL_TEXT, "", COL_HAS_NAMES, NULL, "number of the approval"},
                  CONTRACT_COLUMN),
};

static const struct field media_fields[] = {
    {"vendor_id", FIELD_USB_ID, true, NULL, NULL}, {"model_id", FIELD_USB_ID, true, NULL, NULL},
    {"serial", FIELD_TEXT, true, NULL, NULL},      {"purpose", FIELD_TEXT, false, NULL, ""},
    {"approval", FIELD_TEXT, false, NULL, ""},     {"starts", FIELD_DATE, false, NULL, NULL},
    {"ends", FIELD_END, false, NULL, NULL},
};
static const struct table media_table = {
    .name = "site_media",
    .doc = "Recording devices that were approved one by one.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"vendor_id", COL_TEXT, "", COL_KEY, NULL, "USB vendor, four digits"},
                  {"model_id", COL_TEXT, "", COL_KEY, NULL, "USB product, four digits"},
                  {"serial", COL_TEXT, "", COL_KEY, NULL, "serial number"},
                  {"purpose", COL_TEXT, "", COL_HAS_NAMES, NULL, "what for"},
                  {"approval", COL_TEXT, "", COL_HAS_NAMES, NULL, "number of the approval"},
                  {"starts", COL_TEXT, "date", DATE_FLAGS, NULL, "first day"},
                  {"ends", COL_TEXT, "date", DATE_FLAGS, NULL, "last day, or none"},
                  CONTRACT_COLUMN),
};

static const struct field permission_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},       {"framework", FIELD_ID, true, NULL, NULL},
    {"control", FIELD_ID, true, NULL, NULL},  {"document", FIELD_TEXT, false, NULL, ""},
    {"scope", FIELD_SCOPE, true, NULL, NULL}, {"starts", FIELD_DATE, false, NULL, NULL},
    {"ends", FIELD_END, false, NULL, NULL},
};
static const struct table permission_table = {
    .name = "site_permissions",
    .doc = "Exceptions that the authority permitted in writing.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS(
        {"id", COL_TEXT, "", COL_KEY, NULL, "name of the permission"},
        {"framework", COL_TEXT, "", 0, NULL, "standard"},
        {"control", COL_TEXT, "", 0, NULL, "clause; without its letter it names all its parts"},
        {"document", COL_TEXT, "", COL_HAS_NAMES, NULL, "number of the paper"},
        {"scope", COL_TEXT, "json", COL_HAS_NAMES, NULL,
         "columns and their values, all texts, sorted; a finding is covered if all are "
         "equal"},
        {"starts", COL_TEXT, "date", DATE_FLAGS, NULL, "first day"},
        {"ends", COL_TEXT, "date", DATE_FLAGS, NULL, "last day, or none"}, CONTRACT_COLUMN),
};

static const struct field compensation_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},        {"framework", FIELD_ID, true, NULL, NULL},
    {"control", FIELD_ID, true, NULL, NULL},   {"measure", FIELD_TEXT, true, NULL, NULL},
    {"document", FIELD_TEXT, false, NULL, ""}, {"scope", FIELD_SCOPE, true, NULL, NULL},
    {"starts", FIELD_DATE, false, NULL, NULL}, {"ends", FIELD_END, false, NULL, NULL},
};
static const struct table compensation_table = {
    .name = "site_compensations",
    .doc = "Registered measures that stand in for what this program looks at.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS(
        {"id", COL_TEXT, "", COL_KEY, NULL, "name of the measure"},
        {"framework", COL_TEXT, "", 0, NULL, "standard"},
        {"control", COL_TEXT, "", 0, NULL, "clause; without its letter it names all its parts"},
        {"measure", COL_TEXT, "", COL_HAS_NAMES, NULL, "what was done instead"},
        {"document", COL_TEXT, "", COL_HAS_NAMES, NULL, "photo, paper, number"},
        {"scope", COL_TEXT, "json", COL_HAS_NAMES, NULL,
         "columns and their values, all texts, sorted; a finding is covered if all are "
         "equal"},
        {"starts", COL_TEXT, "date", DATE_FLAGS, NULL, "first day"},
        {"ends", COL_TEXT, "date", DATE_FLAGS, NULL, "last day, or none"}, CONTRACT_COLUMN),
};

static const struct field asset_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},        {"machine_id", FIELD_MACHINE_ID, false, NULL, NULL},
    {"serial", FIELD_TEXT, false, NULL, NULL}, {"role", FIELD_TEXT, false, NULL, ""},
    {"site", FIELD_TEXT, false, NULL, ""},
};
static const struct table asset_table = {
    .name = "site_assets",
    .doc = "Register of the computers used under the contract.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"id", COL_TEXT, "", COL_KEY, NULL, "asset number"},
                  {"machine_id", COL_TEXT, "", COL_NULLABLE, NULL, "as in /etc/machine-id"},
                  {"serial", COL_TEXT, "", COL_NULLABLE, NULL, "maker's serial number"},
                  {"role", COL_TEXT, "", 0, NULL, "what it is used for"},
                  {"site", COL_TEXT, "", COL_HAS_NAMES, NULL, "where it stands"}, CONTRACT_COLUMN),
};

static const struct field attestation_fields[] = {
    {"id", FIELD_ID, true, NULL, NULL},
    {"framework", FIELD_ID, true, NULL, NULL},
    {"control", FIELD_ID, true, NULL, NULL},
    {"statement", FIELD_ID, true, NULL, NULL},
    {"signer", FIELD_TEXT, true, NULL, NULL},
    {"signed_at", FIELD_DATE, true, NULL, NULL},
    {"valid_until", FIELD_END, false, NULL, NULL},
    {"document", FIELD_TEXT, false, NULL, ""},
    {"document_sha256", FIELD_SHA256, false, NULL, ""},
};
static const struct table attestation_table = {
    .name = "site_attestations",
    .doc = "Signed statements of people on what no machine can see.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"id", COL_TEXT, "", COL_KEY, NULL, "name of the attestation"},
                  {"framework", COL_TEXT, "", 0, NULL, "standard"},
                  {"control", COL_TEXT, "", 0, NULL, "clause"},
                  {"statement", COL_TEXT, "", 0, NULL, "which of the clause's statements"},
                  {"signer", COL_TEXT, "", COL_PERSONAL, NULL, "who signed"},
                  {"signed_at", COL_TEXT, "date", COL_DECIDES, NULL, "day of the signature"},
                  {"valid_until", COL_TEXT, "date", DATE_FLAGS, NULL,
                   "last day, or none; NULL = as long as the statement's `every` says"},
                  {"document", COL_TEXT, "", COL_HAS_NAMES, NULL, "paper it stands on"},
                  {"document_sha256", COL_TEXT, "", 0, NULL, "digest of that paper's file"},
                  CONTRACT_COLUMN),
};

static const char *const starttls_words[] = {"none", "smtp",       "imap",  "pop3", "ldap",
                                             "ftp",  "postgresql", "mysql", "xmpp", NULL};
static const struct field endpoint_fields[] = {
    {"name", FIELD_ID, true, NULL, NULL},
    {"host", FIELD_ID, true, NULL, NULL},
    {"port", FIELD_PORT, true, NULL, NULL},
    {"sni", FIELD_ID, false, NULL, ""},
    {"starttls", FIELD_WORD, false, starttls_words, "none"},
    {"ca_file", FIELD_PATH, false, NULL, ""},
    {"owner", FIELD_TEXT, false, NULL, ""},
    {"permission", FIELD_ID, false, NULL, ""},
};
static const struct table endpoint_table = {
    .name = "site_tls_endpoints",
    .doc = "TLS services whose protocol is looked at from here, with their owner's leave.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", COL_KEY, NULL, "name of the endpoint"},
        {"host", COL_TEXT, "", 0, NULL, "host name or address"},
        {"port", COL_INT, "", 0, NULL, "TCP port"},
        {"sni", COL_TEXT, "", 0, NULL, "server name sent; empty = host"},
        {"starttls", COL_TEXT, "", 0, "none|smtp|imap|pop3|ldap|ftp|postgresql|mysql|xmpp",
         "protocol that is upgraded to TLS"},
        {"ca_file", COL_TEXT, "", COL_HAS_NAMES, NULL, "trust anchors; empty = system's"},
        {"owner", COL_TEXT, "", COL_HAS_NAMES, NULL, "whose service it is"},
        {"permission", COL_TEXT, "", 0, NULL, "id of the permission to look"}, CONTRACT_COLUMN),
};

const struct table site_host_table = {
    .name = "site_host",
    .doc = "What the operator calls this host; one row.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"asset", COL_TEXT, "", COL_NULLABLE, NULL, "asset number; NULL = not declared"},
                  {"role", COL_TEXT, "", COL_NULLABLE, NULL, "what it is used for"},
                  {"label", COL_TEXT, "", COL_NULLABLE, NULL, "short name for people"}),
};
const struct table site_organisation_table = {
    .name = "site_organisation",
    .doc = "Who runs this host; one row.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS(
        {"name", COL_TEXT, "", COL_NULLABLE, NULL, "name of the organisation"},
        {"address", COL_TEXT, "", COL_NULLABLE, NULL, "postal address"},
        {"representative", COL_TEXT, "", COL_NULLABLE | COL_PERSONAL, NULL, "who represents it"}),
};
const struct table site_settings_table = {
    .name = "site_settings",
    .doc = "Settings that were given, and per list whether it was declared.",
    .source = FORMAT_PAGE,
    .kind = TABLE_SITE,
    TABLE_COLUMNS({"key", COL_TEXT, "", COL_KEY, NULL,
                   "name of the setting; list.NAME: declared, none or missing"},
                  {"value", COL_TEXT, "", 0, NULL, "its value as text"}),
};

const struct table *const *site_tables(void)
{
    static const struct table *const tables[] = {&site_host_table,     &site_organisation_table,
                                                 &contract_table,      &data_path_table,
                                                 &worker_table,        &peer_table,
                                                 &media_table,         &permission_table,
                                                 &asset_table,         &endpoint_table,
                                                 &compensation_table,  &attestation_table,
                                                 &site_settings_table, NULL};
    return tables;
}

#define LIST(prefix, bits)                                                                         \
    .table = &prefix##_table, .fields = prefix##_fields, .n_fields = ARRAY_LEN(prefix##_fields),   \
    .key = (bits)

const struct site_list site_lists[N_SITE_LISTS] = {
    [LIST_CONTRACTS] = {.name = "contracts", LIST(contract, 1U << 0 | 1U << 5), .has_dates = true},
    [LIST_DATA_PATHS] = {.name = "data_paths", LIST(data_path, 1), .owed = true},
    [LIST_WORKERS] = {.name = "workers", LIST(worker, 1), .owed = true, .has_dates = true},
    [LIST_PEERS] = {.name = "peers", LIST(peer, 7)},
    [LIST_MEDIA] = {.name = "media", LIST(media, 7), .has_dates = true},
    [LIST_PERMISSIONS] = {.name = "permissions", LIST(permission, 1), .has_dates = true},
    [LIST_COMPENSATIONS] = {.name = "compensations", LIST(compensation, 1), .has_dates = true},
    [LIST_ASSETS] = {.name = "assets", LIST(asset, 1), .owed = true},
    [LIST_ATTESTATIONS] = {.name = "attestations", LIST(attestation, 1)},
    [LIST_TLS_ENDPOINTS] = {.name = "tls_endpoints", LIST(endpoint, 1), .owed = true},
};

static const char *const languages[] = {"ja", "en", NULL};
static const char *const interpretations[] = {"advice", "counts", NULL};
static const struct field host_fields[] = {
    {"asset", FIELD_ID, false, NULL, NULL},
    {"role", FIELD_TEXT, false, NULL, NULL},
    {"label", FIELD_TEXT, false, NULL, NULL},
};
static const struct field organisation_fields[] = {
    {"name", FIELD_TEXT, false, NULL, NULL},
    {"address", FIELD_TEXT, false, NULL, NULL},
    {"representative", FIELD_TEXT, false, NULL, NULL},
};
static const struct field settings_fields[] = {
    {"language", FIELD_WORD, false, languages, NULL},
    {"interpretation", FIELD_WORD, false, interpretations, NULL},
    {"max_definition_age_days", FIELD_DAYS, false, NULL, NULL},
    {"strict_definitions", FIELD_BOOL, false, NULL, NULL},
};
static const struct field upload_fields[] = {
    {"url", FIELD_URL, false, NULL, NULL},
    {"ca_file", FIELD_PATH, false, NULL, NULL},
    {"proxy", FIELD_PROXY, false, NULL, NULL},
    {"enabled", FIELD_BOOL, false, NULL, NULL},
};

#define MAP(fields) fields, ARRAY_LEN(fields)
const struct site_map site_maps[N_SITE_MAPS] = {
    [MAP_HOST] = {"host", MAP(host_fields)},
    [MAP_ORGANISATION] = {"organisation", MAP(organisation_fields)},
    [MAP_SETTINGS] = {"settings", MAP(settings_fields)},
    [MAP_UPLOAD] = {"upload", MAP(upload_fields)},
};
_Static_assert(ARRAY_LEN(settings_fields) <= SITE_MAP_FIELDS_MAX, "struct site has room");
_Static_assert(ARRAY_LEN(upload_fields) <= SITE_MAP_FIELDS_MAX, "struct site has room");

size_t site_field(const struct site_list *list, const char *key)
{
    size_t i = 0;
    while (i + 1 < list->n_fields && strcmp(list->fields[i].key, key) != 0) {
        i++;
    }
    return i;
}
