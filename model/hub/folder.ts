import { basename } from 'node:path';
import { VlmoError } from '#errors.ts';
import { type PictureSpec, pictureSize, readPictureSpec, squashed } from '#pictures/picture-spec.ts';
import { type HubConfig, readHubConfig } from './config.ts';
import { readTokenRules, type TokenRules } from './hub-tokenizer.ts';
import { type HubPlace, parseHubPlace } from './place.ts';
import { openTower, type Tower } from './towers.ts';

/** A dual encoder as Hugging Face's library exports it, opened but not loaded. */
export interface HubFolder {
  readonly place: HubPlace;
  readonly config: HubConfig;
  readonly picture: PictureSpec;
  /** undefined where there is no side for texts. */
  readonly rules: TokenRules | undefined;
  readonly image: Tower | undefined;
  readonly text: Tower | undefined;
  readonly dimensions: number;
}

/** Reads what a folder says of itself. Throws MODEL_INVALID. */
export async function openHubFolder(path: string): Promise<HubFolder> {
  const place = parseHubPlace(path);
  const config = await readHubConfig(place.folder);
  const image = openTower(place, config.model_type, 'image');
  const text = openTower(place, config.model_type, 'text');
  if (!image && !text) {
    const wanted = place.dtype ? ` in ${place.dtype}` : '';
    throw invalid(place, `onnx/vision_model.onnx, onnx/text_model.onnx or onnx/model.onnx${wanted}`, 'none');
  }
  const spec = await readPictureSpec(place.folder);
  if (image && !spec) throw invalid(place, 'preprocessor_config.json', 'none');
  // Nothing decodes for a folder that takes no pictures.
  const picture = spec ?? squashed([224, 224]);
  if (image) requireFit(place, image, picture);
  const rules = text && fitRules(await readTokenRules(place.folder, config), text);
  return { place, config, picture, rules, image, text, dimensions: dimensionsOf(place, image, text) };
}

/** A fixed axis of tokens is what every text is cut and filled up to. */
function fitRules(rules: TokenRules, { input }: Tower): TokenRules {
  const [, axis] = input.dims;
  return typeof axis === 'number' ? { ...rules, maxTokens: axis } : rules;
}

function requireFit(place: HubPlace, { input, file }: Tower, picture: PictureSpec): void {
  const wanted = [picture.channels, ...pictureSize(picture)];
  const fits =
    input.dims.length === 4 &&
    wanted.every((size, i) => typeof input.dims[i + 1] === 'string' || input.dims[i + 1] === size);
  if (fits) return;
  throw invalid(
    place,
    `pictures of ${wanted.join(' x ')} as preprocessor_config.json says`,
    `${input.dims.slice(1).join(' x ')} in ${basename(file)}`,
  );
}

function dimensionsOf(place: HubPlace, image: Tower | undefined, text: Tower | undefined): number {
  const [of, other] = [image, text].map((tower) => tower?.output.dims.at(-1));
  const known = [of, other].filter((axis) => typeof axis === 'number');
  const [first] = known;
  if (first === undefined) throw invalid(place, 'vectors of a fixed length', 'a free one');
  if (known.some((size) => size !== first))
    throw invalid(place, 'vectors of one length for pictures and texts', `${of} and ${other}`);
  return first;
}

function invalid({ folder }: HubPlace, expected: string, received: string): VlmoError {
  return new VlmoError(
    'MODEL_INVALID',
    `Cannot open model "${folder}": expected ${expected}, received ${received}`,
  );
}
