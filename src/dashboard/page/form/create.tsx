import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Reveal, type Secret } from '../acts/reveal.js'
import { call, newKey } from '../lib/api.js'
import { useTask } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Minted, World } from '../lib/types.js'
import { Button } from '../ui/bits.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemLine } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { check, createBody, newDraft } from './draft.js'
import { TokenForm } from './form.js'
import { Overview } from './overview.js'

type Props = { readonly world: World; readonly onClose: () => void; readonly onMade: () => void }

/** Makes a token: form, summary, and the text that is shown once. */
export function Create({ world, onClose, onMade }: Props): JSX.Element {
  const [draft, setDraft] = useState(() => newDraft(world.me, world.scopes.limits))
  const [step, setStep] = useState<'form' | 'review' | 'made'>('form')
  const [tried, setTried] = useState(false)
  const [secret] = useState<Secret>({ text: '' })
  // One key for each wording: a repeated click makes one token, a corrected form is a new request.
  const [key, setKey] = useState(newKey)
  const { busy, problem, run, clear } = useTask()
  const found = Object.fromEntries(Object.entries(check(draft)).map(([field, why]) => [field, t(why)]))
  const errors = { ...problem?.fields, ...(tried ? found : {}) }

  const review = (): void => {
    clear()
    setTried(true)
    if (Object.keys(found).length === 0) setStep('review')
    else focusWrong()
  }
  const create = (): Promise<void> =>
    run(async () => {
      const minted = await call<Minted>('POST', '.', { body: createBody(draft), key })
      onMade()
      if (minted.token === undefined) {
        say(t('form.replayed'))
        onClose()
      } else {
        secret.text = minted.token
        setStep('made')
      }
    })

  if (step === 'made') return <Reveal key="made" secret={secret} name={draft.name} onDone={onClose} />
  const failed = problem !== undefined && !problem.transient
  if (step === 'review' && !failed) {
    return (
      <Dialog
        key="review"
        title={t('form.review')}
        size="large"
        onClose={onClose}
        onSubmit={() => void create()}
        footer={
          <>
            <Button icon="back" onClick={() => setStep('form')}>
              {t('action.change')}
            </Button>
            <Button kind="primary" submit busy={busy}>
              {t('action.create')}
            </Button>
          </>
        }
      >
        <Overview draft={draft} scopes={world.scopes} />
        <ProblemLine problem={problem} />
      </Dialog>
    )
  }
  return (
    <Dialog
      key="form"
      title={t('form.create')}
      size="large"
      onClose={onClose}
      onSubmit={review}
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="primary" submit>
            {t('action.review')}
          </Button>
        </>
      }
    >
      <ProblemLine problem={problem} />
      <TokenForm
        world={world}
        draft={draft}
        errors={errors}
        onChange={(next) => {
          setDraft(next)
          setKey(newKey())
          setStep('form')
          if (problem) clear()
        }}
      />
    </Dialog>
  )
}

/** Leads to the first field that is wrong. */
export function focusWrong(): void {
  setTimeout(() => document.querySelector<HTMLElement>('dialog[open] [aria-invalid="true"]')?.focus())
}
