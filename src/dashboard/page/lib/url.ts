import { useEffect, useState } from 'preact/hooks'
import { cutWhole } from './cut.js'
import { isOver, type Left, mayLeave, stays } from './guard.js'
import { dropTyping, endTyping } from './typing.js'

/** The current view. It is kept in the URL, so that a reload, a bookmark and the back button restore it. Never contains a secret. */
export type Place = {
  readonly token?: string
  /** A screen other than the list: `audit`, or `create` as an overlay. */
  readonly screen?: string
  readonly q?: string
  readonly tenant?: string
  readonly status?: string
  readonly view?: string
  readonly sort?: string
  readonly size?: string
  readonly page?: string
  readonly actor?: string
  readonly action?: string
  readonly about?: string
  readonly from?: string
  readonly to?: string
  readonly name?: string
  readonly description?: string
  readonly scopes?: string
  readonly owner?: string
  readonly expires?: string
}

const LIST = ['q', 'tenant', 'status', 'view', 'sort', 'size', 'page'] as const
const AUDIT = ['actor', 'action', 'about', 'from', 'to'] as const
/** The values that a link fills into the form of a new token. */
const CREATE = ['name', 'description', 'scopes', 'owner', 'expires'] as const
const NAMES = ['screen', 'token', ...LIST, ...AUDIT, ...CREATE] as const

function read(): Place {
  const query = new URLSearchParams(location.search)
  return Object.fromEntries(NAMES.flatMap((name) => (query.get(name) ? [[name, cutWhole(query.get(name) ?? '')]] : [])))
}

/** Removes text from the URL that was recognized as a secret only after the page had loaded. */
export function cutAddress(): void {
  const cut = cutIn(location.search)
  if (cut === location.search) return
  history.replaceState(history.state, '', location.pathname + cut)
  draw()
}

// Checks each decoded parameter separately, because the URL escapes some characters of a token.
function cutIn(search: string): string {
  const query = new URLSearchParams(search)
  const values = [...query].map(([name, value]) => [name, cutWhole(value)])
  return values.every(([name = '', value = ''], at) => value === [...query][at]?.[1] && name !== '')
    ? search
    : `?${new URLSearchParams(values)}`
}

/** Returns the parts of a place that concern the list. */
export const listOf = (place: Place): Place => Object.fromEntries(LIST.flatMap((name) => (place[name] ? [[name, place[name]]] : [])))

function addressOf(place: Place): string {
  const query = new URLSearchParams()
  for (const name of NAMES) if (place[name]) query.set(name, place[name])
  return `${location.pathname}${query.size > 0 ? `?${query}` : ''}`
}

const SCROLL_REST_MS = 200

/** `over` opens an overlay as a new place; closing it leads back to the place below. */
type How = 'push' | 'replace' | 'over'

export type Go = (to: Place | ((here: Place) => Place), how?: How) => void

const listeners = new Set<() => void>()
const draw = (): void => {
  for (const listener of listeners) listener()
}

/** The scroll position of each history entry, by index. */
const scrolled = new Map<number, number>()
let index = numberIn(history.state, 'index')
let over = isOver()
let comingBack = false
/** Where to scroll once the new place is rendered. */
let scrollTarget: number | undefined = numberIn(history.state, 'y')

// Places render only after their data is loaded, so the browser would scroll too early.
history.scrollRestoration = 'manual'
history.replaceState(stateOf(isOver()), '', location.pathname + cutIn(location.search))

// Saved while scrolling, for reloads and for returning from another site, because a page that is unloading can no longer save it.
let resting: ReturnType<typeof setTimeout> | undefined
addEventListener('scroll', () => {
  clearTimeout(resting)
  resting = setTimeout(() => scrollTarget ?? history.replaceState({ ...stateOf(isOver()), y: Math.round(scrollY) }, ''), SCROLL_REST_MS)
})

function numberIn(state: unknown, name: 'index' | 'y'): number {
  const found: unknown = Object(state)[name]
  return typeof found === 'number' ? found : 0
}

function stateOf(over: boolean): object {
  return { index, ...(over && { over }) }
}

/** Navigates to another place of the page. Asks first if unsaved input would be lost. */
export const go: Go = (to, how = 'push') => {
  endTyping()
  const here = read()
  const place = typeof to === 'function' ? to(here) : to
  // The second click of a double click does nothing.
  if (addressOf(place) !== addressOf(here)) void move(place, how)
}

async function move(place: Place, how: How): Promise<void> {
  if (how === 'replace') {
    history.replaceState(stateOf(isOver()), '', addressOf(place))
    return draw()
  }
  // An overlay leaves the place below as it is.
  if (how !== 'over' && !(await mayLeave('place'))) return
  scrolled.set(index, scrollY)
  index += 1
  scrollTarget = 0
  over = how === 'over'
  history.pushState(stateOf(over), '', addressOf(place))
  draw()
}

/** Closes an overlay: goes back to the place below, or if the overlay was opened by a link, to `below`. */
export function closeOver(below: Place): void {
  if (isOver()) history.back()
  else go(below, 'replace')
}

// The browser has already moved when this event fires, so to stay, the page must go back.
addEventListener('popstate', (event) => {
  const to = numberIn(event.state, 'index')
  if (comingBack) {
    comingBack = false
    return
  }
  const way = to - index
  const left = leftBy(way, isOver(event.state))
  if (left !== undefined && way !== 0 && stays(left)) {
    comingBack = true
    history.go(-way)
    void mayLeave(left).then((may) => may && history.go(way))
    return
  }
  over = isOver(event.state)
  dropTyping()
  scrolled.set(index, scrollY)
  index = to
  scrollTarget = scrolled.get(index) ?? 0
  draw()
})

/** Returns whether a step through the history leaves a place or an overlay. Opening or closing an overlay does not leave the place below. */
function leftBy(way: number, toOver: boolean): Left | undefined {
  if (way === 1 && !over && toOver) return undefined
  return way === -1 && over && !toOver ? 'over' : 'place'
}

/** Once a place is rendered, restores its scroll position, or scrolls to the top if the place is new. */
export function useScroll(ready: boolean): void {
  useEffect(() => {
    if (!ready || scrollTarget === undefined) return
    scrollTo(0, scrollTarget)
    scrollTarget = undefined
  })
}

/** Returns the attributes of a link that navigates without a reload, but can still be opened in a new tab. */
export function linkTo(place: Place): { href: string; onClick: (event: MouseEvent) => void } {
  return {
    href: addressOf(place),
    onClick: (event) => {
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      go(place)
    },
  }
}

/** Returns the current place. The component rerenders when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(read)
  useEffect(() => {
    const update = (): void => setPlace(read())
    listeners.add(update)
    return () => void listeners.delete(update)
  }, [])
  return place
}
