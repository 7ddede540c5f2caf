import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { valueText } from '../detail/value.js'
import { call } from '../lib/api.js'
import { useTask } from '../lib/hooks.js'
import { t } from '../lib/text.js'
import type { Token, World } from '../lib/types.js'
import { Banner, Button } from '../ui/bits.js'
import { Dialog } from '../ui/dialog.js'
import { ProblemLine } from '../ui/problem.js'
import { say } from '../ui/toasts.js'
import { focusWrong } from './create.js'
import { changesOf, check, draftOf } from './draft.js'
import { TokenForm } from './form.js'

type Props = { readonly world: World; readonly token: Token; readonly onClose: () => void; readonly onSaved: () => void }

/** Edits a token. When somebody else was faster, both versions are shown, and nothing is lost. */
export function Edit({ world, token, onClose, onSaved }: Props): JSX.Element {
  const [before] = useState(() => draftOf(token))
  const [draft, setDraft] = useState(before)
  const [tried, setTried] = useState(false)
  const [theirs, setTheirs] = useState<Token | undefined>()
  const { busy, problem, run, clear } = useTask()
  const found = Object.fromEntries(Object.entries(check(draft)).map(([field, why]) => [field, t(why)]))
  const changes = changesOf(draft, before)

  const save = (version: number): Promise<void> =>
    run(async () => {
      if (Object.keys(changes).length > 0) {
        try {
          await call('PATCH', token.id, { body: changes, version })
        } catch (error) {
          if (Object(error).status !== 412) throw error
          setTheirs(await call<Token>('GET', token.id))
          return
        }
        say(t('form.saved'))
      }
      onClose()
      onSaved()
    })
  const submit = (): void => {
    setTried(true)
    if (Object.keys(found).length === 0) void save(token.version)
    else focusWrong()
  }
  if (theirs !== undefined) {
    const leave = (): void => {
      onClose()
      onSaved()
    }
    return (
      <Dialog
        key="conflict"
        title={t('conflict.title')}
        size="large"
        onClose={leave}
        onSubmit={() => void save(theirs.version)}
        footer={
          <>
            <Button onClick={leave}>{t('conflict.takeTheirs')}</Button>
            <Button kind="primary" submit busy={busy}>
              {t('conflict.takeMine')}
            </Button>
          </>
        }
      >
        <Banner tone="warn">{t('conflict.text')}</Banner>
        <table class="diff">
          <thead>
            <tr>
              <th scope="col">{t('conflict.field')}</th>
              <th scope="col">{t('conflict.theirs')}</th>
              <th scope="col">{t('conflict.mine')}</th>
            </tr>
          </thead>
          <tbody>
            {Object.entries(changes).map(([field, mine]) => (
              <tr key={field}>
                <th scope="row">{field}</th>
                <td>{valueText(Reflect.get(theirs, field))}</td>
                <td>{valueText(mine)}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <ProblemLine problem={problem} />
      </Dialog>
    )
  }
  return (
    <Dialog
      key="form"
      title={t('form.edit', { name: token.name })}
      size="large"
      onClose={onClose}
      onSubmit={submit}
      footer={
        <>
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="primary" submit busy={busy}>
            {t('action.save')}
          </Button>
        </>
      }
    >
      <ProblemLine problem={problem} />
      <TokenForm
        world={world}
        draft={draft}
        kept={token.scopes}
        errors={{ ...problem?.fields, ...(tried ? found : {}) }}
        onChange={(next) => {
          setDraft(next)
          if (problem) clear()
        }}
      />
    </Dialog>
  )
}
