import type { LatchkeyOptions } from 'latchkey'
import type { DashboardOptions } from 'latchkey/dashboard'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { launch, type Watch, watch } from './browser.js'
import { startWorld, type World } from './host.js'

/** A page of somebody who is signed in, on a host of its own. */
export type Scene = { readonly world: World; readonly page: Page; readonly watched: Watch }

/** How a story begins. */
export type Wanted = {
  readonly user?: string
  readonly options?: Partial<LatchkeyOptions>
  readonly dashboard?: DashboardOptions
  readonly context?: BrowserContextOptions
  readonly start?: Parameters<typeof startWorld>[2]
  readonly mount?: string
  /** Runs before the page is opened. */
  readonly before?: (world: World) => Promise<unknown>
  /** What follows the mount path in the first address. */
  readonly at?: string
  /** The page's clock goes on only where the story says so. */
  readonly clock?: true
  /** The instant at which that clock starts. */
  readonly now?: number
}

/** Runs stories in one browser; whatever a page does that it must not fails them. */
export function stage(path: string): (wanted: Wanted, story: (scene: Scene) => Promise<unknown>) => Promise<void> {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch(path)
  })
  afterAll(async () => {
    await browser?.close()
  })
  return async ({ user = 'root', options, dashboard, context: wishes, start, mount, before, at = '', clock, now }, story) => {
    const world = await startWorld(options, dashboard, start, mount)
    const context = await browser.newContext({
      locale: 'en-GB',
      viewport: { width: 1440, height: 900 },
      reducedMotion: 'reduce',
      ...wishes,
    })
    context.setDefaultTimeout(12_000)
    try {
      await before?.(world)
      await context.addCookies([{ name: 'user', value: user, url: world.origin }])
      const page = await context.newPage()
      if (clock) await page.clock.install({ time: now ?? Date.now() })
      const watched = watch(page, world.origin)
      await page.goto(`${world.url}${at}`)
      await story({ world, page, watched })
      expect(watched.faults).toEqual([])
    } finally {
      await context.close()
      await world.close()
    }
  }
}

/** Presses a button by its name. */
export const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).first().click()

/** Presses a button of the open dialog, or of the question above it. */
export const confirm = (page: Page, name: string): Promise<void> =>
  page.locator('dialog[open]').getByRole('button', { name, exact: true }).click()

/** Holds back the answer to a change until it is let go. */
export async function holdBack(page: Page, match: RegExp): Promise<{ readonly asked: Promise<unknown>; readonly letGo: () => void }> {
  let letGo = (): void => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  await page.route(match, async (route) => {
    if (route.request().method() !== 'POST') return route.fallback()
    const response = await route.fetch()
    await held
    await route.fulfill({ response })
  })
  return { asked: page.waitForRequest((request) => request.method() === 'POST' && match.test(request.url())), letGo }
}

/** Copies the token that is shown, and closes its dialog. */
export async function keep(page: Page): Promise<void> {
  await confirm(page, 'Copy token')
  await page.getByRole('dialog').getByText('Copied').first().waitFor()
  await confirm(page, 'I have stored it')
}

/** What lies beyond the window or has to be scrolled sideways. The ready-made views may: they are one line of many. */
export const wider = (place: Locator): Promise<string[]> =>
  place.evaluate((root) =>
    [...root.querySelectorAll('*')]
      .filter((node) => node.checkVisibility() && !node.closest('.hidden, .views, svg, .skip, thead'))
      .filter((node) => {
        const { left, right } = node.getBoundingClientRect()
        const scrolls = /auto|scroll/.test(getComputedStyle(node).overflowX) && node.scrollWidth > node.clientWidth + 1
        return scrolls || left < -1 || right > document.documentElement.clientWidth + 1
      })
      .map((node) => `${node.tagName}.${node.className}`),
  )

/** Chooses all tenants in the open form, where the reader has to choose. */
export async function chooseEveryTenant(page: Page): Promise<void> {
  const every = page.locator('dialog[open]').getByText('All tenants', { exact: true })
  if ((await every.count()) > 0) await every.click()
}

/** Makes a token by the page, and answers its text; the dialog that shows it stays open. */
export async function createByPage(page: Page, name: string, scope = 'inventory:read'): Promise<string> {
  await press(page, 'Create token')
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill(name)
  await chooseEveryTenant(page)
  await dialog.getByRole('checkbox', { name: new RegExp(`^${scope} `) }).check()
  await confirm(page, 'Review')
  await confirm(page, 'Create token')
  return (await page.locator('[data-token]:not(:empty)').textContent()) ?? ''
}
