import type { JSX, TargetedEvent } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useLoad, useTask } from '../lib/hooks.js'
import { findNames, type Kind, labelOf, type NamedList } from '../lib/names.js'
import { t } from '../lib/text.js'
import { announce } from './announce.js'
import { Button } from './button.js'
import { Debounced } from './filter.js'
import { usePopover } from './popover.js'
import { NamesProblem, suggestionHint } from './problem.js'

type Props = {
  readonly kind: Kind
  readonly label: string
  /** The chosen ID; empty for `any`. */
  readonly value: string
  /** The name of the chosen ID. */
  readonly shown: string
  /** The label of the choice without a filter. */
  readonly any: string
  readonly onChange: (value: string) => void
}

/** A searchable, paginated drop-down, for when there are too many items for a plain list. */
export function Picker({ label, shown, ...props }: Props): JSX.Element {
  const { open, close, opener, panel } = usePopover<HTMLDivElement>((opened) => opened.querySelector('input')?.focus())
  return (
    <>
      <button {...opener} class="picker-button" aria-label={`${label}: ${shown}`} title={shown} aria-haspopup="dialog">
        <bdi>{shown}</bdi>
      </button>
      <div {...panel} role="dialog" aria-label={label} class="menu picker" onKeyDown={steer}>
        {open && <Search {...props} close={close} />}
      </div>
    </>
  )
}

function Search({ kind, value, any, onChange, close }: Omit<Props, 'label' | 'shown'> & { readonly close: () => void }): JSX.Element {
  const [search, setSearch] = useState('')
  const { data, problem, loading } = useLoad(`${kind} ${search}`, (signal) => findNames(kind, search === '' ? {} : { search }, signal))
  const choose = (id: string): void => {
    close()
    onChange(id)
  }
  const typed = search.trim()
  return (
    <>
      <Debounced label={t('picker.search')} value={search} onChange={setSearch} />
      <ul aria-busy={loading}>
        {typed === '' && <Option id="" text={any} chosen={value} onChoose={choose} />}
        {data !== undefined && !loading && problem === undefined && (
          <Found key={search} kind={kind} search={search} first={data} chosen={value} onChoose={choose} />
        )}
        {/* A known ID can be typed. The list may lack it, for example if a tenant has no tokens. */}
        {typed !== '' && !loading && data?.items.some(({ id }) => id === typed) !== true && (
          <Option id={typed} text={t('picker.typed', { text: typed })} chosen={value} onChoose={choose} />
        )}
      </ul>
      <div role="alert">{problem && <p class="problem-line">{suggestionHint(problem)}</p>}</div>
    </>
  )
}

type FoundProps = {
  readonly kind: Kind
  readonly search: string
  readonly first: NamedList
  readonly chosen: string
  readonly onChoose: (id: string) => void
}

function Found({ kind, search, first, chosen, onChoose }: FoundProps): JSX.Element {
  const [later, setLater] = useState<NamedList>()
  const { busy, problem, run } = useTask()
  const items = [...new Map([...first.items, ...(later?.items ?? [])].map((one) => [one.id, one])).values()]
  const { nextCursor: cursor } = later ?? first
  useEffect(() => announce(items.length === 0 ? t('picker.none') : t('picker.found', { count: items.length })), [items.length])
  const more = (): Promise<void> =>
    run(async () => {
      const page = await findNames(kind, { ...(search !== '' && { search }), ...(cursor !== undefined && { cursor }) })
      setLater({ ...page, items: [...(later?.items ?? []), ...page.items] })
    })
  return (
    <>
      {items.map((one) => (
        <Option key={one.id} id={one.id} text={labelOf(one)} chosen={chosen} onChoose={onChoose} />
      ))}
      {items.length === 0 && cursor === undefined && <li class="muted">{t('picker.none')}</li>}
      {cursor !== undefined && (
        <li>
          <Button kind="quiet" busy={busy} onClick={() => void more()}>
            {t('picker.more')}
          </Button>
          <div role="alert">
            {problem && (
              <p class="problem-line">
                <NamesProblem problem={problem} />
              </p>
            )}
          </div>
        </li>
      )}
    </>
  )
}

function Option(props: {
  readonly id: string
  readonly text: string
  readonly chosen: string
  readonly onChoose: (id: string) => void
}): JSX.Element {
  const { id, text, chosen, onChoose } = props
  return (
    <li>
      <button type="button" aria-current={id === chosen || undefined} onClick={() => onChoose(id)}>
        <bdi>{text}</bdi>
      </button>
    </li>
  )
}

/** Arrow keys move between the field and the choices. */
function steer(event: TargetedEvent<HTMLElement, KeyboardEvent>): void {
  const stops = [...event.currentTarget.querySelectorAll<HTMLElement>('input, button')]
  const at = stops.indexOf(document.activeElement as HTMLElement)
  const to = event.key === 'ArrowDown' ? at + 1 : event.key === 'ArrowUp' ? at - 1 : undefined
  if (to === undefined || at < 0) return
  event.preventDefault()
  stops.at(to % stops.length)?.focus()
}
