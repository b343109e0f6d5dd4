# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""lsp.py SERVER: a short session of an editor with plmc-lsp-server.

Opens two documents and asks what is under the cursor; prints the answers.
"""

import json
import subprocess
import sys

GOOD = """module {
  func.func @forward(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
    %0 = plm.activation relu %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
    return %0 : tensor<2x4xf32>
  }
}
"""
# A layer norm over 4 columns with 5 gains.
BAD = """module {
  func.func @forward(%x: tensor<2x4xf32>, %g: tensor<5xf32>) -> tensor<2x4xf32> {
    %0 = plm.layer_norm %x, %g {epsilon = 1.0e-5 : f64} : (tensor<2x4xf32>, tensor<5xf32>) -> tensor<2x4xf32>
    return %0 : tensor<2x4xf32>
  }
}
"""


class Server:
    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.last = 0

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def receive(self, wanted):
        """The next message for which wanted(message) holds."""
        while True:
            length = 0
            while True:
                line = self.process.stdout.readline()
                if not line:
                    sys.exit("lsp.py: the server has gone")
                if not line.strip():
                    break
                name, value = line.decode().split(":")
                if name.lower() == "content-length":
                    length = int(value)
            message = json.loads(self.process.stdout.read(length))
            if wanted(message):
                return message

    def ask(self, method, **params):
        self.last += 1
        self.send(id=self.last, method=method, params=params)
        return self.receive(lambda m: m.get("id") == self.last)["result"]

    def open(self, uri, text):
        self.send(method="textDocument/didOpen", params={"textDocument": {
            "uri": uri, "languageId": "mlir", "version": 1, "text": text}})
        published = self.receive(lambda m: m.get("method") == "textDocument/publishDiagnostics")
        return [d["message"] for d in published["params"]["diagnostics"]]


server = Server(sys.argv[1])
capabilities = server.ask("initialize", processId=None, rootUri=None, capabilities={})
print("hover provider:", bool(capabilities["capabilities"]["hoverProvider"]))
print("good:", server.open("file:///good.mlir", GOOD))
print("bad:", server.open("file:///bad.mlir", BAD))
where = {"textDocument": {"uri": "file:///good.mlir"}, "position": {"line": 2, "character": 12}}
print("hover:", json.dumps(server.ask("textDocument/hover", **where)))
server.ask("shutdown")
server.send(method="exit")
print("exit code:", server.process.wait(timeout=30))
