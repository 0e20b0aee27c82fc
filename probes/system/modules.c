/* kernel_modules: what is loaded. The list is the kernel's, the same in every container. */
#include "probes/system/kernelfiles.h"
#include "probes/system/system.h"

enum { MODULE_NAME, MODULE_SIZE, MODULE_USED_BY, MODULE_STATUS, MODULE_ADDRESS };

const struct table table_kernel_modules = {
    .name = "kernel_modules",
    .doc = "Loaded kernel modules. Absent: this kernel cannot load any; what is built into it "
           "is in no list.",
    .source = "proc_modules(5)",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS({"name", COL_TEXT, "", COL_KEY, NULL, "module, with underscores"},
                  {"size", COL_INT, "bytes", COL_BULK, NULL, "memory it takes"},
                  {"used_by", COL_TEXT, "", COL_BULK, NULL,
                   "modules that need it, comma-separated; - = none"},
                  {"status", COL_TEXT, "", COL_DECIDES, NULL, "Live, Loading or Unloading"},
                  {"address", COL_TEXT, "", COL_BULK, NULL,
                   "load address; zeros for those who may not know it"})};

/* Taints behind the address have no column in osquery's table. */
static void module_out(const struct module_row *m, void *arg)
{
    struct probe_ctx *ctx = arg;

    row_begin(ctx, &table_kernel_modules);
    row_text_n(ctx, MODULE_NAME, m->name.p, m->name.n);
    row_int(ctx, MODULE_SIZE, m->size);
    row_text_n(ctx, MODULE_USED_BY, m->used_by.p, m->used_by.n);
    row_text_n(ctx, MODULE_STATUS, m->status.p, m->status.n);
    row_text_n(ctx, MODULE_ADDRESS, m->address.p, m->address.n);
    row_end(ctx);
}

int kernel_modules_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct str *bytes = &s->files[SYS_MODULES].bytes;
    struct parse_report report;

    (void)e;
    if (sys_usable(ctx, &table_kernel_modules, s, SYS_MODULES)) {
        modules_parse(str_text(bytes), bytes->len, module_out, ctx, &report);
        sys_report(ctx, &table_kernel_modules, SYS_MODULES, &report);
    }
    return 0;
}
