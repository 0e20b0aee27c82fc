SELECT m.mount FROM disk AS m JOIN tls AS t ON t.mount = m.mount
WHERE (m.encrypted IS NULL OR t.state = 'untested') AND m.role NOT IN ('data')
UNION ALL SELECT d.mount FROM disk AS d WHERE d.encrypted ISNULL
