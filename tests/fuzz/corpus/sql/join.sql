SELECT count(*) FROM disk NATURAL JOIN tls WHERE mount NOT IN (SELECT t.mount FROM tls AS t)
