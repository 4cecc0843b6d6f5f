"""Checks real answers (and the bodies that asked for them) against the published description.

Usage: validate_answers.py OPENAPI.json ANSWERS.json
"""
import json
import sys

import jsonschema


def content_schema(content, content_type):
    media = content_type.split(";")[0].strip()
    return content.get(media, {}).get("schema")


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        api = json.load(f)
    with open(sys.argv[2], encoding="utf-8") as f:
        answers = json.load(f)

    def resolve(node):
        while "$ref" in node:
            at = api
            for part in node["$ref"].removeprefix("#/").split("/"):
                at = at[part]
            node = at
        return node

    def check(schema, value, where):
        whole = {"components": api["components"], **schema}
        validator = jsonschema.Draft202012Validator(whole)
        found = sorted(validator.iter_errors(value), key=str)
        for error in found[:5]:
            path = "/".join(str(p) for p in error.absolute_path)
            print(f"{where}: at '/{path}': {error.message[:400]}", file=sys.stderr)
        return not found

    good = True
    for one in answers:
        where = f"{one['method']} {one['path']} -> {one['status']}"
        operation = api["paths"][one["path"]][one["method"]]
        responses = operation["responses"]
        response = resolve(responses.get(str(one["status"]), responses["default"]))
        if one["status"] == 204:
            good &= not one["body"]
            continue
        schema = content_schema(response.get("content", {}), one["content_type"])
        if schema is None:
            print(f"{where}: {one['content_type']} is not described", file=sys.stderr)
            good = False
            continue
        if "json" in one["content_type"]:
            good &= check(schema, json.loads(one["body"]), where)
        if one["request"] and one["status"] < 300:
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is None:
                print(f"{where}: a request body is not described", file=sys.stderr)
                good = False
            else:
                good &= check(body["schema"], json.loads(one["request"]), where + " (request)")
    print(f"{len(answers)} answers checked")
    return 0 if good and answers else 1


if __name__ == "__main__":
    sys.exit(main())
