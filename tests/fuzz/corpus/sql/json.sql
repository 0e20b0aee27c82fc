SELECT e.value, json_extract(d.leaves, '$[0]') FROM disk AS d, json_each(d.leaves) AS e WHERE d.age BETWEEN 0.1 AND 3
