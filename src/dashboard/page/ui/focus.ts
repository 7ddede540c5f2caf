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

/** When what has the focus is taken away or disabled, such as a bar whose work is done, the focus goes to the title and not to nowhere. */
export function keepFocus(place: Element): void {
  let last: Element | null = null
  const isLost = (): boolean =>
    last !== null && (!last.isConnected || last.matches(':disabled')) && document.activeElement === document.body
  document.addEventListener('focusin', ({ target }) => {
    last = target instanceof Element ? target : null
  })
  // The browser itself lets go of what is disabled with the next frame.
  const check = (): void => void requestAnimationFrame(() => isLost() && focusMain())
  new MutationObserver(check).observe(place, { childList: true, subtree: true, attributeFilter: ['disabled'] })
}
