SELECT x.mount FROM disk x LEFT JOIN tls USING (mount) WHERE CASE x.role WHEN 'root' THEN 1 ELSE 0 END
