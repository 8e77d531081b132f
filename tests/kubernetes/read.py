#!/usr/bin/python3
"""usage: read.py FILE...: the documents of each YAML file as JSON, and what of
them the API of Kubernetes does not know, by the models that Debian's
python3-kubernetes has, which are generated from the published OpenAPI.

Run by Debian's own Python, which has that package and python3-yaml."""

import json
import re
import sys

import kubernetes.client as api
import yaml

# What came later than Kubernetes 1.22, which Debian 12 has: model -> names.
LATER = {"V1Container": {"restartPolicy": "str"}}  # 1.28
NAMES = {"autoscaling/v2": ("V2", "V2beta2"), "apps/v1": ("V1",),
         "v1": ("V1",), "policy/v1": ("V1",)}
SCALARS = {"str": str, "int": int, "bool": bool}
faults = []


def fault(path, what):
    faults.append("%s: %s" % (path, what))


def check(value, kind, path):
    """Is a value of that kind?"""
    inner = re.fullmatch(r"(list|dict)[\[(](?:str, ?)?(.*)[\])]", kind)
    if inner:
        wanted = {"list": list, "dict": dict}[inner[1]]
        if not isinstance(value, wanted):
            return fault(path, "is no " + inner[1])
        for name, item in value.items() if wanted is dict \
                else enumerate(value):
            check(item, inner[2], "%s.%s" % (path, name))
    elif kind in SCALARS:
        if type(value) is not SCALARS[kind]:
            fault(path, "%r is no %s" % (value, kind))
    elif hasattr(api, kind):
        check_object(value, getattr(api, kind), path)
    elif kind != "object":  # a number or a name, a port or a percentage
        fault(path, "of an unknown type " + kind)
    return None


def check_object(value, model, path):
    if not isinstance(value, dict):
        return fault(path, "is no object")
    names = {json_name: name for name, json_name in
             model.attribute_map.items()}
    later = LATER.get(model.__name__, {})
    for key, item in value.items():
        if key in names:
            check(item, model.openapi_types[names[key]], path + "." + key)
        elif key in later:
            check(item, later[key], path + "." + key)
        else:
            fault(path, "%s is not known" % key)
    known = {names[key]: item for key, item in value.items() if key in names}
    try:
        model(**known)  # which looks at what has to be there
    except ValueError as e:
        fault(path, str(e))
    return None


def model_of(document):
    for prefix in NAMES.get(document.get("apiVersion"), ()):
        model = getattr(api, prefix + str(document.get("kind")), None)
        if model is not None:
            return model
    return None


class Loader(yaml.SafeLoader):
    """A name that is given twice is a fault."""

    def construct_mapping(self, node, deep=False):
        names = [self.construct_object(k, deep=True) for k, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                fault("line %d" % (node.start_mark.line + 1),
                      "%s is given twice" % name)
        return super().construct_mapping(node, deep)


def read(path):
    faults.clear()
    with open(path) as f:
        documents = list(yaml.load_all(f, Loader))
    for document in documents:
        if "kind" not in document:
            continue  # of another program
        model = model_of(document)
        name = "%s/%s" % (document.get("apiVersion"), document.get("kind"))
        if model is None:
            fault(name, "is not known")
        else:
            check_object(document, model, name)
    return {"documents": documents, "faults": list(faults)}


json.dump([read(path) for path in sys.argv[1:]], sys.stdout)
