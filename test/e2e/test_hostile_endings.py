# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plmc interrupted, out of space, or with nowhere to write.

Under the output's name there is a whole file or none, at any moment; what ends
plmc in an orderly way (everything but SIGKILL) leaves nothing else either.
"""

import os
import random
import resource
import signal
import stat

from hostile import *
from support import compiled, fixture

MODEL = "bert-dy23-cls"


class InterruptTest(Case):
    def start(self, *options, ignored=(), **kwargs):
        def signals():  # whatever the test's own parent ignores
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        return subprocess.Popen(
            [PLMC, "compress", fixture(MODEL), "-o", self.path("out.so"), *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            preexec_fn=signals, **kwargs)

    def interrupt(self, number, times, *options):
        """Sends the signal at random moments of a run."""
        start = time.monotonic()
        with self.start(*options) as child:
            self.assertEqual(child.wait(), OK)
        length = time.monotonic() - start
        os.remove(self.path("out.so"))
        moments = random.Random(int(number))
        ended = 0
        for _ in range(times):
            child = self.start(*options)
            time.sleep(moments.uniform(0.02, 1.1) * length)
            child.send_signal(number)
            code = child.wait()
            child.stderr.close()
            self.assertIn(code, (OK, -number))
            ended += code == -number
            left = os.listdir(self.folder)
            if number != signal.SIGKILL:
                self.assertIn(left, ([], ["out.so"]))
            if "out.so" in left:
                done = plmc("inspect", "--json", self.path("out.so"))
                self.assertEqual(done.returncode, OK, done.stderr)
            for name in left:
                os.remove(self.path(name))
        self.assertGreater(ended, 0)

    def test_interrupted(self):
        self.interrupt(signal.SIGINT, 8)

    def test_terminated(self):
        self.interrupt(signal.SIGTERM, 8, "--verify")

    def test_killed(self):
        self.interrupt(signal.SIGKILL, 8)

    def test_terminated_as_soon_as_a_file_appears(self):
        """Whatever the file: the n-th new name in the folder, for every n."""
        for options in ([], ["--verify"], ["--emit=a"]):
            number, ended = 1, True
            while ended:
                child, seen = self.start(*options), set()
                while child.poll() is None and len(seen) < number:
                    seen.update(os.listdir(self.folder))
                child.send_signal(signal.SIGTERM)
                ended = child.wait() == -signal.SIGTERM
                child.stderr.close()
                with self.subTest(options=options, seen=seen):
                    self.assertIn(os.listdir(self.folder), ([], ["out.so"], ["out.a"]))
                for name in os.listdir(self.folder):
                    os.remove(self.path(name))
                self.assertLess(number, 20)
                number += 1
            self.assertGreater(number, 3, "the folder stayed empty")

    def test_a_killed_run_does_no_harm_to_the_next(self):
        self.assertEqual(plmc("compress", fixture(MODEL), "-o", self.path("out.so")).returncode, OK)
        with open(self.path("out.so"), "rb") as file:
            whole = file.read()
        child = self.start()
        while child.poll() is None and len(os.listdir(self.folder)) < 2:
            pass
        child.kill()
        child.wait()
        child.stderr.close()
        for again in range(2):  # what the first finds; what the second writes
            with open(self.path("out.so"), "rb") as file:
                self.assertEqual(file.read(), whole)
            done = plmc("compress", fixture(MODEL), "-o", self.path("out.so"))
            self.assertEqual(done.returncode, OK, done.stderr)

    def test_reader_of_standard_output_is_gone(self):
        for args in ([], ["--json"]):
            read, write = os.pipe()
            os.close(read)
            with os.fdopen(write, "wb") as gone:
                done = subprocess.run([PLMC, "inspect", fixture(MODEL), *args], stdout=gone,
                                      stderr=subprocess.PIPE, text=True)
            self.assertIn(done.returncode, (-signal.SIGPIPE, INTERNAL))
            self.assertLessEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_ignored_by_the_parent(self):
        for number in (signal.SIGINT, signal.SIGHUP):
            child = self.start(ignored=(number,))
            for _ in range(20):
                time.sleep(0.02)
                child.send_signal(number)
            self.assertEqual(child.wait(), OK, child.stderr.read())
            child.stderr.close()
            self.assertEqual(os.listdir(self.folder), ["out.so"])


class NoSpaceTest(Case):
    def limited(self, size, *args):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        done = plmc(*args, preexec_fn=limit)
        self.assertEqual(done.returncode, INTERNAL, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("plmc: error: "), done.stderr)
        return done.stderr

    def test_no_space_for_the_output(self):
        for extension in ("so", "o", "a", "mlir", "onnx"):
            for size in (0, 4096, 20000):
                with self.subTest(extension=extension, size=size):
                    self.limited(size, "compress", fixture(MODEL), "-o",
                                 self.path("out." + extension), "--elide-weights=false")
                    self.assertEqual(os.listdir(self.folder), [])

    def test_an_older_file_survives(self):
        with open(self.path("out.so"), "wb") as file:
            file.write(b"older")
        self.limited(4096, "compress", fixture(MODEL), "-o", self.path("out.so"))
        self.assertEqual(os.listdir(self.folder), ["out.so"])
        with open(self.path("out.so"), "rb") as file:
            self.assertEqual(file.read(), b"older")

    def test_no_space_for_arrays(self):
        from support import cases
        _, inputs, _ = cases(MODEL)[0]
        np.savez(self.path("in.npz"), **inputs)
        self.limited(10, "run", compiled(MODEL), "--inputs", self.path("in.npz"),
                     "--outputs", self.path("out.npz"))
        self.assertEqual(os.listdir(self.folder), ["in.npz"])

    def test_standard_output_is_full(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([PLMC, "inspect", fixture(MODEL)], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, INTERNAL)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


class NowhereTest(Case):
    def refused_output(self, path, says):
        _, _, line = self.ends_well("compress", fixture(MODEL), "-o", path, "--emit=so",
                                    codes=(USAGE,))
        self.assertIn(says, line)

    def test_places(self):
        os.mkdir(self.path("folder.so"))
        os.mkfifo(self.path("fifo.so"))
        os.symlink(self.path("loop.so"), self.path("loop.so"))
        os.symlink(self.path("none/there.so"), self.path("dangling.so"))
        self.refused_output(self.path("folder.so"), "directory")
        self.refused_output(self.path("fifo.so"), "regular file")
        self.refused_output("/dev/null", "regular file")
        self.refused_output("/dev/full", "regular file")
        self.refused_output(self.path("dangling.so"), "there is no folder")
        self.refused_output(self.path("none/out.so"), "there is no folder")
        self.refused_output(self.path("loop.so"), "link that leads nowhere")
        self.refused_output(self.path("x" * 300 + ".so"), "name")

    def test_the_input_stays(self):
        import shutil
        source = shutil.copy(fixture(MODEL), self.path("in.onnx"))
        os.link(source, self.path("hard.onnx"))
        os.symlink("in.onnx", self.path("soft.onnx"))
        for name in ("in.onnx", "hard.onnx", "soft.onnx"):
            _, _, line = self.ends_well("compress", source, "-o", self.path(name), codes=(USAGE,))
            self.assertIn("it is the input", line)

    def test_one_file_for_two_outputs(self):
        for report in ("out.so", "./out.so", "a/../out.so"):
            _, _, line = self.ends_well(
                "compress", fixture(MODEL), "-o", self.path("out.so"),
                "--report=" + os.path.join(self.folder, report), codes=(USAGE,))
            self.assertIn("--report", line)

    @unittest.skipIf(os.geteuid() == 0, "root may write anywhere")
    def test_read_only_folder(self):
        os.chmod(self.folder, stat.S_IRUSR | stat.S_IXUSR)
        self.addCleanup(os.chmod, self.folder, stat.S_IRWXU)
        self.refused_output(self.path("out.so"), "permission")
