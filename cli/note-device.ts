import { type Device, type DeviceName, describeDevice } from '#devices/device.ts';
import { note } from './output.ts';

/** Says on stderr what `auto` chose, and why; who named a device knows. */
export function noteDevice(asked: DeviceName, device: Device): void {
  if (asked === 'auto') note(`Device: ${describeDevice(device)}`);
}
