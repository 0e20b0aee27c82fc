# Writes OUTPUT: relative path and SHA-256 of every rule under RULES_DIR, sorted, as C.
file(GLOB rules RELATIVE ${RULES_DIR}
    ${RULES_DIR}/checks/*.yaml ${RULES_DIR}/views/*.sql ${RULES_DIR}/frameworks/*.yaml
    ${RULES_DIR}/products/*.yaml ${RULES_DIR}/tls-profiles/*.yaml ${RULES_DIR}/rules.yaml)
list(SORT rules)
set(items "")
set(n 0)
foreach(rule IN LISTS rules)
    file(SHA256 ${RULES_DIR}/${rule} digest)
    string(APPEND items "    {\"${rule}\", \"${digest}\"},\n")
    math(EXPR n "${n} + 1")
endforeach()
# Ends with an empty item, since C has no empty array; it is not counted.
file(WRITE ${OUTPUT} "/* Made by policy_manifest.cmake from the policies. */
#include \"agent/policy/policy_internal.h\"

const struct manifest_item policy_manifest[] = {
${items}    {\"\", \"\"},
};
const size_t policy_manifest_n = ${n};
")
