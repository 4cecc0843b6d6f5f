"""Templates strings as KubeSpawner does with its traits: format_check.py BATCH.

BATCH is a list of {"name", "hook", "trait"}; formatting every string of "trait" must give "hook" exactly.
"""
import json
import sys

NAMES = {"username": "WRONG", "servername": "WRONG", "user_server": "WRONG", "escaped_username": "WRONG"}


def expand(value):
    if isinstance(value, dict):
        return {key: expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item) for item in value]
    return value.format(**NAMES) if isinstance(value, str) else value


with open(sys.argv[1], encoding="utf-8") as file:
    batch = json.load(file)
wrong = 0
for row in batch:
    try:
        same = expand(row["trait"]) == row["hook"]
    except (KeyError, ValueError, IndexError) as error:
        same = False
        print(row["name"], "raises", repr(error))
    if not same:
        wrong += 1
        print(row["name"], "differs")
print(f"checked {len(batch)}")
sys.exit(1 if wrong else 0)
