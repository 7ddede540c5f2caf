import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Lost } from '../acts/lost.js'
import { Reveal, type Secret } from '../acts/reveal.js'
import { makeOnce } from '../lib/api.js'
import { useMaybe, useTask } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Minted, Token } from '../lib/types.js'
import type { Place } from '../lib/url.js'
import { useWorld } from '../lib/world.js'
import { Banner } from '../ui/banner.js'
import { Button } from '../ui/button.js'
import { Dialog } from '../ui/dialog.js'
import { focusWrong } from '../ui/focus.js'
import { useGuardedClose, useHeldClose } from '../ui/leave.js'
import { fieldErrors, Maybe, ProblemLine } from '../ui/problem.js'
import { check, createBody, isChanged, newDraft } from './draft.js'
import { TokenForm } from './form.js'
import { Brief, Overview } from './overview.js'
import { isWished, notGrantable, wish } from './wishes.js'

/** `wishes`: the values that the URL fills in. */
type Props = { readonly wishes: Place; readonly onClose: () => void; readonly onMade: () => void }
type Step =
  | { readonly at: 'form' | 'review' }
  | { readonly at: 'made'; readonly name: string; readonly oldEndsAt?: null }
  | { readonly at: 'lost'; readonly record: Token; readonly earlier: boolean }

/** Creates a token: the form, the summary, and the token, which is shown once. */
export function Create({ wishes, onClose, onMade }: Props): JSX.Element {
  const { me, scopes } = useWorld()
  const [before] = useState(() => wish(newDraft(me, scopes.expiry), wishes, me, scopes.expiry))
  const [draft, setDraft] = useState(before)
  const [step, setStep] = useState<Step>({ at: 'form' })
  const [tried, setTried] = useState(false)
  const [secret] = useState<Secret>({ text: '' })
  const [make] = useState(() => makeOnce<Minted>())
  const { busy, problem, run, clear } = useTask()
  const writing = step.at === 'form' || step.at === 'review'
  const leave = useMaybe(problem, onMade, onClose)
  const close = useHeldClose(busy, useGuardedClose(writing && isChanged(draft, before), leave))
  const found = check(draft)
  const errors = { ...fieldErrors(problem), ...(tried ? found : {}) }

  const review = (): void => {
    clear()
    setTried(true)
    if (Object.keys(found).length === 0) setStep({ at: 'review' })
    else focusWrong()
  }
  const made = (minted: Minted, oldEndsAt?: null): void => {
    onMade()
    secret.text = minted.token ?? ''
    const { record, earlier = false } = minted
    if (minted.token === undefined) setStep({ at: 'lost', record, earlier })
    else setStep({ at: 'made', name: record.name, ...(oldEndsAt === null && { oldEndsAt }) })
  }
  const create = (): Promise<void> =>
    run(async () => {
      try {
        made(await make('.', createBody(draft)))
      } catch (error) {
        focusWrong()
        throw error
      }
    })

  if (step.at === 'made') return <Reveal key="made" secret={secret} name={step.name} oldEndsAt={step.oldEndsAt} onDone={onClose} />
  if (step.at === 'lost') return <Lost key="lost" {...step} onClose={onClose} onMade={(minted) => made(minted, null)} />
  const refused = problem !== undefined && problem.kind === 'refused'
  if (step.at === 'review' && !refused) {
    return (
      <Dialog
        key="review"
        title={t('form.review')}
        size="large"
        onClose={close}
        footer={
          <>
            <Button icon="back" onClick={() => setStep({ at: 'form' })}>
              {t('action.change')}
            </Button>
            <Button kind="primary" first busy={busy} onClick={() => void create()}>
              {t('action.create')}
            </Button>
          </>
        }
      >
        <Overview draft={draft} scopes={scopes} />
        <ProblemLine problem={problem} />
        <Maybe problem={problem} text="form.maybeCreated" />
      </Dialog>
    )
  }
  return (
    <Dialog
      key="form"
      title={t('form.create')}
      size="page"
      aside={{ label: t('form.summary'), brief: <Brief draft={draft} />, content: <Overview draft={draft} scopes={scopes} /> }}
      onClose={close}
      onSubmit={review}
      footer={
        <>
          <Button onClick={close}>{t('action.cancel')}</Button>
          <Button kind="primary" submit>
            {t('action.review')}
          </Button>
        </>
      }
    >
      <ProblemLine problem={problem} />
      {isWished(wishes) && <Wished leftOut={notGrantable(wishes, me)} />}
      <TokenForm
        draft={draft}
        errors={errors}
        onChange={(next) => {
          setDraft(next)
          setStep({ at: 'form' })
          if (problem) clear()
        }}
      />
    </Dialog>
  )
}

/** Tells the user that a link filled in the form, and which of its scopes were left out. */
function Wished({ leftOut }: { readonly leftOut: readonly string[] }): JSX.Element {
  return (
    <Banner tone={leftOut.length === 0 ? 'info' : 'warn'}>
      <p>{t('form.wished')}</p>
      {leftOut.length > 0 && <p>{t('form.wishedLeftOut', { scopes: leftOut.join(', ') })}</p>}
    </Banner>
  )
}
