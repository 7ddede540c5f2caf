/** One loaded copy of this package: the file that it was loaded from. */
type Copy = { readonly file: string | undefined }

/** Global registry of the copies in this process. Any code can write to it, so it is used only for a message to developers, never for a decision. */
const COPIES = Symbol.for('latchkey.copies')
/** The maximum number of copies to list. */
const MOST = 8
const LONGEST_PATH = 300
const ADVICE =
  'Most likely, some files use import and others require(): use only one of them for latchkey. For other reasons, see LATCHKEY_W007 in node_modules/latchkey/docs/diagnostics.md'

const here: Copy = { file: (import.meta.url as string | undefined)?.replace(/^file:\/\//, '') }

/** Registers this copy, so that other copies in this process can see it. */
export function noteCopy(): void {
  const known = knownCopies()
  if (known.includes(here) || known.length >= MOST) return
  try {
    Reflect.set(globalThis, COPIES, [...known, here])
  } catch {
    // The global object is frozen, so the copy cannot be registered.
  }
}

/** Returns a message that lists the copies of the package in this process, or `undefined` if there is only one. */
export function aboutCopies(): string | undefined {
  const known = knownCopies()
  const files = (known.includes(here) ? known : [...known, here]).map(fileOf)
  if (files.length < 2) return undefined
  const count = files.length === 2 ? 'two' : `${files.length}`
  return `${count} copies of latchkey are loaded in this process, and they do not trust each other: ${files.join(' and ')}. ${ADVICE}`
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
