/**
 * Which functions a sender's SQL may call. Table functions: only those that make rows out of their
 * arguments; every other one (files, settings, catalogs, SQL in strings) is refused, new ones of
 * later engines too. Scalar functions: all but those that reach beyond their arguments.
 */

export const allowedTableFunctions: ReadonlySet<string> = new Set([
  'unnest',
  'range',
  'generate_series',
  'repeat',
  'repeat_row',
  'json_each',
  'json_tree',
  'icu_calendar_names',
  'pg_timezone_names',
]);

export const refusedScalarFunctions: ReadonlySet<string> = new Set([
  'getvariable',
  'getenv',
  'current_setting',
  'current_query',
  'write_log',
  'nextval',
  'currval',
]);
