import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { loadCheckpoint, openCheckpoint } from "../../../server/checkpoint/loadCheckpoint.ts";
import { openSafetensors } from "../../../server/checkpoint/safetensors.ts";
import { saveCheckpoint } from "../../../server/checkpoint/saveCheckpoint.ts";
import { writeSafetensors } from "../../../server/checkpoint/writeSafetensors.ts";
import { parameterShapes } from "../../../server/model/parameters.ts";
import type { ModelConfig } from "../../../server/protocol/model.ts";
import { temporaryFolder } from "../runs/folder.ts";
import { noMount, smallDisk } from "../runs/smallDisk.ts";
import { denseConfig, moeConfig } from "./files.ts";
import { constantModel } from "./models.ts";

const tied: ModelConfig = { ...denseConfig, tiedEmbeddings: true };

describe("saveCheckpoint", () => {
  it("takes along what belongs to the model that it was made from, and nothing else", async () => {
    const [madeFrom, folder] = [temporaryFolder(), join(temporaryFolder(), "checkpoint")];
    const own = ["LICENSE", "README.md", "chat_template.jinja", "generation_config.json", "special_tokens_map.json"];
    for (const name of [...own, "config.json", "model.safetensors", "train.py"])
      writeFileSync(join(madeFrom, name), `the seed's ${name}`);
    const model = constantModel(denseConfig, 0.25);
    await saveCheckpoint(folder, { ...model, madeFrom });
    expect(readdirSync(folder).sort()).toEqual([...own, "config.json", "model.safetensors"].sort());
    for (const name of own) expect(readFileSync(join(folder, name), "utf8")).toBe(`the seed's ${name}`);
    expect(await loadCheckpoint(folder, parameterShapes)).toEqual(model);
  });

  it("writes a folder that gives back the same model, with its tokenizer", async () => {
    const tokenizerFolder = temporaryFolder();
    writeFileSync(join(tokenizerFolder, "tokenizer.json"), '{"model":{}}');
    writeFileSync(join(tokenizerFolder, "tokenizer_config.json"), "{}");
    for (const config of [denseConfig, moeConfig, tied]) {
      const folder = join(temporaryFolder(), "new", "checkpoint");
      const model = constantModel(config, 0.25);
      await saveCheckpoint(folder, { ...model, endOfText: 3, tokenizerFolder });
      expect(readdirSync(folder).sort()).toEqual([
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
      ]);
      expect(await loadCheckpoint(folder, parameterShapes)).toEqual(model);
      expect(await loadCheckpoint(folder, parameterShapes(config))).toEqual(model);
      expect(readFileSync(join(folder, "tokenizer.json"), "utf8")).toBe('{"model":{}}');
      const file = await openSafetensors(join(folder, "model.safetensors"));
      expect(file.metadata.get("format")).toBe("pt");
      await file.close();
      expect(readdirSync(join(folder, ".."))).toEqual(["checkpoint"]);
    }
  });

  it("replaces only the weights when nothing else has changed, and else the folder", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    await saveCheckpoint(folder, constantModel(denseConfig, 1));
    const { ino } = statSync(folder);
    await saveCheckpoint(folder, constantModel(denseConfig, 2));
    expect(statSync(folder).ino).toBe(ino);
    expect((await loadCheckpoint(folder, parameterShapes)).tensors.get("model.norm.weight")?.data[0]).toBe(2);
    await saveCheckpoint(folder, constantModel(moeConfig, 3));
    expect(statSync(folder).ino).not.toBe(ino);
    const { config, tensors } = await loadCheckpoint(folder, parameterShapes);
    expect(config).toEqual(moeConfig);
    expect(tensors.get("model.norm.weight")?.data[0]).toBe(3);
    expect(readdirSync(join(folder, ".."))).toEqual(["checkpoint"]);
  });

  it("removes what killed saves left, and takes back a folder that was on its way out", async () => {
    const stage = temporaryFolder();
    const folder = join(stage, "checkpoint");
    await saveCheckpoint(folder, constantModel(denseConfig, 1));
    renameSync(folder, `${folder}.old`);
    mkdirSync(`${folder}.tmp-1-00000000`);
    writeFileSync(join(`${folder}.old`, "model.safetensors.tmp-1-00000000"), "half");
    writeFileSync(join(stage, "stage.json"), "{}");
    expect((await loadCheckpoint(folder, parameterShapes)).tensors.get("model.norm.weight")?.data[0]).toBe(1);
    await saveCheckpoint(folder, constantModel(denseConfig, 2));
    expect(readdirSync(stage).sort()).toEqual(["checkpoint", "stage.json"]);
    expect(readdirSync(folder).sort()).toEqual(["config.json", "model.safetensors"]);
    mkdirSync(`${folder}.old`);
    await saveCheckpoint(folder, constantModel(moeConfig, 3));
    expect(readdirSync(stage).sort()).toEqual(["checkpoint", "stage.json"]);
  });

  it.skipIf(noMount)(
    `keeps the checkpoint that was there when the disk is full${noMount ? ` (skipped: ${noMount})` : ""}`,
    async () => {
      const stage = smallDisk(64);
      const folder = join(stage, "checkpoint");
      await saveCheckpoint(folder, constantModel(denseConfig, 1));
      const large = constantModel({ ...denseConfig, vocab: 4000 }, 2);
      await expect(saveCheckpoint(folder, large)).rejects.toThrow(/the disk that holds .* is full/);
      const { tensors } = await loadCheckpoint(folder, parameterShapes);
      expect(tensors.get("model.norm.weight")?.data[0]).toBe(1);
      expect(readdirSync(stage)).toEqual(["checkpoint"]);
      await saveCheckpoint(folder, constantModel(denseConfig, 3));
    },
  );

  it("refuses a tokenizer folder without a tokenizer before it writes anything", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    const tokenizerFolder = temporaryFolder();
    await expect(saveCheckpoint(folder, { ...constantModel(denseConfig, 1), tokenizerFolder })).rejects.toThrow(
      `${tokenizerFolder} has no tokenizer.json`,
    );
    expect(readdirSync(join(folder, ".."))).toEqual([]);
  });
});

