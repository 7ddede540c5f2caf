import type { LatchkeyOptions } from 'latchkey'
import type { Locator, Page } from 'playwright-core'
import type { TextKey } from '../../../src/dashboard/texts.js'
import type { World } from './host.js'

/** The page in one of its languages, with tokens whose ids are known by name. */
export type Stage = {
  readonly page: Page
  readonly world: World
  readonly ids: ReadonlyMap<string, string>
  /** A text of the page in its language. */
  readonly t: (key: TextKey) => string
}

/** A state of the page that is worth a picture. */
export type Scene = {
  readonly user?: string
  readonly empty?: true
  readonly options?: Partial<LatchkeyOptions>
  readonly at?: (ids: ReadonlyMap<string, string>) => string
  readonly act?: (stage: Stage) => Promise<unknown>
  readonly whole?: true
}

const dialogOf = (page: Page): Locator => page.locator('dialog[open]').last()
const tokenOf = (name: string) => (ids: ReadonlyMap<string, string>) => `?token=${ids.get(name)}`
const press =
  (key: TextKey) =>
  ({ page, t }: Stage): Promise<void> =>
    page
      .getByRole('button', { name: t(key), exact: true })
      .last()
      .click()
const pick = ({ page, t }: Stage, key: TextKey): Promise<void> => dialogOf(page).getByText(t(key), { exact: true }).click()
const go = ({ page }: Stage): Promise<void> => dialogOf(page).locator('footer .primary').click()
const down = new Error('down')

async function fill(stage: Stage): Promise<void> {
  const { page, t } = stage
  await press('action.create')(stage)
  const dialog = dialogOf(page)
  await dialog.getByLabel(t('form.name')).first().fill('Warehouse sync')
  await dialog.locator('.pill').nth(1).click()
  await dialog.getByLabel(t('form.description')).fill('Keeps the shop’s stock in step with the warehouses')
  for (const scope of ['inventory:read', 'orders:*']) await dialog.locator(`label[data-scope="${scope}"] input`).check()
}

async function review(stage: Stage): Promise<void> {
  await fill(stage)
  await go(stage)
  await dialogOf(stage.page).locator('.overview').waitFor()
}

async function create(stage: Stage): Promise<void> {
  await review(stage)
  await go(stage)
}

async function show(stage: Stage): Promise<void> {
  await create(stage)
  await stage.page.locator('[data-token]:not(:empty)').waitFor()
}

async function select({ page }: Stage): Promise<void> {
  for (const at of [1, 3]) await page.locator('td.check input, .card-top > input').nth(at).check()
}

/** The list, where the server answers so. */
const answered = (status: number, headers: { [name: string]: string } = {}): Scene => ({
  async act({ page }) {
    await page.route(/\/\?limit=/, (route) => route.fulfill({ status, headers, body: '{}' }))
    await page.reload()
    await page.getByRole('alert').first().waitFor()
  },
})

