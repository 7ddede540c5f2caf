import { dialogOf, fill, go, loseOne, pick, press, review, type Scenes, show, tokenOf } from '../scene.js'

/** The forms, and what comes of them. */
export const form: Scenes = {
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
  'create-maybe': {
    async act(stage) {
      await review(stage)
      await stage.page.route(/\/admin\/tokens\/$/, (route) => route.fulfill({ status: 503, body: '{"code":"store_unavailable"}' }))
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
