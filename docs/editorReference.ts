/** The page `editor.md`: commands, settings and tasks of the extension, from its manifest. */

interface Command {
  command: string;
  title: string;
}

interface Setting {
  order?: number;
  type: string | string[];
  default: unknown;
  markdownDescription: string;
  enum?: string[];
  enumDescriptions?: string[];
}

interface TaskKey {
  type: string;
  description: string;
}

export interface Manifest {
  contributes: {
    commands: Command[];
    menus: { commandPalette: { command: string; when: string }[] };
    configuration: { title: string; properties: Record<string, Setting> }[];
    taskDefinitions: { type: string; required: string[]; properties: Record<string, TaskKey> }[];
    problemMatchers: { name: string; label: string }[];
  };
}

/** What each command does, by id; the manifest has titles only. A test requires a sentence for every command. */
export const commandNotes: Readonly<Record<string, string>> = {
  "btx.newExperiment":
    "Writes an experiment file from a template (minimal; as in the paper, with baselines; router ablation), with folders of the workspace as domains, and opens it.",
  "btx.createDemo":
    "Writes the demo experiment and its texts into the folder `btx-demo`. Its run takes about a minute.",
  "btx.run": "Runs the experiment file in the editor. Same as `btx run FILE`.",
  "btx.runStage":
    "Runs one stage, all experts or all baselines, and the stages they need. Same as `btx run FILE --stage NAME`.",
  "btx.stop": "Stops a run at its next checkpoint. Same as `btx stop`.",
  "btx.resume": "Resumes a run that was stopped, failed or was interrupted. Same as `btx resume`.",
  "btx.rerun":
    "After showing what will be lost, removes a stage and the stages that depend on it, and resumes the run, which runs them again.",
  "btx.fork":
    "Copies the experiment of a run, with one of its dense models as the seed, to a new file next to it, and opens the copy.",
  "btx.compare": "Compares the models of several runs. Same as `btx compare RUN...`.",
  "btx.openMetrics": "Shows the training curves of a run live.",
  "btx.openRouting":
    "Shows which expert every layer of a run's mixed models sends the tokens of each domain to: by layer and expert, over training, from layer to layer, and as the difference between two models or steps.",
  "btx.openExpert":
    "Shows one expert of a mixed model: what it was made from, which tokens go to it, which experts are chosen with it, how far its weights have moved, and the loss without it.",
  "btx.openTokens":
    "Shows which experts each token of a text goes to in every layer, with the gates. Starts with the selected text; you can type another.",
  "btx.openReport": "Opens the report of a run, written when it ends.",
  "btx.showLog":
    "Shows the log of the extension and its backend, or, on a row of the tree, the log of the run or stage.",
  "btx.showRunning": "Lists the running stages and reveals the chosen one in the tree.",
  "btx.sample":
    "Continues the selected text, or a prompt that you enter, with a model of a run, each token coloured by its expert. Enter keeps the last options. Same as `btx sample`. Cancelling stops it at once.",
  "btx.routeSelection":
    "Colours each token of the selected text, or of the whole file, by the first expert that a mixed model sends it to. You pick the model once; colours follow edits. A hover shows the gates of every layer.",
  "btx.routeLayer":
    "Chooses the layer whose experts colour the text, all layers, or another model, and lists the experts with colours and shares.",
  "btx.clearRouting": "Removes expert colours from all texts.",
  "btx.exportModel": "Copies a model, in the Hugging Face format, into a new folder.",
  "btx.exportReport": "Copies the report of a run to a file.",
  "btx.revealFolder": "Shows the folder of a run, stage or checkpoint.",
  "btx.verifyRun":
    "Reads all files of a run and compares them with what was written, with progress. Same as `btx verify`. Cancelling stops it at once.",
  "btx.deleteRun":
    "After showing what will be lost, deletes a run and, if you want, the stages that no other run uses.",
  "btx.selectDevice":
    "Chooses the device of an experiment among those that `btx devices` lists: sets the keys `engine` and `devices`, or removes them.",
  "btx.installEngine":
    "Installs an engine that is not part of BTX, such as ONNX Runtime for NVIDIA GPUs, and shows progress. Same as `btx engines install ENGINE`. If cancelled, nothing is installed.",
  "btx.cleanStages": "Lists stages that no run uses and removes the checked ones. Same as `btx clean`.",
};

/** Commands of rows and buttons, which the palette hides. */
const hidden = ({ contributes }: Manifest): Set<string> =>
  new Set(contributes.menus.commandPalette.filter(({ when }) => when === "false").map(({ command }) => command));

/** The commands in the palette, in the order of the manifest. */
export function paletteCommands(manifest: Manifest): Command[] {
  const left = hidden(manifest);
  return manifest.contributes.commands.filter(({ command }) => !left.has(command));
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const row = (...cells: string[]): string => `| ${cells.map(cell).join(" | ")} |\n`;
const table = (heads: string[], rows: string[][]): string =>
  row(...heads) + row(...heads.map(() => "---")) + rows.map((cells) => row(...cells)).join("");

function settingRow([name, setting]: [string, Setting]): string[] {
  const values = setting.enum?.map((value, index) => `\`${value}\`: ${setting.enumDescriptions?.[index] ?? ""}`) ?? [];
  const type = [setting.type].flat().filter((one) => one !== "null");
  const given = setting.default === null ? "none" : `\`${JSON.stringify(setting.default)}\``;
  return [`\`${name}\``, type.join(" or "), given, [setting.markdownDescription, ...values].join(" ")];
}

export function editorReference(manifest: Manifest): string {
  const { configuration, taskDefinitions, problemMatchers } = manifest.contributes;
  const commands = paletteCommands(manifest).map(({ command, title }) => [
    title,
    `\`${command}\``,
    commandNotes[command] ?? "",
  ]);
  const settings = configuration.flatMap(({ title, properties }) => [
    `### ${title}\n\n`,
    table(["setting", "type", "default", "meaning"], Object.entries(properties).map(settingRow)),
    "\n",
  ]);
  const tasks = taskDefinitions.map(({ type, required, properties }) => {
    const rows = Object.entries(properties).map(([key, { type: kind, description }]) => [
      `\`${key}\``,
      kind,
      required.includes(key) ? "yes" : "no",
      description,
    ]);
    return `Tasks have the type \`${type}\`:\n\n${table(["key", "type", "required", "meaning"], rows)}\n`;
  });
  const matchers = problemMatchers.map(({ name, label }) => [`\`$${name}\``, label]);
  return `# The editor: commands, settings, tasks

<!-- Generated by docs/generate.ts from package.json. Do not edit. -->

## Commands

All commands are in the command palette under "BTX Studio". Commands that start a program, run a model, copy one or remove something need a trusted workspace.

${table(["command", "id", "what it does"], commands)}
## Settings

${settings.join("")}## Tasks

A task shows the output of its run. Ctrl-C in the task's terminal stops the run at its next checkpoint; closing the terminal leaves it running.

${tasks.join("\n")}
\`\`\`json
{ "version": "2.0.0", "tasks": [{ "label": "demo", "type": "btx", "file": "btx-demo/demo.btx.yaml", "problemMatcher": "$btx" }] }
\`\`\`

${table(["problem matcher", "what it finds"], matchers)}`;
}