/** Every state, by name. */
export const SCENES: { readonly [name: string]: Scene } = {
  list: {},
  'list-selected': { act: select },
  'list-columns': { act: press('list.columns') },
  'list-menu': { act: ({ page }) => page.locator('[aria-haspopup="menu"]').nth(1).click() },
  'list-strip': { at: () => '?view=rotationDue' },
  'list-empty': { empty: true },
  'list-nothing': { at: () => '?q=nothing+like+this' },
  'list-loading': {
    async act({ page, world }) {
      world.store.behave({ list: { do: 'delay', milliseconds: 3000 } })
      await page.reload({ waitUntil: 'commit' })
      await page.locator('.skeleton').waitFor()
    },
  },
  'list-down': {
    async act({ page, world }) {
      world.store.behave({ list: { do: 'fail', error: down } })
      await page.reload()
      await page.getByRole('alert').first().waitFor()
    },
  },
  'list-limited': answered(429, { 'retry-after': '30' }),
  'list-error': answered(500),
  'list-offline': {
    async act({ page }) {
      await page.context().setOffline(true)
      await page.locator('.view').nth(1).click()
      await page.getByRole('alert').first().waitFor()
    },
  },
  'list-uncounted': { options: { usage: false } },
  'signed-out': { user: 'nobody' },
  own: { user: 'uma', empty: true },
  audit: { at: () => '?screen=audit', whole: true },
  'audit-filtered': { at: () => '?screen=audit&action=token.revoked&actor=ada%40acme.example' },
  'audit-nothing': { at: () => '?screen=audit&actor=nobody' },
  create: { act: fill },
  'create-scopes': {
    async act(stage) {
      await fill(stage)
      await stage.page.locator('.scopes').scrollIntoViewIfNeeded()
    },
  },
  'create-end': {
    async act(stage) {
      await fill(stage)
      await dialogOf(stage.page).locator('textarea').last().scrollIntoViewIfNeeded()
    },
  },
  'create-wrong': {
    async act(stage) {
      await press('action.create')(stage)
      await go(stage)
    },
  },
  'create-linked': { at: () => '?screen=create&name=Deploy&scopes=orders:read,nothing:such&expires=30' },
  'create-inherit': {
    options: { owner: async () => ({ scopes: ['inventory:read'] }) },
    async act(stage) {
      await fill(stage)
      await pick(stage, 'form.ownersScopes')
    },
  },
  'create-leave': {
    async act(stage) {
      await fill(stage)
      await stage.page.keyboard.press('Escape')
      await stage.page.getByRole('alertdialog').waitFor()
    },
  },
  'create-review': { act: review },
  'create-signed-out': {
    async act(stage) {
      await review(stage)
      await stage.page.context().clearCookies()
      await go(stage)
      await stage.page.locator('.problem-line').waitFor()
    },
  },
  'create-shown-once': { act: show },
  'create-uncopied': {
    async act(stage) {
      await show(stage)
      await go(stage)
      await stage.page.getByRole('alertdialog').waitFor()
    },
  },
  'create-lost': {
    async act(stage) {
      await review(stage)
      let lost = false
      await stage.page.route(/\/admin\/tokens\/$/, async (route) => {
        if (lost) return route.fallback()
        lost = true
        await route.fetch()
        await route.abort('connectionreset')
      })
      await go(stage)
      await dialogOf(stage.page).locator('.badge').waitFor()
    },
  },
  detail: { at: tokenOf('Warehouse scanner fleet'), whole: true },
  'detail-rotating': { at: tokenOf('Refund bot'), whole: true },
  'detail-successor': { at: tokenOf('Refund bot (new)') },
  'detail-inactive': { at: tokenOf('Support desk') },
  'detail-expiring': { at: tokenOf('Partner reporting') },
  'detail-expired': { at: tokenOf('Old mobile app') },
  'detail-revoked': { at: tokenOf('Contractor laptop') },
  'detail-missing': { at: () => '?token=0000000000000000' },
  'explain-refused': {
    at: tokenOf('Warehouse scanner fleet'),
    whole: true,
    async act({ page, t }) {
      await page.locator('.explain summary').click()
      await page.locator('.explained li').first().waitFor()
      await page.getByLabel(t('explain.scope')).selectOption('orders:read')
      await page.getByLabel(t('explain.address')).fill('203.0.113.7')
      await page.getByRole('button', { name: t('explain.ask'), exact: true }).click()
      await page.locator('.explained li').nth(8).waitFor()
    },
  },
  'explain-recorded': {
    whole: true,
    async act({ page, world, t }) {
      const { token, record } = await world.tokens.system.create({ name: 'Backup', scopes: ['orders:read'], allowedIps: ['192.0.2.0/24'] })
      await world.tokens.verify(token, { ip: '203.0.113.7' })
      await world.tokens.flush()
      await page.goto(`${world.url}?token=${record.id}`)
      await page
        .locator('.audit')
        .getByRole('button', { name: t('explain.title') })
        .click()
      await page.locator('.explained li').first().waitFor()
    },
  },
  'explain-let-in': {
    at: tokenOf('Web shop'),
    whole: true,
    async act({ page }) {
      await page.locator('.explain summary').click()
      await page.locator('.explained li').first().waitFor()
    },
  },
  'advisor-remove': { at: tokenOf('Price feed'), act: ({ page }) => page.locator('.card-head > .button').click() },
  edit: {
    at: tokenOf('Warehouse scanner fleet'),
    async act(stage) {
      await press('action.edit')(stage)
      await stage.page.locator('label[data-scope="inventory:write"] input').click()
      await stage.page.locator('.scope-change').scrollIntoViewIfNeeded()
    },
  },
  conflict: {
    at: tokenOf('Price feed'),
    async act(stage) {
      const { page, world, ids, t } = stage
      await press('action.edit')(stage)
      await dialogOf(page).getByLabel(t('form.name')).first().fill('Price feed (marketplaces)')
      await world.tokens.system.update(ids.get('Price feed') ?? '', { name: 'Price feed v2' })
      await go(stage)
      await dialogOf(page).locator('.diff').waitFor()
    },
  },
  rotate: { at: tokenOf('Web shop'), act: press('action.rotate') },
  'rotate-now': {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.rotate')(stage)
      await pick(stage, 'rotate.now')
    },
  },
  revoke: {
    at: tokenOf('Web shop'),
    async act(stage) {
      await press('action.revoke')(stage)
      await stage.page.locator('.break-list li').first().waitFor()
    },
  },
  'revoke-selected': {
    async act(stage) {
      await select(stage)
      await stage.page.locator('.bulk .danger').click()
    },
  },
  'bulk-failed': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/deactivate$/, (route) => route.fulfill({ status: 500, body: '{}' }))
      await stage.page.locator('.bulk .button').first().click()
      await dialogOf(stage.page).waitFor()
    },
  },
  'revoke-all': {
    async act(stage) {
      await press('action.revokeAll')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.client'), { exact: true }).fill('acme')
      await dialogOf(stage.page).locator('.banner').waitFor()
    },
  },
}
