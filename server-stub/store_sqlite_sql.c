/* Every statement of the SQLite store, by name. Values are bound, never written into the text. */
#include "server-stub/store_sqlite.h"

extern const char *const store_sql[N_QUERIES];

/* The columns of a record as row_record() reads them. */
#define RECORD_COLUMNS                                                                             \
    "v.id, v.digest, v.keyid, v.contract, v.framework, v.framework_version, v.chain, v.sequence, " \
    "v.previous, v.previous_chain, v.time_s, v.local_date, v.asset, v.hostname, v.machine_id, "    \
    "v.rules_version, v.rules_unmodified, d.authority, d.work, d.starts, d.ends, d.time_zone, "    \
    "v.verdicts, v.flags, v.received_at, v.redo, v.redo_report"

#define ONE_CHAIN "keyid=?1 AND contract=?2 AND framework=?3 AND chain=?4"

const char *const store_sql[N_QUERIES] = {
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_PART] = "SAVEPOINT part",
    [Q_PART_KEEP] = "RELEASE part",
    [Q_PART_UNDO] = "ROLLBACK TO part",

    [Q_TOKEN_ADD] = "INSERT INTO token(id, hash, role, contract, uses_left, expires_s)"
                    " VALUES(?,?,?,?,?,?)",
    [Q_TOKEN_GET] = "SELECT hash, role, contract, uses_left, expires_s FROM token WHERE id=?",
    [Q_TOKEN_USE] = "UPDATE token SET uses_left = uses_left - 1 WHERE id=? AND uses_left > 0",

    [Q_HOST_PUT] = "INSERT INTO host(keyid, pem, hostname, enrolled_at) VALUES(?,?,?,?)"
                   " ON CONFLICT(keyid) DO UPDATE SET hostname=excluded.hostname",
    [Q_HOST_CONTRACT] = "INSERT OR IGNORE INTO host_contract(keyid, contract, enrolled_at)"
                        " VALUES(?,?,?)",
    [Q_HOST_MACHINE] = "INSERT OR IGNORE INTO host_machine(keyid, machine_id) VALUES(?,?)",
    [Q_HOST_PEM] = "SELECT pem FROM host WHERE keyid=?",
    [Q_HOST_MAY] = "SELECT 1 FROM host_contract WHERE keyid=? AND contract=?",
    [Q_HOST_CONTRACTS] = "SELECT contract FROM host_contract WHERE keyid=? ORDER BY contract",
    [Q_MACHINE_KNOWN] = "SELECT count(*), coalesce(sum(machine_id = ?2), 0) FROM host_machine"
                        " WHERE keyid=?1",

    [Q_RECEIPT] = "SELECT receipt FROM evidence WHERE digest=?",
    [Q_CHAIN_RANGE] = "SELECT coalesce(max(sequence), 0) FROM evidence WHERE " ONE_CHAIN,
    [Q_CHAIN_NEAR] = "SELECT sequence, digest, previous FROM evidence WHERE " ONE_CHAIN
                     " AND sequence BETWEEN ?5 - 1 AND ?5 + 1",
    /* of several with one number (fork) the latest time counts: the graver answer */
    [Q_CHAIN_LOWER] = "SELECT sequence, max(time_s) FROM evidence WHERE " ONE_CHAIN
                      " AND sequence < ?5 GROUP BY sequence ORDER BY sequence DESC LIMIT 1",
    [Q_CHAIN_HIGHER] = "SELECT sequence, min(time_s) FROM evidence WHERE " ONE_CHAIN
                       " AND sequence > ?5 GROUP BY sequence ORDER BY sequence LIMIT 1",
    [Q_CHAIN_FIRST] =
        "SELECT machine_id FROM evidence WHERE " ONE_CHAIN " ORDER BY sequence, digest LIMIT 1",
    [Q_DECLARATION_ADD] =
        "INSERT INTO declaration(contract, authority, work, starts, ends, time_zone, last_date)"
        " VALUES(?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET last_date=excluded.last_date"
        " WHERE excluded.last_date > last_date",
    [Q_DECLARATION_ID] = "SELECT id FROM declaration WHERE contract=? AND authority=? AND work=?"
                         " AND starts=? AND ends=? AND time_zone=?",
    [Q_EVIDENCE_ADD] =
        "INSERT INTO evidence(digest, keyid, contract, framework, framework_version, chain,"
        " sequence, previous, previous_chain, time_s, local_date, asset, hostname, machine_id,"
        " rules_version, rules_unmodified, declaration, verdicts, flags, received_at, receipt,"
        " sig, payload_n, payload) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [Q_EVIDENCE_GET] = "SELECT " RECORD_COLUMNS ", v.receipt, v.sig, v.payload_n, v.payload"
                       " FROM evidence v JOIN declaration d ON d.id = v.declaration"
                       " WHERE v.digest=?",
    [Q_REDO_NEXT] = "SELECT id, digest FROM evidence WHERE redo = 0 AND id > ? ORDER BY id LIMIT 1",
    [Q_REDO_SET] = "UPDATE evidence SET redo=?2, redo_report=?3,"
                   " flags = CASE WHEN ?2 = 2 THEN flags | 16 ELSE flags & ~16 END WHERE id=?1",

    [Q_EACH_HOST] = "SELECT keyid, hostname, enrolled_at, coalesce((SELECT min(local_date)"
                    " FROM evidence v WHERE v.keyid = host.keyid), '') FROM host ORDER BY keyid",
    [Q_EACH_MEMBER] = "SELECT c.keyid, h.hostname, c.enrolled_at, coalesce((SELECT min(local_date)"
                      " FROM evidence v WHERE v.contract = c.contract AND v.keyid = c.keyid), '')"
                      " FROM host_contract c JOIN host h ON h.keyid = c.keyid WHERE c.contract=?"
                      " ORDER BY c.keyid",
    [Q_HOST_GET] = "SELECT keyid, hostname, enrolled_at, '' FROM host WHERE keyid=?",
    [Q_EACH_CHAIN] =
        "SELECT contract, framework, chain, max(previous_chain), (SELECT min(time_s)"
        " FROM evidence f WHERE f.keyid = v.keyid AND f.contract = v.contract"
        " AND f.framework = v.framework AND f.chain = v.chain AND f.sequence = min(v.sequence)),"
        " max(sequence), count(DISTINCT sequence), count(*),"
        " max(flags & 1) | max(flags & 2) | max(flags & 4) | max(flags & 8) | max(flags & 16)"
        " | max(flags & 32)"
        " FROM evidence v WHERE keyid=?1 AND (contract=?2 OR ?2='')"
        " GROUP BY contract, framework, chain ORDER BY contract, framework, chain",
    [Q_EACH_RECORD] =
        "SELECT " RECORD_COLUMNS " FROM evidence v JOIN declaration d ON d.id = v.declaration"
        " WHERE v.keyid=?1 AND v.contract=?2 AND v.framework=?3 AND v.chain=?4"
        " AND v.local_date BETWEEN ?5 AND ?6 AND (?7 = 0 OR v.sequence = (SELECT max(sequence)"
        "  FROM evidence m WHERE m.keyid=?1 AND m.contract=?2 AND m.framework=?3 AND m.chain=?4))"
        " ORDER BY v.sequence, v.digest",
    [Q_FRAMEWORKS] = "SELECT DISTINCT framework FROM evidence WHERE contract=? ORDER BY framework",
    [Q_DECLARATIONS] = "SELECT authority, work, starts, ends, time_zone, last_date FROM declaration"
                       " WHERE contract=? ORDER BY last_date DESC, id",
    [Q_CONTRACTS] = "SELECT contract FROM host_contract UNION SELECT contract FROM declaration"
                    " UNION SELECT contract FROM token WHERE contract <> '' ORDER BY 1",
    [Q_COUNT] = "SELECT (SELECT count(*) FROM host), (SELECT count(*) FROM evidence),"
                " (SELECT count(*) FROM evidence WHERE redo = 0),"
                " (SELECT count(*) FROM evidence WHERE redo = 2),"
                " (SELECT count(*) FROM evidence WHERE flags <> 0), (SELECT count(*) FROM token),"
                " (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)",
    [Q_CHECK] = "PRAGMA quick_check(1)",

    [Q_ERASE_LIST] = "SELECT digest, local_date FROM evidence WHERE contract=? ORDER BY digest",
    [Q_ERASE] = "DELETE FROM evidence WHERE contract=?",
    [Q_ERASE_ENROLMENT] = "DELETE FROM host_contract WHERE contract=?",
    [Q_ERASE_MACHINES] = "DELETE FROM host_machine WHERE keyid NOT IN"
                         " (SELECT keyid FROM host_contract)",
    [Q_ERASE_HOSTS] = "DELETE FROM host WHERE keyid NOT IN (SELECT keyid FROM host_contract)",
    [Q_ERASE_DECLARATIONS] = "DELETE FROM declaration WHERE contract=?",
    [Q_ERASE_TOKENS] = "DELETE FROM token WHERE contract=?",
    [Q_DELETION_ADD] = "INSERT INTO deletion(contract, reason, erased_at, n, first, last, digests)"
                       " VALUES(?,?,?,?,?,?,?)",
};
