SELECT days_between('2026-11-20', '2026-11-21T00:00:00Z'), date_in('2026-11-20T16:30:00Z', 'Asia/Tokyo'), CAST(x'ff00' AS TEXT), substr('abc', 2), coalesce(NULL, hex('a'), "role")
