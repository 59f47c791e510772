# SPDX-License-Identifier: GPL-2.0
"""Plots of results, as SVG, drawn by gnuplot."""
import os
import subprocess

TITLES = {"tcp": "TCP over netfront", "moved": "the same TCP, moved",
          "af_xenvmc": "AF_XENVMC", "lo_tcp": "TCP loopback",
          "unix": "AF_UNIX", "pipe": "pipe", "memcpy": "memcpy"}
PLOTS = (("stream", "throughput", "MB/s"), ("rtt", "latency", "us there and back"))

HEAD = """set terminal svg size 800,500 background "white"
set output "{output}"
set logscale xy
set grid
set key outside
set xlabel "bytes in a message"
set ylabel "{label}"
set xtics ({tics})
plot {curves}
"""


def draw(rows, folder):
    """Writes throughput.svg and latency.svg for one connection to @folder;
    returns their names."""
    return [_draw([r for r in rows if r["what"] == what and r["conns"] == 1],
                  os.path.join(folder, name + ".svg"), label)
            for what, name, label in PLOTS]


def draw_pause(curves, folder):
    """Writes migrate.svg, throughput over time while a guest is away, to
    @folder; returns its name. @curves: {"off": rows, "on": rows}."""
    output = os.path.join(folder, "migrate.svg")
    titles = {"off": "without the modules", "on": "with them"}
    data, lines = [], []
    for state, rows in sorted(curves.items()):
        data += [f"${state} << END"]
        data += ["{s} {mbps}".format(**row) for row in rows] + ["END"]
        lines.append(f'${state} using 1:2 with steps title "{titles[state]}"')
    script = "\n".join(data + [
        'set terminal svg size 800,500 background "white"',
        f'set output "{output}"', "set grid", "set key outside",
        'set xlabel "seconds since the last byte"', 'set ylabel "MB/s"',
        "plot " + ", ".join(lines), ""])
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return output


def _draw(rows, output, label):
    data, curves = [], []
    for path in dict.fromkeys(r["path"] for r in rows):
        data.append(f"${path} << END")
        data += ["{size} {median} {min} {max}".format(**r)
                 for r in sorted(rows, key=lambda r: r["size"])
                 if r["path"] == path]
        data.append("END")
        curves.append(f'${path} using 1:2:3:4 with yerrorlines '
                      f'title "{TITLES[path]}"')
    tics = ", ".join(f'"{size}" {size}'
                     for size in sorted({r["size"] for r in rows}))
    script = "\n".join(data) + "\n" + HEAD.format(
        output=output, label=label, tics=tics, curves=", \\\n".join(curves))
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    return output
