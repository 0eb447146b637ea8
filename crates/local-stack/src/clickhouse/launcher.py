"""Runs the ClickHouse engine of chdb-core as a server until the line `stop` is written into a named pipe.

Usage: launcher.py EXTENSION DATA_FOLDER PIPE. Ports, users and limits come from
$HOME/.clickhouse-local/config.xml. The extension is loaded by its path and not as `chdb`, whose package would
ask for pandas and pyarrow, which a server has no use for.
"""

import importlib.util
import os
import sys

extension, data, pipe = sys.argv[1:4]
spec = importlib.util.spec_from_file_location("_chdb", extension)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
engine = getattr(module, "_chdb", module)

if os.path.exists(pipe):
    os.unlink(pipe)
os.mkfifo(pipe, 0o600)

answer = engine.query(
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP;"
    " SELECT * FROM file('%s', 'LineAsString', 'l String')" % pipe.replace("\\", "\\\\").replace("'", "\\'"),
    "TSV",
    path=data,
)
# A query that fails only writes why, and comes back with nothing: what counts is that the line was read.
stopped = answer.bytes() == b"stop\n"
# The engine has closed its tables. Leaving at once spares the interpreter's own clean-up, which has nothing to add.
sys.stdout.flush()
os._exit(0 if stopped else 1)
