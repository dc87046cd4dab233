/**
 * UTF-8 cannot hold a lone surrogate, and JSON manifests can carry one in an id. Each becomes U+FDD0, a code point that
 * Unicode keeps out of texts, and its four hex digits, so that every text comes back as it went in and two ids never meet.
 */
export function toWellFormed(text: string): string {
  if (text.isWellFormed() && !text.includes(MARK)) return text;
  return text.replace(/\p{Surrogate}|\uFDD0/gu, (character) => MARK + character.charCodeAt(0).toString(16));
}

/** The text that `toWellFormed` was given. */
export function fromWellFormed(stored: string): string {
  if (!stored.includes(MARK)) return stored;
  return stored.replace(/\uFDD0([0-9a-f]{4})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
}

const MARK = '\uFDD0';
