import { strict as assert } from "node:assert";
import * as vscode from "vscode";
import { api, extension, file, until } from "./support.ts";

describe("the extension", () => {
  it("is active in a workspace with an experiment file before any of its commands is used", async () => {
    await until("active", () => extension().isActive);
  });

  it("declares the commands that it registers, and no others", async () => {
    await api();
    const registered = (await vscode.commands.getCommands(true)).filter((name) => /^btx\.[A-Za-z]+$/.test(name));
    const { commands, views } = extension().packageJSON.contributes;
    const declared: string[] = commands.map(({ command }: { command: string }) => command);
    assert.deepEqual(
      declared.filter((name) => !registered.includes(name)),
      [],
    );
    assert.ok(views.btx.length > 0);
  });

  it("gives *.btx.yaml files its own language, and leaves other YAML files alone", async () => {
    const experiment = await vscode.workspace.openTextDocument(file("quick/tiny.btx.yaml"));
    assert.equal(experiment.languageId, "btx");
    await vscode.workspace.fs.writeFile(file("plain.yaml"), new TextEncoder().encode("a: 1\n"));
    assert.equal((await vscode.workspace.openTextDocument(file("plain.yaml"))).languageId, "yaml");
  });

  it("knows the experiment files of the workspace, including files created and removed later", async () => {
    const { experiments } = await api();
    const known = (path: string) => experiments.files.some((uri) => uri.path === file(path).path);
    await until("the files are known", () => known("quick/tiny.btx.yaml") && known("broken/broken.btx.yaml"));
    await vscode.workspace.fs.writeFile(file("later.btx.yaml"), new TextEncoder().encode("name: later\n"));
    await until("the new file is known", () => known("later.btx.yaml"));
    await vscode.workspace.fs.delete(file("later.btx.yaml"));
    await until("the removed file is forgotten", () => !known("later.btx.yaml"));
  });

  it("marks a mistake at its place while the user types, and removes the mark", async () => {
    const document = await vscode.workspace.openTextDocument(file("broken/broken.btx.yaml"));
    const marks = () => vscode.languages.getDiagnostics(document.uri);
    const [mark] = await until("a mark", () => (marks().length > 0 ? marks() : undefined));
    const line = document
      .getText()
      .split("\n")
      .findIndex((text) => text.startsWith("mix:"));
    assert.equal(mark!.range.start.line, line);
    assert.equal(document.getText(mark!.range), "0");
    assert.equal(mark!.severity, vscode.DiagnosticSeverity.Error);
    const mended = new vscode.WorkspaceEdit();
    mended.replace(document.uri, mark!.range, "2");
    await vscode.workspace.applyEdit(mended);
    await until("no mark at k", () => marks().every(({ range }) => range.start.line !== line));
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand("workbench.action.files.revert");
  });
});
