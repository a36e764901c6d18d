/** Texts that YAML would not read as strings. */
const special = /^(?:null|true|false|~|[-+]?(?:\.inf|\d[\d_]*(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+)|\.nan|0[xo][\da-f]+)$/i;
const plain = /^[^\s!&*?|>@`"'%#,[\]{}:-](?:[^#:\n]|:(?=\S)|(?<=\S)#)*$/;

/** A string as YAML: plain if that is equivalent, otherwise in double quotes. */
export function yamlText(text: string, flow: boolean): string {
  const isPlain = plain.test(text) && !special.test(text) && !/\s$/.test(text) && !(flow && /[,[\]{}]/.test(text));
  return isPlain ? text : JSON.stringify(text);
}
