from influxdb import InfluxDBClient

from driver import UNITS, finish, job, many, points, refused, step

host, port = job["relay"].removeprefix("http://").split(":")


def client(gzip=False, retries=3):
    return InfluxDBClient(host, int(port), "user", "password", job["database"], gzip=gzip,
                          retries=retries)


plain, packed = client(), client(gzip=True)


def exact():
    rows = [{"measurement": measurement, "tags": tags, "fields": fields, "time": time}
            for measurement, tags, fields, time in points()]
    return plain.write_points(rows, time_precision="n")


def precisions():
    for unit, size in UNITS.items():
        row = {"measurement": "at_" + unit, "fields": {"v": 1}, "time": int(job["at"]) // size}
        plain.write_points([row], time_precision=unit)


def batch():
    rows = [{"measurement": "many", "tags": tags, "fields": fields, "time": time}
            for tags, fields, time in many()]
    return packed.write_points(rows, time_precision="u", batch_size=1000)


step("create", lambda: plain.create_database(job["database"]))
step("ping", plain.ping)
step("exact", exact)
step("precisions", precisions)
step("batch", batch)
step("databases", plain.get_list_database)
step("measurements", plain.get_list_measurements)
step("series", lambda: plain.get_list_series(measurement="many"))
step("policies", plain.get_list_retention_policies)
step("tag_values", lambda: list(
    plain.query('SHOW TAG VALUES FROM "many" WITH KEY = "h" LIMIT 2').get_points()))
step("fields", lambda: list(plain.query('SHOW FIELD KEYS FROM "many"').get_points()))
step("select", lambda: list(plain.query('SELECT * FROM "many"').get_points()))
step("partial", lambda: plain.write_points(job["partial"], time_precision="n", protocol="line"))
step("conflict", lambda: plain.write_points(
    [{"measurement": "many", "fields": {"i": "text"}, "time": 1}]))
step("refused", lambda: refused(100, lambda: plain.write_points(
    [{"measurement": "refused", "fields": {"v": 1}, "time": 1}])))
finish()
