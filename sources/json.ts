/**
 * Reads JSON as Python and databases write it: NaN and Infinity, which JSON does not have, are null, and an integer that a
 * double is too coarse for is the text of its digits. Throws SyntaxError for what is no JSON beside that.
 */
export function parseJson(text: string): unknown {
  if (!UNUSUAL.test(text)) return JSON.parse(text);
  const plain = text.replace(TOKENS, (token) => {
    if (token.startsWith('"')) return token;
    if (/[NI]/.test(token)) return 'null';
    return /[.eE]/.test(token) || Number.isSafeInteger(Number(token)) ? token : `"${token}"`;
  });
  return JSON.parse(plain);
}

const UNUSUAL = /\d{16}|NaN|Infinity/;
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
