/** One loaded copy of this package: the file that it was loaded from. */
type Copy = { readonly file: string | undefined }

/** Where the copies of one process tell of themselves. Anybody can write there: it serves a message to people, and decides nothing. */
const COPIES = Symbol.for('latchkey.copies')
/** Copies that are told of. */
const MOST = 8
const LONGEST_PATH = 300

const here: Copy = { file: (import.meta.url as string | undefined)?.replace(/^file:\/\//, '') }

/** Tells the other copies of this process that this one is in use. */
export function noteCopy(): void {
  const known = knownCopies()
  if (known.includes(here) || known.length >= MOST) return
  try {
    Reflect.set(globalThis, COPIES, [...known, here])
  } catch {
    // A frozen global object has no room for it.
  }
}

/** Says which copies of the package are in use in this process; `undefined` while there is one. */
export function aboutCopies(): string | undefined {
  const known = knownCopies()
  const files = (known.includes(here) ? known : [...known, here]).map(fileOf)
  if (files.length < 2) return undefined
  const count = files.length === 2 ? 'two' : `${files.length}`
  return `${count} copies of latchkey are loaded in this process, and they do not trust each other: ${files.join(' and ')}`
}

function knownCopies(): readonly unknown[] {
  const known: unknown = Reflect.get(globalThis, COPIES)
  return Array.isArray(known) ? known.slice(0, MOST) : []
}

function fileOf(copy: unknown): string {
  try {
    const file: unknown = Reflect.get(Object(copy), 'file')
    return typeof file === 'string' ? file.slice(0, LONGEST_PATH).replace(/[^\x20-\x7e]/g, '?') : 'an unknown file'
  } catch {
    return 'an unknown file'
  }
}
