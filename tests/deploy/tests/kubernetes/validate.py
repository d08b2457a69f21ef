"""Validates objects (a list, JSON on stdin) against the schemas of one release of Kubernetes; prints what is wrong, one a line.

Nothing unknown is allowed. Groups that are named as arguments are custom resources, of which Kubernetes has no schema.
"""

import json
import sys

import kubernetes_validate

release, custom = sys.argv[1], set(sys.argv[2:])
for thing in json.load(sys.stdin):
    if thing["apiVersion"] in custom:
        continue
    name = f"{thing['kind']} {thing['metadata']['name']}"
    try:
        kubernetes_validate.validate(thing, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        print(f"{name}: {'/'.join(str(step) for step in error.path)}: {error.message}")
    except Exception as error:  # Whatever else: what was not validated is not valid.
        print(f"{name}: {type(error).__name__}: {error}")
