/* The site file: what the operator declares (formats.md, "Site"), read strictly, merged with
 * site.d, and offered as tables site_*. Errors are ERR_INVALID "file:line:column: ..." or
 * ERR_UNSAFE. */
#ifndef TENKEN_POLICY_SITE_H
#define TENKEN_POLICY_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/facts.h"
#include "agent/base/str.h"

struct site_contract {
    const char *id, *authority, *work, *starts, *ends, *framework,
        *time_zone; /* dates "" when not given */
};

struct site;

/* Reads path, then the *.yaml files of site.d beside it in byte order. trusted: refuse files
 * writable by others (off only for fixtures' sites named by `policy test`). ERR_ABSENT if path does
 * not exist. */
int site_load(const char *path, bool trusted, struct site **ret, struct err *e) MUST_USE;
/* A site that declares nothing (no file; `query`, or `scan --framework`). */
int site_empty(struct site **ret, struct err *e) MUST_USE;
/* From text, for tests and fuzzing. */
int site_parse(const char *file, const char *text, size_t n, struct site **ret,
               struct err *e) MUST_USE;
void site_free(struct site *s);
static inline void cleanup_site(struct site **s)
{
    site_free(*s);
}

/* Contracts in the order of the file; the i-th is borrowed from the site. */
size_t site_n_contracts(const struct site *s);
const struct site_contract *site_contract(const struct site *s, size_t i); /* NULL past the end */
/* Everything that the site names and the policy must have: frameworks, controls ("5.6" names all
 * its parts), statements of attestations, checks in scopes. ERR_INVALID with the place and the
 * nearest right word. */
struct policy;
int site_check_policy(const struct site *s, const struct policy *p, struct err *e) MUST_USE;
/* True if name is the control's id, or that id without its final letter. */
bool control_is_named(const char *control, const char *name);
/* settings.KEY as text, NULL if not set. Keys: language, interpretation (advice|counts),
 * max_definition_age_days, strict_definitions, upload.url, upload.ca_file, upload.proxy,
 * upload.enabled, require.landlock ("true"). */
const char *site_setting(const struct site *s, const char *key);
const char *site_host_asset(const struct site *s);
const char *site_host_label(const struct site *s);
/* Declared data paths and TLS endpoints of all contracts, for the children's inputs. */
size_t site_n_data_paths(const struct site *s);
const char *site_data_path(const struct site *s, size_t i);
/* Worker user names of all contracts, for pseudonyms in HAS_NAMES columns; NULL past the end. */
const char *site_worker_username(const struct site *s, size_t i);

/* Declarations of all site_* tables (kind TABLE_SITE), NULL-terminated. Every table of a list but
 * site_contracts ends with a KEY column `contract`. site_settings also says, as key list.data_paths
 * (and workers, assets, tls_endpoints), "declared", "none" (said in so many words, of the list or
 * of this contract) or "missing". Dates: NULL = left out, hence not known, never "for ever"; the
 * word "none" in `ends` and `valid_until` = no end (it sorts behind every date). `scope` is a JSON
 * object with sorted keys whose values are always strings: 443 is "443", true is "true". */
const struct table *const *site_tables(void);
/* Adds all site_* tables with the rows that belong to the contract ("" = all contracts, one row per
 * element and contract) to *f, state COMPLETE. Of a site without contracts every row belongs to
 * whichever is asked for. list.* follow the contract: an element of another one does not count. */
int site_facts(const struct site *s, const char *contract_id, struct facts *f,
               struct err *e) MUST_USE;

#define SITE_DEFAULT_PATH "/etc/tenken/site.yaml"

#endif
