/** Strings, so that nothing inside them is taken, and what Python and JavaScript write for numbers that JSON has not. */
const NOT_FINITE = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** `JSON.parse`, with NaN and the infinities, which Python's `json` writes, as null. Throws a SyntaxError. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(text.replace(NOT_FINITE, (found) => (found.startsWith('"') ? found : 'null')));
  }
}
