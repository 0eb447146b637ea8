# Reads metrics from standard input with Prometheus' own client library, and writes what it understood as JSON: the folder of the
# library and the format (text or openmetrics) are the arguments. What it does not understand is an exception.
import json
import sys

sys.path.insert(0, sys.argv[1])
if sys.argv[2] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
else:
    from prometheus_client.parser import text_string_to_metric_families

families = [
    {
        "name": family.name,
        "type": family.type,
        "unit": family.unit,
        "help": family.documentation,
        "samples": [
            {"name": sample.name, "labels": sample.labels, "value": sample.value} for sample in family.samples
        ],
    }
    for family in text_string_to_metric_families(sys.stdin.read())
]
json.dump(families, sys.stdout)
