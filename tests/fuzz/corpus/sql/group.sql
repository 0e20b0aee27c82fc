SELECT role, count(*) AS n, group_concat(mount, ' ') AS m, sum(encrypted) FROM disk GROUP BY role HAVING count(*) > 0 ORDER BY role LIMIT 3
