"""One peer as a process: a training step for each line that it reads, answered with a line of JSON. See peer.ts.

Usage: worker.py torch|jax CASE [--compile] [--every-row] [--bf16] [--device cpu|cuda] [--threads N]
  CASE      a folder with case.json, weights.safetensors and batches.safetensors
"""

import argparse
import json
import os
import sys
from importlib import import_module
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("framework", choices=["torch", "jax"])
parser.add_argument("case", type=Path)
parser.add_argument("--compile", action="store_true")
parser.add_argument("--every-row", action="store_true")
parser.add_argument("--bf16", action="store_true")
parser.add_argument("--device", default="cpu")
parser.add_argument("--threads", type=int, required=True)
options = parser.parse_args()

# What libraries print goes to stderr: stdout is for answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def answer(**members):
    print(json.dumps(members), file=answers, flush=True)


try:
    decoder = import_module(f"{options.framework}_decoder")
    case = json.loads((options.case / "case.json").read_text())
    files = (options.case / "weights.safetensors", options.case / "batches.safetensors")
    step, about = decoder.training_step(case, *files, options)
    answer(**about)
    for _ in sys.stdin:
        answer(loss=step())
except Exception as error:
    answer(error=str(error).strip().split("\n")[0] or type(error).__name__)
    raise
