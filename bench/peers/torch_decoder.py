"""The decoder of server/model/ and its training step in PyTorch; parameters are named as in Hugging Face's checkpoints."""

import shutil
import sysconfig
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn


class Rotary(nn.Module):
    """Half-split rotary embedding, arXiv 2104.09864: x [B, H, T, d] gives the same shape."""

    def __init__(self, context, head_size, theta):
        super().__init__()
        frequencies = theta ** (-torch.arange(head_size // 2, dtype=torch.float64) / (head_size // 2))
        angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies).repeat(1, 2)
        self.register_buffer("cos", angles.cos().float(), persistent=False)
        self.register_buffer("sin", angles.sin().float(), persistent=False)

    def forward(self, x):
        first, second = x.chunk(2, -1)
        return (x * self.cos + torch.cat([-second, first], -1) * self.sin).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention, arXiv 2305.13245: x [B, T, D] gives the same shape."""

    def __init__(self, c):
        super().__init__()
        self.heads, self.kv_heads = c["heads"], c["kvHeads"]
        query, key = c["heads"] * c["headSize"], c["kvHeads"] * c["headSize"]
        self.q_proj = nn.Linear(c["hidden"], query, bias=False)
        self.k_proj = nn.Linear(c["hidden"], key, bias=False)
        self.v_proj = nn.Linear(c["hidden"], key, bias=False)
        self.o_proj = nn.Linear(query, c["hidden"], bias=False)

    def forward(self, x, rotary):
        q = self.q_proj(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k = self.k_proj(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)
        v = self.v_proj(x).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)
        grouped = self.heads != self.kv_heads
        out = F.scaled_dot_product_attention(rotary(q), rotary(k), v, is_causal=True, enable_gqa=grouped)
        return self.o_proj(out.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    """SwiGLU, arXiv 2002.05202: down(silu(gate x) * up x)."""

    names = ("gate_proj", "up_proj", "down_proj")

    def __init__(self, hidden, ffn):
        super().__init__()
        gate, up, down = self.names
        self.add_module(gate, nn.Linear(hidden, ffn, bias=False))
        self.add_module(up, nn.Linear(hidden, ffn, bias=False))
        self.add_module(down, nn.Linear(ffn, hidden, bias=False))

    def forward(self, x):
        gate, up, down = (getattr(self, name) for name in self.names)
        return down(F.silu(gate(x)) * up(x))


class Expert(FeedForward):
    """As Mixtral names it."""

    names = ("w1", "w3", "w2")


class MixtureOfExperts(nn.Module):
    """Dropless top-k: rows sorted by expert, one feed-forward an expert, BTX's load balancing (arXiv 2403.07816)."""

    def __init__(self, c):
        super().__init__()
        count = len(c["moe"]["experts"])
        self.k = c["moe"]["router"]["k"]
        self.alpha = c["moe"]["router"]["loadBalance"]
        self.gate = nn.Linear(c["hidden"], count, bias=False)
        self.experts = nn.ModuleList(Expert(c["hidden"], c["ffn"]) for _ in range(count))

    def forward(self, x):
        """x [B, T, D] gives the same shape and the layer's balancing loss []."""
        rows = x.flatten(0, 1)
        logits = self.gate(rows)
        kept, chosen = logits.topk(self.k)
        gates = kept.softmax(-1)
        balance = self.balance(logits, gates, chosen)

        order = chosen.flatten().argsort(stable=True)
        token = order // self.k
        sizes = chosen.flatten().bincount(minlength=len(self.experts)).tolist()
        parts = rows[token].split(sizes)
        done = torch.cat([expert(part) for expert, part in zip(self.experts, parts)])
        weighted = done * gates.flatten()[order, None].to(done.dtype)
        return torch.zeros_like(rows, dtype=done.dtype).index_add(0, token, weighted).view_as(x), balance

    def balance(self, logits, gates, chosen):
        gate_of_expert = torch.zeros_like(logits, dtype=gates.dtype).scatter(1, chosen, gates)
        return self.alpha * len(self.experts) * (gate_of_expert.mean(0) * logits.softmax(-1).mean(0)).sum()


class Block(nn.Module):
    """Pre-norm: x + attention(norm x), then x + feedForward(norm x)."""

    def __init__(self, c, layer):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(c["hidden"], c["normEps"])
        self.self_attn = Attention(c)
        self.post_attention_layernorm = nn.RMSNorm(c["hidden"], c["normEps"])
        self.mixture = layer in c.get("moe", {}).get("layers", [])
        if self.mixture:
            self.block_sparse_moe = MixtureOfExperts(c)
        else:
            self.mlp = FeedForward(c["hidden"], c["ffn"])

    def forward(self, x, rotary):
        x = x + self.self_attn(self.input_layernorm(x), rotary)
        normed = self.post_attention_layernorm(x)
        if not self.mixture:
            return x + self.mlp(normed), 0
        out, balance = self.block_sparse_moe(normed)
        return x + out, balance


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c["vocab"], c["hidden"])
        self.model.layers = nn.ModuleList(Block(c, layer) for layer in range(c["layers"]))
        self.model.norm = nn.RMSNorm(c["hidden"], c["normEps"])
        self.lm_head = nn.Linear(c["hidden"], c["vocab"], bias=False)
        if c["tiedEmbeddings"]:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.rotary = Rotary(c["context"], c["headSize"], c["ropeTheta"])

    def forward(self, tokens, targets):
        """tokens and targets [B, T] give the mean loss, nats a token, and the sum of the balancing losses."""
        x = self.model.embed_tokens(tokens)
        balance = 0
        for layer in self.model.layers:
            x, part = layer(x, self.rotary)
            balance = balance + part
        logits = self.lm_head(self.model.norm(x))
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten()), balance


def require_compiler():
    """torch.compile turns CPU code into C++ modules of Python."""
    from torch._inductor.config import cpp

    compiler = cpp.cxx[-1]
    if not shutil.which(compiler):
        raise RuntimeError(f"torch.compile needs a C++ compiler: install {compiler}")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        raise RuntimeError("torch.compile needs Python's headers: install python3-dev")


def training_step(case, weights, batches, options):
    """A function that takes one whole step, the next batch each time, and gives the loss before it; and its versions."""
    torch.set_num_threads(options.threads)
    c, training = case["config"], case["training"]
    device = torch.device(options.device)
    model = Decoder(c)
    parameters = load_file(weights)
    if c["tiedEmbeddings"]:
        parameters["lm_head.weight"] = parameters["model.embed_tokens.weight"]
    model.load_state_dict(parameters)
    model.to(device)

    named = dict(model.named_parameters())
    decayed = [p for name, p in named.items() if not name.endswith("norm.weight")]
    plain = [p for name, p in named.items() if name.endswith("norm.weight")]
    optimizer = torch.optim.AdamW(
        [{"params": decayed}, {"params": plain, "weight_decay": 0}],
        lr=training["learningRate"],
        betas=(training["beta1"], training["beta2"]),
        eps=training["epsilon"],
        weight_decay=training["weightDecay"],
        fused=True,
    )
    if options.compile and device.type == "cpu":
        require_compiler()
    forward = torch.compile(model) if options.compile else model
    ids = load_file(batches)["ids"].long().to(device)
    steps = 0

    def step():
        nonlocal steps
        batch = ids[steps % len(ids)]
        steps += 1
        with torch.autocast(device.type, torch.bfloat16, enabled=options.bf16):
            loss, balance = forward(batch[:, :-1], batch[:, 1:])
        (loss + balance).backward()
        nn.utils.clip_grad_norm_(model.parameters(), training["clip"])
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return step, {"version": torch.__version__, "device": name}
