#!/usr/bin/env bash
# Walks through everything that a pipe's life has, call by call: what a console's wizard does, with curl.
#
#   TOKEN=hpt_… TOPIC=clicks BROKERS=localhost:9092 CLICKHOUSE=http://localhost:8123 docs/wizard.sh
#
# It needs a running `housepipe serve`, a topic with JSON objects in it, and bash, curl and python3. It creates the table TABLE and a pipe that loads
# the topic into it, and removes the pipe in the end. The table stays, and its error table.
set -euo pipefail

HOUSEPIPE=${HOUSEPIPE:-http://127.0.0.1:8080}
TOKEN=${TOKEN:?the token of an operator, as the first start of housepipe serve tells one}
TOPIC=${TOPIC:?the topic to load}
BROKERS=${BROKERS:-localhost:9092}
CLICKHOUSE=${CLICKHOUSE:-http://localhost:8123}
CLICKHOUSE_USER=${CLICKHOUSE_USER:-default}
CLICKHOUSE_PASSWORD=${CLICKHOUSE_PASSWORD:-}
DATABASE=${DATABASE:-default}
TABLE=${TABLE:-$TOPIC}
PIPE=${PIPE:-wizard-$(printf %s "$TOPIC" | tr 'A-Z_.' 'a-z--')}
# Seconds that anything may take.
PATIENCE=${PATIENCE:-120}
export TOPIC BROKERS CLICKHOUSE CLICKHOUSE_USER CLICKHOUSE_PASSWORD DATABASE TABLE PIPE

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# In a file, and not among the arguments of curl, which everybody on the machine can see.
printf 'Authorization: Bearer %s\n' "$TOKEN" > "$work/token"

step() { printf '\n== %s\n' "$*"; }

# json 'EXPRESSION': what a Python expression makes of the document `d` on standard input.
json() { python3 -c 'import json, os, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# call METHOD PATH [BODY [HEADER…]]: the answer; where it takes longer than a moment, its result once that is there.
call() {
  local method=$1 path=$2 body=${3:-} status
  shift $(($# < 3 ? $# : 3))
  local arguments=(-sS -X "$method" -H "@$work/token" -D "$work/head" -o "$work/answer" -w '%{http_code}')
  for header in "$@"; do arguments+=(-H "$header"); done
  # A secret may stand in it, so it goes by standard input.
  if [ -n "$body" ]; then arguments+=(-H 'Content-Type: application/json' --data-binary @-); fi
  status=$(printf %s "$body" | curl "${arguments[@]}" "$HOUSEPIPE$path")
  if [ "$status" = 202 ] && [ "$method" != DELETE ]; then
    follow "$(json 'd["id"]' < "$work/answer")"
  elif [ "$status" -ge 400 ]; then
    refused < "$work/answer"
  else
    cat "$work/answer"
  fi
}

# follow ID: waits for the result of a piece of work, and says what it waits for.
follow() {
  local end=$((SECONDS + PATIENCE)) state
  while :; do
    curl -sS -H "@$work/token" -o "$work/answer" "$HOUSEPIPE/api/v1/work/$1?wait_ms=2500"
    state=$(json 'd["state"]' < "$work/answer")
    case $state in
      done) json 'json.dumps(d["result"])' < "$work/answer"; return ;;
      failed) json 'json.dumps(d["problem"])' < "$work/answer" | refused ;;
      running) json '"   … waits for " + d["waits_for"]' < "$work/answer" >&2 ;;
      *) cat "$work/answer" >&2; exit 1 ;;
    esac
    [ "$SECONDS" -lt "$end" ] || { echo "no result within $PATIENCE s" >&2; exit 1; }
  done
}

# refused: shows the problem on standard input, and ends.
refused() { json 'd["code"] + ": " + d["detail"]' >&2; exit 1; }

# until_true WORDS COMMAND…: waits for a command to succeed.
until_true() {
  local words=$1 end=$((SECONDS + PATIENCE))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || { echo "waited $PATIENCE s in vain for $words" >&2; exit 1; }
    sleep 0.3
  done
}

step 'Source and destination: are both reached?'
connections=$(python3 -c '
import json, os
e = os.environ
destination = {"url": e["CLICKHOUSE"], "database": e["DATABASE"], "username": e["CLICKHOUSE_USER"]}
if e["CLICKHOUSE_PASSWORD"]: destination["password"] = e["CLICKHOUSE_PASSWORD"]
print(json.dumps({"source": {"type": "kafka", "brokers": e["BROKERS"]}, "destination": destination}))')
tested=$(call POST /api/v1/connections/test "{\"pipe\": $connections}")
json '"\n".join("%s: %s (%d ms)" % (end["end"], end["detail"], end["took_ms"]) for end in d["ends"])' <<< "$tested"
[ "$(json 'd["ok"]' <<< "$tested")" = True ]

step 'Topics, the fastest first'
call POST /api/v1/topics "{\"pipe\": $connections, \"name_contains\": \"$TOPIC\", \"order\": \"rate\"}" |
  json '"\n".join("%s: %s partition(s), %s records, %s a second" % (t["name"], t["partitions"], t["records"], t["records_per_second"]) for t in d["topics"])'

step 'Databases of the destination, the tables that are there, and the roles that a user of the pipe could have'
call POST /api/v1/databases "{\"pipe\": $connections}" | json '"databases: " + ", ".join(d["databases"])'
call POST /api/v1/tables "{\"pipe\": $connections, \"limit\": 3}" |
  json '"\n".join(["%d table(s) in %s" % (d["total"], d["database"])] + ["%s: %s, %s rows" % (t["name"], t["engine"], t["rows"]) for t in d["tables"]])'
call POST /api/v1/roles "{\"pipe\": $connections}" | json '"roles: " + (", ".join(d["roles"]) or "none")'

# The pipe so far: its name, its topic and its table are known now.
so_far=$(json 'json.dumps({"name": os.environ["PIPE"], "description": "made by wizard.sh", **d, "source": {**d["source"], "topic": os.environ["TOPIC"]}, "destination": {**d["destination"], "table": os.environ["TABLE"]}})' <<< "$connections")

step 'Sample documents, the newest first, and the page before them'
samples=$(call POST /api/v1/samples/source "{\"pipe\": $so_far, \"limit\": 2}")
json '"\n".join("partition %d offset %d: %s" % (r["partition"], r["offset"], r["value"]) for r in d["records"])' <<< "$samples"
next=$(json 'd["next"] or ""' <<< "$samples")
if [ -n "$next" ]; then
  call POST /api/v1/samples/source "{\"pipe\": $so_far, \"limit\": 2, \"before\": \"$next\"}" |
    json '"\n".join("before: partition %d offset %d" % (r["partition"], r["offset"]) for r in d["records"])'
fi

step 'Columns out of the samples'
inferred=$(call POST /api/v1/infer "{\"pipe\": $so_far}")
json '"\n".join("%s %s: %.2f sure, %s" % (c["name"], c["type"], c["confidence"], c["reason"]) for c in d["columns"])' <<< "$inferred"

# The columns are edited: the offset of each record is added.
pipe=$(printf '%s\n%s' "$so_far" "$inferred" | python3 -c '
import json, sys
pipe, inferred = (json.loads(line) for line in sys.stdin.read().splitlines()[:2])
columns = [{"name": c["name"], "type": c["type"]} for c in inferred["columns"]]
columns.append({"name": "kafka_offset", "type": "Int64", "from": "_offset"})
table = {"engine": inferred["engine"], "order_by": inferred["order_by"]}
if inferred["partition_by"]: table["partition_by"] = inferred["partition_by"]
pipe["destination"] |= {"managed_table": table, "columns": columns}
print(json.dumps({**pipe, "batch": {"max_wait": "1s"}}))')

step 'Preview: rows as they would be stored, and records that would be rejected'
call POST /api/v1/preview "{\"pipe\": $pipe, \"limit\": 50}" | json '"\n".join(
  ["%d of %d accepted" % (d["accepted"], d["read"])]
  + ["row: " + json.dumps(r["row"]) for r in d["rows"][-2:]]
  + ["rejected: %s, %s" % (r["code"], r["message"]) for r in d["rejects"][:3]])'

step 'The statements that would be run'
call POST /api/v1/ddl "{\"pipe\": $pipe}" | json '"\n".join("%s: %s" % (s["purpose"], s["sql"]) for s in d["statements"])'

step 'Checks of everything'
checked=$(call POST /api/v1/check "{\"pipe\": $pipe}")
json '"\n".join("%s: %s: %s" % (c["verdict"], c["name"], c["detail"]) for c in d["checks"])' <<< "$checked"
[ "$(json 'd["passed"]' <<< "$checked")" = True ]

step 'Create'
created=$(call POST /api/v1/pipes "{\"pipe\": $pipe}" "Idempotency-Key: $PIPE-$$")
id=$(json 'd["id"]' <<< "$created")
echo "the pipe $PIPE has the id $id"

step 'Events as they happen'
curl -sSN -H "@$work/token" -H 'Last-Event-ID: 0' "$HOUSEPIPE/api/v1/events/stream?pipe=$id" > "$work/events" &
listens=$!
trap 'kill "$listens" 2> /dev/null || true; rm -rf "$work"' EXIT
until_true 'the pipe to run' grep -q '"reason":"running' "$work/events"

caught_up() {
  call GET "/api/v1/pipes/$id" > "$work/pipe"
  [ "$(json '(d["counters"]["read"] > 0 and d["counters"]["in_flight"] == 0 and d["run"] is not None and len(d["run"]["partitions"]) > 0
    and all(p["lag_records"] == 0 for p in d["run"]["partitions"]))' < "$work/pipe")" = True ]
}
until_true 'the pipe to catch up' caught_up
json '"%d loaded, %d rejected" % (d["counters"]["loaded"], d["counters"]["rejected"])' < "$work/pipe"

step 'What was rejected, and why'
call GET "/api/v1/pipes/$id/errors/summary" |
  json '"\n".join("%d %s: %s" % (g["records"], g["code"], g["example"]) for g in d["groups"]) or "nothing"'
call GET "/api/v1/pipes/$id/errors?limit=2" |
  json '"\n".join("partition %d offset %d: %s" % (e["partition"], e["offset"], e["raw_message"]) for e in d["errors"])'

step 'Pause'
call POST "/api/v1/pipes/$id/pause" > "$work/pipe"
is_paused() { [ "$(call GET "/api/v1/pipes/$id" | json 'd["stage"]')" = paused ]; }
until_true 'the pipe to rest' is_paused
echo 'it rests'

step 'Edit: take what ClickHouse itself would take'
call GET "/api/v1/pipes/$id" > "$work/pipe"
etag=$(tr -d '\r' < "$work/head" | sed -n 's/^[Ee][Tt]ag: //p')
edited=$(json 'json.dumps({"pipe": {**d["pipe"], "semantics": "clickhouse"}})' < "$work/pipe")
call PUT "/api/v1/pipes/$id" "$edited" "If-Match: $etag" | json '"revision %d" % d["revision"]'

step 'Resume'
call POST "/api/v1/pipes/$id/resume" > "$work/pipe"
is_running() { [ "$(call GET "/api/v1/pipes/$id" | json 'd["stage"]')" = running ]; }
until_true 'the pipe to run again' is_running
echo 'it runs'

step 'Replay: first what it would do, then in earnest'
call POST "/api/v1/pipes/$id/errors/replay" '{"dry_run": true}' | json '"%d of %d would be loaded" % (d["loadable"], d["examined"])'
call POST "/api/v1/pipes/$id/errors/replay" '{}' | json '"%d loaded, %d still refused" % (d["loaded"], d["refused"])'

step 'Rows of the table'
call GET "/api/v1/pipes/$id/samples/destination?limit=3" | json '"\n".join(json.dumps(row) for row in d["rows"])'

step 'Remove, with the consumer group; the table stays'
call DELETE "/api/v1/pipes/$id?consumer_group=true" > "$work/pipe"
is_gone() { [ "$(curl -sS -o /dev/null -w '%{http_code}' -H "@$work/token" "$HOUSEPIPE/api/v1/pipes/$id")" = 404 ]; }
until_true 'the pipe to be gone' is_gone
until_true 'the last event' grep -q '"kind":"gone"' "$work/events"
sed -n 's/^data: //p' "$work/events" | while read -r event; do
  json '"%s %s %s %s" % (d["at"], d["actor"], d["kind"], d["reason"] or "")' <<< "$event"
done
echo
echo 'done'
