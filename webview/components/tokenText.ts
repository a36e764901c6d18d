/** A token's text with visible white space. @param empty shown for a token without text. */
export const visibleText = (text: string, empty = "∅"): string =>
  text === "" ? empty : withBreaks(text).replaceAll(" ", "·");

/** A text on one line, with visible line breaks and tabs. */
export const withBreaks = (text: string): string => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
