import { dialogOf, fill, go, loseOne, noClipboard, pick, press, review, type Scenes, show, tokenOf } from '../scene.js'

/** The forms and their results. */
export const form: Scenes = {
  create: { act: fill },
  'create-scopes': {
    async act(stage) {
      await fill(stage)
      await stage.page.locator('.scopes').scrollIntoViewIfNeeded()
    },
  },
  'create-summary': {
    context: { viewport: { width: 390, height: 844 } },
    async act(stage) {
      await fill(stage)
      await dialogOf(stage.page).locator('.dialog-brief summary').click()
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
  'create-terms': {
    async act(stage) {
      await fill(stage)
      const dialog = dialogOf(stage.page)
      await pick(stage, 'form.never')
      await dialog.locator('.resources .button').click()
      await dialog.locator('.resource-row input').nth(1).fill('ham-1, rtm-2')
      await dialog.getByLabel(stage.t('form.addresses')).fill('300.1.1.1')
      await dialog.getByLabel(stage.t('form.metadata')).fill('{')
      await go(stage)
      await dialog.locator('.resources .error').scrollIntoViewIfNeeded()
    },
  },
  'create-secret-cut': {
    async act(stage) {
      await fill(stage)
      const field = dialogOf(stage.page).getByLabel(stage.t('form.metadata'))
      await field.fill('{"key": "eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiI0a1EwdFhiMkxyVm44WmNEIn0.c2ln"}')
      await dialogOf(stage.page).locator('.toast').waitFor()
    },
  },
  'create-refused': {
    options: { maxTokens: { perTenant: 1 } },
    empty: true,
    async before({ world }) {
      await world.tokens.system.create({ name: 'First', tenantId: 'acme', scopes: [] })
    },
    async act(stage) {
      await press('action.create')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.name')).first().fill('Second')
      await dialogOf(stage.page).getByLabel(stage.t('form.client'), { exact: true }).fill('acme')
      await go(stage)
      await dialogOf(stage.page).locator('.overview').waitFor()
      await go(stage)
      await stage.page.locator('.problem-line').waitFor()
    },
  },
  'create-intercepted': {
    async act(stage) {
      await review(stage)
      await stage.page.clock.install()
      await stage.page.route(/\/admin\/tokens\/$/, (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '' }))
      await go(stage)
      await stage.page.clock.runFor(10_000)
      await stage.page.locator('.problem-line').waitFor()
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
  'create-maybe': {
    async act(stage) {
      await review(stage)
      await stage.page.route(/\/admin\/tokens\/$/, (route) =>
        route.fulfill({ status: 503, body: '{"code":"store_unavailable","failed":"store"}' }),
      )
      await go(stage)
      await stage.page.locator('.problem-line').waitFor()
    },
  },
  'create-shown-once': { act: show },
  'create-copy-failed': {
    async act(stage) {
      await noClipboard(stage)
      await show(stage)
      await dialogOf(stage.page).locator('.secret .button').click()
      await dialogOf(stage.page).locator('.copy-failed').waitFor()
    },
  },
  'create-copied': {
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
    async act(stage) {
      await show(stage)
      await dialogOf(stage.page).locator('.secret .button').click()
      await dialogOf(stage.page).getByText(stage.t('action.copied')).first().waitFor()
    },
  },
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
      await loseOne(stage, /\/admin\/tokens\/$/)
      await go(stage)
      await dialogOf(stage.page).locator('.badge').waitFor()
    },
  },
  edit: {
    at: tokenOf('Warehouse scanner fleet'),
    async act(stage) {
      await press('action.edit')(stage)
      await stage.page.locator('label[data-scope="inventory:write"] input').click()
      await stage.page.locator('.scope-change').scrollIntoViewIfNeeded()
    },
  },
  'edit-refused': {
    at: tokenOf('Warehouse scanner fleet'),
    async act(stage) {
      await press('action.edit')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.metadata')).fill('{"constructor": 1}')
      await go(stage)
      await dialogOf(stage.page).locator('.field .error').waitFor()
    },
  },
  'edit-maybe': {
    at: tokenOf('Warehouse scanner fleet'),
    async act(stage) {
      await press('action.edit')(stage)
      await dialogOf(stage.page).getByLabel(stage.t('form.name')).first().fill('Scanners')
      await stage.page.route(/\/[0-9A-Za-z]{16}$/, (route) =>
        route.fulfill({ status: 503, body: '{"code":"store_unavailable","failed":"store"}' }),
      )
      await go(stage)
      await stage.page.locator('.problem-line').waitFor()
    },
  },
  conflict: {
    at: tokenOf('Price feed'),
    async act(stage) {
      const { page, world, ids, t } = stage
      await press('action.edit')(stage)
      await dialogOf(page).getByLabel(t('form.name')).first().fill('Price feed (marketplaces)')
      await dialogOf(page).getByLabel(t('form.description')).fill('Pushes list prices and stock')
      await world.tokens.system.update(ids.get('Price feed') ?? '', {
        name: 'Price feed v2',
        scopes: ['inventory:read'],
        resources: { warehouse: ['ham-1', 'rtm-2'] },
      })
      await go(stage)
      await dialogOf(page).locator('.diff').waitFor()
    },
  },
  'conflict-revoked': {
    at: tokenOf('Price feed'),
    async act(stage) {
      const { page, world, ids, t } = stage
      await press('action.edit')(stage)
      await dialogOf(page).getByLabel(t('form.name')).first().fill('Price feed (marketplaces)')
      await world.tokens.as({ id: 'ada@acme.example', tenants: '*', manages: 'all' }).revoke(ids.get('Price feed') ?? '')
      await go(stage)
      await dialogOf(page).locator('.diff').waitFor()
    },
  },
}
