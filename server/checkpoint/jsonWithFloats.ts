/** Keys of `config.json` whose numbers are floats: current Transformers refuses an integer there. */
const floatKeys: ReadonlySet<string> = new Set(
  (
    "attention_dropout initializer_range rms_norm_eps layer_norm_eps layer_norm_epsilon rope_theta rotary_emb_base " +
    "rotary_pct partial_rotary_factor rope_local_base_freq factor low_freq_factor high_freq_factor beta_fast beta_slow " +
    "attention_factor router_aux_loss_coef router_jitter_noise attention_multiplier embedding_multiplier " +
    "residual_multiplier logits_scaling attn_logit_softcapping final_logit_softcapping"
  ).split(" "),
);

/** JSON, indented for people, in which whole numbers of keys that hold floats have a decimal point: 0.0. */
export function jsonWithFloats(value: unknown): string {
  const text = JSON.stringify(value, null, 2);
  // Whole lines only, so that nothing in a string is taken for a key.
  return text.replaceAll(/^( *"(\w+)": -?\d+)(,?)$/gm, (line, member: string, key: string, comma: string) =>
    floatKeys.has(key) ? `${member}.0${comma}` : line,
  );
}
