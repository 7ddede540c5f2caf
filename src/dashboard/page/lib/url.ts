import { useEffect, useState } from 'preact/hooks'

/** What the page shows. It stands in the address, so that a reload, a bookmark and the back button keep it; never anything secret. */
export type Place = {
  readonly token?: string
  readonly q?: string
  readonly client?: string
  readonly status?: string
  readonly view?: string
  readonly sort?: string
  readonly size?: string
  readonly page?: string
  readonly cursor?: string
}

const NAMES = ['token', 'q', 'client', 'status', 'view', 'sort', 'size', 'page', 'cursor'] as const

function read(): Place {
  const query = new URLSearchParams(location.search)
  return Object.fromEntries(NAMES.flatMap((name) => (query.get(name) ? [[name, query.get(name)]] : [])))
}

function addressOf(place: Place): string {
  const query = new URLSearchParams()
  for (const name of NAMES) if (place[name]) query.set(name, place[name])
  return `${location.pathname}${query.size > 0 ? `?${query}` : ''}`
}

export type Go = (place: Place, how?: 'push' | 'replace') => void

const listeners = new Set<() => void>()

/** Goes to another place of the page. */
export const go: Go = (place, how = 'push') => {
  history[how === 'push' ? 'pushState' : 'replaceState'](null, '', addressOf(place))
  for (const listener of listeners) listener()
}

/** A link's attributes: it goes there without a reload, and opens in a new tab as links do. */
export function linkTo(place: Place): { href: string; onClick: (event: MouseEvent) => void } {
  return {
    href: addressOf(place),
    onClick: (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      go(place)
      scrollTo(0, 0)
    },
  }
}

/** The present place; the component is drawn again when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(read)
  useEffect(() => {
    const update = (): void => setPlace(read())
    listeners.add(update)
    addEventListener('popstate', update)
    return () => {
      listeners.delete(update)
      removeEventListener('popstate', update)
    }
  }, [])
  return place
}
