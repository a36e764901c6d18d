import type { Freeze, FreezeItem } from "../protocol/stage.ts";
import type { ParameterDeclaration } from "./declaration.ts";

/** "code" stands for the expert `code` and, if experts were split, its parts `code.1`, `code.2`, ... */
const isExpert = (name: string, expert: string): boolean =>
  name === expert || (name.startsWith(`${expert}.`) && /^\d+$/.test(name.slice(expert.length + 1)));

function isNamed(
  { group, expert }: Pick<ParameterDeclaration, "group" | "expert">,
  items: readonly FreezeItem[],
): boolean {
  return items.some((item) =>
    item.startsWith("expert:")
      ? expert !== undefined && isExpert(expert, item.slice("expert:".length))
      : item === group,
  );
}

/** Whether `freeze` leaves this parameter untrained. */
export function isFrozen(
  parameter: Pick<ParameterDeclaration, "group" | "expert">,
  freeze: Freeze | undefined,
): boolean {
  if (freeze === undefined) return false;
  return "allBut" in freeze ? !isNamed(parameter, freeze.allBut) : isNamed(parameter, freeze);
}

/** The parameters that the optimizer updates: all except frozen ones and those updated by a rule. */
export const trained = (parameters: readonly ParameterDeclaration[], freeze?: Freeze): ParameterDeclaration[] =>
  parameters.filter((parameter) => parameter.follows === "gradient" && !isFrozen(parameter, freeze));
