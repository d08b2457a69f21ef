# Every recipe is one call of something that works without just.

# List the recipes
default:
    @just --list

# Format, lints, documentation, licences: all that needs no server
check:
    .ci/run check

# Every test, on private servers; arguments select (`just test -p store`)
test *ARGS:
    deploy/local/test.sh {{ARGS}}

# The read API against its description, the page in a browser; `just page serve` shows it with made-up rows
page *ARGS:
    deploy/local/api-check.sh {{ARGS}}

# The whole line with a platform double; `just demo --keep` leaves it running
demo *ARGS:
    deploy/local/demo.sh {{ARGS}}

# How fast it is: engine, HTTP to metric row, windows, a storm, a replay, a backfill beside live events; parts may be named
bench *ARGS:
    deploy/local/bench.sh {{ARGS}}

# The long tests at their full sizes (kills, outages, replicas, zones, laws, windows, a changed rule, a backfill), then demos for MINUTES; parts may be named
soak *ARGS:
    deploy/local/soak.sh {{ARGS}}

# Every fuzz target for SECONDS; targets may be named
fuzz *ARGS:
    deploy/local/fuzz.sh {{ARGS}}

# Start the private PostgreSQL and RabbitMQ and keep them; `eval "$(just env)"` names them to the binaries
up:
    deploy/local/services.sh start

# End them
down:
    deploy/local/services.sh stop

# Lines for the shell that name the private servers
env:
    @deploy/local/services.sh env

# psql on the private server
psql *ARGS:
    deploy/local/services.sh psql {{ARGS}}

# Run one of the binaries (`just run compute --help`)
run BIN *ARGS:
    cargo run --quiet --bin {{BIN}} -- {{ARGS}}

# An image of one binary, for whoever has an engine (`just image ingest`)
image BIN:
    docker build -f deploy/image/Dockerfile --build-arg BINARY={{BIN}} --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t kpiline-{{BIN}}:local .

# The whole line in containers on this machine, with Prometheus and Grafana; `just compose down` ends it
compose *ARGS="up -d":
    deploy/compose/secrets.sh
    docker compose -f deploy/compose/compose.yml {{ARGS}}

# Alerts, dashboards, images and the compose project, held to their own tools
observe:
    deploy/local/test.sh -p deploy --test observe

# Format everything
fmt:
    cargo fmt --all

# What a change must pass before it lands
ci:
    .ci/run
