"""What the Python clients are asked to do, read from standard input; each step's outcome goes out
as JSON. A client's own words for a failure are kept: the test looks at them."""

import json
import sys
import urllib.request

job = json.load(sys.stdin)
outcomes = {}

UNITS = {"n": 1, "u": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
         "h": 3_600_000_000_000}


def value_of(field):
    kind, text = field
    if kind == "float":
        return float(text)
    if kind in ("integer", "unsigned"):
        return int(text)
    return text == "true" if kind == "boolean" else text


def points():
    for point in job["points"]:
        fields = {name: value_of(field) for name, field in point["fields"].items()}
        yield point["measurement"], point["tags"], fields, int(point["time"])


def many():
    """Points that differ in their times, for batches."""
    for number in range(job["many"]):
        yield {"h": "host%d" % (number % 10)}, {"i": number}, job["from_us"] + number


def step(name, call):
    try:
        outcomes[name] = {"ok": True, "value": call()}
    except Exception as error:
        outcomes[name] = {"ok": False, "error": type(error).__name__, "text": str(error)}


def refused(writes, call):
    """The call while the relay lets that many writes be refused."""
    def tell(count):
        urllib.request.urlopen(job["relay"] + "/refuse?writes=%d" % count).close()

    tell(writes)
    try:
        return call()
    finally:
        tell(0)


def finish():
    json.dump(outcomes, sys.stdout, default=str)
