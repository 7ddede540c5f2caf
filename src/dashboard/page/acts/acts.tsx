import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Edit } from '../form/edit.js'
import { call } from '../lib/api.js'
import { standingOf } from '../lib/status.js'
import type { Minted, Token } from '../lib/types.js'
import { Lost } from './lost.js'
import { Reveal, type Secret } from './reveal.js'
import { Revoke } from './revoke.js'
import { Rotate } from './rotate.js'

/** Actions that open a dialog about one token. */
export type Act = 'edit' | 'rotate' | 'revoke'

type Props = {
  readonly token: Token
  readonly act: Act
  readonly onClose: () => void
  readonly onChanged: () => void
  /** A successor was created, and the user has stored its token. */
  readonly onMade: (record: Token) => void
}

/** When the old token ends: `null` if it has ended, `undefined` if that is unknown. */
type End = number | null | undefined

type After = { readonly what: 'made'; readonly record: Token; readonly oldEndsAt: End } | { readonly what: 'lost'; readonly record: Token }

/** The dialog of an action and its last step: a rotation ends by showing the new token. */
export function Acts({ token, act, onClose, onChanged, onMade }: Props): JSX.Element {
  const [after, setAfter] = useState<After | undefined>()
  const [secret] = useState<Secret>({ text: '' })
  const made = (minted: Minted, oldEndsAt: End): void => {
    const { record } = minted
    secret.text = minted.token ?? ''
    setAfter(minted.token === undefined ? { what: 'lost', record } : { what: 'made', record, oldEndsAt })
  }
  // Rotates the successor whose token was lost. The first rotation decides when the old token ends.
  const remade = (minted: Minted): void => {
    made(minted, undefined)
    const tell = (old: Token): void => setAfter((before) => (before?.what === 'made' ? { ...before, oldEndsAt: endOf(old) } : before))
    call<Token>('GET', token.id).then(tell, () => undefined)
  }
  if (after?.what === 'made')
    return <Reveal key="made" secret={secret} name={after.record.name} oldEndsAt={after.oldEndsAt} onDone={() => onMade(after.record)} />
  if (after?.what === 'lost') return <Lost key="lost" record={after.record} onClose={() => onMade(after.record)} onMade={remade} />
  if (act === 'edit') return <Edit token={token} onClose={onClose} onSaved={onChanged} />
  if (act === 'rotate') return <Rotate token={token} onClose={onClose} onChanged={onChanged} onMade={made} />
  return <Revoke token={token} onClose={onClose} onDone={onChanged} />
}

function endOf(old: Token): End {
  if (standingOf(old) === 'revoked' || standingOf(old) === 'expired') return null
  return old.expiresAt === undefined ? undefined : Date.parse(old.expiresAt)
}
