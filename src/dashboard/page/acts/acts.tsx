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
  /** A successor was made, and its text was kept. */
  readonly onMade: (record: Token) => void
}

/** When the old token ends: `null` where it did, `undefined` where it is not known. */
type End = number | null | undefined

type After = { readonly what: 'made'; readonly record: Token; readonly oldEndsAt: End } | { readonly what: 'lost'; readonly record: Token }

/** The dialog of one act, and what follows from it: a rotation ends with the new token's text. */
export function Acts({ token, act, onClose, onChanged, onMade }: Props): JSX.Element {
  const [after, setAfter] = useState<After | undefined>()
  const [secret] = useState<Secret>({ text: '' })
  const made = (minted: Minted, oldEndsAt: End): void => {
    const { record } = minted
    secret.text = minted.token ?? ''
    setAfter(minted.token === undefined ? { what: 'lost', record } : { what: 'made', record, oldEndsAt })
  }
  // The successor without a text is replaced at once; the old token goes on as the first rotation left it.
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
