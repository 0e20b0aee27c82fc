DELETE FROM disk; SELECT random(), date('now'), load_extension('x'), rowid FROM sqlite_master, pragma_table_info('disk')
