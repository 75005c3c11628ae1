from influxdb_client_3 import InfluxDBClient3, Point, WriteOptions, WritePrecision, WriteType
from influxdb_client_3 import write_client_options

from driver import UNITS, finish, job, many, points, refused, step

precision_words = {"n": WritePrecision.NS, "u": WritePrecision.US, "ms": WritePrecision.MS,
                   "s": WritePrecision.S}


def client(gzip=False, **options):
    return InfluxDBClient3(
        host=job["relay"], database=job["database"], token="any", enable_gzip=gzip,
        write_client_options=write_client_options(write_options=WriteOptions(
            write_type=WriteType.synchronous, **options)))


plain, packed = client(), client(gzip=True)


def point_of(measurement, tags, fields, time, precision=WritePrecision.NS):
    point = Point(measurement).time(time, precision)
    for key, value in tags.items():
        point.tag(key, value)
    for key, value in fields.items():
        point.field(key, value)
    return point


def precisions():
    for unit, precision in precision_words.items():
        row = point_of("at_" + unit, {}, {"v": 1}, int(job["at"]) // UNITS[unit], precision)
        plain.write(row, write_precision=precision)


def batch():
    rows = [point_of("many", tags, fields, time, WritePrecision.US)
            for tags, fields, time in many()]
    for start in range(0, len(rows), 1000):
        packed.write(rows[start:start + 1000], write_precision=WritePrecision.US)


def retried():
    lost, again = [], []
    options = WriteOptions(batch_size=10, flush_interval=100, retry_interval=100,
                           jitter_interval=0, max_retries=5)
    callbacks = write_client_options(
        write_options=options, error_callback=lambda _, __, error: lost.append(str(error)),
        retry_callback=lambda _, __, error: again.append(str(error)))
    with InfluxDBClient3(host=job["relay"], database=job["database"], token="any",
                         write_client_options=callbacks) as batching:
        batching.write(point_of("retried", {}, {"v": 1}, 1))
    return {"lost": lost, "again": len(again)}


def partial(**options):
    try:
        client(**options).write(job["partial"])
    except Exception as error:
        if hasattr(error, "line_errors"):
            lines = [(each.line_number, each.error_message) for each in error.line_errors]
            error.args = ("%s %s" % (error, lines),)
        raise


step("version", plain.get_server_version)
step("exact", lambda: plain.write([point_of(*each) for each in points()]))
step("exact_v3", lambda: client(use_v2_api=False).write(
    [point_of("v3_" + each[0], *each[1:]) for each in points()]))
step("partial_v2", partial)
step("precisions", precisions)
step("batch", batch)
step("partial", lambda: partial(use_v2_api=False))
step("whole", lambda: client(use_v2_api=False, accept_partial=False).write(
    job["partial"].replace("kept", "none")))
step("conflict", lambda: plain.write(point_of("many", {}, {"i": "text"}, 1)))
step("no_sync", lambda: client(use_v2_api=False, no_sync=True).write(point_of("no_sync", {}, {"v": 1}, 1)))
step("refused", lambda: refused(100, lambda: plain.write(point_of("refused", {}, {"v": 1}, 1))))
step("retried", lambda: refused(2, retried))
step("query", lambda: plain.query("SELECT 1", timeout=5).to_pylist())
finish()
