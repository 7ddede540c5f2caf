import { cutTokens } from '../lib/cut.js'
import { t } from '../lib/text.js'
import { say } from './toasts.js'

/** Removes secrets from what was typed or pasted into a field, including in the field itself, and tells the user. */
export function cutTyped(field: { value: string }, cut: (text: string) => string = cutTokens): string {
  const typed = field.value
  const kept = cut(typed)
  if (kept === typed) return typed
  field.value = kept
  say(t('cut.removed'))
  return kept
}
