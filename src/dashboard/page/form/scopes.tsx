import type { ComponentChildren, JSX } from 'preact'
import { useState } from 'preact/hooks'
import { t } from '../lib/text.js'
import type { Me, Scopes } from '../lib/types.js'
import { Banner } from '../ui/banner.js'
import { Icon } from '../ui/icons.js'

type Item = { readonly name: string; readonly description: string }
type Section = { readonly title: string; readonly items: readonly Item[] }

type Props = {
  readonly scopes: Scopes
  readonly me: Me
  readonly chosen: readonly string[]
  /** What the token has already may stay. */
  readonly kept: readonly string[]
  readonly error?: ComponentChildren
  readonly onChange: (chosen: readonly string[]) => void
}

/** The catalogue by resource, with a search; only what may be granted can be chosen. */
export function ScopePicker({ scopes, me, chosen, kept, error, onChange }: Props): JSX.Element {
  const [search, setSearch] = useState('')
  const wanted = search.trim().toLowerCase()
  const sections = sectionsOf(scopes, chosen)
    .map(({ title, items }) => ({
      title,
      items: items.filter(({ name, description }) => `${title} ${name} ${description}`.toLowerCase().includes(wanted)),
    }))
    .filter(({ items }) => items.length > 0)
  const toggle = (name: string): void => onChange(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name])
  return (
    <fieldset class="scopes">
      <legend>{t('form.scopes')}</legend>
      <div class="scope-head">
        <div class="search">
          <Icon name="search" />
          <input
            type="search"
            placeholder={t('form.scopeSearch')}
            aria-label={t('form.scopeSearch')}
            value={search}
            onInput={(event) => setSearch(event.currentTarget.value)}
            onKeyDown={(event) => event.key === 'Enter' && event.preventDefault()}
          />
        </div>
        <span class="count" role="status">
          {t('form.scopesChosen', { count: chosen.length })}
        </span>
      </div>
      {error && <p class="error">{error}</p>}
      <div class="scope-list" role="group" aria-label={t('form.scopes')}>
        {sections.length === 0 && <p class="muted none">{t('form.scopesMatch')}</p>}
        {sections.map(({ title, items }) => (
          <div class="scope-section" key={title} role="group" aria-label={title}>
            <p class="scope-title">{title}</p>
            {items.map(({ name, description }) => {
              const locked = !me.grantable.includes(name) && !kept.includes(name)
              return (
                <label key={name} class={`scope ${locked ? 'locked' : ''}`} title={locked ? t('form.notYours') : undefined}>
                  <input type="checkbox" checked={chosen.includes(name)} disabled={locked} onChange={() => toggle(name)} />
                  <span>
                    <code>{name}</code>
                    <span class="scope-text">{description}</span>
                    {locked && <span class="hidden">{t('form.notYours')}</span>}
                  </span>
                  {locked && <Icon name="lock" />}
                </label>
              )
            })}
          </div>
        ))}
      </div>
      {chosen.length === 0 && <Banner tone="info">{t('form.scopesNone')}</Banner>}
    </fieldset>
  )
}

function sectionsOf({ items, groups, allowWildcard }: Scopes, chosen: readonly string[]): readonly Section[] {
  const byWord = new Map<string, Item[]>()
  for (const item of items) {
    const word = item.name.includes(':') ? item.name.slice(0, item.name.indexOf(':')) : ''
    byWord.set(word, [...(byWord.get(word) ?? []), item])
  }
  const sections = [...byWord].map(([word, own]) => ({
    title: word === '' ? t('form.general') : word,
    items: word === '' ? own : [...own, { name: `${word}:*`, description: t('form.wildcard', { name: word }) }],
  }))
  const everything = allowWildcard ? [{ title: t('form.general'), items: [{ name: '*', description: t('form.everything') }] }] : []
  const named = groups.map((group) => ({ name: group.name, description: group.scopes.join(', ') }))
  const listed = new Set(
    [...sections, ...everything].flatMap((section) => section.items.map(({ name }) => name)).concat(named.map(({ name }) => name)),
  )
  // What a token holds beside all this, such as a deeper wildcard, must be seen too.
  const others = chosen.filter((name) => !listed.has(name)).map((name) => ({ name, description: '' }))
  return [
    ...(named.length > 0 ? [{ title: t('form.groups'), items: named }] : []),
    ...everything,
    ...sections,
    ...(others.length > 0 ? [{ title: '…', items: others }] : []),
  ]
}
