import { CONSTRUCTORS, damaged, GlobalName, knownName, type PickleValue, storage } from './pickle-values.ts';

/**
 * A pickle interpreter that cannot run anything: it knows the opcodes of protocols 2 to 5 that `torch.save` writes,
 * builds tensors, dicts, lists, tuples, sets, strings and numbers, and refuses every other name
 * (https://docs.python.org/3/library/pickletools.html). Dicts become Maps, so that no key can touch a prototype.
 */

const MARK = Symbol('mark');
type Slot = PickleValue | typeof MARK;

/** The value a pickle describes. Throws CHECKPOINT_UNSAFE for a name it does not know, CHECKPOINT_INVALID for damage. */
export function unpickle(bytes: Uint8Array): PickleValue {
  return new Unpickler(bytes).load();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;
  readonly #stack: Slot[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  load(): PickleValue {
    for (;;) {
      const at = this.#position;
      const opcode = this.#take(1)[0] ?? 0;
      if (opcode === 0x2e) return this.#pop(); // STOP
      const step = OPCODES[opcode];
      if (!step) throw damaged(`a known opcode at byte ${at}`, `0x${opcode.toString(16)}`);
      step(this);
    }
  }

  push(value: Slot): void {
    this.#stack.push(value);
  }

  pop(): PickleValue {
    return this.#pop();
  }

  top(): PickleValue {
    const value = this.#pop();
    this.#stack.push(value);
    return value;
  }

  /** The values above the last mark, which goes with them. */
  popMark(): PickleValue[] {
    const mark = this.#stack.lastIndexOf(MARK);
    if (mark < 0) throw damaged('a mark on the stack', 'none');
    return this.#stack.splice(mark).slice(1) as PickleValue[]; // no mark lies above the last one
  }

  remember(key: number): void {
    this.#memo.set(key, this.top());
  }

  /** MEMOIZE numbers its entries by how many there are. */
  rememberNext(): void {
    this.remember(this.#memo.size);
  }

  recall(key: number): void {
    const value = this.#memo.get(key);
    if (value === undefined) throw damaged(`entry ${key} in the memo`, 'none');
    this.push(value);
  }

  uint(bytes: 1 | 2 | 4): number {
    const at = this.#advance(bytes);
    return bytes === 1
      ? this.#view.getUint8(at)
      : bytes === 2
        ? this.#view.getUint16(at, true)
        : this.#view.getUint32(at, true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  length64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true));
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  bytes(length: number): Uint8Array {
    return this.#take(length);
  }

  text(length: number): string {
    return Buffer.from(this.#take(length)).toString('utf8');
  }

  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#position);
    if (end < 0) throw damaged('a line', 'the end of the file');
    const line = this.text(end - this.#position);
    this.#position += 1;
    return line;
  }

  #take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  #advance(length: number): number {
    const at = this.#position;
    if (!(length >= 0) || at + length > this.#bytes.length)
      throw damaged(`${length} more bytes at byte ${at}`, 'the end of the file');
    this.#position += length;
    return at;
  }

  #pop(): PickleValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw damaged('a value on the stack', 'none');
    return value;
  }
}

const OPCODES: Readonly<Record<number, (p: Unpickler) => void>> = {
  128: (p) => void p.uint(1), // PROTO
  149: (p) => void p.length64(), // FRAME
  40: (p) => p.push(MARK),
  78: (p) => p.push(null), // NONE
  136: (p) => p.push(true),
  137: (p) => p.push(false),
  75: (p) => p.push(p.uint(1)), // BININT1
  77: (p) => p.push(p.uint(2)), // BININT2
  74: (p) => p.push(p.int32()), // BININT
  138: (p) => p.push(long(p.bytes(p.uint(1)))), // LONG1
  71: (p) => p.push(p.double()), // BINFLOAT
  88: (p) => p.push(p.text(p.uint(4))), // BINUNICODE
  140: (p) => p.push(p.text(p.uint(1))), // SHORT_BINUNICODE
  141: (p) => p.push(p.text(p.length64())), // BINUNICODE8
  67: (p) => p.push(p.bytes(p.uint(1))), // SHORT_BINBYTES
  66: (p) => p.push(p.bytes(p.uint(4))), // BINBYTES
  93: (p) => p.push([]), // EMPTY_LIST
  143: (p) => p.push([]), // EMPTY_SET: a list is all that is needed of it
  125: (p) => p.push(new Map()), // EMPTY_DICT
  41: (p) => p.push([]), // EMPTY_TUPLE
  116: (p) => p.push(p.popMark()), // TUPLE
  108: (p) => p.push(p.popMark()), // LIST
  133: (p) => p.push([p.pop()]), // TUPLE1
  134: (p) => p.push(lastOf(p, 2)),
  135: (p) => p.push(lastOf(p, 3)),
  97: (p) => append(p, [p.pop()]), // APPEND
  101: (p) => append(p, p.popMark()), // APPENDS
  144: (p) => append(p, p.popMark()), // ADDITEMS
  115: (p) => setItems(p, lastOf(p, 2)), // SETITEM
  117: (p) => setItems(p, p.popMark()), // SETITEMS
  113: (p) => p.remember(p.uint(1)), // BINPUT
  114: (p) => p.remember(p.uint(4)), // LONG_BINPUT
  148: (p) => p.rememberNext(), // MEMOIZE
  104: (p) => p.recall(p.uint(1)), // BINGET
  106: (p) => p.recall(p.uint(4)), // LONG_BINGET
  48: (p) => void p.pop(), // POP
  99: (p) => p.push(knownName(`${p.line()}.${p.line()}`)), // GLOBAL
  147: (p) => p.push(stackGlobal(p)), // STACK_GLOBAL
  81: (p) => p.push(storage(p.pop())), // BINPERSID
  82: (p) => p.push(reduce(p)), // REDUCE
  98: (p) => void p.pop(), // BUILD: attributes of a dict (state dicts carry `_metadata`) are not data
};

function stackGlobal(p: Unpickler): GlobalName {
  const [module, member] = lastOf(p, 2);
  if (typeof module !== 'string' || typeof member !== 'string')
    throw damaged('a module and a member', 'something else');
  return knownName(`${module}.${member}`);
}

function reduce(p: Unpickler): PickleValue {
  const [callee, args] = lastOf(p, 2);
  const construct = callee instanceof GlobalName ? CONSTRUCTORS[callee.name] : undefined;
  const value = construct && Array.isArray(args) ? construct(args) : undefined;
  if (value === undefined)
    throw damaged(
      'a call of a known constructor',
      callee instanceof GlobalName ? callee.name : typeof callee,
    );
  return value;
}

function lastOf(p: Unpickler, count: number): PickleValue[] {
  return Array.from({ length: count }, () => p.pop()).reverse();
}

function append(p: Unpickler, values: readonly PickleValue[]): void {
  const list = p.top();
  if (!Array.isArray(list)) throw damaged('a list to append to', typeof list);
  for (const value of values) list.push(value);
}

function setItems(p: Unpickler, items: readonly PickleValue[]): void {
  const dict = p.top();
  if (!(dict instanceof Map) || items.length % 2 !== 0)
    throw damaged('a dict and pairs of keys and values', typeof dict);
  for (let i = 0; i < items.length; i += 2) dict.set(items[i] ?? null, items[i + 1] ?? null);
}

/** A little-endian two's complement integer; small ones as numbers. */
function long(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (const byte of bytes.toReversed()) value = (value << 8n) | BigInt(byte);
  if ((bytes.at(-1) ?? 0) >= 0x80) value -= 1n << BigInt(8 * bytes.length);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
