import type { LatchkeyOptions } from 'latchkey'
import type { DashboardOptions } from 'latchkey/dashboard'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { launch, type Watch, watch } from './browser.js'
import { startWorld, type World } from './host.js'

/** A signed-in user's page on its own host. */
export type Scene = { readonly world: World; readonly page: Page; readonly watched: Watch }

/** The setup of a story. */
export type Wanted = {
  readonly user?: string
  readonly options?: Partial<LatchkeyOptions>
  readonly dashboard?: DashboardOptions
  readonly context?: BrowserContextOptions
  readonly start?: Parameters<typeof startWorld>[2]
  readonly mount?: string
  /** Runs before the page is opened. */
  readonly before?: (world: World) => Promise<unknown>
  /** Appended to the mount path in the first URL. */
  readonly at?: string
  /** Lets the story control the page's clock. */
  readonly clock?: true
  /** The time at which that clock starts. */
  readonly now?: number
}

/** Runs stories in one browser and fails them on any violation by the page. */
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

/** Clicks a button by its name. */
export const press = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).first().click()

/** Clicks a button in the topmost open dialog. */
export const confirm = (page: Page, name: string): Promise<void> =>
  page.locator('dialog[open]').getByRole('button', { name, exact: true }).click()

/** Holds back the response to a change until `letGo` is called. */
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

/** Returns a function that returns everything announced to screen readers since this call. */
export async function listen(page: Page): Promise<() => Promise<string[]>> {
  await page.evaluate(() => {
    const told: string[] = []
    Reflect.set(window, 'told', told)
    const region = document.querySelector('[data-announcer]')
    if (region === null) throw new Error('nothing announces')
    new MutationObserver(() => told.push(region.textContent ?? '')).observe(region, { childList: true, subtree: true })
  })
  return () => page.evaluate(() => Reflect.get(window, 'told') as string[])
}

/** Copies the displayed token and closes its dialog. */
export async function keep(page: Page): Promise<void> {
  await confirm(page, 'Copy token')
  await page.getByRole('dialog').getByText('Copied').first().waitFor()
  await confirm(page, 'I have saved it')
}

/** Returns elements that overflow the window or scroll sideways. The predefined views are exempt: they scroll in one line. */
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

/** Chooses all tenants in the open form if the user has a choice. */
export async function chooseEveryTenant(page: Page): Promise<void> {
  const every = page.locator('dialog[open]').getByText('All tenants', { exact: true })
  if ((await every.count()) > 0) await every.click()
}

/** Creates a token through the page and returns it. The dialog that shows it stays open. */
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
