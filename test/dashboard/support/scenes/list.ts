import { expressWith } from '../host.js'
import { answered, bringIn, dialogOf, down, hang, imports, press, type Scenes, select } from '../scene.js'

/** The list, the audit log, and what replaces them on failure. */
export const list: Scenes = {
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
  'list-callback': answered(503, {}, '{"code":"store_unavailable","failed":"callback"}'),
  'list-without-names': {
    start: expressWith({
      tenants: () => {
        throw down
      },
    }),
    act: ({ page }) => page.locator('main > [role="status"] .banner').waitFor(),
  },
  'list-limited': answered(429, { 'retry-after': '30' }),
  'list-error': answered(500),
  'list-intercepted': answered(200, { 'content-type': 'text/html' }, '<h1>Sign in</h1>'),
  'list-offline': {
    async act({ page }) {
      await page.context().setOffline(true)
      await page.locator('.view').nth(1).click()
      await page.getByRole('alert').first().waitFor()
    },
  },
  'list-unreachable': {
    async act({ page }) {
      await page.route(/\/\?limit=/, (route) => route.abort('connectionrefused'))
      await page.reload()
      await page.getByRole('alert').first().waitFor()
    },
  },
  'list-other-tenant': {
    start: expressWith({ tenants: () => Array.from({ length: 1001 }, (_, at) => ({ id: `tenant-${at}` })) }),
    async act({ page, t }) {
      await page.locator('.picker-button').click()
      await page.getByRole('searchbox', { name: t('picker.search'), exact: true }).fill('99')
      await page.getByRole('button', { name: 'tenant-99', exact: true }).waitFor()
    },
  },
  'list-sorted-in-part': {
    async act({ page, world }) {
      await page.route(/limit=1000/, async (route) => {
        const response = await route.fetch()
        await route.fulfill({ response, json: { ...(await response.json()), nextCursor: 'more' } })
      })
      await page.goto(`${world.url}?sort=name`)
      await page.locator('.banner').waitFor()
    },
  },
  'list-menu-of-a-revoked-one': { at: () => '?status=revoked', act: ({ page }) => page.locator('[aria-haspopup="menu"]').first().click() },
  'list-done': {
    async act({ page, t }) {
      await page.locator('[aria-haspopup="menu"]').nth(2).click()
      await page.getByRole('menuitem', { name: t('action.deactivate') }).click()
      await page.locator('.toast').waitFor()
    },
  },
  'list-uncounted': { options: { usage: false } },
  'list-imported': { options: { imports }, before: bringIn, at: () => '?view=imported' },
  'list-found-outside': { at: (ids) => `?status=revoked&q=${ids.get('Price feed')}` },
  'list-secret-cut': {
    async act({ page }) {
      await page.locator('.search input').first().fill('eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiI0a1EwdFhiMkxyVm44WmNEIn0.c2ln')
      await page.locator('.toast').waitFor()
    },
  },
  forbidden: {
    async act({ page }) {
      await page.route(/\/(?:me|scopes)$/, (route) => route.fulfill({ status: 403, body: '{"code":"token_cannot_manage"}' }))
      await page.reload()
      await page.getByRole('alert').first().waitFor()
    },
  },
  'signed-out': { user: 'nobody' },
  own: { user: 'uma', empty: true },
  audit: { at: () => '?screen=audit', whole: true },
  'audit-filtered': { at: () => '?screen=audit&action=token.revoked&actor=ada%40acme.example' },
  'audit-down': {
    async act({ page, world }) {
      world.store.behave({ events: { do: 'fail', error: down } })
      await page.goto(`${world.url}?screen=audit`)
      await page.locator('.audit-log [role="alert"]').waitFor()
    },
  },
  'audit-loading': {
    async act({ page, world, t }) {
      await page.route(/\/events\?/, hang)
      await page.goto(`${world.url}?screen=audit`)
      await page.getByText(t('use.loading')).waitFor()
    },
  },
  'audit-nothing': { at: () => '?screen=audit&actor=nobody' },
  'revoke-selected': {
    async act(stage) {
      await select(stage)
      await stage.page.locator('.bulk .danger').click()
    },
  },
  'bulk-moving': {
    async act(stage) {
      await select(stage)
      await stage.page.route(/\/deactivate$/, (route) => route.fulfill({ status: 503, body: '{"code":"store_moving"}' }))
      await stage.page.locator('.bulk .button').first().click()
      await dialogOf(stage.page).waitFor()
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
