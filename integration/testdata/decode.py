"""Reads framed values, one in hexadecimal a line, and prints them as JSON, one a line.

It knows nothing but the address of the registry: an independent reader of what the daemon writes.
"""
import io
import json
import sys
import urllib.request

import fastavro

registry = sys.argv[1]
schemas = {}


def schema(number):
    if number not in schemas:
        with urllib.request.urlopen(f"{registry}/schemas/ids/{number}") as answer:
            schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    return schemas[number]


for line in sys.stdin:
    value = bytes.fromhex(line.strip())
    if value[0] != 0:
        sys.exit("a value is not framed")
    record = io.BytesIO(value[5:])
    decoded = fastavro.schemaless_reader(record, schema(int.from_bytes(value[1:5], "big")))
    if record.read():
        sys.exit("bytes are left after a record")
    print(json.dumps(decoded, default=str))
