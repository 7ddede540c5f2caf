import { cutTokens, isId, isRandom } from '../lib/cut.js'
import { t } from '../lib/text.js'
import { say } from './toasts.js'

type Field = {
  value: string
  readonly selectionStart: number | null
  readonly setSelectionRange: (start: number, end: number) => void
}

/** The text before and after a secret that was removed, and when its last character was entered. */
type Removed = { readonly head: string; readonly tail: string; readonly at: number }

/** A secret may arrive in pieces: typed by a password manager, or pasted in parts. */
const removed = new WeakMap<Field, Removed>()
/** The rest of a secret after its ID. */
const REST = /^[0-9A-Za-z]+/
/** Characters that continue a secret that was removed completely. */
const NEXT = /^[!#-+\--~]+$/
/** The maximum time until the next character of a secret is typed. A later one is not part of the secret, but a pasted piece is recognized at any time. */
const SOON_MS = 1000

/** Removes secrets from text that was typed or pasted into a field, including in the field itself, and tells the user. */
export function cutTyped(field: Field, cut: (text: string) => string = cutTokens): string {
  const typed = field.value
  const tail = typed.slice(field.selectionStart ?? typed.length)
  const text = withoutRest(field, typed)
  const kept = cut(text)
  if (kept === typed) return typed
  const end = kept.endsWith(tail) ? kept.length - tail.length : kept.length
  if (kept !== text) {
    const upTo = text.slice(0, text.length - tail.length)
    // Whether the secret ends at the caret: then one more character would be part of it.
    if (cut(upTo) !== upTo && cut(`${upTo}0`) === cut(upTo))
      removed.set(field, { head: kept.slice(0, end), tail: kept.slice(end), at: Date.now() })
    say(t('cut.removed'))
  }
  field.value = kept
  // Setting the value moves the caret to the end, where the rest of the secret would no longer follow its ID.
  if (field.selectionStart !== null) field.setSelectionRange(end, end)
  return kept
}

/** Drops characters that continue a removed secret. Stops at the first character that cannot be part of the secret, or once the surrounding text changes. */
function withoutRest(field: Field, typed: string): string {
  const last = removed.get(field)
  if (last === undefined) return typed
  const { head, tail, at } = last
  removed.delete(field)
  if (typed.length < head.length + tail.length || !typed.startsWith(head) || !typed.endsWith(tail)) return typed
  const added = typed.slice(head.length, typed.length - tail.length)
  const afterId = isId(head.slice(-16))
  if (!afterId && Date.now() - at > SOON_MS && !isRandom(added)) return typed
  const more = added.replace(afterId ? REST : NEXT, '')
  if (more === '') removed.set(field, { head, tail, at: Date.now() })
  return head + more + tail
}
