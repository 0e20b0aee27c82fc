/* What the gathering half of the anti-virus probe hands to the parsing half: bytes, and how each
 * look ended. */
#ifndef TENKEN_PROBES_ANTIVIRUS_STATE_H
#define TENKEN_PROBES_ANTIVIRUS_STATE_H

#include "agent/base/schema.h"
#include "probes/antivirus/clamd.h"
#include "probes/antivirus/cvd.h"
#include "probes/antivirus/products.h"

#define AV_PRODUCTS_MAX 64U
#define AV_HEADS_MAX 9U

struct av_head {
    char file[32];
    int code; /* 0, or why its header could not be read */
    char bytes[CVD_HEADER_BYTES];
    size_t n;
};

/* Of a product with a dialect only. */
struct av_engine {
    char conf_path[AV_VALUE_MAX];
    int conf_code; /* 0 once conf was read; ERR_ABSENT: there is none */
    struct str conf;
    char socket[AV_VALUE_MAX]; /* "" = none is set */
    struct clamd_answer answer;
    char dir[AV_VALUE_MAX]; /* of definitions */
    int dir_code;
    struct av_head heads[AV_HEADS_MAX];
    size_t n_heads;
    struct str update_log;
    struct str scan_log;
    int scan_log_code; /* 0 also where there is none */
};

struct av_product {
    char product[AV_VALUE_MAX];
    char vendor[AV_VALUE_MAX];
    char exe[AV_VALUE_MAX]; /* the first file of it that is there */
    bool is_installed, is_unsafe, is_unknown;
    int code;                 /* why it is unknown */
    struct av_engine *engine; /* NULL: nothing of it can be asked */
};

struct av_state {
    const char *hidden; /* NULL, or why nothing was looked at */
    int64_t now_s;
    int64_t newest_mtime_s; /* only ever used to distrust the clock */
    char zone[64];          /* of the host, "" = not known */
    struct av_product *products;
    size_t n;
};

void av_state_free(struct av_state *s);
static inline void cleanup_av_state(struct av_state **s)
{
    av_state_free(*s);
}

enum {
    AE_PRODUCT,
    AE_VENDOR,
    AE_PROVED,
    AE_INSTALLED,
    AE_RESPONDING,
    AE_PEER_PID,
    AE_PEER_UID,
    AE_ENGINE,
    AE_SCOPE,
    AE_UPDATED,
    AE_UPDATE_ERROR,
    AE_REASON,
    AE_SOURCE
};
enum { AD_PRODUCT, AD_FILE, AD_VERSION, AD_BUILT_AT, AD_AGE_DAYS, AD_SOURCE, AD_REASON };
enum { AS_PRODUCT, AS_STARTED_AT, AS_FINISHED_AT, AS_SCOPE, AS_INFECTED, AS_ERRORS, AS_SOURCE };

extern const struct table table_av_engines;
extern const struct table table_av_definitions;
extern const struct table table_av_scans;

struct probe_ctx;
/* Rows of one table each. ERR_NOMEM. */
int av_rows_engines(struct probe_ctx *ctx, const struct av_state *s, struct err *e) MUST_USE;
int av_rows_definitions(struct probe_ctx *ctx, const struct av_state *s, struct err *e) MUST_USE;
int av_rows_scans(struct probe_ctx *ctx, const struct av_state *s, struct err *e) MUST_USE;

#endif
