/* system_info: the machine as the kernel and the firmware describe it. */
#include <string.h>

#include "probes/system/kernelfiles.h"
#include "probes/system/system.h"

enum {
    INFO_HOSTNAME,
    INFO_UUID,
    INFO_CPU_TYPE,
    INFO_CPU_SUBTYPE,
    INFO_CPU_BRAND,
    INFO_PHYSICAL_CORES,
    INFO_LOGICAL_CORES,
    INFO_SOCKETS,
    INFO_MICROCODE,
    INFO_MEMORY,
    INFO_VENDOR,
    INFO_MODEL,
    INFO_VERSION,
    INFO_SERIAL,
    INFO_BOARD_VENDOR,
    INFO_BOARD_MODEL,
    INFO_BOARD_VERSION,
    INFO_BOARD_SERIAL,
    INFO_COMPUTER_NAME,
    INFO_LOCAL_HOSTNAME,
    INFO_EMULATED
};

#define DMI_NOTE " (SMBIOS)"

const struct table table_system_info = {
    .name = "system_info",
    .doc = "The machine; one row. Cells that this process may not read are not known.",
    .source = "proc(5), kernel Documentation/ABI/testing/sysfs-firmware-dmi",
    .kind = TABLE_FACTS,
    .osquery = true,
    TABLE_COLUMNS(
        {"hostname", COL_TEXT, "", COL_NULLABLE, NULL, "node name of the initial UTS namespace"},
        {"uuid", COL_TEXT, "", COL_NULLABLE, NULL, "machine's UUID; root only" DMI_NOTE},
        {"cpu_type", COL_TEXT, "", COL_NULLABLE, NULL, "machine word of uname(2)"},
        {"cpu_subtype", COL_TEXT, "", COL_NULLABLE, NULL, "model number of the first processor"},
        {"cpu_brand", COL_TEXT, "", COL_NULLABLE, NULL, "model name of the first processor"},
        {"cpu_physical_cores", COL_INT, "", COL_NULLABLE, NULL, "cores"},
        {"cpu_logical_cores", COL_INT, "", COL_NULLABLE, NULL, "hardware threads"},
        {"cpu_sockets", COL_INT, "", COL_NULLABLE, NULL, "processor packages"},
        {"cpu_microcode", COL_TEXT, "", COL_NULLABLE, NULL, "microcode revision in force"},
        {"physical_memory", COL_INT, "bytes", COL_NULLABLE | COL_BULK, NULL,
         "memory that the kernel manages"},
        {"hardware_vendor", COL_TEXT, "", COL_NULLABLE, NULL, "maker" DMI_NOTE},
        {"hardware_model", COL_TEXT, "", COL_NULLABLE, NULL,
         "product; for Lenovo, whose product "
         "name is a number, the version" DMI_NOTE},
        {"hardware_version", COL_TEXT, "", COL_NULLABLE, NULL,
         "version; for Lenovo the product name" DMI_NOTE},
        {"hardware_serial", COL_TEXT, "", COL_NULLABLE, NULL, "serial number; root only" DMI_NOTE},
        {"board_vendor", COL_TEXT, "", COL_NULLABLE, NULL, "maker of the main board" DMI_NOTE},
        {"board_model", COL_TEXT, "", COL_NULLABLE, NULL, "main board" DMI_NOTE},
        {"board_version", COL_TEXT, "", COL_NULLABLE, NULL, "main board's version" DMI_NOTE},
        {"board_serial", COL_TEXT, "", COL_NULLABLE, NULL,
         "main board's serial number; root only" DMI_NOTE},
        {"computer_name", COL_TEXT, "", COL_NULLABLE, NULL, "same as hostname"},
        {"local_hostname", COL_TEXT, "", COL_NULLABLE, NULL, "same as hostname"},
        {"emulated_cpu_type", COL_TEXT, "", COL_BULK, NULL, "always empty on Linux"})};

/* The parsers write "" for what a file does not say; here that is not known. */
static void known_text(struct probe_ctx *ctx, unsigned column, const char *text)
{
    row_text(ctx, column, text[0] != '\0' ? text : NULL);
}

/* No machine has 0 processors: 0 is an architecture whose cpuinfo has other words. */
static void known_count(struct probe_ctx *ctx, unsigned column, int64_t n)
{
    if (n > 0) {
        row_int(ctx, column, n);
    }
}

