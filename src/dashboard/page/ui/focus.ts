/** Moves the focus to the title of the current view, if nothing has the focus. */
export function focusMain(): void {
  const { activeElement } = document
  if (activeElement !== null && activeElement !== document.body) return
  const place = document.querySelector<HTMLElement>('main h1[tabindex]') ?? document.querySelector<HTMLElement>('main')
  place?.focus({ preventScroll: true })
}

/** Moves the focus to the first invalid field, once it is rendered. */
export function focusWrong(): void {
  requestAnimationFrame(() => {
    const wrong = document.querySelector<HTMLElement>('[aria-invalid="true"], [data-wrong]')
    wrong?.focus()
    wrong?.scrollIntoView({ block: 'center' })
  })
}

/** Moves the focus to the title when the focused element is disabled or removed, for example with the bulk bar when a bulk change finishes. */
export function keepFocus(place: Element): void {
  let last: HTMLElement | null = null
  document.addEventListener('focusin', ({ target }) => {
    last = target instanceof HTMLElement ? target : null
  })
  const check = (): void => {
    const { activeElement } = document
    if (last === null || (last.isConnected && !last.matches(':disabled')) || (activeElement !== document.body && activeElement !== last))
      return
    // The browser takes the focus from a disabled element only a few frames later.
    last.blur()
    focusMain()
  }
  new MutationObserver(() => void requestAnimationFrame(check)).observe(place, {
    childList: true,
    subtree: true,
    attributeFilter: ['disabled'],
  })
}
