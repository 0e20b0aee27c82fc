/* The table of commands: one line each. */
#include "agent/commands/app.h"

static const struct command commands[] = {
    {"scan",
     {{"この端末を点検し、条項ごとに判定する", "inspect this host and judge clause by clause"}},
     true,
     cmd_scan},
    {"query", {{"事実の表を SQL で見る", "look at the tables of facts with SQL"}}, true, cmd_query},
    {"tables", {{"表と列の説明", "the tables and their columns"}}, false, cmd_tables},
    {"explain",
     {{"点検項目・条項の根拠、観測、直し方", "why a check or clause was judged so, and the cure"}},
     true,
     cmd_explain},
    {"policy",
     {{"規則の検査・試験・網羅率 (lint, test, coverage)", "lint, test, coverage of policies"}},
     true,
     cmd_policy},
    {"verify",
     {{"証跡の署名・連鎖・判定を検証する",
       "verify evidence: signature, chain, every verdict redone"}},
     false,
     cmd_verify},
    {"diff", {{"二つの証跡の差", "what differs between two evidences"}}, false, cmd_diff},
    {"init",
     {{"この端末向けの site.yaml 案を出す", "propose a site file for this host"}},
     true,
     cmd_init},
    {"enroll",
     {{"収集サーバに公開鍵を登録する", "register this host's public key with a collector"}},
     false,
     cmd_enroll},
    {"upload", {{"証跡を収集サーバへ送る", "send evidence to the collector"}}, false, cmd_upload},
    {"export",
     {{"ネットワークなしで渡す持出しファイルを作る",
       "write an export bundle, the way without a network"}},
     false,
     cmd_export},
    {"import", {{"受領書を取り込む", "take receipts back"}}, false, cmd_import},
    {"doctor",
     {{"設定・隔離・スプール・収集サーバの状態",
       "set-up, confinement, spool and collector in plain words"}},
     true,
     cmd_doctor},
};

const struct command *command_table(size_t *ret_n)
{
    *ret_n = ARRAY_LEN(commands);
    return commands;
}
