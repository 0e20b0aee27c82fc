-- doc Known anti-virus products: is it there, does it run, does it answer, does it watch. The process that answered must be one that executes the product's own program: names of processes prove nothing.
-- source clamd(8), clamonacc(8), proc_pid_exe(5)
-- column product text KEY name of it here
-- column vendor text who makes it
-- column installed integer DECIDES NULLABLE unit=boolean 1: a program of it lies where only root can put it
-- column running integer DECIDES NULLABLE unit=boolean 1: a process executes its daemon
-- column responding integer DECIDES NULLABLE unit=boolean 1: that process answers as the engine
-- column realtime integer DECIDES NULLABLE unit=boolean 1: files are scanned as they are opened
-- column scope text NULLABLE HAS_NAMES paths that on-access scanning is told to watch, -: left out; empty = none
-- column source text HAS_NAMES program it was seen by
-- column proved integer DECIDES unit=boolean 1: its engine can be questioned; 0: only its presence can be seen
-- column reason text HAS_NAMES word, where something is not known
--# An answer from a process that is not the product's daemon is no answer; where the daemon runs as
--# well, it is not known which of them the host's programs would reach.
--# Processes that were not all seen: what is not among them may run all the same.
--# Of on-access scanning only the absence is certain: what it watches cannot be seen from here.
CREATE VIEW av_products AS
SELECT s.product, s.vendor, s.installed, s.running,
       CASE WHEN s.installed = 0 THEN 0
            WHEN s.proved = 0 THEN NULL
            WHEN s.responding IS NULL OR s.responding = 0 THEN s.responding
            WHEN s.peer_pid IS NULL THEN NULL
            WHEN s.answered_by_daemon THEN 1
            WHEN s.running = 0 THEN 0
            ELSE NULL END AS responding,
       CASE WHEN s.installed = 0 THEN 0
            WHEN s.proved = 0 THEN NULL
            WHEN s.on_access = 0 AND s.running IS NOT NULL THEN 0
            ELSE NULL END AS realtime,
       CASE WHEN s.installed = 0 OR (s.proved = 1 AND s.on_access = 0) THEN ''
            ELSE s.scope END AS scope,
       s.source, s.proved,
       CASE WHEN s.proved = 1 AND s.responding = 1 AND NOT s.answered_by_daemon THEN
                 CASE WHEN s.running IS NULL THEN 'processes-unseen' ELSE 'impersonated' END
            WHEN s.proved = 1 AND s.reason = '' AND s.on_access = 1 THEN 'marks-unseen'
            ELSE s.reason END AS reason
FROM (SELECT e.product, e.vendor, e.proved, e.installed, e.responding, e.peer_pid, e.scope,
             e.reason, e.source,
             EXISTS (SELECT 1 FROM av_processes AS p
                     WHERE p.product = e.product AND p.role = 'daemon'
                       AND p.pid = e.peer_pid) AS answered_by_daemon,
             EXISTS (SELECT 1 FROM av_processes AS p
                     WHERE p.product = e.product AND p.role = 'on_access'
                       AND (p.fanotify = 1 OR p.fanotify IS NULL)) AS on_access,
             CASE WHEN EXISTS (SELECT 1 FROM av_processes AS p
                               WHERE p.product = e.product AND p.role = 'daemon') THEN 1
                  WHEN NOT EXISTS (SELECT 1 FROM probe_status AS t
                                   WHERE t.tbl = 'av_processes' AND t.state = 'complete') THEN NULL
                  WHEN e.proved = 1 OR e.installed = 0 THEN 0
                  ELSE NULL END AS running
      FROM av_engines AS e) AS s;