/* What the first processor says stands for all of them. */
static void cpu_cells(struct probe_ctx *ctx, const struct cpuinfo *cpu)
{
    known_text(ctx, INFO_CPU_SUBTYPE, cpu->model);
    known_text(ctx, INFO_CPU_BRAND, cpu->brand);
    known_text(ctx, INFO_MICROCODE, cpu->microcode);
    known_count(ctx, INFO_PHYSICAL_CORES, cpu->physical);
    known_count(ctx, INFO_LOGICAL_CORES, cpu->logical);
    known_count(ctx, INFO_SOCKETS, cpu->sockets);
}

/* Lenovo writes the name that people know into the version field. */
static bool is_lenovo(struct span vendor)
{
    return vendor.n == 6 && strncasecmp(vendor.p, "lenovo", 6) == 0;
}

static void dmi_cells(struct probe_ctx *ctx, const struct sys_state *s)
{
    bool swapped = is_lenovo(sys_text(s, SYS_DMI_VENDOR));

    sys_cell(ctx, INFO_UUID, s, SYS_DMI_UUID);
    sys_cell(ctx, INFO_VENDOR, s, SYS_DMI_VENDOR);
    sys_cell(ctx, swapped ? INFO_VERSION : INFO_MODEL, s, SYS_DMI_PRODUCT);
    sys_cell(ctx, swapped ? INFO_MODEL : INFO_VERSION, s, SYS_DMI_VERSION);
    sys_cell(ctx, INFO_SERIAL, s, SYS_DMI_SERIAL);
    sys_cell(ctx, INFO_BOARD_VENDOR, s, SYS_DMI_BOARD_VENDOR);
    sys_cell(ctx, INFO_BOARD_MODEL, s, SYS_DMI_BOARD_NAME);
    sys_cell(ctx, INFO_BOARD_VERSION, s, SYS_DMI_BOARD_VERSION);
    sys_cell(ctx, INFO_BOARD_SERIAL, s, SYS_DMI_BOARD_SERIAL);
}

/* One row in any case: what a namespace hides is not known, and the state says so; what the kernel
 * tells everyone stays. Refused serial numbers (not root) are no more than cells not known. */
int system_info_rows(struct probe_ctx *ctx, const struct sys_state *s, struct err *e)
{
    const struct str *cpuinfo = &s->files[SYS_CPUINFO].bytes;
    const struct str *meminfo = &s->files[SYS_MEMINFO].bytes;
    const char *no_sys = host_hidden(probe_host(ctx), HOST_SEES_SYS);
    struct cpuinfo cpu = {0};
    int64_t memory = 0;

    if (cpuinfo_parse(str_text(cpuinfo), cpuinfo->len, &cpu, e) != 0) {
        return e->code;
    }
    row_begin(ctx, &table_system_info);
    if (s->ns_uts == NS_INITIAL) {
        sys_cell(ctx, INFO_HOSTNAME, s, SYS_HOSTNAME);
        sys_cell(ctx, INFO_COMPUTER_NAME, s, SYS_HOSTNAME);
        sys_cell(ctx, INFO_LOCAL_HOSTNAME, s, SYS_HOSTNAME);
    }
    known_text(ctx, INFO_CPU_TYPE, s->machine);
    cpu_cells(ctx, &cpu);
    if (meminfo_total(str_text(meminfo), meminfo->len, &memory)) {
        row_int(ctx, INFO_MEMORY, memory);
    } else if (s->files[SYS_MEMINFO].code == 0) {
        probe_state(ctx, &table_system_info, STATE_MALFORMED, "malformed: /proc/meminfo");
    }
    if (no_sys == NULL) {
        dmi_cells(ctx, s);
    }
    row_text(ctx, INFO_EMULATED, "");
    row_end(ctx);
    if (s->ns_uts != NS_INITIAL) {
        probe_state(ctx, &table_system_info, STATE_DENIED, "not_visible: the host's name: %s",
                    s->ns_uts == NS_OTHER ? "other UTS namespace"
                                          : "the UTS namespace cannot be told");
    } else if (no_sys != NULL) {
        probe_state(ctx, &table_system_info, STATE_DENIED, "%s", no_sys);
    }
    return 0;
}
