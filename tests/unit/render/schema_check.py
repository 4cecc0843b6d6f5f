"""Checks documents against a JSON schema: schema_check.py SCHEMA BATCH.

BATCH is a list of {"name", "valid", "document"}. Prints every document that is not what it was said to be.
"""
import json
import sys

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
with open(sys.argv[2], encoding="utf-8") as file:
    batch = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
wrong = 0
for row in batch:
    errors = list(validator.iter_errors(row["document"]))
    if (not errors) != row["valid"]:
        wrong += 1
        print(row["name"], "is", "valid" if not errors else f"invalid: {errors[0].json_path}: {errors[0].message}")
print(f"checked {len(batch)}")
sys.exit(1 if wrong else 0)
