import type { LatchkeyOptions } from 'latchkey'
import { sha256Tokens } from 'latchkey/import'
import type { BrowserContextOptions, Locator, Page, Route } from 'playwright-core'
import type { TextKey } from '../../../src/dashboard/texts.js'
import type { startWorld, World } from './host.js'

/** The page in one of its languages, with the IDs of its tokens by name. */
export type Stage = {
  readonly page: Page
  readonly world: World
  readonly ids: Map<string, string>
  /** Returns a text of the page in its language. */
  readonly t: (key: TextKey) => string
}

/** A state of the page that has a screenshot. */
export type Scene = {
  readonly user?: string
  readonly empty?: true
  readonly options?: Partial<LatchkeyOptions>
  /** Runs before the page is opened. */
  readonly before?: (made: Pick<Stage, 'world' | 'ids'>) => Promise<unknown>
  readonly at?: (ids: ReadonlyMap<string, string>) => string
  readonly act?: (stage: Stage) => Promise<unknown>
  readonly whole?: true
  /** Mounts the page on a host. */
  readonly start?: Parameters<typeof startWorld>[2]
  readonly context?: BrowserContextOptions
}

/** Scenes by name. */
export type Scenes = { readonly [name: string]: Scene }

export const dialogOf = (page: Page): Locator => page.locator('dialog[open]').last()
export const tokenOf = (name: string) => (ids: ReadonlyMap<string, string>) => `?token=${ids.get(name)}`
export const press =
  (key: TextKey) =>
  ({ page, t }: Stage): Promise<void> =>
    page
      .getByRole('button', { name: t(key), exact: true })
      .last()
      .click()
export const pick = ({ page, t }: Stage, key: TextKey): Promise<void> => dialogOf(page).getByText(t(key), { exact: true }).click()
export const go = ({ page }: Stage): Promise<void> => dialogOf(page).locator('footer .primary').click()
export const down: Error = new Error('down')

/** Lets one change reach the server but drops its response. */
export async function loseOne({ page }: Stage, match: RegExp): Promise<void> {
  let lost = false
  await page.route(match, async (route) => {
    if (lost) return route.fallback()
    lost = true
    await route.fetch()
    await route.abort('connectionreset')
  })
}

/** Never responds. */
export const hang = (_: Route): Promise<void> => new Promise(() => {})

export const expectText = ({ page, t }: Stage, key: TextKey): Promise<void> => page.getByText(t(key)).first().waitFor()

/** Signs in another user, as if in another tab. */
export async function becomes({ page, world }: Stage, user: string): Promise<void> {
  // A page that does not know yet who is signed in would simply load as the new user.
  await page.locator('.who').waitFor()
  await page.context().addCookies([{ name: 'user', value: user, url: world.origin }])
  await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')))
}

/** Makes the clipboard unavailable. */
export const noClipboard = ({ page }: Stage): Promise<void> =>
  page.evaluate(() => {
    Object.defineProperty(navigator, 'clipboard', { value: undefined })
    document.execCommand = () => false
  })

const old = sha256Tokens({ name: 'legacy-keys', prefix: 'sk_', length: 35 })
export const imports: NonNullable<LatchkeyOptions['imports']> = { key: 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P', formats: [old] }

/** Imports a token from another system. */
export async function bringIn({ world, ids }: Pick<Stage, 'world' | 'ids'>): Promise<void> {
  const hash = '6916ef74419544f9e5e3c92c98f062ef990ede9aa99bf688fe9b5cff554bde1f'
  await world.tokens.system.import([{ hash }], {
    format: old,
    map: () => ({ name: 'Old CI key', tenantId: 'acme', scopes: ['orders:read'] }),
  })
  const { items } = await world.tokens.system.list({ imported: true })
  for (const { name, id } of items) ids.set(name, id)
}

export async function fill(stage: Stage): Promise<void> {
  const { page, t } = stage
  await press('action.create')(stage)
  const dialog = dialogOf(page)
  await dialog.getByLabel(t('form.name')).first().fill('Warehouse sync')
  await dialog.locator('.pill').nth(1).click()
  await dialog.getByLabel(t('form.description')).fill('Keeps the shop’s stock in step with the warehouses')
  for (const scope of ['inventory:read', 'orders:*']) await dialog.locator(`label[data-scope="${scope}"] input`).check()
}

export async function review(stage: Stage): Promise<void> {
  await fill(stage)
  await go(stage)
  await dialogOf(stage.page).locator('.overview').waitFor()
}

async function create(stage: Stage): Promise<void> {
  await review(stage)
  await go(stage)
}

export async function show(stage: Stage): Promise<void> {
  await create(stage)
  await stage.page.locator('[data-token]:not(:empty)').waitFor()
}

export async function select({ page }: Stage): Promise<void> {
  for (const at of [1, 3]) await page.locator('td.check input, .card-top > input').nth(at).check()
}

/** A scene in which the server answers the list with this response. */
export const answered = (status: number, headers: { [name: string]: string } = {}, body = '{}'): Scene => ({
  async act({ page }) {
    await page.route(/\/\?limit=/, (route) => route.fulfill({ status, headers, body }))
    await page.reload()
    await page.getByRole('alert').first().waitFor()
  },
})
