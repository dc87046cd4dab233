import { hash } from 'node:crypto';
import { toWellFormed } from '#well-formed.ts';
import type { ItemKind } from './records.ts';

const KEY_LENGTH = 22;

/** The source of items that no source gave: those of jobs that other programs wrote, and of runs nobody knows any more. */
export const DEFAULT_SOURCE = 'default';

/**
 * What the index knows an item by: 22 characters made of where it came from, what it is and its id there. Two folders with
 * the same names in them are two sources, so all their items have keys of their own.
 */
export function itemKey(source: string, kind: ItemKind | 'broken', id: string): string {
  return hash('sha256', `${toWellFormed(source)}\0${kind}\0${toWellFormed(id)}`, 'base64url').slice(
    0,
    KEY_LENGTH,
  );
}

/** The key of the picture that a caption describes; null for a caption without one. */
export function pictureKey({
  imageSource,
  imageId,
}: {
  readonly imageSource: string | null;
  readonly imageId: string | null;
}): string | null {
  return imageSource === null || imageId === null ? null : itemKey(imageSource, 'image', imageId);
}

/** Where an item is found by a person. */
export interface ItemPlace {
  readonly id: string;
  readonly source: string;
}

/** The order of items whose scores are equal: by id, then by source. */
export function byPlace(a: ItemPlace, b: ItemPlace): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  return a.source < b.source ? -1 : a.source > b.source ? 1 : 0;
}

/** Id and source in one text; two of them compare as `byPlace` does. */
export function toPlaceText({ id, source }: ItemPlace): string {
  // A NUL inside an id must not look like its end, and has to come before every other character.
  return `${id.replaceAll('\0', '\0\u0001')}${END}${source}`;
}

/** What `toPlaceText` was given. */
export function parsePlaceText(text: string): ItemPlace {
  const end = text.indexOf(END);
  return { id: text.slice(0, end).replaceAll('\0\u0001', '\0'), source: text.slice(end + END.length) };
}

const END = '\0\0';
