import { type Diagnostic, DiagnosticSeverity } from "vscode-languageserver";
import * as z from "zod";
import type { Problem, Severity } from "../../experiment/problem.ts";
import type { Snapshot } from "../snapshot.ts";

/** Data of a diagnostic for its quick fixes. */
export const problemDataSchema = z.object({
  path: z.array(z.union([z.string(), z.number()])),
  suggestion: z.string().optional(),
});
export type ProblemData = z.infer<typeof problemDataSchema>;

export const diagnosticSource = "btx";

const severities: Readonly<Record<Severity, DiagnosticSeverity>> = {
  error: DiagnosticSeverity.Error,
  warning: DiagnosticSeverity.Warning,
  information: DiagnosticSeverity.Information,
};

/** Problems as the editor shows them. */
export function diagnosticsOf(snapshot: Snapshot, problems: readonly Problem[]): Diagnostic[] {
  return problems.map((problem) => {
    const { message, path, suggestion, severity } = problem;
    const data: ProblemData = { path: [...path], ...(suggestion === undefined ? {} : { suggestion }) };
    return {
      range: snapshot.range(snapshot.spanOf(problem)),
      severity: severities[severity],
      source: diagnosticSource,
      message,
      data,
    };
  });
}
