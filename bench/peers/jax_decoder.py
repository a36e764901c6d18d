"""The decoder of server/model/ and its training step in JAX; parameters are named as in Hugging Face's checkpoints."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy
import optax
from safetensors.numpy import load_file


def linear(weight, x):
    """weight [out, in], x [..., in]."""
    return x @ weight.T


def rms_norm(weight, x, eps):
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + eps) * weight


def rotary_tables(c):
    """Cosines and sines [T, 1, d] of half-split rotary embeddings, arXiv 2104.09864."""
    half = c["headSize"] // 2
    angles = numpy.outer(numpy.arange(c["context"]), c["ropeTheta"] ** (-numpy.arange(half) / half))
    angles = numpy.concatenate([angles, angles], -1)[:, None]
    return numpy.cos(angles).astype("float32"), numpy.sin(angles).astype("float32")


def rotary(x, tables):
    cos, sin = tables
    first, second = jnp.split(x, 2, -1)
    return x * cos + jnp.concatenate([-second, first], -1) * sin


def attention(p, prefix, x, tables, c):
    """Grouped-query attention, arXiv 2305.13245: x [B, T, D] gives the same shape."""
    batch, time, _ = x.shape
    projected = lambda name, heads: linear(p[f"{prefix}.{name}.weight"], x).reshape(batch, time, heads, c["headSize"])
    q, k = rotary(projected("q_proj", c["heads"]), tables), rotary(projected("k_proj", c["kvHeads"]), tables)
    out = jax.nn.dot_product_attention(q, k, projected("v_proj", c["kvHeads"]), is_causal=True)
    return linear(p[f"{prefix}.o_proj.weight"], out.reshape(batch, time, -1))


def feed_forward(p, prefix, x):
    """SwiGLU, arXiv 2002.05202: down(silu(gate x) * up x)."""
    gate, up = linear(p[f"{prefix}.gate_proj.weight"], x), linear(p[f"{prefix}.up_proj.weight"], x)
    return linear(p[f"{prefix}.down_proj.weight"], jax.nn.silu(gate) * up)


def sorted_rows(weights, rows, gates, chosen):
    """Each of the [N, K] chosen experts on its own rows, sorted by expert: [N, D]."""
    count, k = weights("w1").shape[0], chosen.shape[1]
    order = jnp.argsort(chosen.reshape(-1))
    sizes = jnp.bincount(chosen.reshape(-1), length=count)
    x = rows[order // k]
    hidden = jax.nn.silu(jax.lax.ragged_dot(x, weights("w1"), sizes)) * jax.lax.ragged_dot(x, weights("w3"), sizes)
    done = jax.lax.ragged_dot(hidden, weights("w2"), sizes)[jnp.argsort(order)]
    return jnp.einsum("nkd,nk->nd", done.reshape(*chosen.shape, -1), gates)


def every_row(weights, rows, gate_of_expert):
    """Every expert on all rows, by gates [N, E] that are 0 where an expert was not chosen: [N, D]."""
    gate, up = jnp.einsum("nd,edf->enf", rows, weights("w1")), jnp.einsum("nd,edf->enf", rows, weights("w3"))
    return jnp.einsum("enf,efd,ne->nd", jax.nn.silu(gate) * up, weights("w2"), gate_of_expert)


def mixture_of_experts(p, prefix, x, moe):
    """Dropless top-k with BTX's balancing loss (arXiv 2403.07816): x [B, T, D] gives the same shape, []."""
    rows = x.reshape(-1, x.shape[-1])
    count = len(moe["experts"])
    logits = linear(p[f"{prefix}.gate.weight"], rows)
    kept, chosen = jax.lax.top_k(logits, moe["router"]["k"])
    gates = jax.nn.softmax(kept)
    gate_of_expert = jnp.einsum("nk,nke->ne", gates, jax.nn.one_hot(chosen, count))
    balance = moe["router"]["loadBalance"] * count * jnp.sum(gate_of_expert.mean(0) * jax.nn.softmax(logits).mean(0))
    weights = lambda name: p[f"{prefix}.experts.{name}"]
    if moe["everyRow"]:
        out = every_row(weights, rows, gate_of_expert)
    else:
        out = sorted_rows(weights, rows, gates, chosen)
    return out.reshape(x.shape), balance


def losses(p, tokens, targets, tables, c):
    """tokens and targets [B, T] give the mean loss, nats a token, and the sum of the balancing losses."""
    x = p["model.embed_tokens.weight"][tokens]
    balance = 0.0
    moe = c.get("moe")
    for layer in range(c["layers"]):
        prefix = f"model.layers.{layer}"
        norm = lambda name, y: rms_norm(p[f"{prefix}.{name}.weight"], y, c["normEps"])
        x = x + attention(p, f"{prefix}.self_attn", norm("input_layernorm", x), tables, c)
        normed = norm("post_attention_layernorm", x)
        if moe and layer in moe["layers"]:
            out, part = mixture_of_experts(p, f"{prefix}.block_sparse_moe", normed, moe)
            x, balance = x + out, balance + part
        else:
            x = x + feed_forward(p, f"{prefix}.mlp", normed)
    head = p["model.embed_tokens.weight" if c["tiedEmbeddings"] else "lm_head.weight"]
    logits = linear(head, rms_norm(p["model.norm.weight"], x, c["normEps"]))
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean(), balance


def stacked(parameters, c):
    """Experts' weights [out, in] as one tensor [E, in, out] a layer, as ragged_dot takes them."""
    for layer in c.get("moe", {}).get("layers", []):
        prefix = f"model.layers.{layer}.block_sparse_moe.experts"
        for name in ("w1", "w2", "w3"):
            each = [parameters.pop(f"{prefix}.{e}.{name}.weight").T for e in range(len(c["moe"]["experts"]))]
            parameters[f"{prefix}.{name}"] = numpy.stack(each)
    return parameters


def training_step(case, weights, batches, options):
    """A function that takes one whole step, the next batch each time, and gives the loss before it; and its versions."""
    c, training = case["config"], case["training"]
    if "moe" in c:
        c["moe"]["everyRow"] = options.every_row
    parameters = jax.tree.map(jnp.asarray, stacked(load_file(weights), c))
    tables = rotary_tables(c)
    optimizer = optax.chain(
        optax.clip_by_global_norm(training["clip"]),
        optax.adamw(
            training["learningRate"],
            training["beta1"],
            training["beta2"],
            training["epsilon"],
            weight_decay=training["weightDecay"],
            mask={name: not name.endswith("norm.weight") for name in parameters},
        ),
    )

    def total(p, tokens, targets):
        loss, balance = losses(p, tokens, targets, tables, c)
        return loss + balance, loss

    @partial(jax.jit, donate_argnums=(0, 1))
    def update(p, state, batch):
        (_, loss), gradients = jax.value_and_grad(total, has_aux=True)(p, batch[:, :-1], batch[:, 1:])
        updates, state = optimizer.update(gradients, state, p)
        return optax.apply_updates(p, updates), state, loss

    ids = [jnp.asarray(batch) for batch in load_file(batches)["ids"]]
    state = optimizer.init(parameters)
    steps = 0

    def step():
        nonlocal parameters, state, steps
        parameters, state, loss = update(parameters, state, ids[steps % len(ids)])
        steps += 1
        return float(loss)

    return step, {"version": jax.__version__, "device": jax.devices()[0].platform}
