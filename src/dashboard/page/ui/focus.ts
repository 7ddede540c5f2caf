/** Leads to the title of what is shown, where the focus would be nowhere. */
export function focusMain(): void {
  const { activeElement } = document
  if (activeElement !== null && activeElement !== document.body) return
  const place = document.querySelector<HTMLElement>('main h1[tabindex]') ?? document.querySelector<HTMLElement>('main')
  place?.focus({ preventScroll: true })
}

/** Leads to the first field that is wrong, once it is drawn. */
export function focusWrong(): void {
  requestAnimationFrame(() => {
    const wrong = document.querySelector<HTMLElement>('[aria-invalid="true"], [data-wrong]')
    wrong?.focus()
    wrong?.scrollIntoView({ block: 'center' })
  })
}

/** When what has the focus is taken away, such as a bar whose work is done, the focus goes to the title and not to nowhere. */
export function keepFocus(place: Element): void {
  let last: EventTarget | null = null
  document.addEventListener('focusin', ({ target }) => {
    last = target
  })
  new MutationObserver(() => {
    if (!(last instanceof Node) || last.isConnected || document.activeElement !== document.body) return
    last = null
    focusMain()
  }).observe(place, { childList: true, subtree: true })
}
