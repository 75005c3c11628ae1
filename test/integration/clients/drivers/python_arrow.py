import io

import pyarrow as pa
import requests

from driver import UNITS, finish, job, many, points, refused, step

TAG = {"iox::column::type": "iox::column_type::tag"}
FIELD = {"iox::column::type": "iox::column_type::field"}


def body_of(table, file=False):
    sink = io.BytesIO()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def send(body, measurement, **parameters):
    answer = requests.post(
        job["relay"] + "/api/v1/write/arrow",
        params={"db": job["database"], "measurement": measurement, **parameters},
        headers={"Content-Type": "application/vnd.apache.arrow.stream"},
        data=body,
    )
    answer.raise_for_status()
    return {"status": answer.status_code, "rejected": answer.headers.get("x-holdfast-rejected")}


def write(columns, measurement, **parameters):
    return send(body_of(pa.table(columns)), measurement, **parameters)


def times(values, unit="us"):
    return pa.array(values, pa.timestamp(unit))


def type_of(value):
    if isinstance(value, int) and not isinstance(value, bool):
        return pa.int64() if value < 2**63 else pa.uint64()
    return None


def exact():
    for measurement, tags, fields, time in points():
        arrays = [times([time // 1000])] + [pa.array([value]) for value in tags.values()]
        arrays += [pa.array([value], type_of(value)) for value in fields.values()]
        named = [pa.field("time", pa.timestamp("us"))]
        for index, name in enumerate([*tags, *fields], 1):
            metadata = TAG if index <= len(tags) else FIELD
            named.append(pa.field(name, arrays[index].type, metadata=metadata))
        send(body_of(pa.Table.from_arrays(arrays, schema=pa.schema(named))), measurement)


def precisions():
    for unit, arrow in (("s", "s"), ("ms", "ms"), ("u", "us"), ("n", "ns")):
        value = int(job["at"]) // UNITS[unit]
        write({"time": times([value], arrow), "v": [1]}, "at_" + unit)


def batch():
    tags, fields, at = zip(*many())
    table = pa.table({
        "time": times(at),
        "h": pa.array([each["h"] for each in tags]).dictionary_encode(),
        "i": [each["i"] for each in fields],
    })
    return [send(body_of(table, file), "many", tags="h") for file in (False, True)]


def partial():
    return write({"time": times([int(job["from_us"]), None]), "v": [1, 2]}, "kept")


def conflict():
    return write({"time": times([int(job["from_us"]) + 1]), "v": ["text"]}, "kept")


def said(call):
    """The call, and what the gateway says where it refuses."""
    try:
        return call()
    except requests.HTTPError as error:
        raise RuntimeError("%d %s" % (error.response.status_code, error.response.text)) from error


step("exact", exact)
step("precisions", precisions)
step("batch", batch)
step("partial", partial)
step("conflict", conflict)
step("list", lambda: said(lambda: write({"v": [[1]]}, "none")))
step("nameless", lambda: said(lambda: write({"v": [1]}, "")))
step("broken", lambda: said(lambda: send(body_of(pa.table({"v": [1]}))[:-200], "none")))
step("refused", lambda: said(lambda: refused(1, lambda: write({"v": [1]}, "refused"))))
finish()