describe("loadCheckpoint", () => {
  const save = async (config: ModelConfig): Promise<string> => {
    const folder = join(temporaryFolder(), "checkpoint");
    await saveCheckpoint(folder, constantModel(config, 1));
    return folder;
  };
  const rewrite = async (
    folder: string,
    config: ModelConfig,
    change: (model: ReturnType<typeof constantModel>) => void,
  ): Promise<void> => {
    const model = constantModel(config, 1);
    change(model);
    const tensors = [...model.tensors].map(([name, { shape, data }]) => ({ name, dtype: "F32" as const, shape, data }));
    await writeSafetensors(join(folder, "model.safetensors"), tensors);
  };
  const extra = { shape: [1], data: new Float32Array(1) };

  it("refuses NaN, infinity and an embedding of zeros, whoever wrote them", async () => {
    const folder = await save(denseConfig);
    for (const value of [Number.NaN, Number.NEGATIVE_INFINITY]) {
      await rewrite(folder, denseConfig, ({ tensors }) => tensors.get("model.norm.weight")!.data.fill(value, 5, 6));
      await expect(loadCheckpoint(folder, parameterShapes)).rejects.toThrow(
        `the checkpoint ${folder} contains NaN or infinity in tensor "model.norm.weight": use another checkpoint`,
      );
    }
    await rewrite(folder, denseConfig, ({ tensors }) => tensors.get("model.embed_tokens.weight")!.data.fill(0));
    await expect(loadCheckpoint(folder, parameterShapes)).rejects.toThrow(
      `the checkpoint ${folder} contains only zeros in tensor "model.embed_tokens.weight": use another checkpoint`,
    );
  });

  it("names the first tensor that is missing, of another shape, or surplus", async () => {
    const folder = await save(denseConfig);
    await rewrite(folder, denseConfig, ({ tensors }) => {
      tensors.delete("model.layers.1.mlp.up_proj.weight");
      tensors.delete("model.norm.weight");
    });
    await expect(loadCheckpoint(folder, parameterShapes)).rejects.toThrow(
      `the checkpoint ${folder} has no tensor "model.layers.1.mlp.up_proj.weight" of shape [12, 8]`,
    );
    await rewrite(folder, denseConfig, ({ tensors }) => {
      tensors.set("model.norm.weight", { shape: [2, 4], data: new Float32Array(8) });
    });
    await expect(loadCheckpoint(folder, parameterShapes)).rejects.toThrow(
      `the checkpoint ${folder} has tensor "model.norm.weight" of shape [2, 4], but its model needs [8]`,
    );
    await rewrite(folder, denseConfig, ({ tensors }) => tensors.set("model.layers.2.x", extra));
    await expect(loadCheckpoint(folder, parameterShapes)).rejects.toThrow(
      `the checkpoint ${folder} has tensor "model.layers.2.x", which its model does not have`,
    );
  });

  it("passes over a tied head's copy and rotary frequencies, as older checkpoints hold", async () => {
    const folder = await save(tied);
    await rewrite(folder, tied, ({ tensors }) => {
      tensors.set("lm_head.weight", { shape: [11, 8], data: new Float32Array(88) });
      tensors.set("model.layers.0.self_attn.rotary_emb.inv_freq", extra);
    });
    expect([...(await loadCheckpoint(folder, parameterShapes)).tensors.keys()]).toEqual([
      ...parameterShapes(tied).keys(),
    ]);
    const untied = await save(denseConfig);
    await rewrite(untied, denseConfig, ({ tensors }) => tensors.delete("lm_head.weight"));
    await expect(loadCheckpoint(untied, parameterShapes)).rejects.toThrow(/has no tensor "lm_head.weight"/);
  });

  it("reads half-precision weights as float32", async () => {
    const folder = await save(denseConfig);
    const half = [...parameterShapes(denseConfig)].map(([name, shape]) => ({
      name,
      dtype: "BF16" as const,
      shape,
      data: new Uint16Array(shape.reduce((a, b) => a * b, 1)).fill(0xc040),
    }));
    await writeSafetensors(join(folder, "model.safetensors"), half);
    const { tensors } = await loadCheckpoint(folder, parameterShapes);
    for (const { data } of tensors.values()) expect(data.every((value) => value === -3)).toBe(true);
  });

  it("says that there is no checkpoint, or no weights that it can read", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    await expect(loadCheckpoint(folder)).rejects.toThrow(`the folder ${folder} does not exist`);
    await saveCheckpoint(folder, constantModel(denseConfig, 1));
    rmSync(join(folder, "model.safetensors"));
    await expect(loadCheckpoint(folder)).rejects.toThrow(
      /has neither model.safetensors nor model.safetensors.index.json/,
    );
  });
});

