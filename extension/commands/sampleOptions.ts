import { type QuickPickItem, window } from "vscode";
import {
  type NumberOption,
  numberOptions,
  problemOf,
  type SampleOptions,
  summary,
  withNumber,
} from "../routing/sampling.ts";

type Item = QuickPickItem & { option?: NumberOption; off?: true };

/**
 * Asks how to sample: Enter accepts the options, every other row changes one of them.
 *
 * @param experts of a mixed model, which the user may switch off; empty for a dense model.
 */
export async function sampleOptions(
  title: string,
  given: SampleOptions,
  experts: readonly string[],
): Promise<SampleOptions | undefined> {
  const mixed = experts.length > 0;
  let options = given;
  for (;;) {
    const numbers = numberOptions.filter(({ key }) => mixed || key !== "k");
    const items: Item[] = [
      { label: "$(play) Sample", detail: summary(options) },
      ...numbers.map((option) => ({
        label: option.label,
        description: `${options[option.key] ?? "as trained"}`,
        option,
      })),
    ];
    if (mixed) items.push({ label: "Experts switched off", description: options.off.join(", ") || "none", off: true });
    const picked = await window.showQuickPick(items, {
      title,
      placeHolder: "Press Enter to sample, or change an option",
    });
    if (!picked) return undefined;
    if (picked.option) options = (await askNumber(title, options, picked.option)) ?? options;
    else if (picked.off) options = (await askSwitchedOff(title, options, experts)) ?? options;
    else return options;
  }
}

async function askNumber(
  title: string,
  options: SampleOptions,
  option: NumberOption,
): Promise<SampleOptions | undefined> {
  const text = await window.showInputBox({
    title,
    prompt: `${option.label}. ${option.help}`,
    value: `${options[option.key] ?? ""}`,
    validateInput: (value) => problemOf(option, value),
  });
  return text === undefined ? undefined : withNumber(options, option, text);
}

async function askSwitchedOff(
  title: string,
  options: SampleOptions,
  experts: readonly string[],
): Promise<SampleOptions | undefined> {
  const items = experts.map((name) => ({ label: name, picked: options.off.includes(name) }));
  const placeHolder = "Experts to switch off: their tokens go to the others";
  const off = await window.showQuickPick(items, { title, placeHolder, canPickMany: true });
  if (off && off.length === experts.length) {
    void window.showWarningMessage("At least one expert must stay on.");
    return undefined;
  }
  return off && { ...options, off: off.map(({ label }) => label) };
}
