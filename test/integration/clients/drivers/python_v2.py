from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS

from driver import UNITS, finish, job, many, points, refused, step

plain = InfluxDBClient(job["relay"], token="any", org="any")
packed = InfluxDBClient(job["relay"], token="any", org="any", enable_gzip=True)
bucket = job["database"]
precision_words = {"n": WritePrecision.NS, "u": WritePrecision.US, "ms": WritePrecision.MS,
                   "s": WritePrecision.S}
now = plain.write_api(write_options=SYNCHRONOUS)


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
        now.write(bucket, record=row, write_precision=precision)


def batched(rows, client):
    """The client's own batches in the background; what it gave up on."""
    lost, kept, again = [], [], []
    options = WriteOptions(batch_size=1000, flush_interval=100, retry_interval=100,
                           jitter_interval=0, max_retries=5)
    with client.write_api(write_options=options,
                          success_callback=lambda _, body: kept.append(body.count(b"\n") + 1),
                          error_callback=lambda _, __, error: lost.append(str(error)),
                          retry_callback=lambda _, __, error: again.append(str(error))) as api:
        for row in rows:
            api.write(bucket, record=row)
    return {"lost": lost, "kept": sum(kept), "again": len(again)}


def batch():
    return batched((point_of("many", tags, fields, time, WritePrecision.US)
                    for tags, fields, time in many()), packed)


step("ping", plain.ping)
step("version", plain.version)
step("health", lambda: plain.health().status)
step("ready", lambda: plain.ready().status)
step("exact", lambda: now.write(bucket, record=[point_of(*each) for each in points()]))
step("precisions", precisions)
step("batch", batch)
step("partial", lambda: now.write(bucket, record=job["partial"]))
step("conflict", lambda: now.write(bucket, record=point_of("many", {}, {"i": "text"}, 1)))
step("refused", lambda: refused(100, lambda: now.write(bucket, record=point_of("refused", {}, {"v": 1}, 1))))
step("retried", lambda: refused(
    2, lambda: batched([point_of("retried", {}, {"v": 1}, 1)], plain)))
step("flux", lambda: plain.query_api().query('from(bucket:"x") |> range(start: 0)'))
finish()
