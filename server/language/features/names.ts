import type { Location, LocationLink, Position, Range, WorkspaceEdit } from "vscode-languageserver";
import { domainNamePattern, reservedNames } from "../../experiment/schema/domains.ts";
import { UserError } from "../../protocol/errors.ts";
import { type DomainName, definedDomains, domainNameAt, domainNames } from "../domains.ts";
import type { Snapshot } from "../snapshot.ts";
import { yamlText } from "../yamlText.ts";

/** Where the domain at a position is defined. */
export function definition(snapshot: Snapshot, position: Position): LocationLink[] {
  const here = domainNameAt(snapshot.syntax, snapshot.offset(position));
  return domainNames(snapshot.syntax)
    .filter(({ name, role }) => role === "definition" && name === here?.name)
    .map(({ token, entry }) => ({
      targetUri: snapshot.uri,
      targetRange: snapshot.range(entry.span),
      targetSelectionRange: snapshot.range(token.inner),
      originSelectionRange: snapshot.range(here!.token.inner),
    }));
}

/** Every place that names the domain at a position. */
export function references(snapshot: Snapshot, position: Position, withDefinition: boolean): Location[] {
  return sameDomain(snapshot, position)
    .filter(({ role }) => withDefinition || role !== "definition")
    .map(({ token }) => ({ uri: snapshot.uri, range: snapshot.range(token.inner) }));
}

const sameDomain = (snapshot: Snapshot, position: Position): DomainName[] => {
  const here = domainNameAt(snapshot.syntax, snapshot.offset(position));
  return here ? domainNames(snapshot.syntax).filter(({ name }) => name === here.name) : [];
};

/** What a rename at a position would change. @throws UserError if there is no domain */
export function prepareRename(snapshot: Snapshot, position: Position): { range: Range; placeholder: string } {
  const here = domainNameAt(snapshot.syntax, snapshot.offset(position));
  if (!here) throw new UserError("only domains can be renamed: put the cursor on the name of a domain");
  return { range: snapshot.range(here.token.inner), placeholder: here.name };
}

/**
 * Renames the domain at a position everywhere in the file; keeps quotes and comments.
 * @throws UserError if the name is not allowed or another domain has it
 */
export function rename(snapshot: Snapshot, position: Position, name: string): WorkspaceEdit {
  const { placeholder } = prepareRename(snapshot, position);
  if (!domainNamePattern.test(name) || name.length > 64)
    throw new UserError(
      `"${name}" cannot be the name of a domain: use at most 64 letters, digits, _ and -, starting with a letter`,
    );
  if (reservedNames.includes(name)) throw new UserError(`"${name}" cannot be the name of a domain: it is reserved`);
  if (name !== placeholder && definedDomains(snapshot.syntax).includes(name))
    throw new UserError(`there is already a domain "${name}": choose another name`);
  const edits = sameDomain(snapshot, position).map(({ token, role }) => ({
    range: snapshot.range(token.inner),
    newText: token.quote || role === "frozen" ? name : yamlText(name, true),
  }));
  return { changes: { [snapshot.uri]: edits } };
}
