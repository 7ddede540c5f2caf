import type { Latchkey } from '../../instance.js'
import { isTokenId } from '../../token/parse.js'
import { CommandError, EXIT } from './fault.js'
import { findInternals } from './internals.js'
import { type Streams, say } from './output.js'

/** A token of any prefix, possibly truncated: its ID, and part of its secret. */
const TOKEN = /(?:^|_)([0-9A-Za-z]{16})_[0-9A-Za-z]+\s*$/

const NO_ID = 'the ID must be 16 letters and digits, as `latchkey list` shows it'
const IN_HISTORY = 'may now be in your shell history: rotate it'

/** Reads the ID from an argument. A pasted token, including one in an imported format, is replaced by its ID and never repeated in messages. */
export async function readId(streams: Streams, tokens: Latchkey, text: string): Promise<string> {
  const formats = fitting(tokens, text)
  const imported = formats.length === 0 ? undefined : await findInternals(tokens)?.identify(text.trim())
  if (imported === undefined && isTokenId(text)) return text
  // Part of a token in another format may look like an ID of ours.
  const id = imported?.id ?? (formats.length === 0 ? TOKEN.exec(text)?.[1] : undefined)
  if (id === undefined) throw new CommandError(EXIT.usage, formats.length === 0 ? notOurs(tokens, text) : notImported(formats))
  await say(streams, `latchkey: a whole token was passed where its ID, ${id}, is enough. It ${IN_HISTORY}`)
  return id
}

const FROM_ELSEWHERE = "An imported token's ID is shown by `latchkey list --imported`"

/** People copy the hint, which is the first thing that a list or a page shows of a token. */
function notOurs({ prefix }: Latchkey, text: string): string {
  const isHint = text.startsWith(`${prefix}_`) && /^[0-9A-Za-z]{4}(?:…|\.\.\.)?$/.test(text.slice(prefix.length + 1))
  return `${NO_ID}. ${isHint ? 'This is a hint, which several tokens may share' : FROM_ELSEWHERE}`
}

function notImported(formats: readonly string[]): string {
  const fit = `this fits the imported format ${formats.join(' or ')}, and no imported token that is still accepted matches it`
  return `${NO_ID}, but ${fit}. If it is a token, it ${IN_HISTORY}`
}

/** Returns the names of the imported formats that a string fits. */
function fitting(tokens: Latchkey, text: string): readonly string[] {
  const formats = findInternals(tokens)?.settings.imports?.formats ?? []
  return formats.filter(({ read }) => fits(read, text.trim())).map(({ name }) => name)
}

function fits(read: (credential: string) => unknown, text: string): boolean {
  try {
    return read(text) !== undefined
  } catch {
    // Applications write some of these functions.
    return false
  }
}
