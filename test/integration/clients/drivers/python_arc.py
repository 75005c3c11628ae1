from arc_client import ArcClient

from driver import finish, job, many, points, refused, step

host, port = job["relay"].removeprefix("http://").split(":")


def client(compression=True):
    return ArcClient(host=host, port=int(port), token="any", database=job["database"],
                     compression=compression)


packed, plain = client(), client(compression=False)


def exact_lines():
    for measurement, tags, fields, time in points():
        plain.write.write_point("lp_" + measurement, fields, tags, time // 1000)


def exact_records():
    rows = [{"measurement": "rows_" + measurement, "tags": tags, "fields": fields,
             "timestamp": time // 1000} for measurement, tags, fields, time in points()]
    packed.write.write_records(rows)


def exact_columns():
    for measurement, tags, fields, time in points():
        columns = {"time": [time // 1000]}
        columns.update({name: [value] for name, value in {**tags, **fields}.items()})
        plain.write.write_columnar("columns_" + measurement, columns)


def precisions():
    for unit, size in (("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)):
        columns = {"time": [int(job["at"]) // size], "v": [1]}
        plain.write.write_columnar("at_" + unit, columns, time_unit=unit)


def batch():
    with packed.write.buffered(batch_size=1000) as buffer:
        for tags, fields, time in many():
            buffer.write({"measurement": "many", "tags": tags, "fields": fields,
                          "timestamp": time})


def read():
    answer = plain.query.query('SELECT h, i FROM many ORDER BY i LIMIT 2')
    return {"columns": answer.columns, "data": answer.data, "rows": answer.row_count}


step("health", lambda: plain.health().status)
step("ready", plain.ready)
step("exact_lines", exact_lines)
step("exact_records", exact_records)
step("exact_columns", exact_columns)
step("precisions", precisions)
step("batch", batch)
step("read", read)
step("databases", plain.query.list_databases)
step("tables", lambda: plain.query.show_tables(job["database"]).data)
step("partial", lambda: plain.write.write_line_protocol(job["partial"]))
step("refused", lambda: refused(100, lambda: plain.write.write_line_protocol("refused v=1i 1")))
step("bad_query", lambda: plain.query.query("SELECT nonsense FROM many"))
step("arrow", lambda: plain.query.query_arrow("SELECT 1").to_pylist())
step("estimate", lambda: plain.query.estimate("SELECT 1").estimated_rows)
step("list_measurements", plain.query.list_measurements)
finish()
