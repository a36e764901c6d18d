/** A token's text with white space made visible. @param empty stands for a token without text. */
export const visibleText = (text: string, empty = "∅"): string =>
  text === "" ? empty : withBreaks(text).replaceAll(" ", "·");

/** A text on one line: line breaks and tabs are made visible. */
export const withBreaks = (text: string): string => text.replaceAll("\n", "⏎").replaceAll("\t", "⇥");
