# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What coldstart.py and memory.py share: options, inputs, writing the result."""

import json

import common
from common import BenchError
from peers import PEERS
from worker import Worker


def add_arguments(p):
    p.add_argument("--library", required=True, help="made by plmc compress")
    p.add_argument("--model", help="the ONNX model, for the peers")
    p.add_argument("--peers", default="ort", help="beside plmc; may be empty (ort)")
    p.add_argument("--peer-model", action="append", default=[], metavar="PEER=FILE")
    p.add_argument("--outputs", help="outputs that everyone computes, a,b (all)")
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--vocabulary", type=int, default=30522, help="ids (30522)")
    p.add_argument("--json", metavar="FILE", help="write the result; -: print it alone")


def check_arguments(a):
    """Adds a.paths: what each runtime opens, plmc first."""
    a.paths = {"plmc": common.need_path(a.library, "--library")}
    a.outputs = a.outputs.split(",") if a.outputs else None
    own = dict(text.partition("=")[::2] for text in a.peer_model)
    for name in filter(None, a.peers.split(",")):
        if name not in PEERS or name == "plmc":
            raise BenchError("no peer '%s'" % name)
        a.paths[name] = common.need_path(own.get(name, a.model),
                                         "--model, which %s runs" % name)
    if a.threads < 1:
        raise BenchError("--threads takes a count from 1 up")
    if getattr(a, "processes", 1) < 1:
        raise BenchError("--processes takes a count from 1 up")
    return a


def library_inputs(a):
    """Names of the inputs; also settles that all compute the library's outputs."""
    with Worker("plmc", a.paths["plmc"], 1) as worker:
        a.outputs = a.outputs or worker.ready["outputs"]
        return worker.ready["inputs"]


def finish(a, result):
    if a.json == "-":
        print(json.dumps(result))
        return
    print(common.host_line(common.host_info()) + "\n\n" + result["table"])
    if a.json:
        common.write_json(a.json, result)
