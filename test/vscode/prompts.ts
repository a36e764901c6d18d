import * as vscode from "vscode";

/** Answers dialogs in place of a user: code in the extension host cannot reach them. */

type Window = typeof vscode.window;
type Question =
  | "showQuickPick"
  | "showInputBox"
  | "showOpenDialog"
  | "showSaveDialog"
  | "showWarningMessage"
  | "showErrorMessage"
  | "showInformationMessage"
  | "withProgress";

const original = new Map<Question, unknown>();

/** Answers a kind of dialog from now on. Returns the dialogs' arguments, newest last. */
export function answer(question: Question, reply: (...asked: never[]) => unknown): unknown[][] {
  const asked: unknown[][] = [];
  if (!original.has(question)) original.set(question, vscode.window[question]);
  const window = vscode.window as Record<keyof Window, unknown>;
  window[question] = async (...given: unknown[]) => {
    asked.push(given);
    return reply(...(given as never[]));
  };
  return asked;
}

/** Restores VS Code's own dialogs. */
export function noAnswers(): void {
  const window = vscode.window as Record<keyof Window, unknown>;
  for (const [question, ask] of original) window[question] = ask;
  original.clear();
}

export type Item = vscode.QuickPickItem & Record<string, unknown>;

/** Picks the item whose label contains a text. */
export const picking =
  (text: string) =>
  async (items: Item[] | Thenable<Item[]>): Promise<Item> => {
    const all = await items;
    const found = all.find(({ label }) => label.includes(text));
    if (!found) throw new Error(`"${text}" is not among ${all.map(({ label }) => label).join(", ")}`);
    return found;
  };

/** Labels of all open tabs. */
export const tabs = (): string[] =>
  vscode.window.tabGroups.all.flatMap((group) => group.tabs).map(({ label }) => label);
