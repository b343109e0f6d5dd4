# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are damaged or made to break plmc.

For each: the documented exit code, one printable line that names the file,
bounded time and memory (hostile.py says how much), and nothing left behind.
"""

import json
import random
import socket

import onnx
from onnx import TensorProto, helper

from hostile import *
from support import MODELS, PLMC_OPT, compiled, fixture

TINY = "bert-dy23-cls"


def product(**changes):
    """y = x @ w, with the fields of w's TensorProto changed."""
    w = weight("w", np.ones((4, 3), np.float32))
    for field, value in changes.items():
        if field in ("dims", "external_data"):
            del getattr(w, field)[:]
            getattr(w, field).extend(value)
        else:
            setattr(w, field, value)
    return model([node("MatMul", "x w", "y")], [w])


class DamagedTest(Case):
    def test_empty_random_and_alien(self):
        self.refused("empty.onnx", b"", (BAD_INPUT,), "empty")
        noise = random.Random(1)
        for size in (1, 2, 17, 300, 5000, 100000):
            self.refused("noise.onnx", noise.randbytes(size), (BAD_INPUT,))

    def test_truncated(self):
        with open(fixture(TINY), "rb") as file:
            data = file.read()
        for size in range(1, len(data), max(1, len(data) // 40)):
            with self.subTest(size=size):
                path = self.write("cut.onnx", data[:size])
                self.ends_well("inspect", path, codes=(BAD_INPUT, UNSUPPORTED))

    def test_flipped_bits(self):
        with open(fixture(TINY), "rb") as file:
            data = file.read()
        bits = random.Random(2)
        for i in range(60):
            damaged = bytearray(data)
            for _ in range(1 + i % 3):
                damaged[bits.randrange(len(data))] ^= 1 << bits.randrange(8)
            with self.subTest(i=i):
                self.ends_well("inspect", self.write("flipped.onnx", bytes(damaged)))

    def test_no_regular_file(self):
        import os
        os.mkfifo(self.path("fifo.onnx"))
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(self.path("socket.onnx"))
            for name in ("fifo.onnx", "socket.onnx", "/dev/zero", "/dev/null"):
                for command in ("inspect", "run", "bench"):
                    extra = ("--inputs", "a.npz", "--outputs", "b.npz") if command == "run" else ()
                    with self.subTest(file=name, command=command):
                        path = name if name[0] == "/" else self.path(name)
                        self.ends_well(command, path, *extra, codes=(BAD_INPUT,))


class TensorTest(Case):
    def test_dimensions(self):
        for dims in ([-1, 3], [4, -(1 << 63)], [1 << 40, 1 << 40], [1 << 62, 4], [4, 1 << 61],
                     [(1 << 63) - 1, (1 << 63) - 1], [0, (1 << 63) - 1], [1] * 100, [4], [], [3, 4, 5]):
            with self.subTest(dims=dims):
                self.refused("dims.onnx", product(dims=dims))

    def test_data_shorter_and_longer(self):
        for size in (0, 1, 47, 49, 4096):
            with self.subTest(size=size):
                self.refused("raw.onnx", product(raw_data=bytes(size)), (BAD_INPUT,),
                             "its dimensions need 48")

    def test_input_shapes(self):
        for dims in ([1 << 62, 4], [1 << 31, 1 << 31], [(1 << 63) - 1] * 4, ["n"] * 17,
                     ["n", "n"] * 8):
            with self.subTest(dims=dims):
                path = self.write("in.onnx", model([node("Relu", "x", "y")], inputs=[info("x", dims)]))
                self.ends_well("compress", path, "-o", self.path("in.so"))

    def test_symbols_that_overflow(self):
        shape = weight("s", np.int64([1 << 40, -1]))
        nodes = [node("Shape", "x", "a")]
        for i in range(12):
            nodes.append(node("Mul", f"{'a' if i == 0 else f'a{i - 1}'} {'a' if i == 0 else f'a{i - 1}'}", f"a{i}"))
        nodes += [node("ConstantOfShape", "a11", "b"), node("ReduceSum", "b", "r", keepdims=0),
                  node("Add", "x r", "y")]
        path = self.write("symbols.onnx", model(nodes, [shape]))
        self.ends_well("compress", path, "-o", self.path("symbols.so"))

    def test_not_finite(self):
        array = np.ones((4, 3), np.float32)
        array[1, 1], array[2, 0] = np.nan, np.inf
        path = self.write("nan.onnx", model([node("MatMul", "x layer.weight", "y")],
                                             [weight("layer.weight", array)]))
        code, _, err = self.ends_well("compress", path, "-o", self.path("nan.so"))
        self.assertEqual(code, OK)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertIn("plmc: warning: ", err)
        self.assertIn("parameter 'layer.weight' holds 1 NaN and 1 infinite values", err)
        report = json.loads(plmc("inspect", "--json", path).stdout)
        self.assertEqual(report["nonFinite"],
                         [{"parameter": "layer.weight", "nan": 1, "infinite": 1}])
        np.savez(self.path("x.npz"), x=np.eye(4, dtype=np.float32)[:2])
        self.ends_well("run", self.path("nan.so"), "--inputs", self.path("x.npz"),
                       "--outputs", self.path("y.npz"), codes=(OK,))
        with np.load(self.path("y.npz")) as outputs:
            # 0 * NaN and 0 * inf are NaN, in whatever order they are summed.
            np.testing.assert_array_equal(np.isnan(outputs["y"][:, :2]), True)
            np.testing.assert_array_equal(outputs["y"][:, 2], 1)

    def test_a_mask_is_no_bad_weight(self):
        mask = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
        _, err = self.compiles("mask.onnx", model(
            [node("Unsqueeze", "x one", "u"), node("Add", "u mask", "s"),
             node("Softmax", "s", "y", axis=-1)],
            [weight("mask", mask), weight("one", np.int64([1]))]))
        self.assertEqual(err, "")

    def test_constant_indices(self):
        for index in (-5, 4, 1 << 40, -(1 << 63)):
            with self.subTest(index=index):
                self.refused("index.onnx", model([node("Gather", "x i", "y", axis=1)],
                                                 [weight("i", np.int64([0, index]))]),
                             (BAD_INPUT,), ("y", "outside a dimension of size 4"))

    def test_division_by_zero_does_not_trap(self):
        ints = [info("x", ["n"], TensorProto.INT64)]
        for a, b in (((1 << 63) - 1, 0), (-(1 << 63), -1), (7, 0)):
            for op in ("Div", "Mod"):
                constant = model([node(op, "a b", "c"), node("Add", "x c", "y")],
                                 [weight("a", np.int64([a])), weight("b", np.int64([b]))], ints)
                path = self.write("div.onnx", constant)
                code, _, _ = self.ends_well("compress", path, "-o", self.path("div.so"))
                if code == OK:
                    np.savez(self.path("x.npz"), x=np.int64([a, 1]))
                    self.ends_well("run", self.path("div.so"), "--inputs", self.path("x.npz"),
                                   "--outputs", self.path("y.npz"), codes=(OK, BAD_INPUT))


class ExternalDataTest(Case):
    def external(self, location, offset=None, length=None):
        entries = []
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            if value is not None:
                entries.append(onnx.StringStringEntryProto(key=key, value=str(value)))
        result = product(data_location=TensorProto.EXTERNAL, external_data=entries)
        result.graph.initializer[0].ClearField("raw_data")
        return result

    def test_refused(self):
        import os
        self.write("w.bin", bytes(48))
        self.write("short.bin", bytes(47))
        os.mkdir(self.path("folder.bin"))
        os.mkfifo(self.path("fifo.bin"))
        os.symlink("/etc/passwd", self.path("link.bin"))
        os.symlink("loop.bin", self.path("loop.bin"))
        outside = os.path.join(scratch_folder(), "outside")
        os.mkdir(outside)
        with open(os.path.join(outside, "w.bin"), "wb") as file:
            file.write(bytes(48))
        os.symlink(outside, self.path("away"))
        for location, says in (("gone.bin", "missing"), ("short.bin", "47 bytes"),
                               (self.path("w.bin"), "absolute"), ("../w.bin", ".."),
                               ("a/../../w.bin", ".."), ("link.bin", "symbolic link"),
                               ("away/w.bin", "symbolic link"), ("loop.bin", "loop.bin"),
                               ("folder.bin", "folder"), ("fifo.bin", "regular"),
                               ("", "name"), ("w.bin\0x", "name"), ("x" * 5000, "name"),
                               ("\x1b[31m\n", "data file")):
            with self.subTest(location=location[:40]):
                self.refused("m.onnx", self.external(location), (BAD_INPUT,), says)
        for offset, length in ((1, None), (48, None), (-1, None), (1 << 64, None),
                               ((1 << 64) - 1, None), (0, 47), (0, 49), ("x", None), (0, "")):
            with self.subTest(offset=offset, length=length):
                self.refused("m.onnx", self.external("w.bin", offset, length), (BAD_INPUT,))


class GraphTest(Case):
    def test_cycles_and_names(self):
        for name, nodes, says in (
                ("cycle", [node("Add", "x b", "a"), node("Exp", "a", "b"), node("Exp", "b", "y")], "cycle"),
                ("self", [node("Add", "x y", "y")], "cycle"),
                ("dangling", [node("Add", "x nowhere", "y")], "nowhere"),
                ("twice", [node("Exp", "x", "y"), node("Relu", "x", "y")], "twice"),
                ("input", [node("Exp", "x", "x"), node("Exp", "x", "y")], "twice"),
                ("none", [node("Exp", "x", "z")], "'y'")):
            with self.subTest(name=name):
                self.refused(name + ".onnx", model(nodes), (BAD_INPUT,), says)
        self.refused("inputs.onnx", model([node("Relu", "x", "y")],
                                          inputs=[info("x", [4]), info("x", [4])]), (BAD_INPUT,))
        self.refused("outputs.onnx", model([node("Relu", "x", "y")], outputs=("y", "y")),
                     (BAD_INPUT,))

    def test_operators_and_opsets(self):
        self.refused("op.onnx", model([node("Foo", "x", "y", name="f")]), (UNSUPPORTED,),
                     ("node 'f'", "Foo"))
        self.refused("domain.onnx", model([node("Relu", "x", "y", domain="com.example")]),
                     (UNSUPPORTED,), "com.example")
        for opset in (-1, 0, 1, 10, 26, 1000, (1 << 63) - 1):
            with self.subTest(opset=opset):
                self.refused("opset.onnx", model([node("Relu", "x", "y")], opset=opset))
        absent = model([node("Relu", "x", "y")])
        del absent.opset_import[:]
        self.refused("absent.onnx", absent, (BAD_INPUT,), "operator set")
        for ir in (-1, 0, 2):
            with self.subTest(ir=ir):
                self.refused("ir.onnx", model([node("Relu", "x", "y")], ir=ir))

    def function(self, name, *nodes):
        return helper.make_function("local", name, ["a"], ["c"], list(nodes), [
            helper.make_opsetid("", 17), helper.make_opsetid("local", 1)])

    def test_functions_that_recurse(self):
        def call(name, a, c):
            return node(name, a, c, domain="local")
        direct = [self.function("f", call("f", "a", "c"))]
        mutual = [self.function("f", call("g", "a", "c")), self.function("g", call("f", "a", "c"))]
        for functions in (direct, mutual):
            self.refused("recursion.onnx", model([call("f", "x", "y")], functions=functions),
                         (BAD_INPUT,), "calls itself")
        chain = [self.function("f0", node("Relu", "a", "c"))]
        for i in range(1, 1000):
            chain.append(self.function(f"f{i}", call(f"f{i - 1}", "a", "c")))
        self.refused("chain.onnx", model([call("f999", "x", "y")], functions=chain),
                     (UNSUPPORTED,), "deep")

    def test_billion_laughs(self):
        functions = []
        for i in range(30):
            calls = [("Relu" if i == 0 else f"f{i - 1}", a, c) for a, c in (("a", "b"), ("b", "c"))]
            functions.append(self.function(f"f{i}", *(
                node(op, a, c, domain="local" if i else "") for op, a, c in calls)))
        self.refused("laughs.onnx", model([node("f29", "x", "y", domain="local")],
                                          functions=functions),
                     (UNSUPPORTED,), "nodes after inlining its functions", megabytes=160)

    def test_nested_subgraphs(self):
        def field(number, payload):
            def varint(value):
                out = b""
                while value > 127:
                    out += bytes([value & 127 | 128])
                    value >>= 7
                return out + bytes([value])
            return varint(number << 3 | 2) + varint(len(payload)) + payload
        inner = b""
        for _ in range(10000):
            attribute = field(1, b"then_branch") + field(6, inner) + b"\xa0\x01\x05"
            inner = field(1, field(1, b"c") + field(2, b"y") + field(4, b"If") + field(5, attribute))
        data = b"\x08\x08" + field(7, inner + field(12, field(1, b"y"))) + field(8, b"\x10\x11")
        self.refused("nested.onnx", data, (BAD_INPUT,), "nested too deeply")

    def test_many_nodes(self):
        """Linear: five times the nodes take about five times the CPU time, not
        25 times (less what every run takes)."""
        seconds = []
        for count in (40000, 200000):
            names = ["x"] + [f"v{i}" for i in range(count - 1)] + ["y"]
            nodes = [node("Relu" if i % 2 else "Neg", a, b) for i, (a, b) in
                     enumerate(zip(names, names[1:]))]
            path = self.write("many.onnx", model(nodes))
            code, out, _ = self.run_limited("inspect", "--json", path)
            seconds.append(self.seconds)
            self.assertEqual(code, OK)
            self.assertEqual(json.loads(out)["operations"], count)
        self.assertLess(seconds[1], 15 * max(seconds[0], 0.5))
        _, _, line = self.ends_well("compress", path, "-o", self.path("many.so"),
                                    codes=(UNSUPPORTED,))
        self.assertIn("200000 operations", line)

    def test_operators_of_thousands_of_inputs(self):
        """Code for them takes memory that grows no faster than they do."""
        for count in (33, 3000):
            path = self.write("wide.onnx", model(
                [node("Concat", " ".join(["x"] * count), "y", axis=0)]))
            with self.subTest(count=count):
                self.ends_well("compress", path, "-o", self.path("wide.so"), codes=(OK,),
                               megabytes=300)
                x = np.arange(8, dtype=np.float32).reshape(2, 4)
                np.savez(self.path("x.npz"), x=x)
                self.ends_well("run", self.path("wide.so"), "--inputs", self.path("x.npz"),
                               "--outputs", self.path("y.npz"), codes=(OK,))
                with np.load(self.path("y.npz")) as outputs:
                    np.testing.assert_array_equal(outputs["y"], np.tile(x, (count, 1)))
        lines = ["func.func @forward(%arg0: tensor<2xf32> {plm.name = \"x\"})"
                 " -> (tensor<6000xf32> {plm.name = \"y\"}) {",
                 "%0 = plm.concat " + ", ".join(["%arg0"] * 3000) + " axis 0 : (" +
                 ", ".join(["tensor<2xf32>"] * 3000) + ") -> tensor<6000xf32>",
                 "return %0 : tensor<6000xf32>", "}"]
        path = self.write("wide.mlir", "\n".join(lines).encode())
        _, _, line = self.ends_well("compress", path, "-o", self.path("mlir.so"),
                                    codes=(UNSUPPORTED,))
        self.assertIn("3000 operands", line)

    def test_thousands_of_outputs(self):
        names = [f"y{i}" for i in range(2000)]
        path = self.write("outputs.onnx", model([node("Relu", "x", name) for name in names],
                                                outputs=names))
        self.ends_well("inspect", path, codes=(OK,))
        _, _, line = self.ends_well("compress", path, "-o", self.path("o.so"), codes=(UNSUPPORTED,))
        self.assertIn("2001 inputs and outputs", line)
        self.assertIn("--outputs", line)

    def test_constants_that_are_huge(self):
        """Nodes of a few bytes whose results would be of gigabytes."""
        size, pair = weight("s", np.int64([1 << 16, 1 << 15])), np.int64([1 << 15, 1 << 13])
        cases = {
            "ConstantOfShape": [node("ConstantOfShape", "s", "c")],
            "Expand": [node("Expand", "one s", "c")],
            "Tile": [node("Tile", "row pair", "c")],
            "Range": [node("Range", "zero many step", "r"), node("Cast", "r", "c", to=1)],
            "Range of floats": [node("Range", "fzero fmany fstep", "c")],
            "OneHot": [node("OneHot", "places many values", "c")],
            "Pad": [node("ConstantOfShape", "little", "k"), node("Pad", "k pads", "c")],
            "Trilu": [node("ConstantOfShape", "s", "k"), node("Trilu", "k", "c")],
            "NonZero": [node("ConstantOfShape", "s", "k", value=weight("v", np.float32([1]))),
                        node("NonZero", "k", "z"), node("Cast", "z", "c", to=1)],
            "EyeLike": [node("ConstantOfShape", "s", "k"), node("EyeLike", "k", "c")],
        }
        weights = [size, weight("one", np.ones((1, 1), np.float32)), weight("pair", pair),
                   weight("row", np.ones((2, 4), np.float32)), weight("zero", np.int64(0)),
                   weight("many", np.int64(1 << 31)), weight("step", np.int64(1)),
                   weight("fzero", np.float64(0)), weight("fmany", np.float64(1 << 31)),
                   weight("fstep", np.float64(0.5)), weight("places", np.int64([1, 2])),
                   weight("values", np.float32([0, 1])), weight("little", np.int64([2, 2])),
                   weight("pads", np.int64([0, 0, 1 << 16, 1 << 15]))]
        for name, nodes in cases.items():
            with self.subTest(op=name):
                nodes = nodes + [node("Cast", "c", "d", to=1), node("ReduceSum", "d", "r1", keepdims=0),
                                 node("Add", "x r1", "y")]
                path = self.write("huge.onnx", model(nodes, weights))
                self.ends_well("compress", path, "-o", self.path("huge.so"))
        path = self.write("claims.onnx", product(dims=[1 << 20, 1 << 20], raw_data=bytes(1 << 20)))
        self.ends_well("compress", path, "-o", self.path("c.so"), codes=(BAD_INPUT,), megabytes=160)
        self.refused("loop.onnx", model([node("Loop", "many  x", "y")], weights), says="node 'y'")

    def test_refusals_say_what_to_do(self):
        for name, nodes, says in (
                ("if", [node("If", "x", "y", **{
                    branch: helper.make_graph([node("Neg", "x", "b")], "b", [], [info("b", None)])
                    for branch in ("then_branch", "else_branch")})], "export one of the branches"),
                ("einsum", [node("Einsum", "x", "y", equation="ii")], "letters"),
                ("pad", [node("Pad", "x pads", "y")], "slice instead"),
                ("scan", [node("Scan", "x", "y")], "leave it out of the export")):
            with self.subTest(name=name):
                self.refused(name + ".onnx", model(nodes, [weight("pads", np.int64([0, -1, 0, 0]))]),
                             (UNSUPPORTED,), ("node 'y'", says))

    def test_constants_that_grow(self):
        """Folding stops; the operation stays one of the library."""
        grow = {"Concat": lambda i: node("Concat", f"c{i} c{i}", f"c{i + 1}", axis=0),
                "Tile": lambda i: node("Tile", f"c{i} two", f"c{i + 1}"),
                "Expand": lambda i: node("Expand", f"c{i} s{i}", f"c{i + 1}")}
        for name, step in grow.items():
            for depth in (26, 60):
                weights = [weight("c0", np.ones((1, 4), np.float32)), weight("two", np.int64([2, 1])),
                           weight("zero", np.int64(0))]
                weights += [weight(f"s{i}", np.int64([1 << i, 4])) for i in range(depth)] \
                    if name == "Expand" else []
                nodes = [step(i) for i in range(depth)]
                nodes += [node("Gather", f"c{depth} zero", "g"), node("Add", "x g", "y")]
                with self.subTest(op=name, depth=depth):
                    path = self.write("grow.onnx", model(nodes, weights))
                    self.ends_well("inspect", path)


class NamesTest(Case):
    ODD = "a\nb\x1b[31m%s%n\\\"'{}<>|\x7f\u2028"

    def test_names_in_messages_json_and_ir(self):
        raw = model([node("Relu", "x", "y")]).SerializeToString()
        odd = model([helper.make_node("Relu", ["in" + self.ODD], ["mid" + self.ODD], name=self.ODD),
                     helper.make_node("MatMul", ["mid" + self.ODD, "w" + self.ODD], [self.ODD],
                                      name="mm" + self.ODD)],
                    [weight("w" + self.ODD, np.full((4, 4), np.nan, np.float32))],
                    [info("in" + self.ODD, ["n" + self.ODD, 4])], (self.ODD,))
        odd.producer_name = self.ODD
        odd.graph.name = self.ODD
        path = self.write("odd.onnx", odd)
        code, out, err = self.ends_well("inspect", "--json", path)
        self.assertEqual(code, OK, err)
        self.assertEqual(len(json.loads(out)["inputs"]), 1)
        _, out, _ = self.ends_well("inspect", path)
        self.assertTrue(out.replace("\n", "").isprintable(), repr(out))
        code, out, err = self.ends_well("compress", path, "-o", self.path("odd.so"),
                                        "--dump-ir=" + self.path("ir"),
                                        "--report=" + self.path("report.json"))
        self.assertEqual(code, OK, err)
        self.assertTrue((out + err).replace("\n", "").isprintable(), repr(out + err))
        self.assertEqual(err.count("\n"), 1, err)  # the weights are NaN
        with open(self.path("report.json")) as file:
            json.load(file)
        import glob
        dumps = glob.glob(self.path("ir/*.mlir"))
        self.assertTrue(dumps)
        for dump in dumps:
            done = plmc(dump, "-o", "/dev/null", tool=PLMC_OPT)
            self.assertEqual(done.returncode, 0, done.stderr)
        code, out, _ = self.ends_well("inspect", "--json", self.path("odd.so"))
        json.loads(out)
        # Bytes that are not UTF-8, which Python would not write.
        broken = raw.replace(b"\x0a\x01x", b"\x0a\x01\xff").replace(b"\x12\x01y", b"\x12\x01\xfe")
        self.assertNotEqual(broken, raw)
        path = self.write("utf8.onnx", broken)
        code, out, err = self.ends_well("inspect", "--json", path)
        if code == OK:
            json.loads(out)

    def test_path_with_control_characters(self):
        self.ends_well("inspect", self.path("no\n\x1b[31m.onnx"), codes=(BAD_INPUT,))

    def test_long_names(self):
        long = "n" * (1 << 20)
        self.refused("long.onnx", model([helper.make_node("Foo", ["x"], [long], name=long)],
                                        outputs=(long,)), (UNSUPPORTED,), "Foo")


class NoEncoderTest(Case):
    def test_convolution(self):
        self.refused("cnn.onnx", model(
            [node("Conv", "x w", "c"), node("Relu", "c", "y")],
            [weight("w", np.ones((2, 3, 3, 3), np.float32))],
            [info("x", ["n", 3, 8, 8])]), (UNSUPPORTED,),
            "operator Conv is supported along one dimension only")

    def test_perceptron(self):
        rng = np.random.default_rng(0)
        self.compiles("mlp.onnx", model(
            [node("Gemm", "x w b", "h"), node("Relu", "h", "r"), node("MatMul", "r v", "z"),
             node("Softmax", "z", "y", axis=-1)],
            [weight("w", rng.standard_normal((4, 8), np.float32)),
             weight("b", rng.standard_normal(8, np.float32)),
             weight("v", rng.standard_normal((8, 3), np.float32))]), "--verify")

    def test_decoder(self):
        """One causal head over embedded ids, as in a GPT."""
        rng = np.random.default_rng(0)
        nodes = [node("Gather", "table ids", "e"), node("Shape", "ids", "shape"),
                 node("Gather", "shape one", "s"), node("Unsqueeze", "s zero", "s1"),
                 node("Concat", "s1 s1", "ss", axis=0),
                 node("ConstantOfShape", "ss", "square", value=weight("v", np.float32([-1e9]))),
                 node("Trilu", "square k", "causal", upper=1),
                 node("MatMul", "e wq", "q"), node("MatMul", "e wk", "kk"), node("MatMul", "e wv", "v"),
                 node("Transpose", "kk", "kt", perm=[0, 2, 1]), node("MatMul", "q kt", "scores"),
                 node("Add", "scores causal", "masked"), node("Softmax", "masked", "p", axis=-1),
                 node("MatMul", "p v", "o"), node("Transpose", "table", "head", perm=[1, 0]),
                 node("MatMul", "o head", "y")]
        weights = [weight("table", rng.standard_normal((10, 8), np.float32)),
                   weight("one", np.int64(1)), weight("zero", np.int64([0])), weight("k", np.int64(1))]
        weights += [weight(n, rng.standard_normal((8, 8), np.float32)) for n in ("wq", "wk", "wv")]
        self.compiles("gpt.onnx", model(nodes, weights, [info("ids", ["b", "s"], TensorProto.INT64)]),
                      "--verify")


class OtherInputsTest(Case):
    def test_mutated_ir(self):
        ir = self.path("m.mlir")
        done = plmc("compress", fixture(TINY), "-o", ir)
        self.assertEqual(done.returncode, OK, done.stderr)
        with open(ir, "rb") as file:
            data = file.read()
        chance = random.Random(3)
        pieces = [b"?", b"-1", b"9223372036854775807", b"0", b"\"", b"f32", b"i64", b"f16", b"tensor<",
                  b"[]", b"#plm.dims<", b"sequence", b"plm.reshape", b"plm.matmul", b"%0", b"@", b",", b"x"]
        words = [m.span() for m in __import__("re").finditer(rb"[\w.]+", data)]
        for i in range(80):
            damaged = data
            for _ in range(1 + i % 2):
                begin, end = chance.choice(words)
                end = min(end, len(damaged))
                damaged = damaged[:begin] + chance.choice(pieces) + damaged[end:]
            with self.subTest(i=i):
                path = self.write("mutant.mlir", damaged)
                self.ends_well("inspect", path)
                self.ends_well("compress", path, "-o", self.path("mutant.mlir.out"), "--emit=mlir")

    def test_weights_left_out(self):
        ir = self.path("m.mlir")
        self.assertEqual(plmc("compress", fixture(TINY), "-o", ir).returncode, OK)
        self.ends_well("inspect", ir, codes=(OK,))
        _, _, line = self.ends_well("compress", ir, "-o", self.path("m.so"), codes=(BAD_INPUT,))
        self.assertIn("--elide-weights=false", line)

    def test_damaged_libraries(self):
        with open(compiled(TINY), "rb") as file:
            data = file.read()
        for size in [4, 5, 16, 63, 64, 65, 500] + list(range(1000, len(data), len(data) // 12)):
            with self.subTest(size=size):
                path = self.write("cut.so", data[:size])
                self.ends_well("inspect", path, codes=(OK, BAD_INPUT))
        import ctypes.util
        import glob
        foreign = glob.glob("/lib/x86_64-linux-gnu/libz.so*") + ["/bin/true"]
        np.savez(self.path("x.npz"), x=np.zeros(1))
        for path in [*foreign[:1], "/bin/true", self.write("text.so", b"text\n"),
                     self.write("elf.so", b"\x7fELF" + bytes(200))]:
            with self.subTest(path=path):
                self.ends_well("run", path, "--inputs", self.path("x.npz"), "--outputs",
                               self.path("y.npz"), codes=(BAD_INPUT,))
                self.ends_well("inspect", path, codes=(BAD_INPUT,))

    def test_options_of_run_and_bench(self):
        library = compiled(TINY)
        for args in (("--seconds", "0"), ("--seconds", "-1"), ("--seconds", "nan")):
            with self.subTest(args=args):
                self.ends_well("bench", library, "--shapes=1x4", *args, codes=(OK, USAGE))
        code, _, line = self.ends_well("bench", library, "--shapes=1x4", "--threads=5000",
                                       codes=(USAGE,))
        self.assertIn("--threads", line)

    def test_list_option_leaves_the_input_alone(self):
        path = self.write("m.onnx", model([node("Relu", "x", "y"), node("Neg", "x", "z")],
                                          outputs=("y", "z")))
        self.ends_well("compress", "--outputs", "y", path, "-o", self.path("m.so"), codes=(OK,))
