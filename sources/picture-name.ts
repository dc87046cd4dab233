const DECODABLE = ['jpg', 'jpeg', 'jpe', 'jfif', 'png', 'webp', 'gif', 'tif', 'tiff', 'avif', 'svg'];
/** Pictures that cannot be decoded: items all the same, so that they are listed as failed and not lost in silence. */
const UNDECODABLE = ['bmp', 'heic', 'heif', 'jxl', 'jp2', 'ico', 'psd'];
const PICTURE_ENDINGS: ReadonlySet<string> = new Set([...DECODABLE, ...UNDECODABLE]);

/** Whether a file of that name is a picture; dot files are not. */
export function isPictureName(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot > 0 && name[0] !== '.' && PICTURE_ENDINGS.has(name.slice(dot + 1).toLowerCase());
}
