import { cutTokens } from '../lib/cut.js'
import { t } from '../lib/text.js'
import { say } from './toasts.js'

/** What was typed or pasted into a field, without the secrets in it; the field shows no more than that, and people are told. */
export function cutTyped(field: { value: string }, cut: (text: string) => string = cutTokens): string {
  const typed = field.value
  const kept = cut(typed)
  if (kept === typed) return typed
  field.value = kept
  say(t('cut.removed'))
  return kept
}
