# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables and pictures of what bench.py measured."""

import os

from common import BenchError, host_line, table

# A file that has both lines keeps all that stands outside of them; NAME is the
# precision, or the model and the precision.
BEGIN, END = "<!-- bench %s: begin -->", "<!-- bench %s: end -->"

# Of `plmc peak`, by what the products are computed in.
_PEAK_KEYS = {"f32": "f32_gflops", "bf16": "bf16_gflops", "int8": "int8_gops",
              "int4": "int8_gops", "int3": "int8_gops", "int2": "int8_gops"}


def write_markdown(path, text, names):
    """Puts the tables between the marks of the first of `names` that the file has."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = file.read()
        for name in names:
            before, begin, rest = old.partition(BEGIN % name)
            _, end, after = rest.partition(END % name)
            if begin and end:
                text = "%s%s\n\n%s\n%s%s" % (before, begin, text.strip(), end, after)
                break
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _ms(value):
    return "%.*f" % (3 if value < 1 else 2 if value < 100 else 1, value)


def cases_table(measured, peers, peaks):
    """One thread count's cases. peaks: GFLOP/s of as many cores, or None."""
    head = ["ms: median (min)", "plmc"] + peers + [peer + " / plmc" for peer in peers]
    with_flops = any(m.get("flops") for m in measured)
    if with_flops:
        head += ["GFLOP/s"] + (["of peak"] if peaks else [])
    rows = [head]
    for m in measured:
        results = m["results"]
        row = [m["case"]]
        row += ["%s (%s)" % (_ms(results[n]["median_ms"]), _ms(results[n]["min_ms"]))
                for n in ["plmc"] + peers]
        row += ["%.2f" % results[n]["ratio"] for n in peers]
        if with_flops:
            rate = m["flops"] / results["plmc"]["median_ms"] / 1e6 if m["flops"] else 0
            row.append("%.1f" % rate if rate else "")
            if peaks:
                row.append("%.0f %%" % (100 * rate / peaks) if rate else "")
        rows.append(row)
    return table(rows)


def markdown(report):
    host = report["host"]
    lines = [
        "%s, %s" % (report["model"], ", ".join(report["versions"].values())), "",
        "%s; kernel %s, Python %s; %s" % (host_line(host), host["kernel"],
                                          host["python"], report["date"]), "",
        "A ratio is the median of the rounds' ratios, above 1 where plmc is faster. "
        "Library: %s, %s, %s." % (report["precision"], report["library"]["cpu"],
                                  _bytes(report["library"]["bytes"])), "",
    ]
    key = _PEAK_KEYS[report["precision"]]
    peaks = {p["cores"]: p[key] for p in report.get("peaks", []) if key in p}
    for threads in sorted({m["threads"] for m in report["cases"]}):
        measured = [m for m in report["cases"] if m["threads"] == threads]
        lines += ["%d thread%s" % (threads, "" if threads == 1 else "s"), "",
                  cases_table(measured, report["peers"], peaks.get(threads)), ""]
    for m in report["cases"]:
        if m["padded_tokens"] and m["threads"] == report["cases"][0]["threads"]:
            lines += ["%s: %d batch%s, %d tokens kept, %d padded." % (
                m["case"], m["batches"], "es" if m["batches"] > 1 else "", m["tokens"],
                m["padded_tokens"]), ""]
    worst = {}
    for m in report["cases"]:
        for name, value in m["differences"].items():
            worst[name] = max(worst.get(name, 0), value)
    if worst:
        lines += ["Greatest difference to plmc, of the output's scale: %s." % ", ".join(
            "%s %.1e" % item for item in worst.items()), ""]
    for title, text in report.get("extra_tables", []):
        lines += [title, "", text, ""]
    return "\n".join(lines)


def _bytes(count):
    return "%.1f MB" % (count / 1e6)


def plot(report, path):
    """Bars of peer / plmc for each case, a row of them for each thread count."""
    try:
        import matplotlib
        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise BenchError("%s; utils/bench/setup.sh installs it" % error) from None
    counts = sorted({m["threads"] for m in report["cases"]})
    peers = report["peers"]
    figure, axes = pyplot.subplots(len(counts), 1, squeeze=False,
                                   figsize=(8, 0.8 + 2.6 * len(counts)))
    for axis, threads in zip(axes[:, 0], counts):
        measured = [m for m in report["cases"] if m["threads"] == threads]
        width = 0.8 / len(peers)
        for i, peer in enumerate(peers):
            values = [m["results"][peer]["ratio"] for m in measured]
            spots = [x + (i - (len(peers) - 1) / 2) * width for x in range(len(values))]
            bars = axis.bar(spots, values, width, label=peer)
            axis.bar_label(bars, fmt="%.2f", fontsize=8)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set_xticks(range(len(measured)), [m["case"] for m in measured])
        axis.set_ylabel("time / plmc's")
        axis.set_title("%d thread%s" % (threads, "" if threads == 1 else "s"), fontsize=10)
        axis.margins(y=0.15)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0, 0].legend(fontsize=8, frameon=False, ncols=len(peers))
    figure.suptitle("%s on %s: above 1, plmc is faster"
                    % (report["model"], report["host"]["cpu"]), fontsize=10)
    figure.tight_layout()
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise BenchError("cannot write %s: %s" % (path, error)) from None
    pyplot.close(figure)