describe("openCheckpoint", () => {
  it("gives configuration and weights of one save while the folder is replaced again and again", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    const models = [constantModel(denseConfig, 1), constantModel(moeConfig, 2)];
    await saveCheckpoint(folder, models[0]!);
    let saving = true;
    const saves = (async () => {
      for (let i = 0; i < 25; i++) await saveCheckpoint(folder, models[i % 2]!);
      saving = false;
    })();
    let opened = 0;
    while (saving) {
      const { config, weights } = await openCheckpoint(folder, parameterShapes);
      expect((await weights.readFloat32("model.norm.weight"))[0]).toBe(config.moe ? 2 : 1);
      await weights.close();
      opened++;
    }
    await saves;
    expect(opened).toBeGreaterThan(5);
  });
});

describe("shards", () => {
  const writeShards = async (folder: string, weightMap: unknown): Promise<void> => {
    const { tensors } = constantModel(denseConfig, 5);
    const named = [...tensors].map(([name, { shape, data }]) => ({ name, dtype: "F32" as const, shape, data }));
    rmSync(join(folder, "model.safetensors"), { force: true });
    await writeSafetensors(join(folder, "model-00001-of-00002.safetensors"), named.slice(0, 5));
    await writeSafetensors(join(folder, "model-00002-of-00002.safetensors"), named.slice(5));
    const map =
      weightMap ??
      Object.fromEntries(named.map(({ name }, i) => [name, `model-0000${i < 5 ? 1 : 2}-of-00002.safetensors`]));
    writeFileSync(
      join(folder, "model.safetensors.index.json"),
      JSON.stringify({ metadata: { total_size: 1 }, weight_map: map }),
    );
  };

  it("are read as one checkpoint", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    await saveCheckpoint(folder, constantModel(denseConfig, 1));
    await writeShards(folder, undefined);
    expect(await loadCheckpoint(folder, parameterShapes)).toEqual(constantModel(denseConfig, 5));
  });

  it("are refused when their index leads elsewhere or is wrong", async () => {
    const folder = join(temporaryFolder(), "checkpoint");
    await saveCheckpoint(folder, constantModel(denseConfig, 1));
    const first = "model-00001-of-00002.safetensors";
    const cases: [unknown, RegExp][] = [
      [[], /has no valid `weight_map`/],
      [
        { a: "../secret.safetensors" },
        /assigns tensor "a" to "..\/secret.safetensors", which is not a file in its folder/,
      ],
      [{ a: "/etc/passwd" }, /which is not a file in its folder/],
      [{ a: 3 }, /assigns tensor "a" to 3/],
      [{ a: "absent.safetensors" }, /absent.safetensors does not exist: /],
      [
        { "model.norm.weight": first },
        /contains tensor "model.embed_tokens.weight", which .+index.json does not assign to it/,
      ],
    ];
    for (const [map, message] of cases) {
      await writeShards(folder, map);
      await expect(loadCheckpoint(folder)).rejects.toThrow(message);
    }
    writeFileSync(join(folder, "model.safetensors.index.json"), '{"weight_map":{"__proto__":"a.safetensors"}}');
    await expect(loadCheckpoint(folder)).rejects.toThrow(/a.safetensors does not exist: /);
    expect(({} as Record<string, unknown>).model).toBeUndefined();
  });
});
