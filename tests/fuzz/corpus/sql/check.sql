SELECT m.mount, m.role FROM disk AS m WHERE m.encrypted = 0 AND m.role IN ('root', 'data') -- plain
