"""Do checkpoints written here mean the same to Hugging Face's Transformers? See README.md beside this file.

Usage: transformers_check.py NODE OURS RUN_ROOT
  NODE      a Node 22 or later; OURS the built ours.js; RUN_ROOT a `.btx` folder with a finished run.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy
import safetensors
import tokenizers
import torch
import transformers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, MixtralForCausalLM

ROWS = 4
GREEDY = 16
TEXTS = [
    "export function isString(value: unknown): value is string;\n\t// tabs\tand   spaces",
    "## Install\n\n```sh\nnpm install --save-dev\n```\n",
    "Ann has 12 apples and gives away 5.\n#### 7",
    "naïve café — 日本語, emoji 👩‍🔬, \u0000 control, it's they'll I'VE 1234567",
    " leading and trailing \n\n",
    "<|endoftext|> as plain text",
    "",
]

node, ours, root = sys.argv[1], sys.argv[2], Path(sys.argv[3])
torch.set_grad_enabled(False)
runs = sorted((root / "runs").glob("*/run.json"))
stages = {stage["name"]: stage for stage in json.loads(runs[-1].read_text())["stages"]}


def folder(name):
    return root / "stages" / stages[name]["key"]


def held_out(data, domain, index):
    """All held-out ids of a domain; the file holds nothing but little-endian ids."""
    return numpy.fromfile(data / domain / "heldout.tokens", "<u2" if index["dtype"] == "u16" else "<u4").astype("int64")


def loss(model, ids, context, most):
    """Mean nats a target over the windows that the evaluation takes, worked out window by window."""
    targets = len(ids) - 1
    windows = -(-targets // context)
    taken = windows if targets <= most else max(1, most // context)
    total = count = 0
    for i in range(taken):
        start = i * windows // taken * context
        length = min(context, most, targets - start)
        piece = torch.from_numpy(ids[start : start + length + 1])
        scores = model(piece[None, :-1]).logits[0].double()
        total += torch.nn.functional.cross_entropy(scores, piece[1:], reduction="sum").item()
        count += length
    return total / count, count


data = folder("data")
index = json.loads((data / "index.json").read_text())
expert = next(name for name in stages if name.startswith("expert:"))
print(
    f"torch {torch.__version__}, transformers {transformers.__version__}, "
    f"tokenizers {tokenizers.__version__}, safetensors {safetensors.__version__}"
)
failed = False


def report(what, value, limit):
    global failed
    failed = failed or not value <= limit
    print(f"  {what:<52} {value:.3g} (at most {limit:g})")


for name in ["seed", expert, "mix", "finetune"]:
    checkpoint = folder(name) / "checkpoint"
    config = AutoConfig.from_pretrained(checkpoint)
    model, loading = AutoModelForCausalLM.from_pretrained(checkpoint, output_loading_info=True)
    model.eval()
    expected = MixtralForCausalLM if name in ("mix", "finetune") else LlamaForCausalLM
    assert type(model) is expected, type(model)
    assert not any(loading.values()), loading
    context = config.max_position_embeddings
    texts = [held_out(data, domain, index) for domain in index["domains"]]
    ids = numpy.stack([texts[row % len(texts)][row * context : (row + 1) * context] for row in range(ROWS)])

    question = json.dumps({"ids": ids.tolist(), "texts": TEXTS, "greedy": GREEDY})
    said = subprocess.run([node, ours, checkpoint], input=question, stdout=subprocess.PIPE, text=True, check=True)
    answer = json.loads(said.stdout)

    print(f"{name}: {type(model).__name__}, {sum(p.numel() for p in model.parameters())} parameters")
    theirs = model(torch.from_numpy(ids)).logits.numpy()
    mine = numpy.array(answer["logits"], "float32").reshape(theirs.shape)
    report(f"logits of {ids.size} tokens, largest difference", float(numpy.abs(theirs - mine).max()), 1e-4)

    row = torch.from_numpy(ids[:, : context // 2])
    for _ in range(GREEDY):
        row = torch.cat([row, model(row).logits[:, -1:].argmax(-1)], 1)
    different = int((row[:, context // 2 :].numpy() != numpy.array(answer["continued"])).sum())
    report(f"of {ROWS * GREEDY} greedy tokens differ", different, 0)

    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    assert tokenizer.eos_token_id == index["endOfText"] == config.eos_token_id
    # As here: a special token's name within a text is plain text.
    tokenizer.split_special_tokens = tokenizer.backend_tokenizer.encode_special_tokens = True
    pairs = list(zip(TEXTS, answer["encoded"]))
    wrong = [text for text, own in pairs if tokenizer(text)["input_ids"] != own or tokenizer.decode(own) != text]
    report(f"of {len(TEXTS)} texts encoded or decoded otherwise", len(wrong), 0)
    for text in wrong:
        print(f"    {text!r}")

    evaluation = f"evaluate:{name}"
    most = stages[evaluation]["spec"]["tokens"]
    result = json.loads((folder(evaluation) / "stage.json").read_text())["result"]["losses"]
    for domain in index["domains"]:
        nats, count = loss(model, held_out(data, domain, index), context, most)
        assert count == result[domain]["tokens"], (count, result[domain]["tokens"])
        report(f"held-out loss of {domain}, {count} tokens, {nats:.5f} nats", abs(nats - result[domain]["nats"]), 1e-5)

sys.exit(1 if failed else 0)
